"""The rules of debts as one value: due dates, working days, rates, fractions, moratoria, limitation, by their dates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction

from billing.debt.penalty import Pause, RateFrom, Scale, Step, Terms
from contracts.wire.ids import Period, Service

SATURDAY = 5


class RulesError(ValueError):
    """A document of calendars or rates does not hold what its kind says; names the document and the field."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"calendar document {name}: {reason}")
        self.name, self.reason = name, reason


class Missing(LookupError):
    """No document says what is in force on a day."""

    def __init__(self, what: str, day: object) -> None:
        super().__init__(f"no {what} is known for {day}; import a document that covers it")
        self.what, self.day = what, day


class RateMethod(StrEnum):
    """How the rate of a penalty comes of the key rate: as it is, at most a fixed one, or the fixed one."""

    KEY_RATE = "key_rate"
    LEAST = "least"
    FIXED = "fixed"


class RateBasis(StrEnum):
    """Which day's rate a debt bears: that of the day it is settled (or counted) for all its days, or each day's own."""

    SETTLEMENT_DAY = "settlement_day"
    EACH_DAY = "each_day"


@dataclass(frozen=True, slots=True)
class InForce:
    """Days on which a rule holds; ``end`` is the first on which it no longer does."""

    since: date
    end: date | None

    def covers(self, day: date) -> bool:
        """Whether the rule holds on a day."""
        return self.since <= day and (self.end is None or day < self.end)


@dataclass(frozen=True, slots=True)
class DueDay:
    """The day of the month by which last month is paid, and the one by which its document is presented."""

    in_force: InForce
    day: int
    present_by: int
    act: str


@dataclass(frozen=True, slots=True)
class DueOverride:
    """One period's own due day."""

    period: Period
    day: int
    act: str


@dataclass(frozen=True, slots=True)
class Holidays:
    """Days off: ``every_year`` as (month, day), single days, and weekends that are worked."""

    in_force: InForce
    every_year: frozenset[tuple[int, int]]
    days_off: frozenset[date]
    working_weekends: frozenset[date]
    act: str


@dataclass(frozen=True, slots=True)
class RateRule:
    """How the rate is found on days in force."""

    in_force: InForce
    method: RateMethod
    fixed: Fraction | None
    act: str


@dataclass(frozen=True, slots=True)
class StepsRule:
    """The fractions of a scale, for debts that fall due while it is in force."""

    in_force: InForce
    scale: Scale
    steps: tuple[Step, ...]
    act: str


@dataclass(frozen=True, slots=True)
class Limitation:
    """How many years a debt can be claimed for."""

    in_force: InForce
    years: int
    act: str


@dataclass(frozen=True, slots=True)
class InstalmentPolicy:
    """What an agreement signed while it is in force does to penalties; ``days_count``: the delay grows meanwhile."""

    in_force: InForce
    stops_penalties: bool
    days_count: bool
    act: str


@dataclass(frozen=True, slots=True)
class Rules:
    """All of it together."""

    due_days: tuple[DueDay, ...]
    overrides: tuple[DueOverride, ...]
    shifts_to_working_day: bool
    holidays: tuple[Holidays, ...]
    key_rates: tuple[RateFrom, ...]
    basis: RateBasis
    rate_rules: tuple[RateRule, ...]
    steps: tuple[StepsRule, ...]
    moratoria: tuple[Pause, ...]
    limitations: tuple[Limitation, ...]
    instalments: tuple[InstalmentPolicy, ...]

    # --- days ---

    def is_working(self, day: date) -> bool:
        """Whether a day is a working day: weekends and holidays are not, unless moved."""
        known = [h for h in self.holidays if h.in_force.covers(day)]
        if any(day in h.working_weekends for h in known):
            return True
        if day.weekday() >= SATURDAY:
            return False
        return not any(day in h.days_off or (day.month, day.day) in h.every_year for h in known)

    def due_date(self, period: Period, presented: date | None = None) -> date:
        """Last day to pay a period, moved to a working day where the data says so (ГК 193).

        A document ``presented`` after the day by which it must be moves the due date to the next month's. Raises
        Missing.
        """
        month = period.next()
        if presented is not None:
            while presented > self._on(month, period, self._rule(month).present_by):
                month = month.next()
        override = next((o for o in self.overrides if o.period == period and month == period.next()), None)
        day = self._on(month, period, override.day if override else self._rule(month).day)
        while self.shifts_to_working_day and not self.is_working(day):
            day += timedelta(days=1)
        return day

    def _rule(self, month: Period) -> DueDay:
        first = date(month.year, month.month, 1)
        found = [rule for rule in self.due_days if rule.in_force.covers(first)]
        if not found:
            raise Missing("due day", month)
        return found[-1]

    def _on(self, month: Period, period: Period, day: int) -> date:
        try:
            return date(month.year, month.month, day)
        except ValueError as error:
            raise RulesError("due days", f"day {day} for {period} is no day of {month}") from error

    def limitation_years(self, day: date) -> int:
        """How many years back a debt can be claimed for, by the law of a day. Raises Missing."""
        found = [rule for rule in self.limitations if rule.in_force.covers(day)]
        if not found:
            raise Missing("limitation of actions", day)
        return found[-1].years

    def instalment_policy(self, signed: date) -> InstalmentPolicy:
        """What an agreement signed on a day does to penalties. Raises Missing."""
        found = [rule for rule in self.instalments if rule.in_force.covers(signed)]
        if not found:
            raise Missing("policy on instalment agreements", signed)
        return found[-1]

    # --- rates ---

    def key_rate(self, day: date) -> RateFrom:
        """The key rate on a day. Raises Missing."""
        found = [rate for rate in self.key_rates if rate.since <= day]
        if not found:
            raise Missing("key rate", day)
        return found[-1]

    def rate_on(self, day: date) -> RateFrom:
        """The rate that penalties bear on a day. Raises Missing."""
        rule = next((rule for rule in self.rate_rules if rule.in_force.covers(day)), None)
        if rule is None:
            raise Missing("penalty rate", day)
        if rule.method is RateMethod.FIXED and rule.fixed is not None:
            return RateFrom(rule.in_force.since, rule.fixed, rule.act)
        key = self.key_rate(day)
        if rule.method is RateMethod.LEAST and rule.fixed is not None and rule.fixed <= key.rate:
            return RateFrom(rule.in_force.since, rule.fixed, rule.act)
        return RateFrom(max(rule.in_force.since, key.since), key.rate, rule.act)

    def terms(self, scale: Scale, due: date, settled: date) -> Terms:
        """What a debt's penalty is counted by; ``settled`` is the day on which it was paid off, or is counted.

        Raises Missing, PenaltyError.
        """
        found = [rule for rule in self.steps if rule.scale is scale and rule.in_force.covers(due)]
        if not found:
            raise Missing(f"scale of penalties for {scale.value}", due)
        return Terms(found[-1].steps, self._rates(due, settled), self.moratoria, found[-1].act)

    def _rates(self, due: date, settled: date) -> tuple[RateFrom, ...]:
        if self.basis is RateBasis.SETTLEMENT_DAY:
            rate = self.rate_on(settled)
            return (RateFrom(min(due, rate.since), rate.rate, rate.act),)
        days = {due} | {rate.since for rate in self.key_rates} | {rule.in_force.since for rule in self.rate_rules}
        rates = [(day, self.rate_on(day)) for day in sorted(day for day in days if due <= day <= max(due, settled))]
        return tuple(RateFrom(day, rate.rate, rate.act) for day, rate in rates)


def scale_of(service: Service | None) -> Scale:
    """The scale of a service's debt: capital repair has its own (ч. 14.1)."""
    return Scale.CAPITAL_REPAIR if service is Service.CAPITAL_REPAIR else Scale.UTILITIES
