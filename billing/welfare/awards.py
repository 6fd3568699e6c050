"""What was given for a month, and what is owed back: the records that a case leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from billing.welfare.reference import Effect
from contracts.wire.canonical import canonical_json, content_hash
from contracts.wire.ids import Hash, Period, Service


@dataclass(frozen=True, slots=True)
class AwardLine:
    """A part of an award on one line of a bill that charges ``charged_kopecks``."""

    service: Service
    amount_kopecks: int
    charged_kopecks: int


@dataclass(frozen=True, slots=True)
class Award:
    """Help for one case and month. ``amount_kopecks`` is what was due and not yet given; ``withheld`` is what of it
    went to recoveries (number, kopecks); the rest is on ``lines``. ``nonce`` keeps its hash from being guessed."""

    account: str
    case: str
    kind: str
    period: Period
    number: int
    revision: int
    effect: Effect
    on: date
    act: str
    amount_kopecks: int
    withheld: Mapping[int, int]
    lines: tuple[AwardLine, ...]
    workings: tuple[Mapping[str, object], ...]
    family: int
    expense_kopecks: int
    expires_at: int
    batch: str
    nonce: str = field(repr=False, default="")

    @property
    def net_kopecks(self) -> int:
        """What is paid: the award less what was withheld."""
        return self.amount_kopecks - sum(self.withheld.values())

    def to_json(self) -> dict[str, object]:
        """The award's document: kept sealed; its hash is what a grant names."""
        return {
            "format": 1,
            "account": self.account,
            "case": self.case,
            "kind": self.kind,
            "period": str(self.period),
            "number": self.number,
            "revision": self.revision,
            "effect": self.effect.value,
            "on": self.on.isoformat(),
            "act": self.act,
            "amount_kopecks": self.amount_kopecks,
            "withheld": {str(number): amount for number, amount in self.withheld.items()},
            "lines": [
                {
                    "service": line.service.name.lower(),
                    "amount_kopecks": line.amount_kopecks,
                    "charged_kopecks": line.charged_kopecks,
                }
                for line in self.lines
            ],
            "workings": [dict(working) for working in self.workings],
            "family": self.family,
            "expense_kopecks": self.expense_kopecks,
            "expires_at": self.expires_at,
            "batch": self.batch,
            "nonce": self.nonce,
        }

    @property
    def hash(self) -> Hash:
        """Name of the award's document."""
        return content_hash(canonical_json(self.to_json()))


def award_from_json(value: Mapping[str, Any]) -> Award:
    """The award that its document holds."""
    return Award(
        value["account"],
        value["case"],
        value["kind"],
        Period.parse(value["period"]),
        value["number"],
        value["revision"],
        Effect(value["effect"]),
        date.fromisoformat(value["on"]),
        value["act"],
        value["amount_kopecks"],
        {int(number): amount for number, amount in value["withheld"].items()},
        tuple(
            AwardLine(Service[line["service"].upper()], line["amount_kopecks"], line["charged_kopecks"])
            for line in value["lines"]
        ),
        tuple(value["workings"]),
        value["family"],
        value["expense_kopecks"],
        value["expires_at"],
        value["batch"],
        value["nonce"],
    )


class Manner(StrEnum):
    """How an overpayment comes back: withheld from later months, or demanded from the person."""

    WITHHOLD = "withhold"
    DEMAND = "demand"


@dataclass(frozen=True, slots=True)
class Recovery:
    """So much of a month's help was not due and is owed back, under an act. ``lines`` says of which services."""

    account: str
    case: str
    number: int
    period: Period
    owed_kopecks: int
    manner: Manner
    act: str
    on: date
    lines: Mapping[Service, int]

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "account": self.account,
            "case": self.case,
            "number": self.number,
            "period": str(self.period),
            "owed_kopecks": self.owed_kopecks,
            "manner": self.manner.value,
            "act": self.act,
            "on": self.on.isoformat(),
            "lines": {service.name.lower(): amount for service, amount in self.lines.items()},
        }


def recovery_from_json(value: Mapping[str, Any]) -> Recovery:
    """The recovery that plain values hold."""
    return Recovery(
        value["account"],
        value["case"],
        value["number"],
        Period.parse(value["period"]),
        value["owed_kopecks"],
        Manner(value["manner"]),
        value["act"],
        date.fromisoformat(value["on"]),
        {Service[name.upper()]: amount for name, amount in value["lines"].items()},
    )


@dataclass(frozen=True, slots=True)
class Repayment:
    """The person gave back a part of a recovery, under an act."""

    account: str
    case: str
    recovery: int
    amount_kopecks: int
    act: str
    on: date

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "account": self.account,
            "case": self.case,
            "recovery": self.recovery,
            "amount_kopecks": self.amount_kopecks,
            "act": self.act,
            "on": self.on.isoformat(),
        }


def repayment_from_json(value: Mapping[str, Any]) -> Repayment:
    """The repayment that plain values hold."""
    return Repayment(
        value["account"],
        value["case"],
        value["recovery"],
        value["amount_kopecks"],
        value["act"],
        date.fromisoformat(value["on"]),
    )
