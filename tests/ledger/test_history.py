"""History in stretches, read ahead or not, stopped between any two: the ledger that one read of all of it makes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, inspect

from contracts.client.reader import Block, Reader
from contracts.client.rpc import NodeUnreachable
from contracts.wire.events import Event
from contracts.wire.ids import Hash
from ledger import history
from ledger.digest import digest
from ledger.errors import ChainMoved
from ledger.follow import Follower
from ledger.history import Chain, History
from ledger.models import FACTS
from ledger.store import history_transaction, open_database
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
@pytest.mark.parametrize("reads_ahead", [False, True])
def test_in_stretches_it_is_the_same_ledger(node: Reader, engine: Engine, expected: Hash, reads_ahead: bool) -> None:
    follower = Follower(engine, node, FIRST, reads_ahead)
    standing = list(read(engine, follower))
    follower.close()
    assert len(standing) > 10
    assert standing[0] < ALL_INDEXES
    assert standing[-1] == ALL_INDEXES
    assert digest_of(engine) == expected


@pytest.mark.postgres
@pytest.mark.usefixtures("short_stretches")
def test_copied_into_postgresql_it_is_the_same_ledger(
    node: Reader,
    postgres_url: str,  # noqa: F811
    expected: Hash,
) -> None:
    engine = open_database(postgres_url)
    assert list(read(engine, Follower(engine, node, FIRST, reads_ahead=True)))[-1] == ALL_INDEXES
    assert digest_of(engine) == expected
    engine.dispose()


@pytest.mark.usefixtures("short_stretches")
def test_stopped_after_any_stretch_the_next_one_ends_in_the_same_ledger_with_its_indexes(
    node: Reader, engine: Engine, expected: Hash
) -> None:
    starts = 0
    while not Follower(engine, node, FIRST, reads_ahead=True).step().is_caught_up:
        starts += 1
    assert starts > 10
    assert indexes(engine) == ALL_INDEXES
    assert digest_of(engine) == expected


def test_a_ledger_without_history_before_it_keeps_its_indexes(node: Reader, engine: Engine, expected: Hash) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history, "_FIRST_BLOCKS", 10 * BLOCKS)
        assert set(read(engine, Follower(engine, node, FIRST))) == {ALL_INDEXES}
    assert digest_of(engine) == expected


class Stumbling:
    """A node that fails every third time it is asked for logs."""

    def __init__(self, node: Reader) -> None:
        self._node = node
        self.head, self.finalized, self.block = node.head, node.finalized, node.block
        self.blocks, self.events_of_each = node.blocks, node.events_of_each
        self.asked = 0

    def events(self, first: int, last: int, tip: Hash | None = None) -> list[Event]:
        self.asked += 1
        if self.asked % 3 == 0:
            raise NodeUnreachable("http://nowhere", "test", sent=True)
        return self._node.events(first, last, tip)


@pytest.mark.usefixtures("short_stretches")
def test_what_fails_ahead_is_told_by_the_step_that_wants_it_and_asked_again(
    node: Reader, engine: Engine, expected: Hash
) -> None:
    follower = Follower(engine, Stumbling(node), FIRST, reads_ahead=True)
    failures = 0
    while True:
        try:
            if follower.step().is_caught_up:
                break
        except NodeUnreachable:
            failures += 1
    assert failures > 3
    assert digest_of(engine) == expected


class Counted:
    """A node that notes which blocks it was asked for."""

    def __init__(self, node: Chain) -> None:
        self._node = node
        self.head, self.finalized, self.block = node.head, node.finalized, node.block
        self.events, self.events_of_each = node.events, node.events_of_each
        self.asked: list[tuple[int, int]] = []

    def blocks(self, first: int, last: int) -> list[Block]:
        self.asked.append((first, last))
        return self._node.blocks(first, last)


@pytest.mark.usefixtures("short_stretches")
def test_what_was_asked_ahead_counts_only_behind_the_block_it_follows(node: Reader) -> None:
    counted = Counted(node)
    reader = History(counted, is_ahead=True)
    before = node.block(FIRST - 1)
    assert before is not None
    first = reader.after(before.hash, before.number, 100)
    second = reader.after(first.tip.hash, first.tip.number, 100)
    assert second.blocks[0].parent == first.tip.hash
    again = reader.after(first.tip.hash, first.tip.number, 100)
    assert again.blocks[0] == second.blocks[0]
    with pytest.raises(ChainMoved):
        reader.after(Hash(b"\x07" * 32), second.tip.number, 100)
    reader.close()
    starts = [start for start, _ in counted.asked]
    assert starts.count(first.tip.number + 1) == 2, "once ahead, and once more when it was asked for again"


def test_a_stretch_holds_as_many_blocks_as_its_events_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "EVENTS_AT_ONCE", 1_000)
    busy = Dense(events_in_a_block=300)
    assert sizes(busy, 400)[:4] == [16, 3, 3, 3]
    assert sizes(Dense(events_in_a_block=5_000), 60)[:3] == [16, 1, 1]
    assert sizes(Dense(events_in_a_block=0), 9_000)[:6] == [16, 64, 256, 1_024, 2_000, 2_000]


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
