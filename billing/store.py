"""Billing's database: opened, with its tables in place, and the JSON columns' spelling."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, and_, create_engine, event, insert, update

from billing.schema import SCHEMA
from contracts.client.private import private_database

WAL_PAGES = 16_000
"""Pages of four kilobytes in the log that have a commit carry it over into the file."""
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "busy_timeout=20000",
    "foreign_keys=ON",
    "secure_delete=ON",
    "cache_size=-32000",
    f"wal_autocheckpoint={WAL_PAGES}",
)


def database_url(home: Path, environment: Mapping[str, str] = os.environ) -> str:
    """Where billing's tables are: KOPECK_BILLING_DB, or SQLite under the home."""
    return environment.get("KOPECK_BILLING_DB") or f"sqlite:///{home / 'billing' / 'billing.db'}"


def open_database(url: str) -> Engine:
    """An engine with billing's tables in place. Several processes may open it: the inbox is written by the API."""
    engine = create_engine(private_database(url))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _tune_sqlite)
        event.listen(engine, "begin", _begin_immediate)
    SCHEMA.bring_up(engine)
    return engine


def _tune_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    # A transaction that reads before it writes must not find, at its first write, that another wrote in between.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


def dump(value: object) -> str:
    """A JSON column's text."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def load(text: str) -> Any:
    """A JSON column's value."""
    return json.loads(text)


def put(connection: Connection, table: Table, key: Mapping[str, object], values: Mapping[str, object]) -> None:
    """Writes the values at a key of a table, whether a row stands there or not."""
    here = and_(*(table.c[name] == value for name, value in key.items()))
    if connection.execute(update(table).where(here).values(**values)).rowcount == 0:
        connection.execute(insert(table).values(**key, **values))


def insert_many(
    connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[object, ...]]
) -> None:
    """Adds rows of plain values. Goes past SQLAlchemy's parameter handling, which costs more than the insert itself."""
    if rows:
        mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
        names, marks = ", ".join(f'"{name}"' for name in columns), ", ".join([mark] * len(columns))
        connection.exec_driver_sql(f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})', list(rows))
