"""Disputes of a bill's line: while one is open the line waits, its penalty clock stops, and the others settle.

The chain divides a payment over every open line of a bill, so a disputed line is set apart from it: a credit note
writes off what is open on the line, and a debit note of the same sum holds it until the dispute is decided. See
docs/decisions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any

from billing.debt.penalty import Pause, PauseKind
from contracts.wire.ids import Period, Service, SupplierId


class Outcome(StrEnum):
    """Where a dispute stands."""

    OPEN = "open"
    UPHELD = "upheld"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Dispute:
    """A dispute of what one supplier charged for one service in one period. ``act`` is the claim's own number,
    ``decided_by`` the person at the HTTP door who decided it, empty where it was decided at the command line."""

    period: Period
    service: Service
    supplier: SupplierId
    opened: date
    ground: str
    act: str
    outcome: Outcome = Outcome.OPEN
    decided: date | None = None
    decision: str = ""
    decided_by: str = ""

    @property
    def place(self) -> tuple[Period, Service, SupplierId]:
        """What it is about."""
        return self.period, self.service, self.supplier

    @property
    def is_open(self) -> bool:
        """Whether nobody has decided it yet."""
        return self.outcome is Outcome.OPEN

    @property
    def pause(self) -> Pause:
        """Days on which no penalty accrues on the line; they do not make the delay longer either."""
        return Pause(PauseKind.DISPUTE, self.opened, self.decided, self.act, days_count=False)

    def decide(self, *, upheld: bool, on: date, act: str, by: str = "") -> Dispute:
        """The dispute as decided by an act."""
        outcome = Outcome.UPHELD if upheld else Outcome.REJECTED
        return replace(self, outcome=outcome, decided=on, decision=act, decided_by=by)

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "period": str(self.period),
            "service": int(self.service),
            "supplier": int(self.supplier),
            "opened": self.opened.isoformat(),
            "ground": self.ground,
            "act": self.act,
            "outcome": self.outcome.value,
            "decided": None if self.decided is None else self.decided.isoformat(),
            "decision": self.decision,
            "decided_by": self.decided_by,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Dispute:
        """The dispute that plain values hold."""
        return cls(
            Period.parse(value["period"]),
            Service(value["service"]),
            SupplierId(value["supplier"]),
            date.fromisoformat(value["opened"]),
            value["ground"],
            value["act"],
            Outcome(value["outcome"]),
            None if value["decided"] is None else date.fromisoformat(value["decided"]),
            value["decision"],
            value.get("decided_by", ""),
        )
