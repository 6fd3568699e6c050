"""Instalment agreements: a schedule under an act, whether it is kept, and what follows of that.

While an agreement is kept, service is not restricted (ПП 354, п. 117–119); whether penalties accrue meanwhile is the
rules' to say (kind ``instalments`` of the calendar documents).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any

from billing.debt.penalty import Paid, Pause, PauseKind
from contracts.wire.ids import Period


class BadSchedule(ValueError):
    """A schedule can't be kept: names what is wrong and the remedy."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason, self.remedy = reason, remedy


class Standing(StrEnum):
    """How an agreement is kept."""

    KEPT = "kept"
    COMPLETED = "completed"
    BREACHED = "breached"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Instalment:
    """So much by a day."""

    by: date
    amount_kopecks: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """What is owed for ``periods`` is paid by a schedule instead. ``ended``: taken back early, under an act."""

    signed: date
    periods: tuple[Period, ...]
    schedule: tuple[Instalment, ...]
    act: str
    ended: date | None = None
    end_act: str = ""

    def __post_init__(self) -> None:
        days = [instalment.by for instalment in self.schedule]
        if not days or not self.periods:
            raise BadSchedule("an agreement needs periods and instalments", "name at least one of each")
        if days != sorted(set(days)) or days[0] < self.signed:
            raise BadSchedule("the instalments' days do not grow from the signing on", "list each day once, in order")
        if any(instalment.amount_kopecks <= 0 for instalment in self.schedule):
            raise BadSchedule("an instalment is not a sum above zero", "give whole kopecks above zero")

    @property
    def total_kopecks(self) -> int:
        """Sum of the schedule."""
        return sum(instalment.amount_kopecks for instalment in self.schedule)

    def breach(self, payments: Iterable[Paid], at: date) -> date | None:
        """The first instalment's day through which too little had come, as seen after ``at``; None while kept.

        ``payments`` are those on the agreement's periods; what comes from the day of signing on counts, and what comes
        on an instalment's own day is in time.
        """
        came = sorted((paid for paid in payments if paid.day >= self.signed), key=lambda paid: paid.day)
        wanted = 0
        for instalment in self.schedule:
            wanted += instalment.amount_kopecks
            in_time = sum(paid.amount_kopecks for paid in came if paid.day <= instalment.by)
            if instalment.by < at and in_time < wanted:
                return instalment.by
        return None

    def standing(self, payments: Iterable[Paid], at: date) -> Standing:
        """How it stands on a day."""
        came = [paid for paid in payments if self.signed <= paid.day <= at]
        if self.ended is not None and self.ended <= at:
            return Standing.ENDED
        if self.breach(came, at) is not None:
            return Standing.BREACHED
        if sum(paid.amount_kopecks for paid in came) >= self.total_kopecks:
            return Standing.COMPLETED
        return Standing.KEPT

    def stops_restriction(self, payments: Iterable[Paid], at: date) -> bool:
        """Whether service may not be restricted for these debts on a day."""
        return self.standing(payments, at) in (Standing.KEPT, Standing.COMPLETED)

    def pause(self, payments: Iterable[Paid], at: date, *, days_count: bool) -> Pause:
        """Days without penalty where the rules grant them: from the signing through the breach or the end."""
        last = self.breach(payments, at)
        if self.ended is not None and (last is None or self.ended < last):
            last = self.ended
        return Pause(PauseKind.INSTALMENT, self.signed, last, self.act, days_count)

    def end(self, on: date, act: str) -> Agreement:
        """The agreement taken back."""
        return replace(self, ended=on, end_act=act)

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "signed": self.signed.isoformat(),
            "periods": [str(period) for period in self.periods],
            "schedule": [[instalment.by.isoformat(), instalment.amount_kopecks] for instalment in self.schedule],
            "act": self.act,
            "ended": None if self.ended is None else self.ended.isoformat(),
            "end_act": self.end_act,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Agreement:
        """The agreement that plain values hold. Raises BadSchedule."""
        return cls(
            date.fromisoformat(value["signed"]),
            tuple(Period.parse(text) for text in value["periods"]),
            tuple(Instalment(date.fromisoformat(by), int(amount)) for by, amount in value["schedule"]),
            value["act"],
            None if value["ended"] is None else date.fromisoformat(value["ended"]),
            value["end_act"],
        )
