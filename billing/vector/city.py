"""A whole city's bills: stretches of houses, on as many processes as there are cores, into one spool."""

from __future__ import annotations

import gc
import os
import secrets
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import structlog
from sqlalchemy import Engine, func, select

from billing.accounts import Accounts
from billing.domain.house_use import HouseUse
from billing.houses import Houses, HouseUses
from billing.leaves import Leaf
from billing.months import Months
from billing.schema import accounts
from billing.store import open_database
from billing.vector.rows import RowReader
from billing.vector.spool import Spool, Spooled, SpoolWriter
from billing.vector.stretch import City, StretchEngine
from contracts.client.keyring import KeyRing
from contracts.client.private import shared_url
from contracts.wire.ids import Service
from ledger.queries import Ledger

_log = structlog.get_logger()
AT_ONCE = 4_000
"""Accounts of one stretch, about: what a process holds in memory at a time."""
ALONE = 20_000
"""Accounts up to which one process is enough."""
MOST_WORKERS = 8


@dataclass(frozen=True, slots=True)
class Books:
    """What bills are worked out of."""

    engine: Engine
    keyring: KeyRing
    ledger: Ledger


@dataclass(slots=True)
class CityBills:
    """What a city came to: leaves to be read once, accounts with problems, how many were left to the rules and why."""

    spool: Spool
    problems: dict[str, str] = field(default_factory=dict)
    houses: dict[str, Mapping[Service, HouseUse]] = field(default_factory=dict)
    by_rules: Counter[str] = field(default_factory=Counter)
    counters: Executor | None = None
    """The processes that worked it out, for what else there is to be worked out of the leaves."""

    @property
    def count(self) -> int:
        """Number of leaves."""
        return self.spool.count

    def leaves(self) -> Iterator[Leaf]:
        """The leaves in the order of their commitments."""
        return self.spool.leaves() if self.count else iter(())


@dataclass(frozen=True, slots=True)
class _Done:
    """What a stretch came to, as it goes from one process to another."""

    spooled: Spooled
    problems: dict[str, str]
    houses: HouseUses
    by_rules: Counter[str]


@dataclass(frozen=True, slots=True)
class _Recipe:
    """How another process opens the same books."""

    billing: str
    ledger: str
    keyring: Path
    city: City
    folder: Path
    key: bytes = field(repr=False)


@contextmanager
def bill_city(books: Books, city: City, workers: int | None = None) -> Iterator[CityBills]:
    """The bills of all accounts that are open in the period and not billed; the spool is gone afterwards.

    Raises what the rules raise beside an account's own problems, and BrokenProcessPool where a process was killed.
    """
    stretches = list(_stretches(books.engine))
    total = sum(count for _, count in stretches)
    many = min(_cores(), MOST_WORKERS) if workers is None else workers
    with tempfile.TemporaryDirectory(prefix="run-", dir=_beside(books.engine)) as name, ExitStack() as processes:
        folder, key = Path(name), secrets.token_bytes(32)
        recipe = _recipe(books, city, folder, key)
        found = CityBills(Spool(folder, key))
        codes = [stretch for stretch, _ in stretches]
        if recipe is None or many < 2 or total <= ALONE:
            all_done = _in_this(books, city, (folder, key), codes)
        else:
            context = get_context("spawn")
            pool = found.counters = processes.enter_context(ProcessPoolExecutor(many, context, _open, (recipe,)))
            all_done = pool.map(_bill, codes)
        for done in all_done:
            found.spool.parts.append(done.spooled)
            found.problems |= done.problems
            found.houses |= done.houses
            found.by_rules += done.by_rules
        _log.info("vector.billed", period=str(city.period), leaves=found.count, by_rules=dict(found.by_rules))
        yield found


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _stretches(engine: Engine) -> Iterator[tuple[list[str], int]]:
    """Houses by so many accounts at a time."""
    query = select(accounts.c.house, func.count()).group_by(accounts.c.house).order_by(accounts.c.house)
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    here: list[str] = []
    size = 0
    for house, count in rows:
        here.append(house)
        size += count
        if size >= AT_ONCE:
            yield here, size
            here, size = [], 0
    if here:
        yield here, size


def _beside(engine: Engine) -> str | None:
    """Where the spool lies: by the database where that is a file, since memory is what many a /tmp is made of."""
    url = shared_url(engine)
    return str(Path(str(engine.url.database)).parent) if url is not None and url.startswith("sqlite") else None


def _recipe(books: Books, city: City, folder: Path, key: bytes) -> _Recipe | None:
    billing, ledger = shared_url(books.engine), books.ledger.url
    if billing is None or ledger is None:
        return None
    return _Recipe(billing, ledger, books.keyring.path, city, folder, key)


class _Worker:
    """One process's engine with its file."""

    def __init__(self, books: Books, city: City, folder: Path, key: bytes) -> None:
        self._open = ExitStack()
        bulk = self._open.enter_context(books.ledger.bulk(city.heads))
        register = Accounts(books.engine, books.keyring)
        reader = RowReader(books.engine, register, books.keyring, bulk, city.period)
        months = Months(books.engine, register, books.keyring, books.ledger)
        self._engine = StretchEngine(city, reader, register, months, Houses(books.engine, books.keyring))
        self._writer = SpoolWriter(folder, key)
        self._open.callback(self._writer.close)

    def bill(self, codes: Sequence[str]) -> _Done:
        """Bills a stretch into the file."""
        stretched = self._engine.bill(codes)
        spooled = self._writer.write(stretched.leaves)
        return _Done(spooled, stretched.problems, stretched.houses, stretched.by_rules)

    def close(self) -> None:
        """Nothing more is billed."""
        self._open.close()


def _in_this(
    books: Books, city: City, spool: tuple[Path, bytes], stretches: Iterable[Sequence[str]]
) -> Iterator[_Done]:
    worker = _Worker(books, city, *spool)
    try:
        for codes in stretches:
            yield worker.bill(codes)
    finally:
        worker.close()


# --- other processes -------------------------------------------------------------------------------------------------

_worker: _Worker | None = None


def _open(recipe: _Recipe) -> None:
    global _worker  # noqa: PLW0603 - a process of the pool has one engine, which keeps its shapes between stretches
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))  # problems are told by the run
    engine, keyring = open_database(recipe.billing), KeyRing(recipe.keyring)
    books = Books(engine, keyring, Ledger.at(recipe.ledger, keyring))
    _worker = _Worker(books, recipe.city, recipe.folder, recipe.key)
    # A stretch makes many objects and few circles: looking for these while it lasts costs a fifth of the time.
    gc.collect()
    gc.freeze()
    gc.disable()


def _bill(codes: Sequence[str]) -> _Done:
    if _worker is None:
        raise RuntimeError("this process has no engine; it is opened by the pool")
    done = _worker.bill(codes)
    gc.collect()
    return done
