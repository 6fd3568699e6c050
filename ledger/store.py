"""The ledger's database: opened, filled in bulk, rolled back, and how far it has read."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Engine,
    LargeBinary,
    Table,
    Text,
    create_engine,
    delete,
    event,
    insert,
    select,
)
from sqlalchemy.exc import OperationalError

from contracts.client.private import private_database
from contracts.wire.ids import Hash
from ledger.models import FACTS
from ledger.progress import cursor, unfinalised
from ledger.schema import SCHEMA

Row = tuple[object, ...]
_ROWS_IN_A_STATEMENT = 16
_COPIED_FROM = 20
"""Rows of a table from which on a COPY, with its turns on the wire, is worth it."""
_COPY_TYPES: Mapping[type, str] = {BigInteger: "int8", LargeBinary: "bytea", Text: "text"}
_CAREFUL = ("synchronous=FULL", "cache_size=-64000")
_HASTY = ("synchronous=NORMAL", "cache_size=-16000")
"""For history, whose rows go to the ends of tables that nobody asks yet."""
_IS_HASTY = "is_hasty"
SqlRow = Any
"""A row of a query. SQLAlchemy's own type counts columns, which a query over a whole table does not tell mypy."""


class FactRows:
    """Rows to be added, table by table, each with the values of all its columns in order."""

    def __init__(self) -> None:
        self._rows: defaultdict[Table, list[Row]] = defaultdict(list)

    def add(self, table: Table, *values: object) -> None:
        """One row."""
        self._rows[table].append(values)

    def of(self, table: Table) -> list[Row]:
        """The rows that wait for a table."""
        return self._rows[table]

    def items(self) -> Iterable[tuple[Table, list[Row]]]:
        """Tables with their rows."""
        return self._rows.items()

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))

    def __getstate__(self) -> dict[str, list[Row]]:
        return {table.name: rows for table, rows in self._rows.items()}

    def __setstate__(self, rows: dict[str, list[Row]]) -> None:
        self._rows = defaultdict(list, {table: rows[table.name] for table in FACTS if table.name in rows})


@dataclass(frozen=True, slots=True)
class Position:
    """How far the ledger has read, and how far that is final."""

    number: int
    hash: Hash
    finalized_number: int
    finalized_hash: Hash


@dataclass(frozen=True, slots=True)
class Link:
    """A block of the list that may still leave the chain."""

    number: int
    hash: Hash
    parent: Hash
    timestamp: int


def database_url(home: Path, environment: Mapping[str, str] = os.environ) -> str:
    """Where the ledger's tables are: KOPECK_LEDGER_DB, or SQLite under the home."""
    return environment.get("KOPECK_LEDGER_DB") or f"sqlite:///{home / 'ledger' / 'ledger.db'}"


def open_database(url: str) -> Engine:
    """An engine with the ledger's tables in place."""
    engine = connect(url)
    SCHEMA.bring_up(engine)
    return engine


def connect(url: str) -> Engine:
    """An engine; SQLite in write-ahead mode, so that reading and writing do not wait for each other."""
    private_database(url)
    # A read of several queries is to be of one moment; SQLite's transactions are so by themselves.
    engine = (
        create_engine(url, isolation_level="REPEATABLE READ") if url.startswith("postgresql") else create_engine(url)
    )
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _tune_sqlite)
        event.listen(engine, "begin", _begin_at_once)
        event.listen(engine, "checkin", _be_careful_again)
    return engine


def _tune_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    _set(connection, ("journal_mode=WAL", *_CAREFUL, "busy_timeout=10000", "secure_delete=ON"))


def _set(connection: Any, pragmas: Iterable[str]) -> None:
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}")


def _begin_at_once(connection: Connection) -> None:
    # The driver would begin only at the first write; a read before it would then stand outside the transaction.
    connection.exec_driver_sql("BEGIN")


@contextmanager
def history_transaction(engine: Engine) -> Iterator[Connection]:
    """A transaction whose commit does not wait for the disk. With the power it may be lost, rows and cursor together,
    and the chain has all of it; whatever is committed after it in the usual way is never there without it."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            _set(connection.connection.driver_connection, _HASTY)  # before the transaction, where it may be set
            connection.info[_IS_HASTY] = True
        with connection.begin():
            if engine.dialect.name == "postgresql":
                connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")
            yield connection


def _be_careful_again(driver: Any, record: Any) -> None:
    """What a connection was told for history does not stay with it."""
    if driver is not None and record.info.pop(_IS_HASTY, False):
        _set(driver, _CAREFUL)


def is_overtaken(error: OperationalError) -> bool:
    """Whether another process (an erasure) wrote between our reading and our writing: the same again goes through."""
    return getattr(error.orig, "sqlite_errorname", "").startswith("SQLITE_BUSY")


def insert_rows(connection: Connection, rows: FactRows) -> None:
    """Adds all rows. Goes past SQLAlchemy's parameter handling, which costs five times the insert itself."""
    is_postgresql = connection.dialect.name == "postgresql"
    for table, values in rows.items():
        if is_postgresql and len(values) >= _COPIED_FROM:
            _copy(connection, table, values)
        elif values:
            _insert(connection, table, values)


def _insert(connection: Connection, table: Table, values: Sequence[Row]) -> None:
    """Several rows in a statement as far as they go evenly: each statement costs as much as two rows."""
    style = connection.dialect.paramstyle
    even = len(values) - len(values) % _ROWS_IN_A_STATEMENT
    if even:
        parts = (values[start : start + _ROWS_IN_A_STATEMENT] for start in range(0, even, _ROWS_IN_A_STATEMENT))
        sql = _insert_sql(table, style, _ROWS_IN_A_STATEMENT)
        connection.exec_driver_sql(sql, [tuple(chain.from_iterable(part)) for part in parts])
    if even < len(values):
        connection.exec_driver_sql(_insert_sql(table, style, 1), list(values[even:]))


def _copy(connection: Connection, table: Table, values: Iterable[Row]) -> None:
    """As one COPY, which PostgreSQL takes ten times as fast as INSERTs."""
    driver = connection.connection.driver_connection
    assert driver is not None, "a connection in a transaction has its driver's"
    with driver.cursor() as cursor, cursor.copy(_copy_sql(table)) as copy:
        copy.set_types([_COPY_TYPES[type(column.type)] for column in table.columns])
        for row in values:
            copy.write_row(row)


@lru_cache(maxsize=256)
def _copy_sql(table: Table) -> str:
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    return f'COPY "{table.name}" ({columns}) FROM STDIN (FORMAT BINARY)'


@lru_cache(maxsize=256)
def _insert_sql(table: Table, paramstyle: str, rows: int) -> str:
    mark = "?" if paramstyle == "qmark" else "%s"
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    row = f"({', '.join([mark] * len(table.columns))})"
    return f'INSERT INTO "{table.name}" ({columns}) VALUES {", ".join([row] * rows)}'


def delete_above(connection: Connection, height: int) -> None:
    """Takes back every fact that blocks above ``height`` stated or named."""
    for table in (*FACTS, unfinalised):
        connection.execute(delete(table).where(table.c.block_number > height))


def read_position(connection: Connection) -> Position | None:
    """How far the ledger has read; None before the first block."""
    row = connection.execute(select(cursor)).one_or_none()
    if row is None:
        return None
    return Position(row.block_number, Hash(row.block_hash), row.finalized_number, Hash(row.finalized_hash))


def write_position(connection: Connection, position: Position) -> None:
    """Puts the cursor, in the caller's transaction."""
    connection.execute(delete(cursor))
    connection.execute(
        insert(cursor).values(
            id=1,
            block_number=position.number,
            block_hash=position.hash,
            finalized_number=position.finalized_number,
            finalized_hash=position.finalized_hash,
        )
    )


def read_links(connection: Connection) -> list[Link]:
    """The list of blocks that may still leave, lowest first."""
    rows = connection.execute(select(unfinalised).order_by(unfinalised.c.block_number))
    return [Link(r.block_number, Hash(r.hash), Hash(r.parent), r.timestamp) for r in rows]


def write_links(connection: Connection, links: Iterable[Link], keep_from: int) -> None:
    """Adds blocks to the list and drops those below ``keep_from``."""
    rows = FactRows()
    for link in links:
        rows.add(unfinalised, link.number, link.hash, link.parent, link.timestamp)
    insert_rows(connection, rows)
    connection.execute(delete(unfinalised).where(unfinalised.c.block_number < keep_from))
