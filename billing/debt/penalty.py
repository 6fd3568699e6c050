"""Penalties for late payment (ст. 155 ч. 14 and ч. 14.1 ЖК РФ), row by row, so that a court can check each.

Simple interest on what is unpaid of one period's debt. Day 1 is the day after the due date; the day on which a payment
comes still counts on the balance before it. Penalties never bear penalties. Pure: the terms come as data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise

from billing.domain.numbers import half_up
from contracts.wire.ids import Period

PENALTY_ROUNDING = "half up to the kopeck, each row once"
_DAY = timedelta(days=1)


class PenaltyError(ValueError):
    """A debt or its terms can't be counted; names which and what to do."""

    def __init__(self, what: str, reason: str, remedy: str) -> None:
        super().__init__(f"{what}: {reason}; {remedy}")
        self.what, self.reason, self.remedy = what, reason, remedy


class Scale(StrEnum):
    """Which scale of fractions a debt grows by: ст. 155 ч. 14 for housing and utilities, ч. 14.1 for capital repair."""

    UTILITIES = "utilities"
    CAPITAL_REPAIR = "capital_repair"


class PauseKind(StrEnum):
    """Why nothing accrues on some days."""

    MORATORIUM = "moratorium"
    DISPUTE = "dispute"
    INSTALMENT = "instalment"


@dataclass(frozen=True, slots=True)
class Pause:
    """Days without penalty, ``first`` to ``last`` inclusive (None: without an end yet), under an act.

    ``days_count``: whether these days still make the delay longer, so that the next fraction begins as if there had
    been no pause. They do in a moratorium; an open dispute stops the clock itself.
    """

    kind: PauseKind
    first: date
    last: date | None
    act: str
    days_count: bool

    def covers(self, day: date) -> bool:
        """Whether nothing accrues on a day."""
        return self.first <= day and (self.last is None or day <= self.last)


@dataclass(frozen=True, slots=True)
class Step:
    """From this day of delay on, so much of the yearly rate a day; ``fraction`` is 1/300 or 1/130."""

    from_day: int
    fraction: Fraction


@dataclass(frozen=True, slots=True)
class RateFrom:
    """A yearly rate (0.095 for 9.5 %) from a day on, and the act that sets it."""

    since: date
    rate: Fraction
    act: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What a debt's penalty is counted by: steps by day of delay, rates by day, days without penalty."""

    steps: tuple[Step, ...]
    rates: tuple[RateFrom, ...]
    pauses: tuple[Pause, ...] = ()
    act: str = ""

    def __post_init__(self) -> None:
        days = [step.from_day for step in self.steps]
        if days != sorted(set(days)) or any(day < 1 for day in days):
            raise PenaltyError("steps", f"days of delay {days} do not grow from 1", "list each step once, in order")
        since = [rate.since for rate in self.rates]
        if since != sorted(set(since)):
            raise PenaltyError("rates", "their first days do not grow", "list each rate once, in order")

    def with_pauses(self, pauses: Iterable[Pause]) -> Terms:
        """The same with more days without penalty."""
        return replace(self, pauses=(*self.pauses, *pauses))

    def rate_on(self, day: date) -> RateFrom:
        """The rate on a day. Raises PenaltyError where none is known."""
        found = [rate for rate in self.rates if rate.since <= day]
        if not found:
            raise PenaltyError("rates", f"no rate is known for {day}", "import the rate that was in force then")
        return found[-1]

    def fraction_on(self, day_of_delay: int) -> Fraction:
        """The share of the yearly rate that a day of delay costs; 0 in the days of grace."""
        found = [step.fraction for step in self.steps if step.from_day <= day_of_delay]
        return found[-1] if found else Fraction(0)


@dataclass(frozen=True, slots=True)
class Paid:
    """Money that came on a day towards one debt."""

    day: date
    amount_kopecks: int


@dataclass(frozen=True, slots=True)
class Debt:
    """One period's principal: what was to be paid by ``due``, and what came when."""

    period: Period
    principal_kopecks: int
    due: date
    payments: tuple[Paid, ...] = ()

    def __post_init__(self) -> None:
        if self.principal_kopecks < 0 or any(paid.amount_kopecks < 0 for paid in self.payments):
            raise PenaltyError(
                f"the debt of {self.period}", "a sum is negative", "book a correction as a smaller principal"
            )

    def balance_on(self, day: date) -> int:
        """Kopecks unpaid through a day: what came on that day takes effect on the next."""
        came = sum(paid.amount_kopecks for paid in self.payments if paid.day < day)
        return max(0, self.principal_kopecks - came)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: ``first`` to ``last`` inclusive. ``fraction`` is 0 in grace and in a pause."""

    first: date
    last: date
    balance_kopecks: int
    rate: Fraction
    rate_act: str
    fraction: Fraction
    pause: Pause | None
    first_day_of_delay: int

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.last - self.first).days + 1

    @property
    def exact_kopecks(self) -> Fraction:
        """The product before rounding: S · n · r · f."""
        return self.balance_kopecks * self.days * self.rate * self.fraction

    @property
    def amount_kopecks(self) -> int:
        """The penalty of the row. Here alone it is rounded: half up."""
        return half_up(self.exact_kopecks)

    def by_month(self) -> Iterator[tuple[Period, int]]:
        """What each month adds to the row's rounded sum; the months add up to the row."""
        before, first = 0, self.first
        while first <= self.last:
            month = Period(first.year, first.month)
            after = date(month.next().year, month.next().month, 1)
            upto = replace(self, last=min(self.last, after - _DAY)).amount_kopecks
            yield month, upto - before
            before, first = upto, after


@dataclass(frozen=True, slots=True)
class PenaltyTable:
    """The rows of one debt, counted through the day ``at``."""

    debt: Debt
    at: date
    rows: tuple[Row, ...]

    @property
    def amount_kopecks(self) -> int:
        """Sum of the rows."""
        return sum(row.amount_kopecks for row in self.rows)

    @property
    def open_kopecks(self) -> int:
        """Principal unpaid after the day ``at``."""
        return self.debt.balance_on(self.at + _DAY)


def penalty_table(debt: Debt, terms: Terms, at: date) -> PenaltyTable:
    """All rows from the first day of delay through ``at``, or until nothing is left to pay.

    ст. 155 ч. 14 (ч. 14.1) ЖК РФ: P = S · n · r · f for each row. Raises PenaltyError where a rate is missing.
    """
    return PenaltyTable(debt, at, tuple(_merged(_rows(debt, terms, at))))


def _rows(debt: Debt, terms: Terms, at: date) -> Iterator[Row]:
    counted = 0
    for first, end in pairwise(_edges(debt, terms, at)):
        balance = debt.balance_on(first)
        if not balance:
            return
        covering = [pause for pause in terms.pauses if pause.covers(first)]
        days = (end - first).days
        if covering:
            yield _row(terms, first, end, balance, delay=counted + 1, pause=covering[0])
            counted += days if all(pause.days_count for pause in covering) else 0
            continue
        for part_first, part_end in _by_steps(terms.steps, first, end, counted):
            delay = counted + 1 + (part_first - first).days
            yield _row(terms, part_first, part_end, balance, delay=delay)
        counted += days


def _row(terms: Terms, first: date, end: date, balance: int, *, delay: int, pause: Pause | None = None) -> Row:
    rate = terms.rate_on(first)
    fraction = Fraction(0) if pause else terms.fraction_on(delay)
    return Row(first, end - _DAY, balance, rate.rate, rate.act, fraction, pause, delay)


def _edges(debt: Debt, terms: Terms, at: date) -> list[date]:
    """Days on which balance, rate or pause may change, from day 1 through the day after ``at``."""
    first, end = debt.due + _DAY, at + _DAY
    if end <= first:
        return []
    days = {paid.day + _DAY for paid in debt.payments} | {rate.since for rate in terms.rates}
    days |= {pause.first for pause in terms.pauses}
    days |= {pause.last + _DAY for pause in terms.pauses if pause.last is not None}
    return [first, *sorted(day for day in days if first < day < end), end]


def _by_steps(steps: Sequence[Step], first: date, end: date, counted: int) -> Iterator[tuple[date, date]]:
    """The span cut where the next fraction begins; ``counted`` days of delay lie before it."""
    starts = (first + timedelta(days=step.from_day - 1 - counted) for step in steps)
    yield from pairwise([first, *(day for day in starts if first < day < end), end])


def _merged(rows: Iterable[Row]) -> Iterator[Row]:
    """Neighbours that differ in nothing become one row; in days that cost nothing the rate does not matter."""
    last: Row | None = None
    for row in rows:
        if last is not None and _same(last, row):
            last = replace(last, last=row.last)
            continue
        if last is not None:
            yield last
        last = row
    if last is not None:
        yield last


def _same(one: Row, other: Row) -> bool:
    if (one.balance_kopecks, one.fraction, one.pause) != (other.balance_kopecks, other.fraction, other.pause):
        return False
    return one.fraction == 0 or (one.rate, one.rate_act) == (other.rate, other.rate_act)
