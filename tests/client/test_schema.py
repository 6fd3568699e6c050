"""Tables made at once and tables brought up step by step are the same tables; a database that fits neither is named."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, create_engine, text

from contracts.client.schema import Schema, SchemaTooNew, SchemaUnknown
from scripts.migrate import SCHEMAS

OWNERS = sorted(SCHEMAS)
TWO_STEPS = {
    "0001_first.py": """
from alembic import op
import sqlalchemy as sa
revision, down_revision, branch_labels, depends_on = "0001", None, None, None
def upgrade():
    op.create_table("things", sa.Column("id", sa.Integer(), primary_key=True))
""",
    "0002_named.py": """
from alembic import op
import sqlalchemy as sa
revision, down_revision, branch_labels, depends_on = "0002", "0001", None, None
def upgrade():
    with op.batch_alter_table("things") as table:
        table.add_column(sa.Column("name", sa.String(8), nullable=False, server_default="thing"))
""",
}


def made_of(engine: Engine) -> list[str]:
    """What SQLite keeps of the tables, in one spelling."""
    query = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE '%_schema'"
    with engine.connect() as connection:
        found = connection.execute(text(query)).scalars().all()
    clauses = [re.split(r",|\(|\)", re.sub(r"[\s\"]+", " ", sql)) for sql in found]
    return sorted(" ".join(sorted(clause.strip() for clause in of_one)) for of_one in clauses)


@pytest.mark.parametrize("owner", OWNERS)
def test_the_steps_lead_to_the_tables_as_they_are(owner: str) -> None:
    schema, engine = SCHEMAS[owner], create_engine("sqlite://")
    with engine.begin() as connection:
        schema.upgrade(connection)
        assert schema.step_of(connection) == schema.head
        context = MigrationContext.configure(connection, opts={"version_table": schema.version_table})
        assert compare_metadata(context, schema.metadata) == [], f"run python -m scripts.migrate {owner} MESSAGE"


@pytest.mark.parametrize("owner", OWNERS)
def test_a_new_database_is_made_as_the_steps_make_it(owner: str) -> None:
    schema, stepped, made = SCHEMAS[owner], create_engine("sqlite://"), create_engine("sqlite://")
    with stepped.begin() as connection:
        schema.upgrade(connection)
    schema.bring_up(made)
    assert made_of(made) == made_of(stepped)
    schema.bring_up(made)


@pytest.fixture
def grown(tmp_path: Path) -> Schema:
    """An owner whose tables took two steps."""
    for name, source in TWO_STEPS.items():
        (tmp_path / name).write_text(source)
    metadata = MetaData()
    Table("things", metadata, Column("id", Integer, primary_key=True), Column("name", String(8), nullable=False))
    return Schema("things", metadata, tmp_path)


def test_an_older_database_is_brought_up_with_what_is_in_it(grown: Schema, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'things.db'}"
    second = grown.steps / "0002_named.py"
    source = second.read_text()
    second.unlink()
    with create_engine(url).begin() as connection:
        grown.upgrade(connection)
        connection.execute(text("INSERT INTO things (id) VALUES (7)"))
    second.write_text(source)
    grown.bring_up(create_engine(url))
    with create_engine(url).connect() as connection:
        assert connection.execute(text("SELECT id, name FROM things")).all() == [(7, "thing")]
        assert grown.step_of(connection) == "0002"


def test_tables_of_no_known_step_are_left_alone(grown: Schema, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'things.db'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE things (id INTEGER)"))
    with pytest.raises(SchemaUnknown, match="move it away"):
        grown.bring_up(engine)


def test_a_newer_database_is_left_alone(grown: Schema, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'things.db'}")
    grown.bring_up(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE things_schema SET version_num = '0003'"))
    with pytest.raises(SchemaTooNew, match=r"step 0003.*up to 0002"):
        grown.bring_up(engine)


def test_many_may_open_a_new_database_at_once(tmp_path: Path) -> None:
    failed: list[Exception] = []

    def open_it() -> None:
        try:
            SCHEMAS["oracle"].bring_up(create_engine(f"sqlite:///{tmp_path / 'new.db'}"))
        except Exception as error:  # told after the join
            failed.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
