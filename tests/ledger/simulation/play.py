"""Plays one seed: a ledger follows the simulated chain through the weather, and is held against a fresh one.

Safety first, with every fault on; then liveness: the faults end, and the ledger must come to the head by itself.
"""

from __future__ import annotations

import random
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import httpx
from sqlalchemy import Engine, event, func, select
from sqlalchemy.exc import OperationalError

from contracts.client.files import SourceUnreachable
from contracts.client.reader import Reader
from contracts.client.rpc import NodeError, Rpc
from contracts.wire.ids import Hash
from ledger import models as m
from ledger.digest import table_digests
from ledger.errors import ChainMoved, ChainOlderThanLedger, FinalityCrossed
from ledger.follow import Follower
from ledger.fsck import alarms
from ledger.ingest import Ingestor
from ledger.queries import Ledger
from ledger.store import connect, open_database, read_position
from tests.ledger.simulation.chain import SimChain
from tests.ledger.simulation.model import Model
from tests.ledger.simulation.node import Nodes, Weather
from tests.ledger.simulation.town import DEPLOYMENT, NOBODY, TheKeys, Town

CALM_STEPS = 60
DEPTHS = (4, 12, 12, 64, 270)


OWN, FRESH = 0, 1
Databases = Callable[[int], Engine]
"""Gives a ledger's empty database, the one that is played or the fresh one."""


class Shutdown(BaseException):
    """Stands for a kill: nothing in the ledger may catch it."""


class Divergence(AssertionError):
    """The ledger is not what the chain comes to; names the seed, so that it can be played again."""


@dataclass
class Steps:
    """Counts the moments at which something outside the ledger is asked or changed: each request and its answer, each
    statement, each commit and what comes after it. At some of them the process ends, or the database refuses."""

    chance: random.Random
    shutdown: float = 0
    sql: float = 0
    stop_at: int | None = None
    count: int = 0
    shutdowns: int = 0
    refusals: int = 0

    def __call__(self, *_: object) -> None:
        self.count += 1
        if self.count == self.stop_at or (self.shutdown and self.chance.random() < self.shutdown):
            self.shutdowns += 1
            raise Shutdown

    def statement(self, *_: object) -> None:
        self()
        if self.sql and self.chance.random() < self.sql:
            self.refusals += 1
            raise OperationalError("", {}, sqlite3.OperationalError("database or disk is full"))

    def watch(self, engine: Engine) -> None:
        self._engine, self._commit = engine, engine.dialect.do_commit
        event.listen(engine, "before_cursor_execute", self.statement)
        event.listen(engine, "commit", self.statement)
        engine.dialect.do_commit = self._commit_and_step  # type: ignore[method-assign]

    def unwatch(self) -> None:
        event.remove(self._engine, "before_cursor_execute", self.statement)
        event.remove(self._engine, "commit", self.statement)
        self._engine.dialect.do_commit = self._commit  # type: ignore[method-assign]

    def _commit_and_step(self, connection: Any) -> None:
        self._commit(connection)
        self()

    def calm(self) -> None:
        self.shutdown = self.sql = 0
        self.stop_at = None


@lru_cache(maxsize=1)
def _real_client() -> Rpc:
    return Rpc("http://nodes")


class SimRpc(Rpc):
    """The real client over a simulated wire."""

    def __init__(self, nodes: Nodes) -> None:
        vars(self).update(vars(_real_client()))  # a client of its own would read the system's certificates anew
        self._http = cast(httpx.Client, nodes)


class Files:
    """Serves the town's files; may be away, late, or cut them short."""

    def __init__(self, town: Town, chance: random.Random, fault: float) -> None:
        self._town, self._chance, self.fault = town, chance, fault

    def get(self, kind: str, name: Hash) -> bytes | None:
        data = self._town.served.get((kind, name))
        if data is None or self._chance.random() >= self.fault:
            return data
        match self._chance.randrange(3):
            case 0:
                raise SourceUnreachable("simulated")
            case 1:
                return None
        return data[: self._chance.randrange(len(data))]


class Copies:
    """The ledger's own copies, in memory."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, Hash], bytes] = {}

    def get(self, kind: str, name: Hash) -> bytes | None:
        return self._kept.get((kind, name))

    def put(self, kind: str, name: Hash, data: bytes) -> None:
        self._kept[kind, name] = data


@lru_cache(maxsize=1)
def _empty_database() -> bytes:
    """The file of a ledger that has read nothing: making its tables anew would take longer than a seed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        open_database(f"sqlite:///{path}").dispose()
        return path.read_bytes()


@contextmanager
def file_databases() -> Iterator[Databases]:
    """Databases in files, which are kept in memory where the system has a place for such files. The engines stay, for
    what they have compiled: only their files are new."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="kopeck-sim-", dir=memory if memory.is_dir() else None) as folder:
        paths = [Path(folder) / f"{slot}.db" for slot in (OWN, FRESH)]
        engines = [connect(f"sqlite:///{path}") for path in paths]

        def empty(slot: int) -> Engine:
            engines[slot].dispose()
            for suffix in ("-wal", "-shm"):
                Path(f"{paths[slot]}{suffix}").unlink(missing_ok=True)
            paths[slot].write_bytes(_empty_database())
            return engines[slot]

        yield empty
        for engine in engines:
            engine.dispose()


@dataclass
class Played:
    """What one seed came to."""

    seed: int
    steps: int = 0
    blocks: int = 0
    events: int = 0
    faults: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    reorgs: int = 0
    deepest: int = 0
    rollbacks: int = 0
    shutdowns: int = 0
    refusals: int = 0
    halts: Counter[str] = field(default_factory=Counter)
    digests: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """How long and how hard a seed is played; drawn from it, or given."""

    rounds: int
    depth: int
    weather: Weather
    shutdown: float
    sql: float
    files: float
    crosses: bool

    @classmethod
    def draw(cls, chance: random.Random) -> Plan:
        return cls(
            rounds=chance.randrange(4, 16),
            depth=chance.choice(DEPTHS),
            weather=Weather.draw(chance),
            shutdown=chance.choice((0, 0.002, 0.01)),
            sql=chance.choice((0, 0.001, 0.01)),
            files=chance.choice((0, 0.3)),
            crosses=chance.random() < 0.1,
        )


class Play:
    """One seed."""

    def __init__(self, seed: int, database: Databases, plan: Plan | None = None, stop_at: int | None = None) -> None:
        self.chance = random.Random(seed)
        self.plan = plan or Plan.draw(self.chance)
        self.steps = Steps(self.chance, self.plan.shutdown, self.plan.sql, stop_at)
        self.town = Town(self.chance)
        self.chain = SimChain(self.chance, self.town, self.plan.depth)
        self.nodes = Nodes(self.chain, self.plan.weather, self.chance, self.steps)
        self.files = Files(self.town, self.chance, self.plan.files)
        self._database = database
        self.engine = database(OWN)
        self.steps.watch(self.engine)
        self.copies = Copies()
        self.played = Played(seed)
        self._start()

    def _start(self) -> None:
        """A process begins: nothing is kept but the database and the copies of files."""
        self.engine.dispose()
        reader = Reader(SimRpc(self.nodes), DEPLOYMENT)
        self.follower = Follower(self.engine, reader, DEPLOYMENT.first_block)
        self.ingestor = Ingestor(self.engine, self.copies, self.files, TheKeys())  # type: ignore[arg-type]

    def run(self) -> Played:
        """Plays to the end. Raises Divergence."""
        played = self.played
        try:
            for _ in range(self.plan.rounds):
                self._happen()
                self._look()
            if self.plan.crosses:
                self._cross_finality()
            self._calm()
            self._assert_equal_to_fresh()
        except Exception as error:
            raise Divergence(f"seed {played.seed}: {type(error).__name__}: {error}") from error
        finally:
            self.steps.unwatch()
        played.steps, played.blocks, played.kinds = self.steps.count, len(self.chain.blocks), self.nodes.faults
        played.faults = played.kinds.total()
        played.reorgs, played.shutdowns, played.refusals = self.chain.reorgs, self.steps.shutdowns, self.steps.refusals
        played.events = sum(len(b.logs) for b in self.chain.blocks)
        return played

    def _happen(self) -> None:
        """The chain goes on; a deep one goes on at once, so that there is something to fall back."""
        room = len(self.chain.blocks) - 1 - self.chain.final
        if self.plan.depth > 20 and self.chance.random() < 0.2:
            self.chain.mine(self.chance.randrange(self.plan.depth), busy=0.05)
        elif room > 20 and self.chance.random() < 0.3:
            depth = min(256, self.chance.choice((room, self.chance.randrange(1, room + 1))))
            self.chain.reorg(depth)
            self.played.deepest = max(self.played.deepest, depth)
        else:
            self.nodes.move()
        self.nodes.refresh()

    def _look(self) -> None:
        """One round of the indexer, as ledger.main has it; what ends the process starts it anew."""
        self.nodes.shown.clear()
        try:
            step = self.follower.step()
            self.played.rollbacks += step.rolled_back_to is not None
            if step.events or step.rolled_back_to is not None or not self.ingestor.is_complete:
                self.ingestor.run(is_patient=False)
            if self.chance.random() < 0.1:
                with self._undisturbed():
                    self._assert_of_the_chain()
        except (NodeError, ChainMoved):
            pass
        except ChainOlderThanLedger as halt:
            self._halted(halt, halt.head in self.nodes.shown and halt.head < halt.finalized)
        except FinalityCrossed as halt:
            self._halted(halt, self._is_of_a_left_branch(halt))
        except (Shutdown, OperationalError):
            self._start()

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """The examiner's own questions to the database do not fail."""
        kept = self.steps.shutdown, self.steps.sql, self.steps.stop_at
        self.steps.calm()
        yield
        self.steps.shutdown, self.steps.sql, self.steps.stop_at = kept

    def _is_of_a_left_branch(self, halt: FinalityCrossed) -> bool:
        """A node stayed behind on a branch that the others left; the chain itself has the ledger's block."""
        ledger_has, node_has = "0x" + halt.ledger_hash.hex(), "0x" + halt.chain_hash.hex()
        return self.chain.blocks[halt.height].hash == ledger_has and node_has in self.chain.left

    def _halted(self, halt: Exception, is_right: bool) -> None:
        """What ends a process: a person is told, and whoever watches over processes starts it again."""
        assert is_right, halt
        self.played.halts[type(halt).__name__] += 1
        self._start()

    def _calm(self) -> None:
        """The faults end; within a bounded number of looks the ledger stands at the head with every file."""
        self.steps.calm()
        self.nodes.weather.fault = self.nodes.weather.move = self.nodes.weather.lag = self.files.fault = 0
        self.nodes.refresh(everyone=True)
        for _ in range(CALM_STEPS):
            step = self.follower.step()
            if step.is_caught_up:
                self.ingestor.run(is_patient=False)
            if step.is_caught_up and step.rolled_back_to is None and self.ingestor.is_complete:
                return
        raise AssertionError(f"not caught up after {CALM_STEPS} steps in fair weather")

    def _cross_finality(self) -> None:
        """A reorganisation deeper than finality: the ledger halts, says so and keeps what it has; it is built anew."""
        self._calm()
        with self.engine.connect() as connection:
            position, before = read_position(connection), table_digests(connection)
        assert position is not None
        if position.finalized_number <= DEPLOYMENT.first_block:
            return
        self.chain.reorg(len(self.chain.blocks) - position.finalized_number)
        self.nodes.refresh(everyone=True)
        for _ in range(2):
            try:
                self.follower.step()
            except FinalityCrossed as halt:
                is_told = halt.height == position.finalized_number and "is final in the ledger" in str(halt)
                self._halted(halt, is_told)
            else:
                raise AssertionError("a block that was final left the chain, and the ledger went on")
        with self.engine.connect() as connection:
            assert table_digests(connection) == before, "a halted ledger has changed"
        self.engine = self._database(OWN)
        self._start()

    # --- what must hold ---

    def _assert_of_the_chain(self) -> None:
        """Where the ledger's tip is of the chain as it stands, its balances are those of that height."""
        with self.engine.connect() as connection:
            position = read_position(connection)
        if position is None or position.number >= len(self.chain.blocks):
            return
        if self.chain.blocks[position.number].hash == "0x" + position.hash.hex():
            model = self.chain.model_at(position.number)
            assert _held(Ledger(self.engine).balances()) == _held(model.balances), f"balances at {position.number}"

    def _assert_equal_to_fresh(self) -> None:
        fair = Nodes(self.chain, Weather(), random.Random(0), lambda: None)
        fresh = self._database(FRESH)
        Follower(fresh, Reader(SimRpc(fair), DEPLOYMENT), DEPLOYMENT.first_block).catch_up()
        served = Files(self.town, random.Random(0), 0)
        Ingestor(fresh, Copies(), served, TheKeys()).run(is_patient=False)  # type: ignore[arg-type]
        with self.engine.connect() as own, fresh.connect() as other:
            self.played.digests = table_digests(own)
            theirs = table_digests(other)
        wrong = [name for name, found in self.played.digests.items() if found != theirs[name]]
        assert not wrong, f"tables differ from a fresh ledger's: {', '.join(wrong)}"
        assert_is(self.engine, self.chain.model)


def _held(balances: Any) -> dict[bytes, int]:
    return {bytes(wallet): amount for wallet, amount in balances.items() if amount and bytes(wallet) != NOBODY}


def assert_is(engine: Engine, model: Model) -> None:
    """Holds the ledger against the model, fact by fact."""
    assert alarms(engine) == (), alarms(engine)
    assert _held(Ledger(engine).balances()) == _held(model.balances), "balances"
    with engine.connect() as connection:

        def rows(*columns: Any) -> list[tuple[Any, ...]]:
            return [tuple(row) for row in connection.execute(select(*columns))]

        moved: Counter[tuple[int, int, int, int]] = Counter()
        v = m.movements.c
        for run, index, line, kind, amount in rows(v.run, v.bill_index, v.line, v.kind, v.amount_kopecks):
            moved[run, index, line, kind] += amount
        assert +moved == +model.moved, "movements"
        received: Counter[int] = Counter()
        for supplier, amount in rows(m.postings.c.supplier, m.postings.c.amount_kopecks):
            received[supplier] += amount if supplier is not None else 0
        assert {s: a for s, a in received.items() if a} == {s: a for s, a in model.received.items() if a}, "received"
        s = m.bill_states.c
        states: dict[tuple[int, int], int] = {}
        for run, index, state in rows(s.run, s.bill_index, s.state):
            states[run, index] = max(state, states.get((run, index), 0))
        assert states == model.states, "states"
        b = m.batches.c
        assert sorted(rows(b.source, b.epoch, b.sequence)) == sorted(model.batches), "batches"
        assert sorted(rows(m.registers.c.meter, m.registers.c.value)) == sorted(model.readings), "readings"
        said = Counter((bytes(r), bytes(h)) for r, h in rows(m.acknowledgements.c.root, m.acknowledgements.c.holder))
        assert said == model.acknowledged, "acknowledgements"
        lines = m.bill_lines.c
        charged = {(r, i, n): (x, a) for r, i, n, x, a in rows(*(lines[name] for name in _LINE))}
        expected = {
            (run, index, line): charge
            for run, bills in model.runs.items()
            for index, bill in enumerate(bills)
            for line, charge in enumerate(bill)
        }
        assert charged == expected, "bill lines"
        g = m.grants.c
        granted = {(x, i): ((r, at), n, k) for x, i, r, at, n, k in rows(*(g[name] for name in _GRANT))}
        posted = {(x, i): item for x, (_, items) in model.grants.items() for i, item in enumerate(items)}
        assert granted == posted, "grants"
        assert {tuple(row) for row in rows(m.grant_uses.c.batch, m.grant_uses.c.grant_index)} == model.used, "uses"
        open_ones = set(rows(m.prepayments.c.prepayment)) - set(rows(m.nettings.c.prepayment))
        assert {bytes(name) for (name,) in open_ones} == set(model.prepaid), "prepayments"
        assert connection.execute(select(func.count()).select_from(m.acts)).scalar() == model.plain["acts"], "acts"
        found = connection.execute(select(func.count()).select_from(m.agent_batches)).scalar()
        assert found == model.plain["batches"], "agents' batches"


_LINE = ("run", "bill_index", "line", "supplier", "amount_kopecks")
_GRANT = ("batch", "grant_index", "run", "bill_index", "line", "maximum_kopecks")
