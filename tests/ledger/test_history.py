"""History in stretches, read ahead or not, stopped between any two: the ledger that one read of all of it makes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, inspect

from contracts.client.reader import Block, Reader
from contracts.client.rpc import NodeUnreachable
from contracts.wire.events import Event
from contracts.wire.ids import Hash
from ledger import ahead as ahead_module
from ledger import history
from ledger.ahead import Ahead
from ledger.digest import digest
from ledger.follow import Follower
from ledger.history import History
from ledger.models import FACTS
from ledger.projection.known import Known
from ledger.store import history_transaction, open_database
from tests.flow.services import until
from tests.ledger.simulation.chain import SimChain
from tests.ledger.simulation.node import Nodes, Weather
from tests.ledger.simulation.play import SimRpc
from tests.ledger.simulation.town import DEPLOYMENT, Town
from tests.ledger.test_postgres import postgres_url  # noqa: F401

BLOCKS = 150
FIRST = DEPLOYMENT.first_block


@pytest.fixture(scope="module")
def chain() -> SimChain:
    chance = random.Random(8)
    made = SimChain(chance, Town(chance), depth=12)
    made.mine(BLOCKS)
    return made


@pytest.fixture(scope="module")
def node(chain: SimChain) -> Reader:
    return Reader(SimRpc(Nodes(chain, Weather(), random.Random(0), lambda: None)), DEPLOYMENT)


@dataclass(frozen=True)
class Kept:
    """What a node said of the whole chain, kept: another process can be given it."""

    tops: tuple[Block, Block]
    kept: tuple[Block, ...]
    logs: tuple[tuple[Event, ...], ...]
    fails_every: int = 0
    """Every so many requests for logs come to nothing."""
    asked: list[int] = field(default_factory=list)

    def head(self) -> Block:
        return self.tops[0]

    def finalized(self) -> Block:
        return self.tops[1]

    def block(self, number: int) -> Block | None:
        return next((block for block in self.kept if block.number == number), None)

    def blocks(self, first: int, last: int) -> list[Block]:
        return [block for block in self.kept if first <= block.number <= last]

    def events(self, first: int, last: int, tip: Hash | None = None) -> list[Event]:  # noqa: ARG002
        self.asked.append(first)
        if self.fails_every and len(self.asked) % self.fails_every == 0:
            raise NodeUnreachable("http://nowhere", "test", sent=True)
        return [
            e for block, logs in zip(self.kept, self.logs, strict=True) if first <= block.number <= last for e in logs
        ]

    def events_of_each(self, block_hashes: Sequence[Hash]) -> list[list[Event]]:
        by_hash = {block.hash: list(logs) for block, logs in zip(self.kept, self.logs, strict=True)}
        return [by_hash[name] for name in block_hashes]


@pytest.fixture(scope="module")
def kept(node: Reader) -> Kept:
    head, before = node.head(), node.block(FIRST - 1)
    assert before is not None
    blocks = (before, *node.blocks(FIRST, head.number))
    return Kept((head, node.finalized()), blocks, tuple(tuple(node.events_of(block.hash)) for block in blocks))


@pytest.fixture(scope="module")
def expected(node: Reader, tmp_path_factory: pytest.TempPathFactory) -> Hash:
    """The digest of a ledger that read all of it in one stretch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history, "_FIRST_BLOCKS", 10 * BLOCKS)
        engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('whole') / 'ledger.db'}")
        steps = list(read(engine, Follower(engine, node, FIRST)))
    assert len(steps) == 2, "the history, and what is not final"
    return digest_of(engine)


@pytest.fixture
def short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "EVENTS_AT_ONCE", 40)
    monkeypatch.setattr(history, "_FIRST_BLOCKS", 2)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_database(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield made
    made.dispose()


def read(engine: Engine, follower: Follower) -> Iterator[frozenset[str]]:
    """Steps to the head, and tells after each which indexes there are."""
    while True:
        step = follower.step()
        yield indexes(engine)
        if step.is_caught_up:
            return


def indexes(engine: Engine) -> frozenset[str]:
    found = inspect(engine)
    return frozenset(str(row["name"]) for table in FACTS for row in found.get_indexes(table.name))


def digest_of(engine: Engine) -> Hash:
    with engine.connect() as connection:
        return digest(connection)


ALL_INDEXES = frozenset(str(index.name) for table in FACTS for index in table.indexes)


@pytest.mark.usefixtures("short_stretches")
def test_in_stretches_it_is_the_same_ledger(node: Reader, engine: Engine, expected: Hash) -> None:
    standing = list(read(engine, Follower(engine, node, FIRST)))
    assert len(standing) > 10
    assert standing[0] < ALL_INDEXES
    assert standing[-1] == ALL_INDEXES
    assert digest_of(engine) == expected


@pytest.mark.usefixtures("short_stretches", "patient")
@pytest.mark.parametrize("fails_every", [0, 3])
def test_read_by_two_processes_it_is_the_same_ledger(
    kept: Kept, engine: Engine, expected: Hash, fails_every: int
) -> None:
    chain = replace(kept, fails_every=fails_every, asked=[])
    follower = Follower(engine, chain, FIRST, reads_ahead=True)
    steps = 0
    while True:
        with suppress(NodeUnreachable):
            if follower.step().is_caught_up:
                break
        steps += 1
    follower.close()
    assert len(chain.asked) < steps, "what was not asked of this one was read by the other"
    assert digest_of(engine) == expected


@pytest.mark.usefixtures("short_stretches")
def test_the_other_process_ends_with_history_though_it_came_up_too_late(kept: Kept, engine: Engine) -> None:
    before = children_of(os.getpid())
    follower = Follower(engine, replace(kept, asked=[]), FIRST, reads_ahead=True)
    started: set[int] = set()
    while not follower.step().is_caught_up:
        started |= children_of(os.getpid()) - before
    assert len(started) == 1
    assert not children_of(os.getpid()) & started


@pytest.mark.postgres
@pytest.mark.usefixtures("short_stretches")
def test_copied_into_postgresql_it_is_the_same_ledger(
    node: Reader,
    postgres_url: str,  # noqa: F811
    expected: Hash,
) -> None:
    engine = open_database(postgres_url)
    assert list(read(engine, Follower(engine, node, FIRST)))[-1] == ALL_INDEXES
    assert digest_of(engine) == expected
    engine.dispose()


@pytest.mark.usefixtures("short_stretches")
def test_stopped_after_any_stretch_the_next_one_ends_in_the_same_ledger_with_its_indexes(
    node: Reader, engine: Engine, expected: Hash
) -> None:
    starts = 0
    while not Follower(engine, node, FIRST).step().is_caught_up:
        starts += 1
    assert starts > 10
    assert indexes(engine) == ALL_INDEXES
    assert digest_of(engine) == expected


def test_a_ledger_without_history_before_it_keeps_its_indexes(node: Reader, engine: Engine, expected: Hash) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history, "_FIRST_BLOCKS", 10 * BLOCKS)
        assert set(read(engine, Follower(engine, node, FIRST))) == {ALL_INDEXES}
    assert digest_of(engine) == expected


# --- the process that reads ahead ---


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first question waits until it is up, so that a short history is its work too."""
    monkeypatch.setattr(ahead_module, "_START_S", 30.0)


@pytest.fixture
def ahead(kept: Kept, patient: None) -> Iterator[Ahead]:  # noqa: ARG001
    made = Ahead(kept)
    yield made
    made.close()


def test_it_gives_the_facts_of_what_follows_stretch_after_stretch(ahead: Ahead, kept: Kept) -> None:
    start, final = kept.kept[0], kept.tops[1]
    assert ahead.take(start.hash) is None, "it was not sent off"
    ahead.send_off(Known(), start, final.number)
    parent, events = start, 0
    while parent.number < final.number:
        facts = ahead.take(parent.hash)
        assert facts is not None
        first, last = parent.number - start.number + 1, facts.tip.number - start.number
        assert facts.events == sum(map(len, kept.logs[first : last + 1]))
        parent, events = facts.tip, events + facts.events
    assert parent == final
    assert events > 100


def test_from_another_block_than_it_came_to_it_gives_nothing(ahead: Ahead, kept: Kept) -> None:
    ahead.send_off(Known(), kept.kept[0], kept.tops[1].number)
    assert ahead.take(kept.kept[5].hash) is None


def test_blocks_of_another_branch_are_left_to_whoever_wants_them(ahead: Ahead, kept: Kept) -> None:
    elsewhere = replace(kept.kept[3], hash=Hash(b"\x07" * 32))
    ahead.send_off(Known(), elsewhere, kept.tops[1].number)
    assert ahead.take(elsewhere.hash) is None


def test_what_can_not_be_projected_is_left_to_whoever_wants_it(ahead: Ahead, kept: Kept) -> None:
    middle = kept.kept[len(kept.kept) // 2]
    ahead.send_off(Known(), middle, kept.tops[1].number)
    assert ahead.take(middle.hash) is None, "it does not know what came before"


def test_a_process_that_was_killed_gives_nothing_and_stops_nobody(kept: Kept, patient: None) -> None:  # noqa: ARG001
    before = children_of(os.getpid())
    ahead = Ahead(kept)
    (process,) = children_of(os.getpid()) - before
    os.kill(process, signal.SIGKILL)
    ahead.send_off(Known(), kept.kept[0], kept.tops[1].number)
    assert ahead.take(kept.kept[0].hash) is None
    ahead.close()


_STARTER = """
import sys, time
from ledger.ahead import Ahead
started = Ahead(None)
print(flush=True)
time.sleep(60)
"""


def test_it_ends_with_the_process_that_started_it_however_that_ends() -> None:
    with subprocess.Popen([sys.executable, "-c", _STARTER], stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        starter.stdout.readline()
        (process,) = children_of(starter.pid)
        starter.kill()
    until(lambda: is_ended(process), "the process to end")


def is_ended(process: int) -> bool:
    """Gone, or waiting only for its end to be noted by somebody."""
    status = Path(f"/proc/{process}/status")
    return not status.exists() or "State:\tZ" in status.read_text()


def children_of(process: int) -> set[int]:
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return {int(child) for task in tasks for child in task.read_text().split()}


def test_a_stretch_holds_as_many_blocks_as_its_events_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "EVENTS_AT_ONCE", 1_000)
    busy = Dense(events_in_a_block=300)
    assert sizes(busy, 400)[:4] == [16, 3, 3, 3]
    assert sizes(Dense(events_in_a_block=5_000), 60)[:3] == [16, 1, 1]
    assert sizes(Dense(events_in_a_block=0), 9_000)[:9] == [16, 32, 64, 128, 256, 512, 1_024, 2_000, 2_000]


class Dense:
    """As much of a chain as history is read from: every block has as many events, which are not looked at."""

    def __init__(self, events_in_a_block: int) -> None:
        self._events = events_in_a_block

    def block(self, number: int) -> Block:
        return Block(number, Hash(number.to_bytes(32, "big")), Hash((number - 1).to_bytes(32, "big")), number)

    def blocks(self, first: int, last: int) -> list[Block]:
        return [self.block(number) for number in range(first, last + 1)]

    def events(self, first: int, last: int, tip: Hash | None = None) -> list[None]:  # noqa: ARG002
        return [None] * self._events * (last - first + 1)


def sizes(chain: Dense, last: int) -> list[int]:
    reader = History(chain)  # type: ignore[arg-type]
    found, number = [], 0
    while number < last:
        stretch = reader.after(Hash(number.to_bytes(32, "big")), number, last)
        found.append(len(stretch.blocks))
        number = stretch.tip.number
    return found


def test_what_a_connection_is_told_for_history_does_not_stay_with_it(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'ledger.db'}")

    def told(connection: Connection) -> list[int]:
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("synchronous", "cache_size")]

    with history_transaction(engine) as connection:
        assert told(connection) == [1, -16000]
    with engine.begin() as connection:
        assert told(connection) == [2, -64000]
    engine.dispose()
