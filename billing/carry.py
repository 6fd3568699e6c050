"""A run's many transactions into SQLite: what they leave in its log goes into its file beside the next one.

Left to itself a commit carries the log over before it ends, which takes as long as writing did. PostgreSQL does it in
processes of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType

from sqlalchemy import Connection, Engine

from billing.store import WAL_PAGES

_MOST = 8
"""Transactions after which the log is waited for: it begins anew only once all of it was carried over."""


class CarryOver:
    """Transactions one after another, each carried over in a thread while the next is written."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writes = engine.execution_options(writes=True)
        self._is_logged = engine.dialect.name == "sqlite"
        self._beside = ThreadPoolExecutor(1, "carry over")
        self._under_way: list[Future[None]] = []

    def __enter__(self) -> CarryOver:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._beside.shutdown()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One more. Raises what carrying over those before it raised: a full disk."""
        if not self._is_logged:
            with self._writes.begin() as connection:
                yield connection
            return
        if len(self._under_way) == _MOST:
            for each in self._under_way:
                each.result()
            self._under_way.clear()
        with self._writes.connect() as connection:
            _tell(connection, "wal_autocheckpoint=0")
            try:
                with connection.begin():
                    yield connection
            finally:
                _tell(connection, f"wal_autocheckpoint={WAL_PAGES}")
        self._under_way.append(self._beside.submit(self._carry))

    def _carry(self) -> None:
        with self._engine.connect() as connection:
            _tell(connection, "wal_checkpoint(PASSIVE)")


def _tell(connection: Connection, pragma: str) -> None:
    """Past SQLAlchemy, which would begin a transaction for it."""
    driver = connection.connection.driver_connection
    assert driver is not None, "a connection that was not invalidated has its driver's"
    driver.execute(f"PRAGMA {pragma}").fetchall()
