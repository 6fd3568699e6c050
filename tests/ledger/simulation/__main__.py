"""Plays many seeds and sums them up: ``python -m tests.ledger.simulation --seeds 10000``.

Exit code 1 on a divergence.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor

import structlog

from tests.ledger.simulation.play import Divergence, Play, file_databases

COUNTED = ("steps", "blocks", "events", "faults", "reorgs", "rollbacks", "shutdowns", "refusals")
CHUNK = 25


def play_seeds(seeds: Iterable[int]) -> tuple[Counter[str], list[str]]:
    """Sums over the seeds, and what each that failed said."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    sums: Counter[str] = Counter()
    failed = []
    with file_databases() as databases:
        for seed in seeds:
            sums["seeds"] += 1
            try:
                played = Play(seed, databases).run()
            except Divergence as divergence:
                failed.append(str(divergence))
                continue
            sums.update({name: getattr(played, name) for name in COUNTED})
            sums.update({f"halts: {name}": count for name, count in played.halts.items()})
            sums["deepest reorg"] = max(sums["deepest reorg"], played.deepest)
    return sums, failed


def play_many(first: int, count: int, workers: int) -> tuple[Counter[str], list[str]]:
    """As ``play_seeds``, on several processes."""
    chunks = [range(at, min(at + CHUNK, first + count)) for at in range(first, first + count, CHUNK)]
    sums: Counter[str] = Counter()
    failed: list[str] = []
    with ProcessPoolExecutor(workers) as pool:
        for found, wrong in pool.map(play_seeds, chunks):
            deepest = max(sums["deepest reorg"], found["deepest reorg"])
            sums.update(found)
            sums["deepest reorg"] = deepest
            failed += wrong
    return sums, failed


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.ledger.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    started = time.monotonic()
    sums, failed = play_many(options.first, options.seeds, options.workers)
    sums["seconds"], sums["divergences"] = round(time.monotonic() - started), len(failed)
    sys.stdout.writelines(f"{name:28} {value:>12,}\n" for name, value in sums.items())
    sys.stderr.writelines(f"{line}\n" for line in failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
