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
from sqlalchemy import Engine, create_engine, text

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
from tests.ledger.test_postgres import postgres_url  # noqa: F401

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


class Databases:
    """Empty ledgers, each made from one that was made once."""

    def __init__(self, folder: Path, server: str | None) -> None:
        self.folder = folder
        self._server = server
        self._empty = folder / "empty.db"
        if server is None:
            open_database(f"sqlite:///{self._empty}").dispose()
        else:
            self._order("CREATE DATABASE empty")
            open_database(self._of("empty")).dispose()

    def url(self, name: str) -> str:
        """Where a new one lies."""
        if self._server is None:
            path = self.folder / f"{name}.db"
            path.write_bytes(self._empty.read_bytes())
            return f"sqlite:///{path}"
        self._order(f"CREATE DATABASE {name} TEMPLATE empty")
        return self._of(name)

    def drop(self, name: str) -> None:
        if self._server is not None:
            self._order(f"DROP DATABASE {name} WITH (FORCE)")

    def _of(self, name: str) -> str:
        assert self._server is not None
        return self._server.replace("@/postgres?", f"@/{name}?")

    def _order(self, statement: str) -> None:
        assert self._server is not None
        engine = create_engine(self._server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()


def killed_and_resumed(databases: Databases, stride: int) -> None:
    """Kills at each ``stride``-th step; whoever goes on comes to the digest of one who was not disturbed."""
    history, folder = History(), databases.folder
    undisturbed = open_database(databases.url("undisturbed"))
    count = Steps(random.Random(0))
    count.watch(undisturbed)
    history.index(undisturbed, folder / "undisturbed", count, history.views)
    assert_is(undisturbed, history.chain.model)
    with undisturbed.connect() as connection:
        expected = digest(connection)
    count.unwatch()
    undisturbed.dispose()
    assert count.count > 100, "requests, statements and commits of three moments"
    slowest, kills = 0.0, 0
    for stop_at in range(1, count.count + 1, stride):
        name = f"killed_{stop_at}"
        url, copies = databases.url(name), folder / name
        killed = indexed_by_a_child(history, url, copies, stop_at)
        started = time.process_time()
        engine = open_database(url)
        history.index(engine, copies, Steps(random.Random(0)), history.views[-1:])
        slowest = max(slowest, time.process_time() - started)
        with engine.connect() as connection:
            assert digest(connection) == expected, f"killed at step {stop_at}"
        engine.dispose()
        databases.drop(name)
        kills += killed
    assert kills > 100 // stride
    assert slowest < RESUMED_WITHIN_S


pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


@pytest.mark.parametrize("stride", [9, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_at_a_step_the_next_indexer_goes_on_at_once_to_the_same_digest(tmp_path: Path, stride: int) -> None:
    """Every ninth step in each run, every one in ``make check``."""
    killed_and_resumed(Databases(tmp_path, None), stride)


@pytest.mark.postgres
@pytest.mark.parametrize("stride", [43, pytest.param(5, marks=pytest.mark.slow)])
def test_so_it_does_on_postgresql(tmp_path: Path, postgres_url: str, stride: int) -> None:  # noqa: F811
    databases = Databases(tmp_path, postgres_url)
    try:
        killed_and_resumed(databases, stride)
    finally:
        databases.drop("undisturbed")
        databases.drop("empty")
