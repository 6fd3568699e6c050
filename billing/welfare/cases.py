"""Cases: what the welfare body decided for an account, and every change of it. Data about persons: sealed at rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from billing.welfare.subsidy import Debt, Family
from contracts.wire.ids import Period


class BadCase(ValueError):
    """A case as given is not one; names the case and the field."""

    def __init__(self, number: str, reason: str) -> None:
        super().__init__(f"case {number}: {reason}")
        self.number, self.reason = number, reason


@dataclass(frozen=True, slots=True)
class CompensationCase:
    """A person of a household belongs to a category. ``person`` tells the household's persons apart (a number, never
    a name) and is empty where the whole family is covered; the last month is ``until``, open where None."""

    account: str
    number: str
    decided: date
    category: str
    person: str
    since: Period
    until: Period | None = None

    def covers(self, period: Period) -> bool:
        """Whether it is given for a month."""
        return self.since <= period and (self.until is None or period <= self.until)


@dataclass(frozen=True, slots=True)
class SubsidyCase:
    """A family's subsidy: who they are, what they had over the months before, what a court confirmed they owe.

    ``areas`` name whose standards hold; ``income_kopecks`` are the family's monthly totals; ``months`` is the term.
    """

    account: str
    number: str
    decided: date
    applied: date
    areas: tuple[str, ...]
    family: Family
    income_kopecks: tuple[int, ...]
    debts: tuple[Debt, ...]
    months: tuple[Period, ...]

    def covers(self, period: Period) -> bool:
        """Whether it is given for a month."""
        return period in self.months


Case = CompensationCase | SubsidyCase


@dataclass(frozen=True, slots=True)
class Revision:
    """A case as it stands from a month on. The first is the decision; later ones change an input under an act."""

    number: int
    since: Period
    on: date
    act: str
    case: Case


def in_force(revisions: Sequence[Revision], period: Period) -> Revision | None:
    """The revision that holds for a month: the last whose time has come; None where the case does not cover it."""
    found = None
    for revision in sorted(revisions, key=lambda r: r.number):
        if revision.since <= period:
            found = revision
    return found if found is not None and found.case.covers(period) else None


# --- plain values ---


def case_to_json(case: Case) -> dict[str, object]:
    """Plain values."""
    head = {"account": case.account, "number": case.number, "decided": case.decided.isoformat()}
    if isinstance(case, CompensationCase):
        return {
            "type": "compensation",
            **head,
            "category": case.category,
            "person": case.person,
            "since": str(case.since),
            "until": None if case.until is None else str(case.until),
        }
    return {
        "type": "subsidy",
        **head,
        "applied": case.applied.isoformat(),
        "areas": list(case.areas),
        "family": dict(case.family.members),
        "tenure": case.family.tenure,
        "income_kopecks": list(case.income_kopecks),
        "debts": [
            {
                "arisen": debt.arisen.isoformat(),
                "court_act": debt.court_act,
                "paid": None if debt.paid is None else debt.paid.isoformat(),
            }
            for debt in case.debts
        ],
        "months": [str(month) for month in case.months],
    }


def case_from_json(value: Mapping[str, Any]) -> Case:
    """The case that plain values hold. Raises BadCase."""
    number = str(value.get("number", "without a number"))
    try:
        case = _compensation(value) if value["type"] == "compensation" else _subsidy(value)
    except KeyError as error:
        raise BadCase(number, f"the field {error} is missing") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise BadCase(number, str(error)) from error
    _check(case)
    return case


def changed(case: Case, changes: Mapping[str, Any]) -> Case:
    """The case with some inputs changed; whose it is, its number and its application stay. Raises BadCase."""
    fixed = {"type", "account", "number", "applied", "months", "decided"} & set(changes)
    if fixed:
        raise BadCase(case.number, f"{', '.join(sorted(fixed))} can't be changed; decide a new case")
    value = case_to_json(case)
    unknown = set(changes) - set(value)
    if unknown:
        raise BadCase(case.number, f"no input {', '.join(sorted(unknown))}; it has {', '.join(sorted(value))}")
    return case_from_json({**value, **changes})


def revision_to_json(revision: Revision) -> dict[str, object]:
    """Plain values."""
    return {
        "number": revision.number,
        "since": str(revision.since),
        "on": revision.on.isoformat(),
        "act": revision.act,
        "case": case_to_json(revision.case),
    }


def revision_from_json(value: Mapping[str, Any]) -> Revision:
    """The revision that plain values hold."""
    return Revision(
        value["number"],
        Period.parse(value["since"]),
        date.fromisoformat(value["on"]),
        value["act"],
        case_from_json(value["case"]),
    )


def with_months(case: SubsidyCase, months: Sequence[Period]) -> SubsidyCase:
    """The case with its term."""
    return replace(case, months=tuple(months))


def _compensation(value: Mapping[str, Any]) -> CompensationCase:
    until = value.get("until")
    return CompensationCase(
        str(value["account"]),
        str(value["number"]),
        date.fromisoformat(value["decided"]),
        str(value["category"]),
        str(value.get("person", "")),
        Period.parse(value["since"]),
        None if until is None else Period.parse(until),
    )


def _subsidy(value: Mapping[str, Any]) -> SubsidyCase:
    if value["type"] != "subsidy":
        raise ValueError(f"the type is subsidy or compensation, not {value['type']!r}")
    return SubsidyCase(
        str(value["account"]),
        str(value["number"]),
        date.fromisoformat(value["decided"]),
        date.fromisoformat(value["applied"]),
        tuple(str(area) for area in value["areas"]),
        Family({str(group): int(count) for group, count in value["family"].items()}, str(value["tenure"])),
        tuple(_kopecks(income) for income in value["income_kopecks"]),
        tuple(_debt(debt) for debt in value.get("debts", [])),
        tuple(Period.parse(month) for month in value.get("months", [])),
    )


def _debt(value: Mapping[str, Any]) -> Debt:
    paid = value.get("paid")
    return Debt(
        date.fromisoformat(value["arisen"]), str(value["court_act"]), None if paid is None else date.fromisoformat(paid)
    )


def _kopecks(value: object) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(f"an income is whole kopecks, not {value!r}")
    return value


def _check(case: Case) -> None:
    if not case.account or not case.number:
        raise BadCase(case.number, "account and number are not empty")
    if isinstance(case, CompensationCase):
        if case.until is not None and case.until < case.since:
            raise BadCase(case.number, f"it ends in {case.until}, before it begins")
        return
    if not case.income_kopecks:
        raise BadCase(case.number, "income_kopecks is empty; give the family's income of each month that counts")
    if case.family.size < 1 or min(case.family.members.values()) < 0:
        raise BadCase(case.number, "a family has one member at least")
    if any(not debt.court_act for debt in case.debts):
        raise BadCase(case.number, "a debt counts only with the court's act that confirmed it; name it")
