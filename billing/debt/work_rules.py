"""The order of work on a debt as data: what follows what after how many days, what may be cut off, what a court costs.

Two documents, ``debt_work`` and ``court_fees``, each with the act behind every rule; what they hold from memory they
say in ``from_memory``. A town's own documents take the place of those of their name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from billing.debt.penalty import Pause, PauseKind
from billing.debt.penalty_rules import FORMAT, InForce, Missing, RulesError
from billing.domain.numbers import NumberError, exact, half_up
from contracts.wire.ids import Service

_PERCENT = 100
_KOPECKS = 100


@dataclass(frozen=True, slots=True)
class WorkRule:
    """The lawful order in force: days of each step, and the services that it may touch (ПП 354, п. 117–120).

    A debt of one service counts when it is above ``months_at_norm`` monthly charges at norm. ``claim_after_days`` of
    delay a claim is prepared, ``reminder_after_days`` of delay a reminder is sent: the supplier's own order.
    """

    in_force: InForce
    act: str
    months_at_norm: Fraction
    reminder_after_days: int
    notice_days: int
    restriction_days: int
    claim_after_days: int
    resume_days: int
    on_working_days_only: bool
    may_restrict: frozenset[Service]
    never_suspend: frozenset[Service]
    never_suspend_in_flats: frozenset[Service]

    def may_suspend(self, service: Service, in_flat: bool) -> bool:
        """Whether a service may be cut off wholly."""
        barred = self.never_suspend | (self.never_suspend_in_flats if in_flat else frozenset())
        return service in self.may_restrict and service not in barred


@dataclass(frozen=True, slots=True)
class FeeRule:
    """What a court takes (ст. 333.19 НК РФ): brackets of (above, base, share of what is above), all in kopecks."""

    in_force: InForce
    act: str
    order_share: Fraction
    order_limit_kopecks: int
    least_kopecks: int
    most_kopecks: int | None
    brackets: tuple[tuple[int, int, Fraction], ...]

    def fee_kopecks(self, claimed_kopecks: int) -> int:
        """The fee of a suit, whole roubles half up (ст. 52 п. 6 НК РФ), in kopecks."""
        above, base, share = max(bracket for bracket in self.brackets if bracket[0] <= claimed_kopecks)
        found = max(base + (claimed_kopecks - above) * share, Fraction(self.least_kopecks))
        if self.most_kopecks is not None:
            found = min(found, Fraction(self.most_kopecks))
        return half_up(found / _KOPECKS) * _KOPECKS

    def order_fee_kopecks(self, claimed_kopecks: int) -> int:
        """The fee of an application for a court order, whole roubles half up, in kopecks."""
        return half_up(self.fee_kopecks(claimed_kopecks) * self.order_share / _KOPECKS) * _KOPECKS


@dataclass(frozen=True, slots=True)
class WorkRules:
    """All of it together. ``moratoria`` are days on which nothing may be restricted."""

    rules: tuple[WorkRule, ...]
    fees: tuple[FeeRule, ...]
    moratoria: tuple[Pause, ...]

    def rule_on(self, day: date) -> WorkRule:
        """The order in force on a day. Raises Missing."""
        found = [rule for rule in self.rules if rule.in_force.covers(day)]
        if not found:
            raise Missing("order of work on debts", day)
        return found[-1]

    def fees_on(self, day: date) -> FeeRule:
        """The fees in force on a day. Raises Missing."""
        found = [rule for rule in self.fees if rule.in_force.covers(day)]
        if not found:
            raise Missing("court fee", day)
        return found[-1]

    def moratorium_on(self, day: date) -> Pause | None:
        """The moratorium on restrictions that covers a day."""
        return next((pause for pause in self.moratoria if pause.covers(day)), None)


def shipped_work_documents() -> list[dict[str, Any]]:
    """The documents that ship with billing."""
    folder = files("billing") / "data" / "debt"
    names = sorted(path.name for path in folder.iterdir() if path.name.endswith(".json"))
    return [json.loads((folder / name).read_text(encoding="utf-8")) for name in names]


@cache
def shipped_work_rules() -> WorkRules:
    """The rules as they ship."""
    return work_rules_of(shipped_work_documents())


def town_work_rules(home: Path) -> WorkRules:
    """The rules of a town: what ships, and the documents in its ``billing/debt`` in place of those of their name.

    Raises RulesError.
    """
    own = sorted((home / "billing" / "debt").glob("*.json"))
    return work_rules_of([*shipped_work_documents(), *(json.loads(path.read_text(encoding="utf-8")) for path in own)])


def work_rules_of(documents: Iterable[Mapping[str, Any]]) -> WorkRules:
    """The rules that documents make together. Raises RulesError naming the document and the field."""
    by_name = {str(document.get("name", "without a name")): document for document in documents}
    rules: list[WorkRule] = []
    fees: list[FeeRule] = []
    moratoria: list[Pause] = []
    for name, document in by_name.items():
        if document.get("format") != FORMAT:
            raise RulesError(name, f"the format {document.get('format')!r} is not {FORMAT}")
        try:
            if document.get("kind") == "debt_work":
                rules += [_work_rule(rule) for rule in document["rules"]]
                moratoria += [_moratorium(rule) for rule in document.get("moratoria", [])]
            elif document.get("kind") == "court_fees":
                fees += [_fee_rule(rule) for rule in document["rules"]]
            else:
                raise RulesError(name, f"the kind {document.get('kind')!r} is neither debt_work nor court_fees")
        except KeyError as error:
            raise RulesError(name, f"the field {error} is missing or its value is not known") from error
        except (NumberError, TypeError, AttributeError) as error:
            raise RulesError(name, str(error)) from error
    return WorkRules(tuple(sorted(rules, key=_since)), tuple(sorted(fees, key=_since)), tuple(moratoria))


def _since(rule: WorkRule | FeeRule) -> date:
    return rule.in_force.since


def _work_rule(value: Mapping[str, Any]) -> WorkRule:
    return WorkRule(
        _in_force(value),
        value["act"],
        exact(value["months_at_norm"]),
        int(value["reminder_after_days"]),
        int(value["notice_days"]),
        int(value["restriction_days"]),
        int(value["claim_after_days"]),
        int(value["resume_days"]),
        bool(value["on_working_days_only"]),
        _services(value["may_restrict"]),
        _services(value["never_suspend"]),
        _services(value["never_suspend_in_flats"]),
    )


def _fee_rule(value: Mapping[str, Any]) -> FeeRule:
    part, _, whole = value["order_share"].partition("/")
    most = value.get("most_roubles")
    return FeeRule(
        _in_force(value),
        value["act"],
        exact(part) / exact(whole or "1"),
        _kopecks(value["order_limit_roubles"]),
        _kopecks(value["least_roubles"]),
        None if most is None else _kopecks(most),
        tuple(
            (_kopecks(row["above_roubles"]), _kopecks(row["base_roubles"]), exact(row["percent"]) / _PERCENT)
            for row in value["brackets"]
        ),
    )


def _moratorium(value: Mapping[str, Any]) -> Pause:
    last = date.fromisoformat(value["to"])
    if not value["to_included"]:
        last -= timedelta(days=1)
    return Pause(PauseKind.MORATORIUM, date.fromisoformat(value["from"]), last, value["act"], days_count=True)


def _services(names: Iterable[str]) -> frozenset[Service]:
    return frozenset(Service[name.upper()] for name in names)


def _in_force(value: Mapping[str, Any]) -> InForce:
    end = value.get("effective_to")
    return InForce(date.fromisoformat(value["effective_from"]), None if end is None else date.fromisoformat(end))


def _kopecks(roubles: str) -> int:
    return half_up(exact(roubles) * _KOPECKS)
