"""What open disputes hold back: which lines are not asked for, and how much of each bill or note waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from billing.corrections import PENALTY
from billing.debt.books import AccountBook, Leaf
from billing.debt.cases import Case
from billing.debt.disputes import Dispute
from contracts.wire.ids import BillKey, Period, Service, SupplierId
from contracts.wire.leaf import BillKind

Disputed = Set[tuple[Period, Service | None, SupplierId]]


@dataclass(frozen=True, slots=True)
class DisputeCase:
    """A dispute with the bill whose line it is about, and what waits for its decision. ``bill`` is None where the bill
    is not in force any more, or was erased."""

    id: int
    account: str
    matter: Dispute
    bill: BillKey | None
    waiting_kopecks: int


def disputed_lines(cases: Sequence[Case]) -> Disputed:
    """What open disputes are about."""
    matters = [case.matter for case in cases if isinstance(case.matter, Dispute) and case.matter.is_open]
    return frozenset(matter.place for matter in matters)


def disputed_kopecks(leaf: Leaf, disputed: Disputed) -> int:
    """What is open on a bill or note and in dispute; never of a note that charges penalties."""
    if leaf.purpose == PENALTY or leaf.stored.kind is BillKind.CREDIT_NOTE:
        return 0
    return sum(
        line.open_kopecks
        for line in leaf.view.lines
        if (leaf.stored.period, leaf.services[line.line], line.supplier) in disputed
    )


def dispute_cases(cases: Sequence[Case], books: Mapping[str, AccountBook]) -> list[DisputeCase]:
    """The disputes among some cases, in their order; ``books`` by account."""
    return [_case(case, case.matter, books[case.account].leaves) for case in cases if isinstance(case.matter, Dispute)]


def _case(case: Case, matter: Dispute, leaves: Sequence[Leaf]) -> DisputeCase:
    bills = [leaf.key for leaf in leaves if leaf.stored.kind is BillKind.BILL and _names(leaf, matter)]
    places = frozenset({matter.place}) if matter.is_open else frozenset()
    waiting = sum(disputed_kopecks(leaf, places) for leaf in leaves)
    return DisputeCase(case.id, case.account, matter, bills[-1] if bills else None, waiting)


def _names(leaf: Leaf, matter: Dispute) -> bool:
    return any(
        (leaf.stored.period, leaf.services[line.line], line.supplier) == matter.place for line in leaf.view.lines
    )
