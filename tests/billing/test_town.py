"""The whole of billing on a real chain: run, payments, grants, prepayments, corrections, refunds."""

from __future__ import annotations

import json

from billing.domain.calendar import month_span
from billing.inbox import State
from billing.requests import AgentPayment, RunRequest
from contracts.wire.ids import BillState, Period
from contracts.wire.leaf import bill_commit
from tests.billing.builders import ZONE
from tests.billing.stage import Stage

JANUARY = Period(2026, 1)
SPAN = month_span(JANUARY, ZONE)


def billed(stage: Stage, accounts: int = 3) -> None:
    """A town billed for January."""
    stage.open(accounts)
    numbers = range(1, accounts + 1)
    stage.read_water({i: 1000 * i for i in numbers}, SPAN.start_ts)
    stage.read_water({i: 1000 * i + 3000 + 500 * i for i in numbers}, SPAN.end_ts)
    (item,) = stage.work(stage.ask("run", RunRequest(JANUARY)))
    assert item.state is State.DONE, item.reason


def test_readings_become_bills_and_bills_are_paid(stage: Stage) -> None:
    billed(stage)
    view = stage.bill("1", JANUARY)
    document = json.loads(view.document or b"")
    water = next(line for line in document["lines"] if line["service"] == "cold_water")
    assert (water["method"], water["quantity"]) == ("meter", 3500)
    assert view.lines[water["line"]].charged_kopecks == 15250  # 3.5 · 43.57 = 152.495
    assert bill_commit(view.bill_id or b"", view.salt or b"", view.document or b"") == view.blob[:32]
    assert {reading["value"] for reading in water["readings"]} == {1000, 4500}
    payments = [stage.ask(f"pay {i}", AgentPayment(stage.bill(str(i), JANUARY).key, 10**9)) for i in (1, 2, 3)]
    done = stage.work(*payments)
    assert [item.state for item in done] == [State.DONE] * 3
    assert all(stage.bill(str(i), JANUARY).state is BillState.PAID for i in (1, 2, 3))
    received = sum(stage.balance(name) for name in stage.suppliers)
    assert received == sum(stage.bill(str(i), JANUARY).charged_kopecks for i in (1, 2, 3))
    stage.settle()
    stage.indexed.assert_right()
