"""A collector killed at the edges of its transactions, over and over, while it carries out requests about debts."""

from __future__ import annotations

from datetime import date

import pytest

from billing.debt.requests import AccountPayment, DisputeRequest, PenaltyRequest
from billing.inbox import State
from contracts.wire.ids import BillState, Service
from tests.billing.debt.test_books import check_totals
from tests.billing.life import Reaper, ask_all
from tests.billing.scenes import FEBRUARY, JANUARY, billed, billed_again, check_books, received
from tests.billing.stage import Stage


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, 4])
def test_no_kill_pays_twice_or_sets_a_line_apart_twice(stage: Stage, seed: int) -> None:
    billed(stage, 1)
    billed_again(stage, 1)
    january, february = stage.bill("1", JANUARY), stage.bill("1", FEBRUARY)
    debts = stage.office.debts().of_account("1").debts
    (held,) = [d.open_kopecks for d in debts if (d.period, d.service) == (JANUARY, Service.SEWAGE)]
    reaper = Reaper(2, seed)
    dispute = DisputeRequest("1", JANUARY, Service.SEWAGE, date(2026, 2, 20), "no", "claim 7")
    ask_all(stage, reaper, {"dispute": dispute})
    amount = january.open_kopecks - held + 7_777
    penalty = PenaltyRequest(stage.suppliers["heat"], JANUARY, date(2028, 1, 1), "demand")
    ask_all(stage, reaper, {"sum": AccountPayment("1", amount), "penalty": penalty})
    assert reaper.kills > 3
    assert received(stage) == amount
    assert stage.view(january.key).state is BillState.PAID
    assert stage.view(february.key).open_kopecks == february.open_kopecks - 7_777
    assert len(stage.office.ledger.runs(JANUARY)) == 3
    assert len([item for item in stage.inbox.items(state=State.DONE) if item.kind == "payment"]) == 2
    check_totals(stage)
    check_books(stage)
