"""The whole way of the data for a thousand accounts and a month: signed readings to paid bills, services and all."""

from __future__ import annotations

import os
import resource
import tempfile
import threading
import time
from pathlib import Path

from contracts.wire.ids import Period
from scripts.bench import Result
from scripts.cli.console import Steps
from scripts.cli.demo import play_town
from scripts.home import Home
from scripts.town.plan import plan_town

ACCOUNTS = 1_000
MEMORY_BAR_MB = 500
SAMPLE_S = 0.5
UNPAID_STEPS = frozenset({"rebuild", "corrections", "prepayments", "total"})
"""Steps of the demo that come after the money has moved, or beside it."""


class WrongTown(AssertionError):
    """The measured town does not add up."""


def measure() -> list[Result]:
    """flow.accounts1000_s, and the peak memory of its largest process."""
    town = plan_town(ACCOUNTS, Period(2026, 1), 1, 7)
    with tempfile.TemporaryDirectory(prefix="kopeck-bench-") as folder, _PeakMemory(Path(folder)) as memory:
        found = play_town(Home(Path(folder)), Steps(quiet=True), town)
    if not (found["conservation"] and found["rebuilt_equal"] and found["contract_balances_kopecks"] == 0):
        raise WrongTown(f"the town of {ACCOUNTS} accounts does not add up: {found}")
    seconds: dict[str, float] = found["seconds"]
    paid_after = sum(took for name, took in seconds.items() if name not in UNPAID_STEPS)
    steps = {name: took for name, took in seconds.items() if name != "total"}
    return [
        Result("flow.accounts1000_s", round(paid_after, 1), "s", "lower", 120, steps),
        Result("flow.peak_memory_mb", round(memory.peak_mb), "MB", "lower", MEMORY_BAR_MB, memory.by_process),
    ]


class _PeakMemory:
    """The kernel's own high-water mark of each process of a town, by name, read while they run."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.by_process: dict[str, float] = {}

    @property
    def peak_mb(self) -> float:
        """Of the largest, this one included."""
        return max(self.by_process.values())

    def __enter__(self) -> _PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.by_process["play"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    def _watch(self) -> None:
        while not self._stop.is_set():
            for pid in self._pids():
                self._note(pid)
            time.sleep(SAMPLE_S)

    def _pids(self) -> list[Path]:
        home = str(self._home).encode()
        return [path for path in Path("/proc").glob("[0-9]*") if home in _read(path / "cmdline") or _is_own_anvil(path)]

    def _note(self, pid: Path) -> None:
        words = _read(pid / "cmdline").split(b"\0")
        name = words[2].decode() if len(words) > 2 and words[1] == b"-m" else Path(words[0].decode()).name
        for line in _read(pid / "status").splitlines():
            if line.startswith(b"VmHWM:"):
                peak_mb = int(line.split()[1]) / 1024
                self.by_process[name] = round(max(peak_mb, self.by_process.get(name, 0.0)), 1)


def _is_own_anvil(pid: Path) -> bool:
    """The chain of this town: its command line does not name the home."""
    name = Path(_read(pid / "cmdline").split(b"\0")[0].decode(errors="replace")).name
    return name == "anvil" and f"PPid:\t{os.getpid()}\n".encode() in _read(pid / "status")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it ended between two looks
        return b""
