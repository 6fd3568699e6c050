"""What a home is made of is its owner's alone, whatever the umask."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from contracts.client.erasing import erase_in_files, fold_log
from contracts.client.files import FileStore
from contracts.client.private import private_database, private_file, private_folder
from contracts.wire.erasure import sign_erasure, signer_of
from contracts.wire.files import Erasure, LeafLine, encode_file, parse_file, root_of_lines
from contracts.wire.ids import Hash, KeyId
from contracts.wire.merkle import leaf_hash
from contracts.wire.sealed import seal
from contracts.wire.typed_data import address_of

OPERATOR = b"\x11" * 32
GONE, STAYS = KeyId(b"g" * 16), KeyId(b"s" * 16)


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_databases_files_and_folders_are_closed_to_others(tmp_path: Path) -> None:
    url = private_database(f"sqlite:///{tmp_path / 'a' / 'b' / 'x.db'}")
    engine: Engine = create_engine(url)
    with engine.connect() as connection:
        connection.execute(text("PRAGMA journal_mode=WAL"))
        connection.execute(text("CREATE TABLE t (x INTEGER)"))
        connection.commit()
        assert mode(tmp_path / "a" / "b" / "x.db-wal") == 0o600
    folder = tmp_path / "a" / "b"
    assert (mode(folder.parent), mode(folder), mode(folder / "x.db")) == (0o700, 0o700, 0o600)
    FileStore(tmp_path / "files").put("tariffs", Hash(bytes(32)), b"{}")
    (kept,) = (tmp_path / "files" / "tariffs").iterdir()
    assert (mode(kept), mode(kept.parent)) == (0o600, 0o700)


def test_what_stood_open_is_closed_and_a_folder_of_others_is_left(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir(mode=0o755)
    (tmp_path / "old" / "x.db").touch(mode=0o644)
    assert mode(private_file(tmp_path / "old" / "x.db")) == 0o600
    assert mode(private_folder(tmp_path / "old")) == 0o755


def test_the_log_of_changes_is_cut(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'x.db'}")
    with engine.connect() as connection:
        connection.execute(text("PRAGMA journal_mode=WAL"))
        connection.execute(text("CREATE TABLE t (x TEXT)"))
        connection.commit()
        fold_log(engine)
    assert (tmp_path / "x.db-wal").stat().st_size == 0


def test_erased_leaves_are_signed_and_the_root_stays(tmp_path: Path) -> None:
    blobs = [bytes([i]) * 40 for i in range(5)]
    leaves = [leaf_hash(blob) for blob in blobs]
    keys = [GONE, STAYS, GONE, STAYS, STAYS]
    lines = [LeafLine(n, None, k, seal(b"k" * 32, n, b)) for n, k, b in zip(leaves, keys, blobs, strict=True)]
    store = FileStore(tmp_path)
    root = root_of_lines(lines)
    store.put("readings", root, encode_file({"head": 1}, lines))

    def sign(leaf: Hash) -> Erasure:
        return sign_erasure(OPERATOR, leaf, GONE, 7, "act")

    assert erase_in_files(store, ["readings", "bills"], GONE, sign) == {"readings": 2}
    assert erase_in_files(store, ["readings", "bills"], GONE, sign) == {}
    head, left = parse_file(store.get("readings", root) or b"", root)
    assert head == {"head": 1}
    assert [line.sealed is None for line in left] == [True, False, True, False, False]
    for line in (left[0], left[2]):
        assert line.erased is not None
        assert signer_of(line.leaf, line.erased) == address_of(OPERATOR)
    assert [line for line in left if line.key == STAYS] == [line for line in lines if line.key == STAYS]
