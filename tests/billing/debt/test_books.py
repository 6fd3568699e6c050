"""The books of accounts against the ledger's own totals, on a real chain."""

from __future__ import annotations

from datetime import date, timedelta

from billing.corrections import PENALTY
from billing.debt.balance import Age, Move, ageing
from billing.debt.books import AccountBook, DebtBooks
from billing.debt.penalty_rules import shipped_rules
from billing.inbox import State
from billing.requests import GrantItem, GrantsRequest, Prepayment
from contracts.wire.ids import Service
from tests.billing.scenes import FEBRUARY, JANUARY, billed, billed_again, correct, pay_all
from tests.billing.stage import Stage


def books_of(stage: Stage) -> DebtBooks:
    office = stage.office
    return DebtBooks(office.engine, office.register, office.runs, office.ledger, shipped_rules())


def all_books(stage: Stage) -> list[AccountBook]:
    return list(books_of(stage).of_accounts(stage.office.register.accounts()))


def total(books: list[AccountBook], *moves: Move) -> int:
    return sum(e.amount_kopecks for book in books for e in (*book.entries, *book.penalty_entries) if e.move in moves)


def check_totals(stage: Stage) -> None:
    """Σ of all accounts is what the ledger adds up by itself, town-wide and by supplier."""
    books, totals = all_books(stage), stage.office.ledger.totals()
    assert total(books, Move.CHARGED, Move.RECALCULATED) == totals.charged_kopecks
    assert total(books, Move.PAID) == totals.paid_kopecks
    assert total(books, Move.GRANTED) == totals.granted_kopecks
    assert total(books, Move.NETTED) == totals.netted_kopecks
    assert total(books, Move.REFUNDED) == totals.refunded_kopecks
    assert sum(sum(book.advance.values()) for book in books) == totals.prepaid_kopecks - totals.netted_kopecks
    for supplier in totals.suppliers:
        mine = [e for b in books for e in (*b.entries, *b.penalty_entries) if e.service_line[1] == supplier.supplier]
        charged = sum(e.amount_kopecks for e in mine if e.move in (Move.CHARGED, Move.RECALCULATED))
        assert charged == supplier.charged_kopecks
    for book in books:
        closing = {(r.service, r.supplier): r.closing for r in books_of(stage).statement(book, date(2026, 12, 31))}
        views = [stage.view(leaf.key) for leaf in book.leaves if leaf.purpose != PENALTY]
        owed_back = sum(debt.owed_back_kopecks for debt in book.debts)
        assert sum(closing.values()) == sum(view.open_kopecks for view in views) - owed_back


def test_every_kind_of_money_adds_up_to_the_ledger_s_totals(stage: Stage) -> None:
    billed(stage, 4)
    grants = tuple(GrantItem(a, JANUARY, Service.CAPITAL_REPAIR, 9_000, 1 << 39, "decision") for a in "12")
    items = [
        stage.ask("grants", GrantsRequest("act", grants)),
        stage.ask("ahead", Prepayment("3", stage.suppliers["heat"], 7_000)),
    ]
    for item in stage.work(*items):
        assert item.state is State.DONE, item.reason
    pay_all(stage, 2)
    pay_all(stage, 3, maximum=5_000)
    stage.settle()
    stage.office.register.set_residents("2", date(2026, 1, 1), 6)
    stage.office.register.set_residents("3", date(2026, 1, 1), 6)
    stage.office.register.set_residents("4", date(2026, 1, 1), 6)
    correct(stage, "2", "3", "4")
    stage.settle()
    billed_again(stage, 4)
    pay_all(stage, 3, period=FEBRUARY, maximum=1_000)
    stage.settle()
    check_totals(stage)
    (book,) = (book for book in all_books(stage) if book.account == "3")
    assert {entry.move for entry in book.entries} == {Move.CHARGED, Move.RECALCULATED, Move.PAID, Move.NETTED}


def test_ageing_and_penalties_begin_from_the_due_date_after_the_bill_was_presented(stage: Stage) -> None:
    billed(stage, 2)
    pay_all(stage, 1)
    pay_all(stage, 2, maximum=10_000)
    stage.settle()
    books = books_of(stage)
    one, two = all_books(stage)
    (due,) = {debt.due for debt in two.debts}
    presented = two.leaves[0].presented
    assert due >= presented
    assert due - presented <= timedelta(days=45)
    at = due + timedelta(days=100)
    open_kopecks = stage.bill("2", JANUARY).open_kopecks
    assert ageing(two.debts, at, 3)[Age.TO_180] == open_kopecks == sum(d.open_kopecks for d in two.debts)
    assert sum(ageing(one.debts, at, 3).values()) == 0
    late = books.overdue(two, at)
    assert sum(late_line.table.open_kopecks for late_line in late) == open_kopecks
    assert all(late_line.table.rows[-1].last == at for late_line in late)
    assert books.overdue(one, at) == []
    rows = books.statement(two, at)
    assert sum(row.penalties for row in rows) == sum(late_line.table.amount_kopecks for late_line in late) > 0
    assert {row.closing for row in rows if row.penalties} <= {debt.open_kopecks for debt in two.debts}


def test_only_open_books_hold_what_is_open(stage: Stage) -> None:
    billed(stage, 2)
    pay_all(stage, 1)
    stage.settle()
    books = list(books_of(stage).of_accounts(stage.office.register.accounts(), only_open=True))
    assert [sum(d.open_kopecks for d in book.debts) for book in books] == [0, stage.bill("2", JANUARY).open_kopecks]
    assert books[0].leaves == ()
