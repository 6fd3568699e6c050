"""Calendars and rates as data: due dates, working days, key rates, fractions, moratoria, each with its act.

One JSON document a subject, format "calendar/rates": ``format`` 1, ``kind``, ``name``, then what the kind holds. All
documents together are the rules; one of the same name that comes later takes the place of the earlier.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from billing.debt.penalty import Pause, PauseKind, PenaltyError, RateFrom, Scale, Step, Terms
from billing.domain.numbers import NumberError, exact
from contracts.wire.ids import Period, Service

FORMAT = 1
SATURDAY = 5
_PERCENT = 100


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


# --- documents ---


def shipped_documents() -> Iterator[dict[str, Any]]:
    """The documents that ship with billing."""
    folder = files("billing") / "data" / "calendar"
    for entry in sorted(folder.iterdir(), key=lambda path: path.name):
        if entry.name.endswith(".json"):
            yield json.loads(entry.read_text(encoding="utf-8"))


@cache
def shipped_rules() -> Rules:
    """The rules as they ship."""
    return rules_of(shipped_documents())


def town_rules(home: Path) -> Rules:
    """The rules of a town: what ships, and the documents in its ``billing/calendar`` in place of those of their name.

    Raises RulesError.
    """
    own = sorted((home / "billing" / "calendar").glob("*.json"))
    return rules_of([*shipped_documents(), *(json.loads(path.read_text(encoding="utf-8")) for path in own)])


def rules_of(documents: Iterable[Mapping[str, Any]]) -> Rules:
    """The rules that documents make together. Raises RulesError naming the document and the field."""
    by_name: dict[str, Mapping[str, Any]] = {}
    for document in documents:
        by_name[str(document.get("name", "without a name"))] = document
    parsed: dict[str, list[Any]] = {kind: [] for kind in _KINDS}
    for name, document in by_name.items():
        kind = str(document.get("kind"))
        if kind not in _KINDS:
            raise RulesError(name, f"the kind {kind!r} is none of {sorted(_KINDS)}")
        if document.get("format") != FORMAT:
            raise RulesError(name, f"the format {document.get('format')!r} is not {FORMAT}")
        try:
            parsed[kind].append(_KINDS[kind](document))
        except KeyError as error:
            raise RulesError(name, f"the field {error} is missing") from error
        except (NumberError, PenaltyError, ValueError, TypeError, AttributeError) as error:
            raise RulesError(name, str(error)) from error
    return _together(parsed)


def _together(parsed: Mapping[str, Sequence[Any]]) -> Rules:
    lists = [value for value, _, _ in parsed["due_days"]]
    bases = [basis for basis, _ in parsed["penalty_rate"]]
    return Rules(
        due_days=tuple(sorted((rule for rules in lists for rule in rules), key=lambda r: r.in_force.since)),
        overrides=tuple(o for _, overrides, _ in parsed["due_days"] for o in overrides),
        shifts_to_working_day=any(shifts for _, _, shifts in parsed["due_days"]),
        holidays=tuple(parsed["holidays"]),
        key_rates=tuple(sorted((r for rates in parsed["key_rates"] for r in rates), key=lambda r: r.since)),
        basis=bases[-1] if bases else RateBasis.SETTLEMENT_DAY,
        rate_rules=tuple(rule for _, rules in parsed["penalty_rate"] for rule in rules),
        steps=tuple(rule for rules in parsed["penalty_steps"] for rule in rules),
        moratoria=tuple(pause for pauses in parsed["moratoria"] for pause in pauses),
        limitations=tuple(rule for rules in parsed["limitation"] for rule in rules),
    )


def _due_days(document: Mapping[str, Any]) -> tuple[list[DueDay], list[DueOverride], bool]:
    rules = [DueDay(_in_force(r), int(r["day"]), int(r["present_by"]), _act(r)) for r in document["rules"]]
    overrides = [DueOverride(Period.parse(o["period"]), int(o["day"]), _act(o)) for o in document.get("overrides", [])]
    shift = document["shift"]
    if shift not in ("next_working_day", "none"):
        raise ValueError(f"the shift {shift!r} is neither next_working_day nor none")
    return rules, overrides, shift == "next_working_day"


def _holidays(document: Mapping[str, Any]) -> Holidays:
    return Holidays(
        _in_force(document),
        frozenset((int(text[:2]), int(text[3:])) for text in document["every_year"]),
        frozenset(date.fromisoformat(text) for text in document["days_off"]),
        frozenset(date.fromisoformat(text) for text in document["working_weekends"]),
        _act(document),
    )


def _key_rates(document: Mapping[str, Any]) -> list[RateFrom]:
    act = _act(document)
    return [
        RateFrom(date.fromisoformat(r["since"]), _percent(r["percent"]), r.get("act", act)) for r in document["rates"]
    ]


def _penalty_rate(document: Mapping[str, Any]) -> tuple[RateBasis, list[RateRule]]:
    rules = []
    for rule in document["rules"]:
        method = RateMethod(rule["method"])
        fixed = None if rule.get("percent") is None else _percent(rule["percent"])
        if (fixed is None) != (method is RateMethod.KEY_RATE):
            raise ValueError(f"the method {method.value} and the percent {rule.get('percent')!r} do not go together")
        rules.append(RateRule(_in_force(rule), method, fixed, _act(rule)))
    return RateBasis(document["basis"]), rules


def _penalty_steps(document: Mapping[str, Any]) -> list[StepsRule]:
    return [
        StepsRule(
            _in_force(rule),
            Scale(rule["scale"]),
            tuple(Step(int(step["from_day"]), _fraction(step["fraction"])) for step in rule["steps"]),
            _act(rule),
        )
        for rule in document["scales"]
    ]


def _moratoria(document: Mapping[str, Any]) -> list[Pause]:
    """Whether the last day is part of a moratorium is said by the data: acts and courts differ."""
    pauses = []
    for m in document["moratoria"]:
        first, last = date.fromisoformat(m["from"]), date.fromisoformat(m["to"])
        if not m["to_included"]:
            last -= timedelta(days=1)
        pauses.append(Pause(PauseKind.MORATORIUM, first, last, _act(m), days_count=True))
    return pauses


def _limitation(document: Mapping[str, Any]) -> list[Limitation]:
    return [Limitation(_in_force(rule), int(rule["years"]), _act(rule)) for rule in document["rules"]]


_KINDS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "due_days": _due_days,
    "holidays": _holidays,
    "key_rates": _key_rates,
    "penalty_rate": _penalty_rate,
    "penalty_steps": _penalty_steps,
    "moratoria": _moratoria,
    "limitation": _limitation,
}


def _in_force(value: Mapping[str, Any]) -> InForce:
    end = value.get("effective_to")
    found = InForce(date.fromisoformat(value["effective_from"]), None if end is None else date.fromisoformat(end))
    if found.end is not None and found.end <= found.since:
        raise ValueError(f"it ends on {found.end}, before it begins")
    return found


def _act(value: Mapping[str, Any]) -> str:
    act = str(value["act"])
    if not act:
        raise ValueError("the act is missing; name the act that sets it")
    return act


def _percent(text: object) -> Fraction:
    if not isinstance(text, str):
        raise NumberError(f'{text!r} is not a plain decimal in text; write it like "9.5"')
    return exact(text) / _PERCENT


def _fraction(text: object) -> Fraction:
    if not isinstance(text, str):
        raise NumberError(f'{text!r} is not a fraction in text; write it like "1/300"')
    part, _, whole = text.partition("/")
    return exact(part) / exact(whole)
