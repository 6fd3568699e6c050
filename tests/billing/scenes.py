"""Scenes that several tests begin with."""

from __future__ import annotations

from billing.domain.calendar import month_span
from billing.inbox import State
from billing.requests import (
    AgentPayment,
    CorrectionRequest,
    RunRequest,
)
from contracts.wire.ids import Period
from tests.billing.builders import ZONE
from tests.billing.stage import Stage

JANUARY, FEBRUARY = Period(2026, 1), Period(2026, 2)
SPAN, SECOND = month_span(JANUARY, ZONE), month_span(FEBRUARY, ZONE)
ALL = 10**12


def billed(stage: Stage, accounts: int = 3) -> None:
    """A town billed for January."""
    stage.open(accounts)
    numbers = range(1, accounts + 1)
    stage.read_water({i: 1000 * i for i in numbers}, SPAN.start_ts)
    stage.read_water({i: 1000 * i + 3000 + 500 * i for i in numbers}, SPAN.end_ts)
    (item,) = stage.work(stage.ask("run", RunRequest(JANUARY)))
    assert item.state is State.DONE, item.reason


def billed_again(stage: Stage, accounts: int) -> None:
    """The same town billed for February."""
    stage.wait_for(FEBRUARY)
    stage.read_water({i: 1000 * i + 8000 for i in range(1, accounts + 1)}, SECOND.end_ts)
    (item,) = stage.work(stage.ask("run 2", RunRequest(FEBRUARY)))
    assert item.state is State.DONE, item.reason


def received(stage: Stage) -> int:
    return sum(stage.balance(name) for name in stage.suppliers)


def check_books(stage: Stage) -> None:
    stage.settle()
    stage.indexed.assert_right()


def pay_all(stage: Stage, *accounts: int, period: Period = JANUARY, maximum: int = ALL) -> None:
    items = [
        stage.ask(f"pay {i} {period} {maximum}", AgentPayment(stage.bill(str(i), period).key, maximum))
        for i in accounts
    ]
    for item in stage.work(*items):
        assert item.state is State.DONE, item.reason


def correct(stage: Stage, *accounts: str, key: str = "correct") -> dict[str, object]:
    (item,) = stage.work(stage.ask(key, CorrectionRequest(JANUARY, accounts, "act of recount 1")))
    assert item.state is State.DONE, item.reason
    return dict(item.result or {})
