"""The audit of a generated town, after its history was read: without opening a record, and with every bill worked out.

KOPECK_BENCH_AUDIT_BILLS says how many bills; a million takes 14 GB of disk under ``var/``, and is made once. Fewer are
told under other names, scaled to a million. Every bench asserts that all was checked, and that nothing is wrong.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scripts.audit.audit import audit
from scripts.audit.bundle import Bundle
from scripts.audit.node import Node
from scripts.bench import BILLS_NAMED, Result
from scripts.bench.million.town import AuditTown, asked, town_of

BILLS = int(os.environ.get(BILLS_NAMED, "1000000"))
MILLION = 1_000_000
CORES = 2
VAR = Path("var")
_BARS = {"million_s": 60.0, "recompute_million_s": 300.0}
_MEMORY_MB = 1_000.0
_SAMPLE_S = 2.0  # a sample walks all pages of a process


class NotAudited(AssertionError):
    """The measured audit did not check everything, or found something in a town that did nothing wrong."""


@dataclass(frozen=True, slots=True)
class Measured:
    """An audit in a process of its own: by the clock, and the time of all processors."""

    seconds: float
    cpu_s: float
    findings: int
    checked: dict[str, int]


def measure() -> list[Result]:
    """audit.million_s, audit.recompute_million_s, audit.peak_memory_mb; of fewer bills audit.scaled_…"""
    town, is_million = town_of(BILLS, VAR), BILLS == MILLION
    results, peak = [], 0.0
    for name, opens in (("million_s", False), ("recompute_million_s", True)):
        found, memory_mb = _audited(town, opens)
        _require(found, opens)
        peak, scale = max(peak, memory_mb), MILLION / BILLS
        beside = {"bills": BILLS, "measured_s": round(found.seconds, 1), "cpu_s": round(found.cpu_s, 1)}
        named = f"audit.{name}" if is_million else f"audit.scaled_{name}"
        bar = _BARS[name] if is_million else None
        results.append(Result(named, round(found.seconds * scale, 1), "s", "lower", bar, beside))
    memory = Result("audit.peak_memory_mb", round(peak), "MB", "lower", _MEMORY_MB, {"bills": BILLS})
    return [*results, memory]


def _require(found: Measured, opens: bool) -> None:
    due = {"bills": BILLS, "receipts": BILLS, "signatures of orders": BILLS // 10}
    if opens:
        due["bills worked out again"] = BILLS
    wrong = {name: found.checked.get(name) for name, count in due.items() if found.checked.get(name) != count}
    if found.findings or wrong:
        raise NotAudited(f"{found.findings} findings; checked {wrong}, and {due} was to be")


def _audited(town: AuditTown, opens: bool) -> tuple[Measured, float]:
    """What an audit took, and its peak memory in MB over all its processes."""
    command = (sys.executable, "-m", "scripts.bench.audit", str(town.folder), "open" if opens else "sealed")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        peak = _Peak(process.pid)
        out, _ = process.communicate()
        memory_mb = peak.end()
    if process.returncode:
        raise NotAudited(f"the audit ended with {process.returncode}")
    return Measured(**json.loads(out.splitlines()[-1])), memory_mb


class _Peak:
    """Watches a process and its children: memory that they share is counted once."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak_kb = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> float:
        """The peak, in MB."""
        self._ending.set()
        self._thread.join()
        return self._peak_kb / 1024

    def _watch(self) -> None:
        while not self._ending.wait(_SAMPLE_S):
            self._peak_kb = max(self._peak_kb, sum(_shared_kb(pid) for pid in _family(self._pid)))


def _family(pid: int) -> Iterator[int]:
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in children:
        yield from _family(int(child))


def _shared_kb(pid: int) -> int:
    """A process's memory, what it shares by its share."""
    try:
        rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(row.split()[1]) for row in rows if row.startswith("Pss:")), 0)


# --- in a process of its own -----------------------------------------------------------------------------------------


class Answers:
    """The node as it answered when the town was made."""

    url = "http://recorded"

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self._answers = answers

    def call(self, method: str, *params: object) -> Any:
        """What it answered. Raises KeyError for what it was not asked."""
        return self._answers[asked(method, params)]

    def batch(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        """The same for many calls."""
        return [self.call(method, *params) for method, params in calls]


def _main(folder: Path, opens: bool) -> None:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    town = AuditTown(folder)
    node = Answers(town.answers)
    begun = time.perf_counter()
    bundle = Bundle(town.bundle, opens)
    found = audit(bundle, Node(node, bundle.deployment), town.state, CORES)
    seconds = time.perf_counter() - begun
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu_s = sum(usage.ru_utime + usage.ru_stime for usage in spent)
    measured = Measured(seconds, cpu_s, len(found.findings), dict(found.findings.checked))
    sys.stdout.write(json.dumps(asdict(measured)) + "\n")


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2] == "open")
