"""What a household is due for a month, case by case and line by line, from its bill as it was charged.

Compensations come first, each on its own line; the subsidy then covers what is left, split over the lines in
proportion, by largest remainder. So a line's help is never more than its charge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from billing.welfare import compensation, subsidy
from billing.welfare.cases import CompensationCase, Revision, SubsidyCase
from billing.welfare.compensation import BilledLine, Bounds, Claim, Dwelling, choose, compensate
from billing.welfare.reference import Book, SubsidyRules
from billing.welfare.working import Working
from contracts.wire.ids import Period, Service
from contracts.wire.units import split_largest_remainder

KOPECKS = 100


@dataclass(frozen=True, slots=True)
class BilledMonth:
    """A household's month as it was billed, and what bounds help with it. ``areas`` are the house's; ``open_kopecks``
    is what can still be paid on each service's line."""

    account: str
    period: Period
    areas: tuple[str, ...]
    lines: tuple[BilledLine, ...]
    dwelling: Dwelling
    bounds: Bounds
    open_kopecks: Mapping[Service, int]

    @property
    def first_day(self) -> date:
        """The day by which documents are chosen."""
        return date(self.period.year, self.period.month, 1)

    @property
    def charged_kopecks(self) -> int:
        """All lines together."""
        return sum(line.charged_kopecks for line in self.lines)


@dataclass(frozen=True, slots=True)
class Due:
    """What one case is due: kopecks by service, and how each sum came about. ``why_nothing`` says why it is none."""

    kind: str
    lines: Mapping[Service, int]
    workings: tuple[Working, ...]
    family: int
    expense_kopecks: int
    why_nothing: str = ""

    @property
    def amount_kopecks(self) -> int:
        """All lines together."""
        return sum(self.lines.values())


def dues(month: BilledMonth, revisions: Sequence[Revision], book: Book) -> dict[str, Due]:
    """By case what is due for the month; ``revisions`` are those in force. Raises NoSheet, NoBound."""
    room = {line.service: line.charged_kopecks for line in month.lines}
    out = _compensations(month, [r.case for r in revisions if isinstance(r.case, CompensationCase)], book, room)
    for revision in revisions:
        if isinstance(revision.case, SubsidyCase):
            due = _subsidy(month, revision.case, book, room)
            for service, amount in due.lines.items():
                room[service] -= amount
            out[revision.case.number] = due
    return out


def _compensations(
    month: BilledMonth, cases: Sequence[CompensationCase], book: Book, room: dict[Service, int]
) -> dict[str, Due]:
    kept: dict[str, list[Claim]] = {case.number: [] for case in cases}
    sums: dict[str, dict[Service, int]] = {case.number: {} for case in cases}
    categories = {case.number: book.category(case.category, month.areas, month.first_day) for case in cases}
    for line in month.lines:
        claims = []
        for case in cases:
            working = compensate(line, categories[case.number], month.dwelling, month.bounds)
            if working is not None:
                claims.append(Claim(case.number, case.person, working))
        for claim in choose(claims):
            amount = min(claim.working.amount_kopecks, room[line.service])
            room[line.service] -= amount
            kept[claim.case].append(claim)
            if amount:
                sums[claim.case][line.service] = amount
    nothing = "no line of the bill is of its services, or another case helps more"
    return {
        case.number: Due(
            compensation.KIND,
            sums[case.number],
            tuple(claim.working for claim in kept[case.number]),
            month.dwelling.persons,
            month.charged_kopecks,
            "" if sums[case.number] else nothing,
        )
        for case in cases
    }


def _subsidy(month: BilledMonth, case: SubsidyCase, book: Book, room: Mapping[Service, int]) -> Due:
    areas = case.areas + month.areas
    rules = book.require(SubsidyRules, areas, month.first_day)
    left = sum(room.values())
    debt = subsidy.blocking_debt(case.debts, month.first_day, rules[1])
    if debt is not None:
        return Due(
            subsidy.KIND,
            {},
            (),
            case.family.size,
            left,
            f"a debt confirmed by {debt.court_act} stands (ЖК РФ, ст. 159 ч. 5)",
        )
    income = subsidy.mean_income(case.income_kopecks)
    day = month.first_day if rules[1].follows_new_standards else case.applied
    figures = subsidy.figures_for(book, areas, case.family, income, day)
    working = subsidy.subsidy(case.family, income, figures, rules, Fraction(left, KOPECKS))
    total = min(working.amount_kopecks, left)
    services = [service for service, amount in room.items() if amount]
    parts = split_largest_remainder(total, [room[service] for service in services]) if total else []
    lines = {service: part for service, part in zip(services, parts, strict=False) if part}
    why = "" if total else "the family's own share of its income covers the standard of cost"
    return Due(subsidy.KIND, lines, (working,), case.family.size, left, why)
