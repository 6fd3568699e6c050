"""Plays many seeds and sums them up: ``python -m tests.ledger.simulation --seeds 10000 --log FILE``.

With a log a run that was broken off goes on where it stood. Exit code 1 on a divergence.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import structlog

from tests.ledger.simulation.play import Divergence, Play, file_databases

COUNTED = ("steps", "blocks", "events", "faults", "reorgs", "rollbacks", "shutdowns", "refusals")
CHUNK = 25
DEEPEST = "deepest reorg"


@dataclass(frozen=True)
class Chunk:
    """What seeds in a row came to. ``digest`` is over the digests of each ledger's tables, seed by seed."""

    first: int
    count: int
    sums: Counter[str]
    failed: list[str]
    digest: str


@dataclass
class Outcome:
    """What all seeds came to."""

    sums: Counter[str]
    failed: list[str]
    digest: str


def play_seeds(first: int, count: int) -> Chunk:
    """Plays seeds in a row."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    sums: Counter[str] = Counter()
    failed = []
    whole, began = hashlib.sha256(), time.process_time()
    with file_databases() as databases:
        for seed in range(first, first + count):
            sums["seeds"] += 1
            try:
                played = Play(seed, databases).run()
            except Divergence as divergence:
                failed.append(str(divergence))
                continue
            sums.update({name: getattr(played, name) for name in COUNTED})
            sums.update({f"fault: {name}": count for name, count in played.kinds.items()})
            sums.update({f"halts: {name}": count for name, count in played.halts.items()})
            sums[DEEPEST] = max(sums[DEEPEST], played.deepest)
            for name, digest in played.digests.items():
                whole.update(f"{seed} {name} {digest.hex()}\n".encode())
    sums["processor ms"] = round(1_000 * (time.process_time() - began))
    return Chunk(first, count, sums, failed, whole.hexdigest())


def play_many(first: int, count: int, workers: int, log: Path | None = None) -> Outcome:
    """Plays seeds on several processes; what stands in the log is not played again."""
    wanted = [(at, min(CHUNK, first + count - at)) for at in range(first, first + count, CHUNK)]
    found = {(chunk.first, chunk.count): chunk for chunk in _logged(log)} if log else {}
    with ProcessPoolExecutor(workers) as pool:
        for done in as_completed([pool.submit(play_seeds, *span) for span in wanted if span not in found]):
            chunk = done.result()
            found[chunk.first, chunk.count] = chunk
            if log:
                with log.open("a") as out:
                    out.write(json.dumps(vars(chunk)) + "\n")
    return _sum_up([found[span] for span in wanted])


def _sum_up(chunks: list[Chunk]) -> Outcome:
    outcome = Outcome(Counter(), [], "")
    whole = hashlib.sha256()
    for chunk in chunks:
        deepest = max(outcome.sums[DEEPEST], chunk.sums[DEEPEST])
        outcome.sums.update(chunk.sums)
        outcome.sums[DEEPEST] = deepest
        outcome.failed += chunk.failed
        whole.update(bytes.fromhex(chunk.digest))
    outcome.digest = whole.hexdigest()
    return outcome


def _logged(log: Path) -> Iterator[Chunk]:
    """What an earlier run has played to its end; a last line that was cut short is nothing."""
    for line in log.read_text().splitlines() if log.exists() else []:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        yield Chunk(**{**row, "sums": Counter(row["sums"])})


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.ledger.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--log", type=Path, help="keep what is played here, and go on from it")
    options = parser.parse_args()
    started = time.monotonic()
    outcome = play_many(options.first, options.seeds, options.workers, options.log)
    outcome.sums["seconds"], outcome.sums["divergences"] = round(time.monotonic() - started), len(outcome.failed)
    sys.stdout.writelines(f"{name:28} {value:>12,}\n" for name, value in outcome.sums.items())
    sys.stdout.write(f"{'digest':28} {outcome.digest}\n")
    sys.stderr.writelines(f"{line}\n" for line in outcome.failed)
    return 1 if outcome.failed else 0


if __name__ == "__main__":
    sys.exit(main())
