"""A row of the ledger that somebody changed by hand: held against a ledger left alone, table and row are named.

That a rebuild from chain and files is such a ledger is tests/ledger's to show.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from sqlalchemy import Engine, LargeBinary, Table, create_engine, select, update

from ledger.fsck import compare
from ledger.models import FACTS
from tests.audit.conftest import Laid

SEEDS = 6


def copied(engine: Engine, path: Path) -> Engine:
    """The ledger's database in a file of its own, whole."""
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("VACUUM INTO ?", (str(path),))
    return create_engine(f"sqlite:///{path}")


def change_row(engine: Engine, chance: random.Random) -> tuple[Table, str]:
    """Another number or another byte in a row of facts; the table, and the value that now stands there."""
    with engine.begin() as connection:
        while True:
            table = chance.choice(FACTS)
            columns = [c for c in table.columns if not c.primary_key]
            rows = connection.execute(select(table)).mappings().all()
            if not rows or not columns:
                continue
            column, row = chance.choice(columns), chance.choice(rows)
            before = row[column.name]
            if isinstance(column.type, LargeBinary) and before:
                changed: object = bytes((before[0] ^ 1,)) + before[1:]
            elif isinstance(before, int):
                changed = before + 1
            else:
                continue
            here = [c == row[c.name] for c in table.columns if c.primary_key]
            connection.execute(update(table).where(*here).values({column.name: changed}))
            return table, repr(changed)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_changed_row_is_found_and_named(played: Laid, tmp_path: Path, seed: int) -> None:
    assert played.engine is not None
    stands, rebuilt = copied(played.engine, tmp_path / "stands.db"), copied(played.engine, tmp_path / "rebuilt.db")
    assert compare(stands, rebuilt).is_equal
    table, value = change_row(stands, random.Random(seed))
    found = compare(stands, rebuilt)
    assert not found.is_equal
    (difference,) = found.differences
    assert difference.table == table.name
    assert value in repr(difference.stands)
    assert difference.stands != difference.rebuilt
