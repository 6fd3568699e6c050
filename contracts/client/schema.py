"""A database's tables and the steps that brought them to where they are: one schema an owner, by Alembic.

A new database gets the tables as they are now and the number of the last step; an older one is brought up step by
step. That both ways end in the same tables is tested (tests/client/test_schema.py). Alembic is loaded only where
there is a step to take.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, MetaData, NullPool, create_engine, event, inspect, text

if TYPE_CHECKING:
    from alembic.config import Config

_ENVIRONMENT = Path(__file__).parent / "migration"
_LOCK = 0x6B6F7065636B
"""Key of PostgreSQL's advisory lock: two processes that open a new database at once take turns."""


class SchemaUnknown(Exception):
    """A database has tables of ours, but does not say of which step."""

    def __init__(self, owner: str, database: str) -> None:
        super().__init__(
            f"database {database} holds tables of {owner} from before their steps were counted; "
            "move it away and let it be filled again (a demo town: `make clean`)"
        )
        self.owner, self.database = owner, database


class SchemaTooNew(Exception):
    """A database was brought further than this version of the program knows."""

    def __init__(self, owner: str, database: str, found: str, known: str) -> None:
        super().__init__(
            f"database {database} holds tables of {owner} at step {found}, and this version knows steps up to {known}; "
            "run the newer version, or restore a backup from before it"
        )
        self.owner, self.database, self.found, self.known = owner, database, found, known


@dataclass(frozen=True)
class Schema:
    """Tables of one owner. ``steps`` is the folder of its migrations, ``0001_….py`` and on, each after the last."""

    owner: str
    metadata: MetaData
    steps: Path

    @property
    def head(self) -> str:
        """The last step; empty before the first."""
        return max((path.name[:4] for path in self.steps.glob("[0-9]*.py")), default="")

    @property
    def version_table(self) -> str:
        """Where a database keeps the step it is at."""
        return f"{self.owner}_schema"

    def bring_up(self, engine: Engine) -> None:
        """Makes the tables, or takes the steps that are missing, all or nothing. Raises SchemaUnknown, SchemaTooNew."""
        with engine.connect() as connection:
            if self._counted(connection) == self.head:
                return
        with _whole(engine) as connection:
            step = self.step_of(connection)
            if step is None:
                self._make(connection)
            elif step > self.head:
                raise SchemaTooNew(self.owner, _name(engine), step, self.head)
            elif step != self.head:
                self.upgrade(connection)

    def step_of(self, connection: Connection) -> str | None:
        """The step that a database is at; None in one that has no tables of this owner. Raises SchemaUnknown."""
        step = self._counted(connection)
        if step is None and any(inspect(connection).has_table(name) for name in self.metadata.tables):
            raise SchemaUnknown(self.owner, _name(connection.engine))
        return step

    def _counted(self, connection: Connection) -> str | None:
        if not inspect(connection).has_table(self.version_table):
            return None
        step = connection.execute(text(f"SELECT version_num FROM {self.version_table}")).scalar_one_or_none()
        return None if step is None else str(step)

    def upgrade(self, connection: Connection) -> None:
        """Takes every step that is missing, in the caller's transaction."""
        from alembic import command

        command.upgrade(migration_config(self, connection), "head")

    def _make(self, connection: Connection) -> None:
        self.metadata.create_all(connection)
        connection.execute(text(f"CREATE TABLE {self.version_table} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
        connection.execute(text(f"INSERT INTO {self.version_table} (version_num) VALUES (:step)"), {"step": self.head})


@contextmanager
def _whole(engine: Engine) -> Iterator[Connection]:
    """One transaction that nobody else's opening runs into. A file of SQLite gets a connection of its own for it:
    the driver's default commits every CREATE TABLE by itself."""
    if engine.dialect.name == "sqlite" and engine.url.database not in (None, "", ":memory:"):
        alone = create_engine(engine.url, poolclass=NullPool)
        event.listen(alone, "connect", _leave_transactions_to_us)
        event.listen(alone, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        with alone.begin() as connection:
            yield connection
        return
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        yield connection


def _leave_transactions_to_us(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA busy_timeout=20000")


def migration_config(schema: Schema, connection: Connection) -> Config:
    """What Alembic's commands are given: our environment, the owner's folder, the caller's connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_ENVIRONMENT))
    config.set_main_option("version_locations", str(schema.steps))
    config.set_main_option("path_separator", "newline")
    config.attributes.update(connection=connection, metadata=schema.metadata, version_table=schema.version_table)
    return config


def _name(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=True)
