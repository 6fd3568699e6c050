"""Erasing what a destroyed key once opened: the ledger takes the erasure records from those who serve the files.

To destroy an account's key erases its sealed records; the ledger holds what it opened of them before, so it reads
the files again, now with a signed record of erasure in each leaf's place, and keeps no more than a rebuild would.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import structlog
from sqlalchemy import Engine, text

from contracts.client.files import AccessDenied, FileSource, FileStore, SourceUnreachable
from contracts.client.keyring import KeyRing, UnknownKey
from contracts.wire.files import FileError
from contracts.wire.ids import KeyId
from ledger.ingest import Named, Secrets, add_file, checked_lines, held, remove_file
from ledger.operators import is_erased, operators

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Erased:
    """Files that were read again without the erased records, and those whose server has no erasure record yet."""

    done: tuple[Named, ...]
    waiting: tuple[Named, ...]


def erase(engine: Engine, local: FileStore, source: FileSource, ring: KeyRing) -> Erased:
    """Drops what destroyed keys had opened. Safe to repeat, and to kill: each file is one transaction."""
    done: list[Named] = []
    waiting: list[Named] = []
    with engine.begin() as connection:
        files = held(connection)
    for named in files:
        own = local.get(named.kind, named.root)
        if own is not None and _holds_destroyed(own, ring):
            (done if _read_again(engine, local, source, ring, named) else waiting).append(named)
    if done and engine.dialect.name == "sqlite":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # The log of changes still holds the old pages until it is folded in and cut.
            connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    return Erased(tuple(done), tuple(waiting))


def _holds_destroyed(data: bytes, ring: KeyRing) -> bool:
    """Whether a leaf of the file is still sealed under a key that was destroyed."""
    sealed = {row["key"] for row in map(json.loads, data.splitlines()[1:]) if "sealed" in row and "key" in row}
    return any(_is_destroyed(KeyId(bytes.fromhex(key)), ring) for key in sealed)


def _is_destroyed(key: KeyId, ring: KeyRing) -> bool:
    try:
        return ring.destroyed(key) is not None
    except UnknownKey:
        return False


def _read_again(engine: Engine, local: FileStore, source: FileSource, ring: KeyRing, named: Named) -> bool:
    """Replaces the ledger's copy and facts of one file by what is served now; False where that is not erased yet."""
    try:
        data = source.get(named.kind, named.root)
        if data is None or _holds_destroyed(data, ring):
            log.warning("no erasure record yet", kind=named.kind, root="0x" + named.root.hex())
            return False
        lines = checked_lines(data, named)
    except (FileError, SourceUnreachable, AccessDenied) as error:
        log.warning("file not to be had", kind=named.kind, root="0x" + named.root.hex(), reason=str(error))
        return False
    with engine.begin() as connection:
        erasers = operators(connection)
    if any(line.erased is not None and not is_erased(line, erasers) for line in lines):
        log.error("an erasure no operator signed", kind=named.kind, root="0x" + named.root.hex())
        return False
    local.put(named.kind, named.root, data)
    with engine.begin() as connection:
        remove_file(connection, named)
        add_file(connection, named, lines, Secrets(ring))
    return True
