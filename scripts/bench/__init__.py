"""The benches: each measures one thing, asserts the state it leaves, and says its bar.

A bench is a function without arguments that returns ``Result``s; ``BENCHES`` names it by what its ids begin with. Ids
are given by the issues and never renamed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

BENCHES: Mapping[str, str] = {
    "capsule": "scripts.bench.capsule:measure",
    "gas": "scripts.bench.gas:measure",
    "flow": "scripts.bench.flow:measure",
    "billing": "scripts.bench.billing:measure",
    "index": "scripts.bench.index:measure",
    "network": "scripts.bench.network:measure",
    "audit": "scripts.bench.audit:measure",
    "resume": "scripts.bench.resume:measure",
}
"""What the ids begin with, to ``module:function``, in the order they run."""
BILLS_NAMED = "KOPECK_BENCH_AUDIT_BILLS"
"""Where the audit's bench reads how many bills its town is to have."""
BILLS_NAMED = "KOPECK_BENCH_AUDIT_BILLS"
"""Where the audit's bench reads how many bills its town is to have."""


@dataclass(frozen=True, slots=True)
class Result:
    """One measured value. ``bar`` is what it must not pass, None where nothing is promised."""

    id: str
    value: float
    unit: str
    better: Literal["lower", "higher"]
    bar: float | None = None
    baselines: Mapping[str, float] = field(default_factory=dict)

    @property
    def within_bar(self) -> bool:
        """Whether the value keeps its promise."""
        if self.bar is None:
            return True
        return self.value <= self.bar if self.better == "lower" else self.value >= self.bar
