"""What billing can be asked for about debts, and how each request is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

from billing.debt.instalments import Instalment
from contracts.wire.ids import Period, Service, SupplierId


@dataclass(frozen=True, slots=True)
class AccountPayment:
    """The pooled agent pays a sum for an account over its bills: ``period`` is the payer's own, else the oldest."""

    kind: ClassVar[str] = "account-payment"
    account: str
    amount_kopecks: int
    period: Period | None = None

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        period = None if self.period is None else str(self.period)
        return {"account": self.account, "amount_kopecks": self.amount_kopecks, "period": period}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> AccountPayment:
        """The request that plain values hold."""
        period = None if value["period"] is None else Period.parse(value["period"])
        return cls(value["account"], int(value["amount_kopecks"]), period)


@dataclass(frozen=True, slots=True)
class DisputeRequest:
    """A resident disputes a line; ``since`` is the day of the claim, ``act`` its number, ``ground`` its words."""

    kind: ClassVar[str] = "dispute"
    account: str
    period: Period
    service: Service
    since: date
    ground: str
    act: str

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "account": self.account,
            "period": str(self.period),
            "service": int(self.service),
            "since": self.since.isoformat(),
            "ground": self.ground,
            "act": self.act,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> DisputeRequest:
        """The request that plain values hold."""
        return cls(
            value["account"],
            Period.parse(value["period"]),
            Service(value["service"]),
            date.fromisoformat(value["since"]),
            value["ground"],
            value["act"],
        )


@dataclass(frozen=True, slots=True)
class DisputeDecision:
    """A dispute is decided on a day by an act; upheld, the month is worked out again under it. ``by``: who decided,
    where the request came by the HTTP door."""

    kind: ClassVar[str] = "decision"
    case: int
    upheld: bool
    on: date
    act: str
    by: str = ""

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        who = {"by": self.by} if self.by else {}
        return {"case": self.case, "upheld": self.upheld, "on": self.on.isoformat(), "act": self.act, **who}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> DisputeDecision:
        """The request that plain values hold."""
        day = date.fromisoformat(value["on"])
        return cls(int(value["case"]), bool(value["upheld"]), day, value["act"], value.get("by", ""))


@dataclass(frozen=True, slots=True)
class InstalmentRequest:
    """An account's debts of some periods are to be paid by a schedule, under an agreement."""

    kind: ClassVar[str] = "instalment"
    account: str
    signed: date
    periods: tuple[Period, ...]
    schedule: tuple[Instalment, ...]
    act: str

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "account": self.account,
            "signed": self.signed.isoformat(),
            "periods": [str(period) for period in self.periods],
            "schedule": [[instalment.by.isoformat(), instalment.amount_kopecks] for instalment in self.schedule],
            "act": self.act,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> InstalmentRequest:
        """The request that plain values hold."""
        return cls(
            value["account"],
            date.fromisoformat(value["signed"]),
            tuple(Period.parse(text) for text in value["periods"]),
            tuple(Instalment(date.fromisoformat(by), int(amount)) for by, amount in value["schedule"]),
            value["act"],
        )


@dataclass(frozen=True, slots=True)
class InstalmentEnd:
    """An agreement is taken back on a day by an act."""

    kind: ClassVar[str] = "instalment-end"
    case: int
    on: date
    act: str

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {"case": self.case, "on": self.on.isoformat(), "act": self.act}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> InstalmentEnd:
        """The request that plain values hold."""
        return cls(int(value["case"]), date.fromisoformat(value["on"]), value["act"])


@dataclass(frozen=True, slots=True)
class PenaltyRequest:
    """A supplier asks that penalties on a period's debts to it, counted through ``at``, be charged under an act.

    What was charged before for the same debts is taken off. ``accounts``: all where it is None.
    """

    kind: ClassVar[str] = "penalty"
    supplier: SupplierId
    period: Period
    at: date
    act: str
    accounts: tuple[str, ...] | None = None

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "supplier": int(self.supplier),
            "period": str(self.period),
            "at": self.at.isoformat(),
            "act": self.act,
            "accounts": None if self.accounts is None else list(self.accounts),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> PenaltyRequest:
        """The request that plain values hold."""
        accounts = None if value["accounts"] is None else tuple(value["accounts"])
        return cls(
            SupplierId(value["supplier"]),
            Period.parse(value["period"]),
            date.fromisoformat(value["at"]),
            value["act"],
            accounts,
        )
