"""The indexer killed with SIGKILL at each numbered step: the next one goes on within a second, to the same digest.

A step is a request to the node or its answer, a statement, the moment before a commit and the one after it.
"""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine

from contracts.client.files import FileStore
from contracts.client.reader import Reader
from ledger.digest import digest
from ledger.follow import Follower
from ledger.ingest import Ingestor
from ledger.store import open_database
from tests.ledger.simulation.chain import SimChain, View
from tests.ledger.simulation.node import Nodes, Weather
from tests.ledger.simulation.play import Files, SimRpc, Steps, assert_is
from tests.ledger.simulation.town import DEPLOYMENT, TheKeys, Town

RESUMED_WITHIN_S = 1.0
"""Process time: a loaded machine must not decide it."""


class Killing(Steps):
    """Kills this process at a step."""

    def __call__(self, *_: object) -> None:
        self.count += 1
        if self.count == self.stop_at:
            os.kill(os.getpid(), signal.SIGKILL)


class History:
    """A chain in three moments: some blocks; more, with a branch that is left later; and that branch left."""

    def __init__(self) -> None:
        chance = random.Random(17)
        self.town = Town(chance)
        self.chain = SimChain(chance, self.town, depth=3)
        self.views: list[View] = []
        self.chain.mine(4)
        self.views.append(self.chain.view())
        self.chain.mine(2)
        self.views.append(self.chain.view())
        self.chain.reorg(2)
        self.views.append(self.chain.view())

    def index(self, engine: Engine, copies: Path, steps: Steps, moments: list[View]) -> None:
        """Follows the chain through the moments, as one process."""
        nodes = Nodes(self.chain, Weather(), random.Random(0), steps)
        follower = Follower(engine, Reader(SimRpc(nodes), DEPLOYMENT), DEPLOYMENT.first_block)
        files = Files(self.town, random.Random(0), 0)
        ingestor = Ingestor(engine, FileStore(copies), files, TheKeys())
        for view in moments:
            nodes.views = [view, view]
            is_there = False
            while not is_there:
                step = follower.step()
                ingestor.run(is_patient=False)
                is_there = step.is_caught_up and step.rolled_back_to is None


def indexed_by_a_child(history: History, url: str, copies: Path, stop_at: int | None) -> bool:
    """Indexes in a child that is killed at a step; False where it came to its end before."""
    child = os.fork()
    if child == 0:
        try:
            engine = open_database(url)
            steps = Killing(random.Random(0), stop_at=stop_at)
            steps.watch(engine)
            history.index(engine, copies, steps, history.views)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("stride", [9, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_at_a_step_the_next_indexer_goes_on_at_once_to_the_same_digest(tmp_path: Path, stride: int) -> None:
    """Every ninth step in each run, every one in ``make check``."""
    history = History()
    url = f"sqlite:///{tmp_path / 'undisturbed.db'}"
    undisturbed = open_database(url)
    count = Steps(random.Random(0))
    count.watch(undisturbed)
    history.index(undisturbed, tmp_path / "undisturbed", count, history.views)
    assert_is(undisturbed, history.chain.model)
    with undisturbed.connect() as connection:
        expected = digest(connection)
    count.unwatch()
    undisturbed.dispose()
    assert count.count > 100, "requests, statements and commits of three moments"
    empty = tmp_path / "empty.db"
    open_database(f"sqlite:///{empty}").dispose()
    slowest, kills = 0.0, 0
    for stop_at in range(1, count.count + 1, stride):
        path = tmp_path / f"{stop_at}.db"
        path.write_bytes(empty.read_bytes())
        killed = indexed_by_a_child(history, f"sqlite:///{path}", tmp_path / f"{stop_at}", stop_at)
        started = time.process_time()
        engine = open_database(f"sqlite:///{path}")
        history.index(engine, tmp_path / f"{stop_at}", Steps(random.Random(0)), history.views[-1:])
        slowest = max(slowest, time.process_time() - started)
        with engine.connect() as connection:
            assert digest(connection) == expected, f"killed at step {stop_at}"
        engine.dispose()
        kills += killed
    assert kills > 100 // stride
    assert slowest < RESUMED_WITHIN_S
