"""The same chain in PostgreSQL and in SQLite: the same digest, and the same after reorganisations."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine

from contracts.client.files import FileStore
from ledger.digest import digest, table_digests
from ledger.errors import ChainMoved
from ledger.follow import Follower
from ledger.fsck import check_against_chain
from ledger.ingest import Ingestor
from ledger.queries import Ledger
from ledger.store import open_database
from tests.client.chain import anvil
from tests.ledger.indexed import Indexed
from tests.ledger.random_town import RandomTown
from tests.ledger.town import Town

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL of its own on a socket in a temporary folder; skips where there is none."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = shutil.which("initdb") or (str(programs[-1]) if programs else None)
    if found is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="kopeck-pg-"))
    as_owner: Sequence[str] = ()
    user = getpass.getuser()
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root.
        user = "postgres"
        shutil.chown(folder, user)
        as_owner = ("runuser", "-u", user, "--")
    data = folder / "data"
    run = [*as_owner, found, "-D", str(data), "-A", "trust", "-U", user, "--no-sync"]
    subprocess.run(run, check=True, capture_output=True, cwd=folder)
    control = str(Path(found).with_name("pg_ctl"))
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    log = str(folder / "log")
    start = [*as_owner, control, "-D", str(data), "-w", "-l", log, "-o", options, "start"]
    subprocess.run(start, check=True, capture_output=True, cwd=folder)
    yield f"postgresql+psycopg://{user}@/postgres?host={folder}"
    stop = [*as_owner, control, "-D", str(data), "-w", "-m", "immediate", "stop"]
    subprocess.run(stop, check=True, capture_output=True, cwd=folder)
    shutil.rmtree(folder, ignore_errors=True)


def test_both_databases_have_one_digest(postgres_url: str, tmp_path: Path) -> None:
    with anvil(block_time_s=0.1) as node:
        town = Town.build(node.rpc, tmp_path)
        indexed = Indexed(town, tmp_path)
        engine = open_database(postgres_url)
        follower = Follower(engine, town.reader, town.reader.deployment.first_block)
        ingestor = Ingestor(engine, FileStore(tmp_path / "postgres copies"), town.files, town.keys)
        world = RandomTown(town, seed=5)
        for step in range(60):
            world.act()
            if step % 3 == 0:
                catch_up(follower)
                ingestor.run(is_patient=False)
            if step % 17 == 16:
                town.mine(1)
                world.reorg(world.random.randrange(1, 11))
        catch_up(follower)
        ingestor.run(is_patient=False)
        indexed.sync()
        assert digests(engine) == digests(indexed.engine)
        assert check_against_chain(engine, town.reader) == []
        assert_same_answers(Ledger(engine, town.keys), indexed.ledger, world)
        engine.dispose()


def catch_up(follower: Follower) -> None:
    while True:
        try:
            follower.catch_up()
        except ChainMoved:
            continue
        return


def digests(engine: Engine) -> dict[str, bytes]:
    with engine.connect() as connection:
        return {**table_digests(connection), "all": digest(connection)}


def assert_same_answers(one: Ledger, other: Ledger, world: RandomTown) -> None:
    assert one.totals() == other.totals()
    assert one.balances() == other.balances()
    assert one.runs() == other.runs()
    assert one.grant_batches() == other.grant_batches()
    assert one.prepayments() == other.prepayments()
    assert one.chain_heads() == other.chain_heads()
    for _, run in world.made.runs:
        assert one.bills_of_run(run.run) == other.bills_of_run(run.run)
        assert one.receipts(run.key(0)) == other.receipts(run.key(0))
    for supplier in one.suppliers():
        assert one.statement(supplier.supplier, 0, 1 << 40) == other.statement(supplier.supplier, 0, 1 << 40)
