"""Debts on a real chain: sums over several bills, disputes that let the others settle, penalties charged apart."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

from billing.debt.balance import Move
from billing.debt.books import AccountBook, Overdue
from billing.debt.cases import pauses_of
from billing.debt.disputes import Dispute
from billing.debt.instalments import Instalment
from billing.debt.payment import claims_of, divide_payment
from billing.debt.requests import (
    AccountPayment,
    DisputeDecision,
    DisputeRequest,
    InstalmentEnd,
    InstalmentRequest,
    PenaltyRequest,
)
from billing.erase import erase
from billing.explanation import explain_bill
from billing.inbox import Item, State
from billing.read import BillingRead
from billing.requests import AgentPayment
from billing.run import RunStage
from billing.schema import debt_cases
from contracts.client.files import FileStore
from contracts.wire.ids import BillState, Service
from contracts.wire.leaf import BillKind
from ledger.queries.views import BillView
from tests.billing.debt.test_books import check_totals
from tests.billing.independent_recompute import bill_faults
from tests.billing.recompute import recompute
from tests.billing.scenes import ALL, FEBRUARY, JANUARY, billed, billed_again, check_books, pay_all, received
from tests.billing.stage import Stage

FAR = date(2099, 1, 1)


def done(stage: Stage, item: Item) -> Item:
    (item,) = stage.work(item)
    assert item.state is State.DONE, item.reason
    stage.settle()
    return item


def book_of(stage: Stage, account: str) -> AccountBook:
    return stage.office.debts().of_account(account)


def late(stage: Stage, account: str, at: date) -> list[Overdue]:
    books, cases = stage.office.debts(), stage.office.cases().of_accounts([account]).get(account, [])
    book = book_of(stage, account)
    return books.overdue(book, at, pauses_of(book, cases, books.rules, at))


def notes_of(stage: Stage, account: str, kind: BillKind) -> list[BillView]:
    leaves = stage.office.runs.of_account(account, JANUARY)
    keys = [k for k, s, run in leaves if k is not None and run.stage is RunStage.ACTIVE and s.kind is kind]
    return [view for view in map(stage.view, keys) if view.state is not BillState.SUPERSEDED]


def disputed(stage: Stage, service: Service = Service.SEWAGE) -> Item:
    request = DisputeRequest("1", JANUARY, service, date(2026, 2, 20), "no sewage pipe", "claim 7")
    return done(stage, stage.ask("dispute", request))


def test_a_sum_pays_the_oldest_bill_first_and_the_receipts_are_what_was_shown(stage: Stage) -> None:
    billed(stage, 1)
    pay_all(stage, 1, maximum=10_001)
    stage.settle()
    billed_again(stage, 1)
    january, february = stage.bill("1", JANUARY), stage.bill("1", FEBRUARY)
    amount = january.open_kopecks + 12_345
    request = AccountPayment("1", amount)
    book = book_of(stage, "1")
    shown = divide_payment(request, claims_of(book, [], stage.office.debts().rules, FAR - timedelta(days=1)))
    item = done(stage, stage.ask("sum", request))
    assert dict(item.result or {})["paid_kopecks"] == amount
    assert stage.view(january.key).state is BillState.PAID
    assert stage.view(february.key).open_kopecks == february.open_kopecks - 12_345
    for share in shown.shares:
        receipt = stage.office.ledger.receipts(share.claim.leaf)[-1]
        legs = {leg.line: leg.amount_kopecks for leg in receipt.legs if leg.amount_kopecks}
        assert legs == {part.line.line: part.amount_kopecks for part in share.lines if part.amount_kopecks}
    again = stage.ask("sum", request)
    assert (again.id, again.repeated) == (item.id, True)
    check_books(stage)


def test_a_named_period_is_paid_before_an_older_one_and_what_is_too_much_is_left(stage: Stage) -> None:
    billed(stage, 1)
    billed_again(stage, 1)
    february = stage.bill("1", FEBRUARY)
    done(stage, stage.ask("february", AccountPayment("1", february.open_kopecks, FEBRUARY)))
    assert stage.view(february.key).state is BillState.PAID
    assert stage.bill("1", JANUARY).state is BillState.OPEN
    owed = stage.bill("1", JANUARY).open_kopecks
    item = done(stage, stage.ask("the rest", AccountPayment("1", owed + 500)))
    assert (item.result or {})["left_kopecks"] == 500
    (nothing,) = stage.work(stage.ask("more", AccountPayment("1", 500)))
    assert (nothing.state, nothing.slug) == (State.FAILED, "nothing-open")
    check_books(stage)


def test_a_disputed_line_waits_while_a_payment_of_its_bill_settles_the_others(stage: Stage, tmp_path: Path) -> None:
    billed(stage, 2)
    before = stage.bill("1", JANUARY)
    (line,) = [d for d in book_of(stage, "1").debts if d.service is Service.SEWAGE]
    disputed(stage)
    (note,) = notes_of(stage, "1", BillKind.DEBIT_NOTE)
    assert [entry.charged_kopecks for entry in note.lines] == [line.open_kopecks]
    owed = before.open_kopecks - line.open_kopecks
    assert stage.view(before.key).open_kopecks == owed
    door = BillingRead(stage.office.engine, stage.office.keyring, FileStore(tmp_path))
    assert door.disputed_of("1", stage.office.ledger) == {note.key: line.open_kopecks}
    assert door.disputed_of("2", stage.office.ledger) == {}
    (waits,) = door.disputes(stage.office.ledger, is_open=True)
    assert (waits.account, waits.bill, waits.waiting_kopecks) == ("1", before.key, line.open_kopecks)
    assert door.dispute(waits.id, stage.office.ledger) == waits
    assert door.dispute(waits.id + 1, stage.office.ledger) is None
    assert door.disputes(stage.office.ledger, is_open=False) == []
    balance = door.balance_of("1", stage.office.ledger)
    assert balance is not None
    assert (balance.open_kopecks, balance.disputed_kopecks) == (before.open_kopecks, line.open_kopecks)
    item = done(stage, stage.ask("sum", AccountPayment("1", before.open_kopecks)))
    assert (item.result or {})["left_kopecks"] == line.open_kopecks
    assert received(stage) == owed
    assert stage.view(before.key).state is BillState.PAID
    assert stage.view(note.key).open_kopecks == line.open_kopecks
    check_totals(stage)
    check_books(stage)


def test_a_dispute_stops_its_line_s_clock_alone_and_rejected_lets_it_go_on(stage: Stage, tmp_path: Path) -> None:
    billed(stage, 1)
    (due,) = {debt.due for debt in book_of(stage, "1").debts}
    at = due + timedelta(days=100)
    without = {overdue.debt.service: overdue.table.amount_kopecks for overdue in late(stage, "1", at)}
    request = DisputeRequest("1", JANUARY, Service.SEWAGE, due + timedelta(days=10), "no pipe", "claim 7")
    done(stage, stage.ask("dispute", request))
    during = {overdue.debt.service: overdue.table.amount_kopecks for overdue in late(stage, "1", at)}
    assert during == {**without, Service.SEWAGE: 0}
    (case,) = stage.office.cases().of_accounts()["1"]
    decision = DisputeDecision(case.id, upheld=False, on=due + timedelta(days=40), act="decision 9", by="a person")
    done(stage, stage.ask("decide", decision))
    (ended,) = stage.office.cases().of_accounts()["1"]
    assert isinstance(ended.matter, Dispute)
    assert (ended.matter.decided_by, ended.matter.decision) == ("a person", "decision 9")
    (sewage,) = [o for o in late(stage, "1", at) if o.debt.service is Service.SEWAGE]
    assert [(row.days, row.pause is None) for row in sewage.table.rows] == [
        (9, True), (31, False), (21, True), (39, True),
    ]  # fmt: skip
    assert 0 < sewage.table.amount_kopecks < without[Service.SEWAGE]
    rejected = BillingRead(stage.office.engine, stage.office.keyring, FileStore(tmp_path))
    assert rejected.disputed_of("1", stage.office.ledger) == {}
    (over,) = rejected.disputes(stage.office.ledger, is_open=False)
    assert (over.matter, over.waiting_kopecks) == (ended.matter, 0)
    (twice,) = stage.work(
        stage.ask("again", DisputeDecision(case.id, upheld=True, on=due + timedelta(days=41), act="x"))
    )
    assert twice.state is State.FAILED
    assert "decided by 'decision 9'" in (twice.reason or "")


def test_an_upheld_dispute_of_a_partly_paid_bill_is_corrected_by_what_the_register_then_says(stage: Stage) -> None:
    billed(stage, 1)
    pay_all(stage, 1, maximum=10_001)
    stage.settle()
    stage.office.register.set_residents("1", date(2026, 1, 1), 4)
    (case_item,) = [disputed(stage, Service.CAPITAL_REPAIR)]
    assert (case_item.result or {})["bills"] == 2
    (case,) = stage.office.cases().of_accounts()["1"]
    item = done(
        stage, stage.ask("decide", DisputeDecision(case.id, upheld=True, on=date(2026, 3, 1), act="decision 9"))
    )
    correction = stage.inbox.get(int(str((item.result or {})["correction"])))
    assert correction is not None
    done(stage, correction)
    check_totals(stage)
    pay_all_leaves(stage)
    assert sum(d.open_kopecks for d in book_of(stage, "1").debts) == 0
    check_books(stage)


def pay_all_leaves(stage: Stage) -> None:
    for index, leaf in enumerate(book_of(stage, "1").leaves):
        if leaf.stored.kind is not BillKind.CREDIT_NOTE and stage.view(leaf.key).open_kopecks:
            done(stage, stage.ask(f"leaf {index}", AgentPayment(leaf.key, ALL)))


def test_what_is_disputed_already_or_was_never_billed_is_refused_by_name(stage: Stage) -> None:
    billed(stage, 1)
    disputed(stage)
    request = DisputeRequest("1", JANUARY, Service.SEWAGE, date(2026, 2, 21), "again", "claim 8")
    (twice,) = stage.work(stage.ask("twice", request))
    assert "dispute 1 is open on it; decide that one first" in (twice.reason or "")
    (gas,) = stage.work(stage.ask("gas", DisputeRequest("1", JANUARY, Service.GAS, date(2026, 2, 21), "", "claim 9")))
    assert "no line of its bills is for that" in (gas.reason or "")


def check_explained(note: BillView) -> None:
    """The note's own working, done again by a script that has none of our code."""
    explained = explain_bill(note.key, note.document or b"")
    assert list(bill_faults(explained)) == []
    assert sum(recompute(part) for line in explained["lines"] for part in line["parts"]) == note.charged_kopecks


def test_penalties_are_charged_on_a_note_of_their_own_once_and_paid_last(stage: Stage) -> None:
    billed(stage, 1)
    pay_all(stage, 1, maximum=10_000)
    stage.settle()
    heat = stage.suppliers["heat"]
    (due,) = {debt.due for debt in book_of(stage, "1").debts}
    at = due + timedelta(days=120)
    owed = sum(o.table.amount_kopecks for o in late(stage, "1", at) if o.debt.supplier == heat)
    principal = {debt.leaf: debt.open_kopecks for debt in book_of(stage, "1").principal}
    item = done(stage, stage.ask("penalty", PenaltyRequest(heat, JANUARY, at, "demand 3")))
    assert (item.result or {})["charged_kopecks"] == owed > 0
    (note,) = notes_of(stage, "1", BillKind.DEBIT_NOTE)
    document = json.loads(note.document or b"")
    assert document["purpose"] == "penalty"
    check_explained(note)
    book = book_of(stage, "1")
    assert {debt.leaf: debt.open_kopecks for debt in book.principal} == principal
    assert sum(entry.amount_kopecks for entry in book.penalty_entries) == owed
    assert sum(row.of(Move.CHARGED) for row in stage.office.debts().statement(book, at)) == sum(
        entry.charged_kopecks for entry in stage.view(book.leaves[0].key).lines
    )
    again = done(stage, stage.ask("penalty again", PenaltyRequest(heat, JANUARY, at, "demand 4")))
    assert (again.result or {})["bills"] == 0
    later = PenaltyRequest(heat, JANUARY, at + timedelta(days=10), "demand 5")
    more = done(stage, stage.ask("penalty later", later))
    due_later = sum(o.table.amount_kopecks for o in late(stage, "1", later.at) if o.debt.supplier == heat)
    assert (more.result or {})["charged_kopecks"] == due_later - owed > 0
    (_, second) = notes_of(stage, "1", BillKind.DEBIT_NOTE)
    check_explained(second)
    rest = sum(debt.open_kopecks for debt in book.principal)
    done(stage, stage.ask("sum", AccountPayment("1", rest + 1)))
    assert stage.view(note.key).open_kopecks + stage.view(second.key).open_kopecks == due_later - 1
    check_totals(stage)
    check_books(stage)


def test_an_agreement_stops_penalties_until_it_is_breached(stage: Stage) -> None:
    billed(stage, 1)
    book = book_of(stage, "1")
    (due,) = {debt.due for debt in book.debts}
    total = sum(debt.open_kopecks for debt in book.debts)
    half, first = total // 2, due + timedelta(days=30)
    schedule = (Instalment(first, half), Instalment(first + timedelta(days=30), total - half))
    too_much = InstalmentRequest("1", due, (JANUARY,), (Instalment(first, total + 1),), "agreement 1")
    (refused,) = stage.work(stage.ask("too much", too_much))
    assert f"the schedule is for {total + 1} kopecks, and {total} are owed" in (refused.reason or "")
    item = done(stage, stage.ask("sign", InstalmentRequest("1", due, (JANUARY,), schedule, "agreement 2")))
    assert sum(o.table.amount_kopecks for o in late(stage, "1", first)) == 0
    after = late(stage, "1", first + timedelta(days=100))
    assert all([row.days for row in o.table.rows][:2] == [30, 30] for o in after)  # the pause, then the days of grace
    assert all(o.table.rows[0].pause is not None for o in after)
    case = int(str((item.result or {})["case"]))
    done(stage, stage.ask("end", InstalmentEnd(case, due + timedelta(days=5), "letter 1")))
    assert all(o.table.rows[0].days == 5 for o in late(stage, "1", first + timedelta(days=100)))


def test_an_erased_account_s_cases_are_told_no_more(stage: Stage, tmp_path: Path) -> None:
    billed(stage, 1)
    disputed(stage)
    schedule = (Instalment(date(2030, 1, 10), 1_234),)
    done(stage, stage.ask("sign", InstalmentRequest("1", date(2026, 5, 4), (JANUARY,), schedule, "paper 77")))
    account, office = stage.office.register.account("1"), stage.office
    with office.engine.connect() as connection:
        sealed = [bytes(row.sealed) for row in connection.execute(debt_cases.select())]
    assert len(sealed) == 2
    assert not any(b"pipe" in one or b"1234" in one for one in sealed)
    stage.town.keys.destroy(account.key_id, at=0, act="erasure 1")
    assert office.cases().of_accounts() == {}
    for times in (2, 0):
        told = erase(office.engine, FileStore(tmp_path / "none"), "1", account.key_id, _no_sign, at=0)
        assert told["cases"] == times
    payloads = [json.dumps(item.request.to_json()) for item in stage.inbox.items()]
    assert not any(word in payload for payload in payloads for word in ("pipe", "1234", "paper 77", "claim 7"))


def _no_sign(*_: object) -> bytes:
    raise AssertionError("there are no files to erase here")
