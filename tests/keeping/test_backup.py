"""Backups of a home: complete, private, checked, and no way round an erasure. SQLite itself is the judge of copies."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

import billing.store
import ledger.store
from contracts.client.keyring import KeyRing
from contracts.wire.ids import KeyId
from scripts.home import Home
from scripts.keeping.backup import (
    MANIFEST,
    BackupThere,
    BadBackup,
    ElsewhereToo,
    NoKeyRing,
    OtherTown,
    read_backup,
    restore,
    take_backup,
)

FIRST, SECOND = KeyId(b"\x01" * 16), KeyId(b"\x02" * 16)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home as a town leaves it: databases of owners, files, keys, a ring, and what must stay out."""
    place = Home(tmp_path / "town")
    place.deployment.write_text('{"chain_id": 1}\n')
    billing.store.open_database(f"sqlite:///{place.folder('billing') / 'billing.db'}").dispose()
    ledger.store.open_database(f"sqlite:///{place.folder('ledger') / 'ledger.db'}").dispose()
    count(place, 3)
    (place.folder("oracle") / "files").mkdir()
    (place.root / "oracle" / "files" / "0xab.jsonl").write_text("{}\n")
    (place.root / "oracle" / "files" / ".0xab.jsonl.new1").write_text("half")
    (place.folder("logs") / "api.log").write_text("log")
    (place.folder("chain") / "state.json").write_text("{}")
    ring = KeyRing(place.root / "keyring.db")
    ring.create_many([FIRST, SECOND])
    place.key("biller")
    return place


def count(place: Home, rows: int) -> None:
    with closing(sqlite3.connect(place.folder("parties") / "bank.db")) as database:
        database.execute("CREATE TABLE IF NOT EXISTS n (v INTEGER)")
        database.executemany("INSERT INTO n VALUES (?)", [(number,) for number in range(rows)])
        database.commit()


def counted(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute("SELECT count(*) FROM n").fetchone()[0])


def test_everything_comes_back_and_secrets_lie_apart(home: Home, tmp_path: Path) -> None:
    data, keys = tmp_path / "data", tmp_path / "keys"
    take_backup(home, data, keys)
    names = set(read_backup(data).files)
    assert {"billing/billing.db", "ledger/ledger.db", "parties/bank.db", "oracle/files/0xab.jsonl"} < names
    assert not [name for name in names if "key" in name or name.startswith(("logs", "chain")) or "/." in name]
    assert set(read_backup(keys).files) == {"keyring.db", "keys/biller.key"}
    modes = {path.stat().st_mode & 0o077 for folder in (data, keys) for path in (folder, *folder.rglob("*"))}
    assert modes == {0}, "for the owner alone"
    secret, biller = KeyRing(home.root / "keyring.db").secret(FIRST), home.key("biller")

    elsewhere = Home(tmp_path / "new")
    assert restore(elsewhere, data, keys) is None
    assert KeyRing(elsewhere.root / "keyring.db").secret(FIRST) == secret
    assert elsewhere.key("biller") == biller
    assert counted(elsewhere.root / "parties" / "bank.db") == 3
    assert (elsewhere.root / "oracle" / "files" / "0xab.jsonl").read_text() == "{}\n"
    assert (elsewhere.root / "keyring.db").stat().st_mode & 0o077 == 0


def test_a_copy_taken_while_others_write_is_of_one_moment(home: Home, tmp_path: Path) -> None:
    """A writer moves a kopeck from one row to the other all the while; in every copy the sum is whole."""
    path = home.folder("parties") / "moving.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE purse (id INTEGER PRIMARY KEY, v INTEGER)")
        database.executemany("INSERT INTO purse VALUES (?, 1000)", [(number,) for number in range(3000)])
        database.commit()
    over = threading.Event()
    moved = 0

    def move() -> None:
        nonlocal moved
        rng = Random(1)
        with closing(sqlite3.connect(path, timeout=30)) as database:
            while not over.is_set():
                a, b = rng.sample(range(3000), 2)
                database.execute("UPDATE purse SET v = v - 1 WHERE id = ?", (a,))
                database.execute("UPDATE purse SET v = v + 1 WHERE id = ?", (b,))
                database.commit()
                moved += 1

    writer = threading.Thread(target=move)
    writer.start()
    try:
        for number in range(5):
            take_backup(home, tmp_path / f"data{number}", tmp_path / f"keys{number}")
    finally:
        over.set()
        writer.join()
    assert moved > 10
    for number in range(5):
        with closing(sqlite3.connect(tmp_path / f"data{number}" / "parties" / "moving.db")) as copy:
            assert copy.execute("SELECT sum(v) FROM purse").fetchone()[0] == 3_000_000


def test_what_was_there_is_moved_aside_and_never_lost(home: Home, tmp_path: Path) -> None:
    data, keys = tmp_path / "data", tmp_path / "keys"
    take_backup(home, data, keys)
    count(home, 4)
    aside = restore(home, data, None, now=77)
    assert aside == home.root / "replaced" / "77"
    assert counted(home.root / "parties" / "bank.db") == 3
    assert counted(aside / "parties" / "bank.db") == 7
    assert KeyRing(home.root / "keyring.db").secret(FIRST) is not None, "without --keys the home's ring stays"
    take_backup(home, tmp_path / "again", tmp_path / "again-keys")
    assert not [name for name in read_backup(tmp_path / "again").files if name.startswith("replaced")]


@pytest.mark.parametrize("broken_off", [False, True])
def test_a_backup_from_before_an_erasure_does_not_undo_it(home: Home, tmp_path: Path, broken_off: bool) -> None:
    data, keys = tmp_path / "data", tmp_path / "keys"
    take_backup(home, data, keys)
    KeyRing(home.root / "keyring.db").destroy(FIRST, 1_767_000_000, "order 5")
    if broken_off:  # an earlier restore died once the ring had been moved away
        (home.root / "replaced" / "1").mkdir(parents=True)
        (home.root / "keyring.db").rename(home.root / "replaced" / "1" / "keyring.db")
    restore(home, data, keys)
    ring = KeyRing(home.root / "keyring.db")
    assert ring.secret(FIRST) is None
    assert ring.destroyed(FIRST) == (1_767_000_000, "order 5")
    assert ring.secret(SECOND) is not None


def damages() -> Iterator[tuple[str, str]]:
    yield "flip", "is not what was written"
    yield "cut", "is not what was written"
    yield "drop", "is missing"
    yield "add", "is not in the manifest"
    yield "no manifest", "broken off"
    yield "torn manifest", "is not as it was written"
    yield "unsound", "is no sound database"


@pytest.mark.parametrize(("how", "told"), list(damages()))
def test_a_damaged_backup_is_named_and_nothing_is_touched(home: Home, tmp_path: Path, how: str, told: str) -> None:
    data, keys = tmp_path / "data", tmp_path / "keys"
    take_backup(home, data, keys)
    victim = data / "billing" / "billing.db"
    raw = bytearray(victim.read_bytes())
    match how:
        case "flip":
            raw[len(raw) // 2] ^= 1
            victim.write_bytes(raw)
        case "cut":
            victim.write_bytes(raw[:-1])
        case "drop":
            victim.unlink()
        case "add":
            (data / "extra").write_text("x")
        case "no manifest":
            (data / MANIFEST).unlink()
        case "torn manifest":
            (data / MANIFEST).write_text((data / MANIFEST).read_text()[:50])
        case "unsound":
            import hashlib

            raw[4096:12288] = b"\xff" * 8192
            victim.write_bytes(raw)
            manifest = json.loads((data / MANIFEST).read_text())
            manifest["files"]["billing/billing.db"] = [hashlib.sha256(raw).hexdigest(), len(raw)]
            (data / MANIFEST).write_text(json.dumps(manifest))
    count(home, 1)
    with pytest.raises(BadBackup, match=told):
        restore(home, data, keys)
    assert counted(home.root / "parties" / "bank.db") == 4
    assert not (home.root / "replaced").exists()


def test_wrong_places_are_refused(home: Home, tmp_path: Path) -> None:
    data, keys = tmp_path / "data", tmp_path / "keys"
    there = {"KOPECK_BILLING_DB": "postgresql+psycopg://db/billing"}
    with pytest.raises(ElsewhereToo, match="KOPECK_BILLING_DB point to PostgreSQL"):
        take_backup(home, data, keys, environment=there)
    take_backup(home, data, keys, postgres_apart=True, environment=there)
    with pytest.raises(BackupThere, match="never written over"):
        take_backup(home, data, tmp_path / "other")
    other = Home(tmp_path / "other-town")
    other.deployment.write_text('{"chain_id": 2}\n')
    with pytest.raises(OtherTown):
        restore(other, data, keys)
    with pytest.raises(NoKeyRing, match="--keys"):
        restore(Home(tmp_path / "empty"), data, None)
