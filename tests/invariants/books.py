"""The model's books: bills with their lines, grants, prepayments, suppliers. Plain numbers, all kopecks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from contracts.wire.ids import Address, BillKey, BillState
from contracts.wire.leaf import BillBlob, BillKind


class Refused(Exception):
    """The model refuses; ``name`` is the class in contracts.wire.errors that the chain must answer with."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def require(condition: bool, name: str) -> None:
    """Raises Refused with ``name`` unless the condition holds."""
    if not condition:
        raise Refused(name)


@dataclass
class Line:
    """What was charged to one supplier, and all that happened to it."""

    supplier: int
    charged: int
    paid: int = 0
    granted: int = 0
    netted: int = 0
    written_off: int = 0
    refunded: int = 0
    granter: Address | None = None

    @property
    def moved(self) -> int:
        return self.paid + self.granted + self.netted

    @property
    def open(self) -> int:
        return self.charged - self.moved - self.written_off


@dataclass
class Bill:
    """A bill or a note; ``whole`` when it was paid at a stroke, which the chain keeps as its state alone."""

    kind: BillKind
    lines: list[Line]
    credits: Sequence[tuple[int, int, bytes]]
    original: BillKey | None
    state: BillState = BillState.OPEN
    whole: bool = False
    done: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, blob: BillBlob) -> Bill:
        credits = [(c.line, c.amount_kopecks, bytes(c.prepayment)) for c in blob.credits]
        return cls(blob.kind, [Line(x.supplier, x.amount_kopecks) for x in blob.lines], credits, blob.original)

    @property
    def is_closed(self) -> bool:
        return self.state in {BillState.PAID, BillState.SUPERSEDED}

    def set_by_lines(self) -> BillState:
        """Paid when nothing is open on any line, partial otherwise; nothing leaves a closed state."""
        if not self.is_closed:
            self.state = BillState.PARTIAL if any(line.open for line in self.lines) else BillState.PAID
        return self.state


@dataclass
class Run:
    """A run: proposed, then active."""

    bills: list[Bill]
    superseded: tuple[BillKey, ...]
    is_active: bool = False


@dataclass
class Grant:
    """One leaf of a batch of grants."""

    bill: BillKey
    line: int
    maximum: int
    expires_at: int
    is_spent: bool = False


@dataclass
class Batch:
    """Grants under one root; ``total`` bounds them together."""

    wallet: Address
    grants: list[Grant]
    total: int
    used: int = 0
    is_reversed: bool = False


@dataclass
class Supplier:
    """Where a supplier's money goes, and who may say so."""

    key: Address
    payout: Address
    is_active: bool = True
    proposed: Address | None = None
    executable_at: int = 0
    new_key: Address | None = None
    key_executable_at: int = 0


@dataclass
class SourceHead:
    """Where a source's chain of batches stands; ``key`` is the party that signs for it."""

    key: str
    epoch: int = 0
    sequence: int = 0
    hash: bytes = bytes(24)


def by_largest_remainder(total: int, weights: Sequence[int]) -> list[int]:
    """``total`` in proportion to ``weights``: floors first, then a kopeck each to the largest remainders, ties to the
    lower place (docs/protocol.md §7)."""
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    ranked = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in ranked[: total - sum(parts)]:
        parts[i] += 1
    return parts


def half_up(amount: int, part: int, whole: int) -> int:
    """``amount`` · ``part`` / ``whole``, half up."""
    doubled, rest = divmod(amount * part * 2, whole)
    return (doubled + 1) // 2 if rest or doubled % 2 else doubled // 2
