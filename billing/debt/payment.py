"""A sum for an account, divided over its bills as they stand: shown before it is paid, and then paid so."""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import date

from billing.corrections import PENALTY
from billing.debt.allocation import Allocation, Claim, OpenLine, Rank, allocate
from billing.debt.balance import is_expired
from billing.debt.books import AccountBook, Leaf
from billing.debt.cases import Case
from billing.debt.requests import AccountPayment
from billing.debt.rules import Rules
from billing.debt.waiting import disputed_kopecks, disputed_lines
from contracts.wire.ids import SupplierId
from contracts.wire.leaf import BillKind


def divide_payment(request: AccountPayment, claims: Sequence[Claim]) -> Allocation:
    """Where the sum goes: the period that the payer names, else the oldest; disputed lines wait."""
    return allocate(request.amount_kopecks, claims, request.period)


def claims_of(
    book: AccountBook, cases: Sequence[Case], rules: Rules, at: date, suspended: Set[SupplierId] = frozenset()
) -> list[Claim]:
    """What can be paid on an account. Lines of suspended suppliers are left out, as the Settlement leaves them open;
    a bill with a line in an open dispute waits as a whole until the line was set apart. Raises Missing."""
    disputed = disputed_lines(cases)
    years = rules.limitation_years(at)
    dues = {debt.leaf: debt.due for debt in book.debts}
    return [
        Claim(
            leaf.key,
            leaf.stored.period,
            Rank.PENALTY if leaf.purpose == PENALTY else Rank.PRINCIPAL,
            _open_lines(leaf, suspended),
            leaf.key in dues and is_expired(dues[leaf.key], at, years),
            disputed_kopecks(leaf, disputed) > 0,
        )
        for leaf in book.leaves
        if leaf.stored.kind is not BillKind.CREDIT_NOTE and leaf.view.open_kopecks
    ]


def _open_lines(leaf: Leaf, suspended: Set[SupplierId]) -> tuple[OpenLine, ...]:
    return tuple(
        OpenLine(line.line, leaf.services[line.line], line.supplier, line.open_kopecks)
        for line in leaf.view.lines
        if line.open_kopecks and line.supplier not in suspended
    )
