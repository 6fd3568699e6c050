"""Calendars and rates as data: due dates, working days, key rates, fractions, moratoria, each with its act.

One JSON document a subject, format "calendar/rates": ``format`` 1, ``kind``, ``name``, then what the kind holds. All
documents together are the rules; one of the same name that comes later takes the place of the earlier.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from billing.debt.penalty import Pause, PauseKind, PenaltyError, RateFrom, Scale, Step
from billing.debt.rules import (
    DueDay,
    DueOverride,
    Holidays,
    InForce,
    InstalmentPolicy,
    Limitation,
    Missing,
    RateBasis,
    RateMethod,
    RateRule,
    Rules,
    RulesError,
    StepsRule,
    scale_of,
)
from billing.domain.numbers import NumberError, exact
from contracts.wire.ids import Period

__all__ = [
    "InForce",
    "Missing",
    "Rules",
    "RulesError",
    "rules_of",
    "scale_of",
    "shipped_documents",
    "shipped_rules",
    "town_rules",
]

FORMAT = 1
_PERCENT = 100


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
        instalments=tuple(rule for rules in parsed["instalments"] for rule in rules),
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


def _instalments(document: Mapping[str, Any]) -> list[InstalmentPolicy]:
    return [
        InstalmentPolicy(_in_force(rule), bool(rule["stops_penalties"]), bool(rule["days_count"]), _act(rule))
        for rule in document["rules"]
    ]


_KINDS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "due_days": _due_days,
    "holidays": _holidays,
    "key_rates": _key_rates,
    "penalty_rate": _penalty_rate,
    "penalty_steps": _penalty_steps,
    "moratoria": _moratoria,
    "limitation": _limitation,
    "instalments": _instalments,
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
