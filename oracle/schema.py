"""The oracle's tables. Readings themselves are in files; here stands what happened to each batch.

Nothing in the clear here says what a meter showed: windows of past readings, decisions and manual readings are
sealed under the account's key, so that destroying the key erases them too.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
)

from contracts.client.private import private_database
from contracts.client.schema import Schema

metadata = MetaData()
SCHEMA = Schema("oracle", metadata, Path(__file__).parent / "migrations" / "oracle")

_Id = BigInteger().with_variant(Integer, "sqlite")

batches = Table(
    "batches",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("head", LargeBinary(24), nullable=False, unique=True),
    Column("source", BigInteger, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("previous", LargeBinary(24), nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("leaf_count", BigInteger, nullable=False),
    Column("period_start", BigInteger, nullable=False),
    Column("period_end", BigInteger, nullable=False),
    Column("document", LargeBinary(32), nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=True),
    Column("received_at", BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False, default=0),
    Column("anchored_block", BigInteger, nullable=True),
    Index("batches_place", "source", "epoch", "sequence"),
    Index("batches_state", "state"),
    Index("batches_document", "document"),
)

chains = Table(
    "chains",
    metadata,
    Column("source", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", Integer, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("head", LargeBinary(24), nullable=False),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("source", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("slug", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("received_at", BigInteger, nullable=False),
)

equivocations = Table(
    "equivocations",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("source", BigInteger, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("first", LargeBinary(24), nullable=False),
    Column("second", LargeBinary(24), nullable=False),
    Column("reported", Boolean, nullable=False, default=False),
    UniqueConstraint("first", "second"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("overlaid_head", LargeBinary(24), nullable=False),
    Column("overlaid_index", BigInteger, nullable=False),
    Column("reason", Integer, nullable=False),
    Column("leaf", LargeBinary(32), nullable=False),
    Column("key", LargeBinary(16), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("period_start", BigInteger, nullable=False),
    Column("period_end", BigInteger, nullable=False),
    Column("batch_head", LargeBinary(24), nullable=True),
    UniqueConstraint("overlaid_head", "overlaid_index"),
    Index("decisions_pending", "batch_head"),
)

meter_windows = Table(
    "meter_windows",
    metadata,
    Column("meter", LargeBinary(16), primary_key=True),
    Column("key", LargeBinary(16), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

manual_readings = Table(
    "manual_readings",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("client_key", String(128), nullable=False, unique=True),
    Column("leaf", LargeBinary(32), nullable=False),
    Column("key", LargeBinary(16), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("taken_at", BigInteger, nullable=False),
    Column("batch_head", LargeBinary(24), nullable=True),
    Index("manual_readings_pending", "batch_head"),
)


def open_database(url: str) -> Engine:
    """The oracle's database, its tables made where they are missing."""
    engine = open_engine(url)
    SCHEMA.bring_up(engine)
    return engine


def open_engine(url: str) -> Engine:
    """A database in which every commit is on disk before it returns."""
    engine = create_engine(private_database(url))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_immediate)
    return engine


def _prepare_sqlite(connection: object, _record: object) -> None:
    connection.isolation_level = None  # type: ignore[attr-defined]  # we say BEGIN ourselves
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")  # type: ignore[attr-defined]


def _begin_immediate(connection: object) -> None:
    """Takes the write lock at once: a read that later writes would otherwise fail under another writer."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")  # type: ignore[attr-defined]
