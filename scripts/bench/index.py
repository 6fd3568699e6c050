"""Reading history into the ledger's tables: events a second from a local node, beside web3.py's decoding alone.

The history is made through the contracts on an Anvil of its own. Each reading is a process of its own, so that its
peak of memory is its own; it ends with all indexes in place, and with sums that the contracts confirm.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.client.rpc import Rpc
from scripts.bench import Result
from scripts.bench.chain import own_chain, paced
from scripts.bench.gas import Bench, Town
from scripts.bench.history import History
from scripts.bench.postgres import PostgresMissing, postgres
from scripts.bench.reading import RPC_S, Reading, WrongLedger, read_apart
from scripts.cli.console import err

PARTS = 24
TIMES_LONGER = 4
_TO_FINALITY = 13
_SETUP_PACE_S = 0.1


def measure() -> list[Result]:
    """index.sqlite_per_s, index.pg_per_s, index.ratio_web3, index.memory_growth."""
    with tempfile.TemporaryDirectory(prefix="kopeck-bench-") as folder, _chain(Path(folder)) as (url, history):
        home = Path(folder)
        _grow(history, PARTS)
        short = read_apart("ledger", url, str(home), f"sqlite:///{home / 'short.db'}")
        _grow(history, (TIMES_LONGER - 1) * PARTS)
        whole = read_apart("ledger", url, str(home), f"sqlite:///{home / 'long.db'}")
        beside = read_apart("web3", url, str(home))
        if beside.events != whole.events:
            raise WrongLedger(f"web3.py read {beside.events} events, the ledger {whole.events}")
        baselines = {"web3": round(beside.per_s)}
        return [
            Result("index.sqlite_per_s", round(whole.per_s), "events/s", "higher", 20_000, baselines),
            *_on_postgres(url, home, whole, baselines),
            Result("index.ratio_web3", round(whole.per_s / beside.per_s, 1), "times", "higher", 10, baselines),
            _growth(short, whole),
        ]


def _growth(short: Reading, whole: Reading) -> Result:
    baselines = {
        f"mb_of_{short.events}_events": round(short.peak_mb),
        f"mb_of_{whole.events}_events": round(whole.peak_mb),
    }
    return Result("index.memory_growth", round(whole.peak_mb / short.peak_mb, 2), "times", "lower", 1.2, baselines)


def _on_postgres(url: str, home: Path, whole: Reading, baselines: dict[str, int]) -> Iterator[Result]:
    try:
        with postgres() as database:
            found = read_apart("ledger", url, str(home), database)
    except PostgresMissing as error:
        err.print(f"not measured: {error}", highlight=False)
        return
    if found.digest != whole.digest:
        raise WrongLedger("PostgreSQL and SQLite do not hold the same facts")
    yield Result("index.pg_per_s", round(found.per_s), "events/s", "higher", 25_000, baselines)


# --- the chain ---


@contextmanager
def _chain(home: Path) -> Iterator[tuple[str, History]]:
    with own_chain(home) as url:
        with paced(url, _SETUP_PACE_S):
            town = Town(Bench(Rpc(url, timeout_s=RPC_S), url))
        town.bench.deployment.save(home / "deployment.json")
        yield url, History(town, seed=1)


def _grow(history: History, parts: int) -> None:
    for _ in range(parts):
        history.add_part()
    history.mine(_TO_FINALITY)
