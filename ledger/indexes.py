"""Indexes that history is read without: built once at its end they take a third of what each row adds to them.

They hold no fact and keep no rule (keys stay), so a ledger stopped before they are back is whole, only slower to ask;
the next one to follow the chain puts them back.
"""

from __future__ import annotations

from sqlalchemy import Connection, Engine, Index, inspect

from ledger.models import bill_states, grant_uses, movements, payments, postings
from ledger.store import history_transaction

_TABLES = (bill_states, payments, movements, grant_uses, postings)


def take_down(connection: Connection) -> None:
    """Drops them, in the caller's transaction."""
    for index in _indexes(connection, standing=True):
        index.drop(connection)


def put_back(engine: Engine) -> int:
    """Builds those that are missing, with as little memory as the rows took; gives how many they were."""
    with history_transaction(engine) as connection:
        missing = _indexes(connection, standing=False)
        for index in missing:
            index.create(connection)
    return len(missing)


def _indexes(connection: Connection, standing: bool) -> list[Index]:
    """Those of the tables' indexes that the database has, or has not."""
    found = inspect(connection)
    there = {row["name"] for table in _TABLES for row in found.get_indexes(table.name)}
    every = [index for table in _TABLES for index in sorted(table.indexes, key=lambda index: str(index.name))]
    return [index for index in every if (index.name in there) == standing]
