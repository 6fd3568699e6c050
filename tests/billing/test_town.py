"""The whole of billing on a real chain: runs, payments, grants, prepayments, corrections, refunds."""

from __future__ import annotations

import json
from datetime import date

import pytest

from billing.domain.calendar import month_span
from billing.inbox import BadAmount, InboxConflict, State, WrongSigner
from billing.requests import (
    AgentPayment,
    CorrectionRequest,
    GrantItem,
    GrantsRequest,
    PayOrder,
    Prepayment,
    RefundOrder,
    RunRequest,
)
from contracts.wire.calls import encode_pause, encode_pay, encode_set_supplier_active, encode_veto
from contracts.wire.files import parse_file
from contracts.wire.ids import BillKey, BillState, Hash, Period, RunId, Service
from contracts.wire.leaf import BillKind, bill_commit, decode_supplier_line
from contracts.wire.sealed import SealError, unseal
from contracts.wire.typed_data import Purpose
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


# --- runs and the agent ---


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
    assert (again.state, again.result) == (State.DONE, {"bills": 0, "charged_kopecks": 0, "problems": {}})
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


# --- orders ---


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


# --- grants ---


def grant(account: str, most: int, service: Service = Service.CAPITAL_REPAIR) -> GrantItem:
    return GrantItem(account, JANUARY, service, most, 1 << 39, f"decision on {account}")


def test_grants_move_from_welfare_straight_to_the_supplier(stage: Stage) -> None:
    billed(stage, 3)
    before = stage.balance("welfare")
    request = GrantsRequest("act 7", (grant("1", 10_000), grant("2", 20_000)))
    (item,) = stage.work(stage.ask("grants", request))
    assert item.state is State.DONE, item.reason
    assert stage.balance("fund") == 30_000
    assert stage.balance("welfare") == before - 30_000
    view = stage.bill("1", JANUARY)
    assert view.state is BillState.PARTIAL
    assert sum(line.granted_kopecks for line in view.lines) == 10_000
    pay_all(stage, 1)
    assert received(stage) == 30_000 + view.charged_kopecks - 10_000
    check_books(stage)


def test_a_grant_above_the_line_takes_the_line_alone_and_allowances_stay_exact(stage: Stage) -> None:
    billed(stage, 2)
    first = stage.ask("a", GrantsRequest("act 1", (grant("1", 10**7),)))
    second = stage.ask("b", GrantsRequest("act 2", (grant("2", 5_000),)))
    stage.work(first, second)
    line = next(x for x in stage.bill("1", JANUARY).lines if x.supplier == stage.suppliers["fund"])
    assert (line.granted_kopecks, line.open_kopecks) == (line.charged_kopecks, 0)
    reader, wallet = stage.town.reader, stage.town.account("welfare")
    settlement = reader.deployment.addresses["Settlement"]
    left = reader.view("Rouble", "allowance", wallet, settlement)
    assert left == reader.view("SubsidyBook", "committedBy", wallet)


def test_a_grant_on_a_paid_bill_is_refused_with_the_bill_s_name(stage: Stage) -> None:
    billed(stage, 2)
    pay_all(stage, 1)
    before = stage.balance("welfare")
    (item,) = stage.work(stage.ask("late", GrantsRequest("act", (grant("1", 10_000), grant("2", 100)))))
    assert item.state is State.DONE
    assert list((item.result or {})["refused"]) == [str(stage.bill("1", JANUARY).key)]  # type: ignore[call-overload]
    assert stage.balance("welfare") == before - 100


def test_a_grant_for_a_line_that_is_not_there_names_account_and_service(stage: Stage) -> None:
    billed(stage, 1)
    (item,) = stage.work(stage.ask("none", GrantsRequest("act", (grant("1", 100, Service.GAS),))))
    assert item.state is State.FAILED
    assert "account 1" in (item.reason or "")
    assert "gas" in (item.reason or "")


# --- prepayments ---


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


# --- corrections ---


def correct(stage: Stage, *accounts: str, key: str = "correct") -> dict[str, object]:
    (item,) = stage.work(stage.ask(key, CorrectionRequest(JANUARY, accounts, "act of recount 1")))
    assert item.state is State.DONE, item.reason
    return dict(item.result or {})


def test_an_open_bill_is_replaced(stage: Stage) -> None:
    billed(stage, 2)
    old = stage.bill("1", JANUARY)
    stage.office.register.set_residents("1", date(2026, 1, 1), 5)
    result = correct(stage, "1")
    new = stage.bill("1", JANUARY)
    assert result["superseded"] == [str(old.key)]
    assert stage.view(old.key).state is BillState.SUPERSEDED
    assert (new.kind, new.state) == (BillKind.BILL, BillState.OPEN)
    assert new.charged_kopecks > old.charged_kopecks
    (late,) = stage.work(stage.ask("pay the old one", AgentPayment(old.key, ALL)))
    assert (late.state, late.slug) == (State.FAILED, "bill-closed")
    pay_all(stage, 1)
    assert received(stage) == new.charged_kopecks
    check_books(stage)


def test_a_correction_that_changes_nothing_posts_nothing(stage: Stage) -> None:
    billed(stage, 1)
    assert correct(stage, "1")["bills"] == 0
    assert len(stage.office.ledger.runs(JANUARY)) == 1


def fewer_residents(stage: Stage) -> tuple[BillKey, BillKey]:
    """Account 2 was charged for three and had one: keys of its paid bill and of the credit note."""
    billed(stage, 2)
    pay_all(stage, 2)
    original = stage.bill("2", JANUARY).key
    stage.office.register.set_residents("2", date(2026, 1, 1), 1)
    correct(stage, "2")
    return original, stage.bill("2", JANUARY).key


def test_a_paid_bill_gets_a_credit_note_and_the_supplier_refunds_it(stage: Stage) -> None:
    original, note = fewer_residents(stage)
    view = stage.view(note)
    assert (view.kind, view.original) == (BillKind.CREDIT_NOTE, original)
    assert [x.supplier for x in view.lines] == [x.supplier for x in stage.view(original).lines]
    before, agent = received(stage), stage.balance("agent")
    items = []
    names = {number: name for name, number in stage.suppliers.items()}
    for line in view.lines:
        if line.charged_kopecks:
            purpose = Purpose("refund", int(note.run), note.index, line.line, stage.town.account("agent"))
            signed = stage.sign(names[line.supplier], purpose, line.charged_kopecks, 7)
            items.append(stage.ask(f"refund {line.line}", RefundOrder(*signed)))
    assert items
    for item in stage.work(*items):
        assert item.state is State.DONE, item.reason
    assert received(stage) == before - view.charged_kopecks
    assert stage.balance("agent") == agent + view.charged_kopecks
    assert stage.view(note).state is BillState.PAID
    line = next(x for x in view.lines if x.charged_kopecks)
    purpose = Purpose("refund", int(note.run), note.index, line.line, stage.town.account("agent"))
    again = stage.ask("refund again", RefundOrder(*stage.sign(names[line.supplier], purpose, 10**9, 8)))
    (again,) = stage.work(again)
    assert (again.state, again.slug) == (State.FAILED, "settlement-nothing-to-refund")
    check_books(stage)


def test_a_refund_signed_by_another_supplier_is_refused(stage: Stage) -> None:
    _, note = fewer_residents(stage)
    line = next(x for x in stage.view(note).lines if x.charged_kopecks)
    wrong = "fund" if stage.suppliers["fund"] != line.supplier else "heat"
    purpose = Purpose("refund", int(note.run), note.index, line.line, stage.town.account("agent"))
    (item,) = stage.work(stage.ask("theft", RefundOrder(*stage.sign(wrong, purpose, 10**9, 1))))
    assert (item.state, item.slug) == (State.FAILED, "settlement-not-supplier-wallet")


def test_a_paid_bill_that_was_too_low_gets_a_debit_note(stage: Stage) -> None:
    billed(stage, 1)
    pay_all(stage, 1)
    paid = received(stage)
    stage.office.register.set_residents("1", date(2026, 1, 1), 4)
    correct(stage, "1")
    note = stage.bill("1", JANUARY)
    assert (note.kind, note.state) == (BillKind.DEBIT_NOTE, BillState.OPEN)
    stage.work(stage.ask("pay the note", AgentPayment(note.key, ALL)))
    assert received(stage) == paid + note.charged_kopecks
    assert correct(stage, "1", key="once more")["bills"] == 0
    check_books(stage)


def test_a_credit_on_what_is_still_open_is_written_off_by_itself(stage: Stage) -> None:
    billed(stage, 2)
    pay_all(stage, 2, maximum=100)
    original = stage.bill("2", JANUARY).key
    stage.office.register.set_residents("2", date(2026, 1, 1), 1)
    correct(stage, "2")
    note = stage.bill("2", JANUARY)
    assert note.kind is BillKind.CREDIT_NOTE
    for _ in range(4):
        stage.turn()
    written_off = sum(line.written_off_kopecks for line in stage.view(original).lines)
    assert written_off == note.charged_kopecks
    items = [stage.ask("rest", AgentPayment(original, ALL))]
    stage.work(*items)
    assert received(stage) == stage.view(original).charged_kopecks - note.charged_kopecks
    check_books(stage)


def test_an_open_note_is_replaced_by_the_next_correction(stage: Stage) -> None:
    billed(stage, 1)
    pay_all(stage, 1)
    stage.office.register.set_residents("1", date(2026, 1, 1), 4)
    correct(stage, "1")
    first = stage.bill("1", JANUARY)
    stage.office.register.set_residents("1", date(2026, 1, 1), 5)
    result = correct(stage, "1", key="again")
    assert result["superseded"] == [str(first.key)]
    assert stage.bill("1", JANUARY).charged_kopecks > first.charged_kopecks
    check_books(stage)


def test_a_correction_that_a_payment_raced_is_decided_again(stage: Stage) -> None:
    """Decided while the bill was open; the kopeck moves before the activation: a note in the place of a new bill."""
    billed(stage, 1)
    original = stage.bill("1", JANUARY)
    stage.office.register.set_residents("1", date(2026, 1, 1), 5)
    item = stage.ask("correct", CorrectionRequest(JANUARY, ("1",), "act"))
    stage.collector.step()  # decides and proposes; the activation comes in a later round
    assert stage.office.runs.of_item(item.id)[0].superseded == (original.key,)
    stage.mint("stranger", 10**6)
    stage.town.allow("stranger")
    stage.town.send("stranger", "Settlement", _pay_one_kopeck(stage, original.key))
    (item,) = stage.work(item)
    assert item.state is State.DONE, item.reason
    note = stage.bill("1", JANUARY)
    assert note.kind is BillKind.DEBIT_NOTE
    assert stage.view(original.key).state is BillState.PARTIAL
    assert [run.stage.value for run in stage.office.runs.of_item(item.id)] == ["failed", "active"]
    check_books(stage)


def _pay_one_kopeck(stage: Stage, key: BillKey) -> bytes:
    return encode_pay(stage.office.proven(key), 1)


# --- what the chain does in between ---


def test_during_a_pause_payments_wait_and_go_on_after_it(stage: Stage) -> None:
    billed(stage, 1)
    until = stage.town.reader.head().timestamp + 3600
    stage.town.send("guardian", "Settlement", encode_pause(until))
    item = stage.ask("patient", AgentPayment(stage.bill("1", JANUARY).key, ALL))
    for _ in range(4):
        stage.turn()
    waiting = stage.inbox.get(item.id)
    assert waiting is not None
    assert waiting.state is State.ACCEPTED
    assert "SettlementPaused" in (waiting.reason or "")
    stage.town.send("guardian", "Settlement", encode_pause(0))
    (done,) = stage.work(item)
    assert done.state is State.DONE


def test_blocks_taken_back_are_made_again_with_the_same_money(stage: Stage) -> None:
    billed(stage, 2)
    stage.settle()
    item = stage.ask("pay", AgentPayment(stage.bill("1", JANUARY).key, ALL))
    (done,) = stage.work(item)
    assert (done.state, done.is_settled) == (State.DONE, False)
    stage.town.rpc.call("anvil_reorg", 4, [])
    assert received(stage) == 0
    for _ in range(30):
        stage.turn()
    again = stage.inbox.get(item.id)
    assert again is not None
    assert (again.state, again.is_settled) == (State.DONE, True)
    assert received(stage) == stage.bill("1", JANUARY).charged_kopecks
    check_books(stage)


def test_a_vetoed_run_fails_with_its_reason_and_can_be_billed_again(stage: Stage) -> None:
    stage.open(1)
    item = stage.ask("run", RunRequest(JANUARY))
    stage.collector.step()  # proposes; the activation comes in a later round
    stage.town.send("guardian", "ChargeBook", encode_veto(RunId(1), Hash(b"\x01" * 32)))
    (item,) = stage.work(item)
    assert item.state is State.FAILED
    assert "ChargeBookRunNotProposed" in (item.reason or "")
    (again,) = stage.work(stage.ask("run again", RunRequest(JANUARY)))
    assert again.state is State.DONE, again.reason
    pay_all(stage, 1)
    check_books(stage)


# --- files ---


def test_each_supplier_can_check_its_own_lines_alone(stage: Stage) -> None:
    billed(stage, 3)
    (run,) = stage.office.ledger.runs(JANUARY)
    bills = stage.office.ledger.bills_of_run(run.run)
    for total in run.suppliers:
        data = stage.town.files.get("lines", total.root)
        assert data is not None
        head, lines = parse_file(data, total.root)
        own = [decode_supplier_line(line.blob or b"") for line in lines]
        assert (head["run"], head["supplier"]) == ("0x" + run.root.hex(), total.supplier)
        assert sum(line.amount_kopecks for line in own) == total.total_kopecks
        assert all(bills[x.index].lines[x.line].supplier == total.supplier for x in own)
    assert sum(total.lines for total in run.suppliers) == sum(len(bill.lines) for bill in bills)


def test_bills_stand_by_commitment_and_open_with_their_own_account_s_key_alone(stage: Stage) -> None:
    billed(stage, 3)
    (run,) = stage.office.ledger.runs(JANUARY)
    data = stage.town.files.get("bills", run.root)
    assert data is not None
    assert b"House" not in data  # a document lies sealed, not in the clear
    _, lines = parse_file(data, run.root)
    commits = [(line.blob or b"")[:32] for line in lines]
    assert commits == sorted(commits)
    keys = {account.key_id: account for account in stage.office.register.accounts()}
    for line in lines:
        assert line.key is not None
        other = next(key for key in keys if key != line.key)
        opened = unseal(stage.town.keys.secret(line.key) or b"", line.leaf, line.sealed or b"")
        assert json.loads(opened[64:])["account"] == keys[line.key].account
        with pytest.raises(SealError):
            unseal(stage.town.keys.secret(other) or b"", line.leaf, line.sealed or b"")
