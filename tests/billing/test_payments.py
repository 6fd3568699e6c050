"""Payments on a real chain: the agent's batches, residents' orders, prepayments."""

from __future__ import annotations

import json

import pytest

from billing.agent_desk import WAITS, AgentDesk
from billing.inbox import BadAmount, InboxConflict, Item, State, WrongSigner
from billing.office import AGENT
from billing.requests import (
    AgentPayment,
    PayOrder,
    Prepayment,
    RunRequest,
)
from contracts.wire.calls import encode_set_supplier_active, encode_transfer
from contracts.wire.ids import BillKey, BillState, RunId
from contracts.wire.leaf import bill_commit
from contracts.wire.typed_data import Purpose
from tests.billing.scenes import (
    ALL,
    FEBRUARY,
    JANUARY,
    SPAN,
    billed,
    billed_again,
    check_books,
    pay_all,
    received,
)
from tests.billing.stage import Stage


def test_readings_become_bills_and_bills_are_paid(stage: Stage) -> None:
    billed(stage)
    view = stage.bill("1", JANUARY)
    document = json.loads(view.document or b"")
    water = next(line for line in document["lines"] if line["service"] == "cold_water")
    assert (water["method"], water["quantity"]) == ("meter", 3500)
    assert view.lines[water["line"]].charged_kopecks == 15250  # 3.5 · 43.57 = 152.495
    assert bill_commit(view.bill_id or b"", view.salt or b"", view.document or b"") == view.blob[:32]
    assert {reading["value"] for reading in water["readings"]} == {1000, 4500}
    pay_all(stage, 1, 2, 3)
    assert all(stage.bill(str(i), JANUARY).state is BillState.PAID for i in (1, 2, 3))
    assert received(stage) == sum(stage.bill(str(i), JANUARY).charged_kopecks for i in (1, 2, 3))
    check_books(stage)


def test_a_period_is_billed_once(stage: Stage) -> None:
    billed(stage)
    (again,) = stage.work(stage.ask("run once more", RunRequest(JANUARY)))
    assert (again.state, again.slug) == (State.FAILED, "already-billed")
    assert len(stage.office.ledger.runs(JANUARY)) == 1


def test_readings_that_one_holder_alone_keeps_are_not_billed(stage: Stage) -> None:
    stage.open(1)
    stage.read_water({1: 1000}, SPAN.start_ts)
    root = stage.read_water({1: 9000}, SPAN.end_ts, acknowledge=False)
    stage.town.acknowledge(root, holders=("holder-ledger",))
    stage.settle()
    stage.work(stage.ask("run", RunRequest(JANUARY)))
    document = json.loads(stage.bill("1", JANUARY).document or b"")
    assert next(line for line in document["lines"] if line["service"] == "cold_water")["method"] == "norm"
    (run,) = stage.office.ledger.runs(JANUARY)
    assert [head.sequence for head in run.heads] == [1]


def test_a_hundred_clicks_are_one_payment(stage: Stage) -> None:
    billed(stage, 1)
    payment = AgentPayment(stage.bill("1", JANUARY).key, ALL)
    items = [stage.ask("click", payment) for _ in range(100)]
    assert len({item.id for item in items}) == 1
    assert [item.repeated for item in items] == [False] + [True] * 99
    stage.work(items[0])
    assert received(stage) == stage.bill("1", JANUARY).charged_kopecks
    with pytest.raises(InboxConflict, match="use a new key"):
        stage.ask("click", AgentPayment(payment.bill, 5))


def test_a_second_payment_of_a_paid_bill_takes_nothing_and_says_so(stage: Stage) -> None:
    billed(stage, 2)
    pay_all(stage, 1)
    before = received(stage)
    late = stage.ask("late", AgentPayment(stage.bill("1", JANUARY).key, ALL))
    other = stage.ask("other", AgentPayment(stage.bill("2", JANUARY).key, ALL))
    late, other = stage.work(late, other)
    assert (late.state, late.slug) == (State.FAILED, "bill-closed")
    assert str(stage.bill("1", JANUARY).key) in (late.reason or "")
    assert other.state is State.DONE
    assert received(stage) == before + stage.bill("2", JANUARY).charged_kopecks


def test_part_payments_then_the_rest(stage: Stage) -> None:
    billed(stage, 1)
    pay_all(stage, 1, maximum=10_001)
    assert stage.bill("1", JANUARY).state is BillState.PARTIAL
    assert received(stage) == 10_001
    pay_all(stage, 1)
    assert stage.bill("1", JANUARY).state is BillState.PAID
    check_books(stage)


def test_a_payment_for_no_bill_names_it(stage: Stage) -> None:
    billed(stage, 1)
    (item,) = stage.work(stage.ask("lost", AgentPayment(BillKey(RunId(9), 4), 100)))
    assert (item.state, item.slug) == (State.FAILED, "no-such-record")
    assert "9-4" in (item.reason or "")
    with pytest.raises(BadAmount, match="0 kopecks"):
        stage.ask("nothing", AgentPayment(BillKey(RunId(1), 0), 0))


def order_for(stage: Stage, payer: str, account: str, maximum: int = 10**9, nonce: int = 1, **more: int) -> PayOrder:
    key = stage.bill(account, JANUARY).key
    return PayOrder(*stage.sign(payer, Purpose("pay", int(key.run), key.index), maximum, nonce, **more))


def test_a_resident_s_order_is_carried_out_once(stage: Stage) -> None:
    billed(stage, 1)
    stage.mint("resident", 10**9)
    order = order_for(stage, "resident", "1")
    first = stage.ask("first", order)
    again = stage.ask("from another browser", order)
    assert (again.id, again.repeated) == (first.id, True)
    (done,) = stage.work(first)
    charged = stage.bill("1", JANUARY).charged_kopecks
    assert done.state is State.DONE, done.reason
    assert (done.result or {})["paid_kopecks"] == charged
    assert stage.balance("resident") == 10**9 - charged
    second = stage.ask("second", order_for(stage, "resident", "1", nonce=2))
    (second,) = stage.work(second)
    assert (second.state, second.slug) == (State.FAILED, "bill-closed")
    check_books(stage)


def test_an_order_from_an_empty_wallet_or_too_late_fails_with_its_reason(stage: Stage) -> None:
    billed(stage, 1)
    poor = stage.ask("poor", order_for(stage, "poor", "1"))
    late = stage.ask("late", order_for(stage, "late", "1", until=1))
    poor, late = stage.work(poor, late)
    assert (poor.state, poor.slug) == (State.FAILED, "rouble-balance-too-low")
    assert (late.state, late.slug) == (State.FAILED, "rouble-expired")
    assert received(stage) == 0


def leave_the_agent(stage: Stage, kopecks: int) -> None:
    """Takes all but so many kopecks out of the agent's wallet."""
    spare = stage.balance("agent") - kopecks
    stage.office.submit(AGENT, "leave", "Rouble", encode_transfer(stage.town.account("resident"), spare))


def allow_the_agent(stage: Stage) -> None:
    """The agent's first payment, which makes it allow the Settlement to spend."""
    stage.work(stage.ask("first", AgentPayment(stage.bill("1", JANUARY).key, 1)))
    stage.settle()


def test_the_agent_s_wallet_pays_what_it_can_and_the_rest_is_told_why(stage: Stage) -> None:
    billed(stage, 4)
    allow_the_agent(stage)
    sums = {i: stage.bill(str(i), JANUARY).open_kopecks for i in range(1, 5)}
    left = sums[1] + sums[2] + sums[4] + 5
    before = received(stage)
    leave_the_agent(stage, left)
    stage.turn()
    assert stage.balance("agent") == left
    bills = {i: stage.bill(str(i), JANUARY).key for i in sums}
    items = stage.work(*(stage.ask(f"pay {i}", AgentPayment(bills[i], ALL)) for i in sums))
    unpaid = check_short(stage, sums, dict(zip(sums, items, strict=True)), left)
    assert received(stage) - before == left - stage.balance("agent")
    stage.mint("agent", 10**8, "top-up")
    pay_all(stage, *unpaid)
    check_books(stage)


def check_short(stage: Stage, sums: dict[int, int], told: dict[int, Item], left: int) -> list[int]:
    """Some were paid, of the wallet's ``left`` kopecks; each other was told why, and could not have been paid."""
    paid = [i for i, item in told.items() if item.state is State.DONE]
    unpaid = [i for i in sums if i not in paid]
    assert paid
    assert unpaid
    assert left - stage.balance("agent") == sum(sums[i] for i in paid)
    for i in unpaid:
        view, reason = stage.bill(str(i), JANUARY), told[i].reason or ""
        assert (told[i].state, told[i].slug) == (State.FAILED, "rouble-balance-too-low")
        assert f"bill {view.key} was not paid and nothing was taken" in reason
        assert f"{sums[i]} are needed; top the agent's wallet up, then pay again" in reason
        assert view.open_kopecks == sums[i] > stage.balance("agent")
    return unpaid


def test_a_batch_that_meets_an_emptied_wallet_on_the_chain_is_tried_again_in_parts(stage: Stage) -> None:
    billed(stage, 3)
    allow_the_agent(stage)
    sums = {i: stage.bill(str(i), JANUARY).open_kopecks for i in (1, 2, 3)}
    before = received(stage)
    items = [stage.ask(f"pay {i}", AgentPayment(stage.bill(str(i), JANUARY).key, ALL)) for i in sums]
    left = sum(sums.values()) - 1
    leave_the_agent(stage, left)
    AgentDesk(stage.office).step()  # tries the batch while the money is there; it goes out after the transfer
    for _ in range(3):
        stage.turn()
    told = stage.inbox.get_many([item.id for item in items])
    assert {item.reason for item in told} == {WAITS}  # it came to nothing, not yet for good
    assert received(stage) == before
    check_short(stage, sums, dict(zip(sums, stage.work(*items), strict=True)), left)
    check_books(stage)


def test_an_order_signed_by_someone_else_is_not_taken_in(stage: Stage) -> None:
    billed(stage, 1)
    order = order_for(stage, "resident", "1")
    forged = order_for(stage, "thief", "1")
    with pytest.raises(WrongSigner, match="payer"):
        stage.ask("forged", PayOrder(order.authorization, forged.signature))
    with pytest.raises(WrongSigner):
        stage.ask("cut", PayOrder(order.authorization, order.signature[:-1]))


def test_a_suspended_supplier_s_leg_waits_while_the_others_settle(stage: Stage) -> None:
    billed(stage, 1)
    stage.town.send("operator", "Registry", encode_set_supplier_active(stage.suppliers["heat"], False))
    pay_all(stage, 1)
    view = stage.bill("1", JANUARY)
    assert view.state is BillState.PARTIAL
    assert {line.supplier for line in view.lines if line.open_kopecks} == {stage.suppliers["heat"]}
    assert stage.balance("heat") == 0
    stage.town.send("operator", "Registry", encode_set_supplier_active(stage.suppliers["heat"], True))
    items = [stage.ask("the rest", AgentPayment(view.key, ALL))]
    stage.work(*items)
    assert stage.bill("1", JANUARY).state is BillState.PAID
    check_books(stage)


def test_a_prepayment_is_netted_by_the_next_bill_s_named_line(stage: Stage) -> None:
    billed(stage, 2)
    pay_all(stage, 1, 2)
    item = stage.ask("ahead", Prepayment("1", stage.suppliers["heat"], 10_000))
    (item,) = stage.work(item)
    assert item.state is State.DONE, item.reason
    stage.settle()
    before = received(stage)
    billed_again(stage, 2)
    for _ in range(4):
        stage.turn()
    view = stage.bill("1", FEBRUARY)
    assert sum(line.netted_kopecks for line in view.lines) == 10_000
    assert [credit.amount_kopecks for credit in view.credits] == [10_000]
    pay_all(stage, 1, 2, period=FEBRUARY)
    charged = sum(stage.bill(a, FEBRUARY).charged_kopecks for a in "12")
    assert received(stage) == before + charged - 10_000
    check_books(stage)


def test_a_prepayment_for_nobody_is_refused(stage: Stage) -> None:
    stage.open(1)
    (item,) = stage.work(stage.ask("ahead", Prepayment("999", stage.suppliers["heat"], 10_000)))
    assert item.state is State.FAILED
    assert "999" in (item.reason or "")
