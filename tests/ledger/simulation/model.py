"""What a town's transactions come to, kept by hand: the independent model that the ledger is held against.

It is told changes by the town that made them, never by logs, and knows nothing of the ledger's code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

Bill = tuple[int, int]
"""Run and index."""
Lines = tuple[tuple[int, int], ...]
"""Supplier and kopecks of each line."""


@dataclass
class Model:
    """The town's state; every method is one change."""

    wallets: dict[int, bytes] = field(default_factory=dict)
    active: dict[int, int] = field(default_factory=dict)
    balances: Counter[bytes] = field(default_factory=Counter)
    received: Counter[int] = field(default_factory=Counter)
    heads: dict[int, tuple[int, int]] = field(default_factory=dict)
    batches: list[tuple[int, int, int]] = field(default_factory=list)
    roots: list[bytes] = field(default_factory=list)
    readings: list[tuple[bytes, int]] = field(default_factory=list)
    acknowledged: Counter[tuple[bytes, bytes]] = field(default_factory=Counter)
    runs: dict[int, tuple[Lines, ...]] = field(default_factory=dict)
    states: dict[Bill, int] = field(default_factory=dict)
    moved: Counter[tuple[int, int, int, int]] = field(default_factory=Counter)
    grants: dict[int, tuple[bytes, list[tuple[Bill, int, int]]]] = field(default_factory=dict)
    used: set[tuple[int, int]] = field(default_factory=set)
    prepaid: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    plain: Counter[str] = field(default_factory=Counter)

    def supplier(self, number: int, wallet: bytes) -> None:
        self.wallets[number] = wallet
        self.active.setdefault(number, 1)

    def status(self, number: int, active: int) -> None:
        self.active[number] = active

    def move(self, sender: bytes, to: bytes, kopecks: int) -> None:
        self.balances[sender] -= kopecks
        self.balances[to] += kopecks

    def receipt(self, supplier: int, kopecks: int) -> None:
        """A supplier received money; a refund is negative."""
        self.received[supplier] += kopecks

    def source(self, number: int) -> None:
        self.heads[number] = 0, 0

    def anchored(self, source: int, epoch: int, sequence: int, root: bytes) -> None:
        self.heads[source] = epoch, sequence
        self.batches.append((source, epoch, sequence))
        self.roots.append(root)

    def reset(self, source: int, epoch: int) -> None:
        self.heads[source] = epoch, 0

    def read(self, meter: bytes, value: int) -> None:
        self.readings.append((meter, value))

    def acknowledge(self, root: bytes, holder: bytes) -> None:
        self.acknowledged[root, holder] += 1

    def run(self, number: int, bills: Sequence[Lines]) -> None:
        self.runs[number] = tuple(bills)

    def state(self, run: int, index: int, state: int) -> None:
        self.states[run, index] = max(state, self.states.get((run, index), 0))

    def line(self, run: int, index: int, line: int, kind: int, kopecks: int) -> None:
        self.moved[run, index, line, kind] += kopecks

    def grant(self, batch: int, wallet: bytes, items: list[tuple[Bill, int, int]]) -> None:
        self.grants[batch] = wallet, items

    def use(self, batch: int, index: int) -> None:
        self.used.add((batch, index))

    def prepay(self, name: bytes, supplier: int, kopecks: int) -> None:
        self.prepaid[name] = supplier, kopecks

    def net(self, name: bytes) -> None:
        del self.prepaid[name]

    def count(self, what: str) -> None:
        """An event that only counts."""
        self.plain[what] += 1

    # --- asked by the town ---

    def open_of(self, run: int, index: int) -> list[tuple[int, int, int]]:
        """Line, supplier and open kopecks of each line that is open."""
        if self.states.get((run, index), 0) >= 2:
            return []
        out = []
        for line, (supplier, kopecks) in enumerate(self.runs[run][index]):
            left = kopecks - sum(self.moved[run, index, line, kind] for kind in (1, 2, 3, 4))
            if left > 0:
                out.append((line, supplier, left))
        return out
