"""How long a capsule takes to verify once the verifier has started, against the golden capsules."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from contracts.wire.capsule import Trust
from contracts.wire.capsule_check import verify_capsule
from scripts.bench import Result

_VECTORS = Path(__file__).resolve().parents[2] / "tests" / "vectors" / "capsules.json"
_TIMES = 200
_BAR_MS = 5.0


class WrongState(AssertionError):
    """A golden capsule does not prove the state that it was made to prove."""


def measure() -> Sequence[Result]:
    """The median of the slowest golden capsule, milliseconds; each is checked to prove its state."""
    vectors = json.loads(_VECTORS.read_text())
    trust = Trust.parse(json.dumps(vectors["trust"]).encode())
    medians = [_median_ms(given["capsule"].encode(), given["state"], trust) for given in vectors["accepted"]]
    return [Result("capsule.verify_ms", max(medians), "ms", "lower", _BAR_MS)]


def _median_ms(data: bytes, state: str, trust: Trust) -> float:
    spent = []
    for _ in range(_TIMES):
        started = time.perf_counter()
        verdict = verify_capsule(data, trust)
        spent.append(1_000 * (time.perf_counter() - started))
        if verdict.state.name.lower() != state:
            raise WrongState(f"it proves {verdict.state.name.lower()}, and was made to prove {state}")
    return statistics.median(spent)
