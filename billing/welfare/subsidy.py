"""The subsidy on housing and services: ЖК РФ, ст. 159; ПП РФ от 14.12.2005 № 761.

C = СС · n − Д · МДД; where the family's mean income is below its subsistence minimum МДД is lowered by К = СДД / ПМ.
Never below nothing; never above what the family is charged. What the regions do otherwise is a switch in the rules'
document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from billing.domain.charge import Input
from billing.domain.numbers import kopecks
from billing.welfare.reference import Book, ShareLimit, Sheet, SubsidyRules, Subsistence
from billing.welfare.working import Working
from contracts.wire.ids import Period

KIND = "subsidy"
ACT = "ЖК РФ, ст. 159; ПП РФ от 14.12.2005 № 761, п. 23"
KOPECKS = 100
FEDERAL = ("russia",)


@dataclass(frozen=True, slots=True)
class Family:
    """Who the subsidy is for: members by group (working, pensioner, child), owners or tenants."""

    members: Mapping[str, int]
    tenure: str

    @property
    def size(self) -> int:
        """Number of members."""
        return sum(self.members.values())


@dataclass(frozen=True, slots=True)
class Debt:
    """A debt for housing and services that a court confirmed: when it arose, the court's act, when it was paid."""

    arisen: date
    court_act: str
    paid: date | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """What a region lays down for a month: cost, share and subsistence, each with its document."""

    standard: tuple[Sheet, Fraction]
    share: tuple[Sheet, Fraction]
    subsistence: tuple[Sheet, Fraction]


def first_month(applied: date, rules: SubsidyRules) -> Period:
    """The month from whose 1st the subsidy is given: the application's own up to the 15th, else the next (п. 44)."""
    own = Period(applied.year, applied.month)
    return own.next() if applied.day >= rules.next_month_from_day else own


def term(applied: date, rules: SubsidyRules) -> tuple[Period, ...]:
    """The months of the subsidy (ст. 159, ч. 7: six months)."""
    months = [first_month(applied, rules)]
    while len(months) < rules.term_months:
        months.append(months[-1].next())
    return tuple(months)


def blocking_debt(debts: Sequence[Debt], day: date, rules: SubsidyRules) -> Debt | None:
    """A debt that bars the subsidy on a day: confirmed by a court, arisen in the last years, not paid (ст. 159, ч. 5).

    A clerk's word or a supplier's is not enough: only what a court confirmed is in ``debts``.
    """
    if not rules.debt_blocks:
        return None
    since = _years_before(day, rules.debt_years)
    standing = (debt for debt in debts if debt.arisen >= since and (debt.paid is None or debt.paid > day))
    return next(standing, None)


def figures_for(book: Book, areas: Sequence[str], family: Family, income: Fraction, day: date) -> Figures:
    """The figures in force on a day for a family with a mean monthly ``income`` in roubles. Raises NoSheet.

    A region's share may be lower than the federal one, never above it.
    """
    standard_sheet, standard = book.standard(family.tenure, areas, day)
    least_sheet, least = book.require(Subsistence, areas, day)
    minimum = least.of_family(family.members)
    ratio = income / family.size / minimum
    share_sheet, limit = book.require(ShareLimit, areas, day)
    federal_sheet, federal = book.require(ShareLimit, FEDERAL, day)
    share = limit.of(ratio)
    if share > federal.of(ratio):
        share_sheet, share = federal_sheet, federal.of(ratio)
    return Figures((standard_sheet, standard.of(family.size)), (share_sheet, share), (least_sheet, minimum))


def subsidy(
    family: Family, income: Fraction, figures: Figures, rules: tuple[Sheet, SubsidyRules], expense: Fraction | None
) -> Working:
    """A month's subsidy. ``income`` and ``expense`` (what the family is charged, less its compensations) in roubles;
    without ``expense`` it is what the decision names, to be capped once the month is billed. Rounded half up once."""
    (standard_sheet, cost), (share_sheet, share), (least_sheet, minimum) = (
        figures.standard, figures.share, figures.subsistence,
    )  # fmt: skip
    inputs = [
        Input.of("SS", cost, "RUB/person"),
        Input.of("n", family.size, "person"),
        Input.of("D", income, "RUB"),
        Input.of("MDD", share, "1"),
    ]
    own, spent = "D · MDD", income * share
    act = f"{ACT}; {standard_sheet.act}; {share_sheet.act}"
    sheets = [standard_sheet, share_sheet, rules[0]]
    if rules[1].lowers_share_below_subsistence and income / family.size < minimum:
        own, spent = "D · MDD · (D / n / PM)", spent * (income / family.size / minimum)
        inputs.append(Input.of("PM", minimum, "RUB"))
        act += f"; {least_sheet.act}"
        sheets.append(least_sheet)
    formula, value = f"max(0, SS · n − {own})", max(Fraction(0), cost * family.size - spent)
    if expense is not None and rules[1].is_capped_by_expense:
        inputs.append(Input.of("F", expense, "RUB"))
        formula, value = f"min(F, {formula})", min(expense, value)
    return Working(KIND, f"P = {formula}", act, tuple(inputs), tuple(sheets), kopecks(value))


def coefficient(family: Family, income: Fraction, minimum: Fraction) -> Fraction | None:
    """К = СДД / ПМ where the family's mean income is below its subsistence minimum, else None."""
    ratio = income / family.size / minimum
    return ratio if ratio < 1 else None


def mean_income(monthly_kopecks: Sequence[int]) -> Fraction:
    """The family's mean monthly income in roubles over the months given, exact."""
    return Fraction(sum(monthly_kopecks), KOPECKS * len(monthly_kopecks))


def _years_before(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year - years)
    except ValueError:  # 29 February
        return day.replace(year=day.year - years, day=28)
