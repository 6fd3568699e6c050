"""Corrections on a real chain: replaced bills, notes, refunds, and payments that race them."""

from __future__ import annotations

from datetime import date

from billing.inbox import State
from billing.requests import (
    AgentPayment,
    CorrectionRequest,
    PayOrder,
    RefundOrder,
)
from contracts.wire.calls import encode_pay
from contracts.wire.ids import BillKey, BillState
from contracts.wire.leaf import BillKind
from contracts.wire.typed_data import Purpose
from tests.billing.scenes import (
    ALL,
    JANUARY,
    billed,
    check_books,
    correct,
    pay_all,
    received,
)
from tests.billing.stage import Stage


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
    assert late.reason == f"nothing was taken for bill {old.key}: bill {new.key} replaced it; pay bill {new.key}"
    order = PayOrder(*stage.sign("resident", Purpose("pay", int(old.key.run), old.key.index), 10**9, 1))
    (late,) = stage.work(stage.ask("order for the old one", order))
    assert (late.state, late.slug) == (State.FAILED, "bill-closed")
    assert f"pay bill {new.key}" in (late.reason or "")
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
