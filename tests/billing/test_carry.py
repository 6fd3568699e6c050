"""Many transactions whose log is carried over beside the next one: all of them stand, and the log stays short."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from billing import carry
from billing.carry import CarryOver
from billing.store import WAL_PAGES, open_database

ROW_BYTES = 100_000
PAGE_BYTES = 4096
TIMES = 24


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_database(f"sqlite:///{tmp_path / 'billing.db'}")
    with made.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE pieces (number INTEGER PRIMARY KEY, body BLOB)")
    yield made
    made.dispose()


def write(engine: Engine, times: int = TIMES) -> None:
    with CarryOver(engine) as books:
        for number in range(times):
            with books.transaction() as connection:
                connection.exec_driver_sql("INSERT INTO pieces VALUES (?, ?)", (number, bytes(ROW_BYTES)))


def pragma(engine: Engine, text: str) -> tuple[int, ...]:
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute(f"PRAGMA {text}")
        (row,) = cursor.fetchall()
        return tuple(row)
    finally:
        raw.close()


def test_everything_stands_and_is_in_the_file(engine: Engine) -> None:
    write(engine)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*), sum(length(body)) FROM pieces").one() == (
            TIMES,
            TIMES * ROW_BYTES,
        )
    blocked, logged, carried = pragma(engine, "wal_checkpoint(PASSIVE)")
    assert (blocked, logged) == (0, carried)


def test_the_log_begins_anew_within_so_many_transactions(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carry, "_MOST", 4)
    write(engine)
    log_bytes = (tmp_path / "billing.db-wal").stat().st_size
    assert 4 * ROW_BYTES < log_bytes < 8 * (ROW_BYTES + PAGE_BYTES), "as long as four transactions and not as all"


def test_a_connection_is_left_as_it_was(engine: Engine) -> None:
    write(engine, 1)
    assert pragma(engine, "wal_autocheckpoint") == (WAL_PAGES,)


def test_what_fails_is_rolled_back_and_leaves_a_connection_as_it_was(engine: Engine) -> None:
    write(engine, 1)
    with pytest.raises(IntegrityError):
        write(engine, 1)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM pieces").scalar_one() == 1
    assert pragma(engine, "wal_autocheckpoint") == (WAL_PAGES,)


def test_a_disk_that_fills_while_the_log_is_carried_over_stops_the_writing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: CarryOver) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(CarryOver, "_carry", full)
    monkeypatch.setattr(carry, "_MOST", 2)
    with pytest.raises(OSError, match="No space"):
        write(engine)
