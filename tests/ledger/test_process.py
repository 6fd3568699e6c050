"""The processes as they run in a town: killed at random moments, they end in the same state, with nothing twice."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from contracts.client.files import FileStore
from contracts.wire.ids import Hash
from ledger.fsck import rebuild
from ledger.models import acknowledgements
from ledger.queries import Ledger
from ledger.store import database_url, open_database
from tests.client.chain import anvil
from tests.ledger.random_town import RandomTown
from tests.ledger.town import PARTIES, Town, key_of

MODULES = ("ledger.main", "ledger.holder")


class Processes:
    """The two holders of a home."""

    def __init__(self, home: Path, rpc_url: str) -> None:
        self._home = home
        self._arguments = ["--home", str(home), "--rpc", rpc_url]
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._log = (home / "log").open("ab")

    def start(self, module: str) -> None:
        argv = [sys.executable, "-m", module, *self._arguments]
        self._running[module] = subprocess.Popen(argv, stdout=self._log, stderr=self._log)

    def kill(self, module: str) -> None:
        """As kill -9 does."""
        process = self._running[module]
        assert process.poll() is None, (self._home / "log").read_text()[-3_000:]
        process.kill()
        process.wait()

    def end(self) -> None:
        for process in self._running.values():
            process.kill()
            process.wait()
        self._log.close()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[tuple[Town, Processes]]:
    """A town on a chain with a block time, its home laid out as the processes expect it."""
    with anvil(block_time_s=0.1) as node:
        town = Town.build(node.rpc, tmp_path, automine=False)
        town.reader.deployment.save(tmp_path / "deployment.json")
        (tmp_path / "keys").mkdir()
        for party in PARTIES:
            (tmp_path / "keys" / f"{party}.key").write_text("0x" + key_of(party).hex() + "\n")
        for owner in ("oracle", "billing"):
            (tmp_path / owner).mkdir()
            (tmp_path / owner / "files").symlink_to(tmp_path / "served")
        processes = Processes(tmp_path, node.url)
        yield town, processes
        processes.end()


def wait_for(condition: Callable[[], bool], timeout_s: float = 40) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.1)


def test_killed_at_random_moments_they_end_where_a_rebuild_ends(home: tuple[Town, Processes], tmp_path: Path) -> None:
    town, processes = home
    world = RandomTown(town, seed=11)
    world.leave_acknowledging_to_holders()
    chance = random.Random(11)
    for module in MODULES:
        processes.start(module)
    for _ in range(30):
        world.act()
        if chance.random() < 0.3:
            module = chance.choice(MODULES)
            processes.kill(module)
            processes.start(module)
    roots = {root for _, root in world.made.roots}
    assert roots
    engine = open_database(database_url(tmp_path))
    ledger = Ledger(engine, town.keys)

    def is_done() -> bool:
        heads = {head.source: head.sequence for head in ledger.chain_heads()}
        return {s: sequence for s, (_, sequence, _) in town.heads.items() if sequence} == heads

    wait_for(is_done)
    wait_for(lambda: ledger.finalized_height() > max(block for block, _ in world.made.runs))
    for module in MODULES:
        processes.kill(module)
    report = rebuild(engine, town.reader, town.reader.deployment.first_block, town.files, town.keys)
    assert report.differences == ()
    assert report.is_equal
    assert ledger.totals().is_conserved
    copies = FileStore(tmp_path / "archive" / "files")
    assert set(copies.names("readings")) == roots


def test_a_root_is_acknowledged_once_by_each_holder(home: tuple[Town, Processes], tmp_path: Path) -> None:
    town, processes = home
    world = RandomTown(town, seed=3)
    chance = random.Random(3)
    for module in MODULES:
        processes.start(module)
    for _ in range(3):
        world.anchor()
        for module in MODULES:
            processes.kill(module)
            processes.start(module)
            time.sleep(chance.uniform(0.2, 1.5))
    engine = open_database(database_url(tmp_path))

    def said() -> Counter[tuple[Hash, bytes]]:
        with engine.connect() as connection:
            return Counter((Hash(r.root), r.holder) for r in connection.execute(select(acknowledgements)))

    wait_for(lambda: len(said()) == 6)
    time.sleep(1)
    assert set(said().values()) == {1}
