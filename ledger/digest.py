"""One hash over every fact, and one over each table, so that two ledgers can be held against each other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from sqlalchemy import Connection, Table, select

from contracts.wire.ids import Hash
from ledger.models import FACTS

_ROWS_AT_ONCE = 5_000


def digest(connection: Connection, height: int | None = None) -> Hash:
    """SHA-256 over the digests of the tables; only facts up to ``height`` where one is given."""
    whole = hashlib.sha256()
    for name, part in table_digests(connection, height).items():
        whole.update(name.encode() + b"\0" + part)
    return Hash(whole.digest())


def table_digests(connection: Connection, height: int | None = None) -> dict[str, bytes]:
    """SHA-256 of each table's rows in the order of their keys."""
    found: dict[str, bytes] = {}
    for table in FACTS:
        sha = hashlib.sha256()
        for row in rows_in_order(connection, table, height):
            # Rows hold integers, bytes, texts and None only, which Python writes in one way.
            sha.update(repr(row).encode())
        found[table.name] = sha.digest()
    return found


def rows_in_order(connection: Connection, table: Table, height: int | None = None) -> Iterator[tuple[object, ...]]:
    """A table's rows in the order of its key."""
    query = select(table).order_by(*table.primary_key.columns)
    if height is not None:
        query = query.where(table.c.block_number <= height)
    for row in connection.execute(query.execution_options(yield_per=_ROWS_AT_ONCE)):
        yield tuple(row)
