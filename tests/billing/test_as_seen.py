"""A bill as it was known on a date, and what a late tariff changes."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from billing.as_seen import NeverPosted, Seen, as_seen
from billing.domain.tariff import Document
from billing.inbox import State
from billing.reference.affected import NoSuchVersion, affected_by, correct_affected
from contracts.wire.ids import BillKey, BillState, RunId
from contracts.wire.leaf import BillKind
from tests.billing.builders import ZONE
from tests.billing.scenes import FEBRUARY, JANUARY, billed, billed_again, check_books, correct, pay_all
from tests.billing.stage import Stage
from tests.billing.test_bad_input import publish


def today(stage: Stage) -> date:
    return datetime.fromtimestamp(stage.town.reader.head().timestamp, ZoneInfo(ZONE)).date()


def a_day_later(stage: Stage) -> date:
    """The chain's clock moves two days on; the day between, on which nothing happens."""
    between = today(stage) + timedelta(days=1)
    stage.town.rpc.call("evm_increaseTime", 2 * 86_400)
    stage.town.mine(1)
    stage.indexed.sync()
    return between


def seen(stage: Stage, key: BillKey, day: date) -> Seen:
    office = stage.office
    return as_seen(key, day, office.runs, office.register, office.ledger)


def test_each_day_tells_what_was_known_on_it(stage: Stage) -> None:
    before = today(stage) - timedelta(days=1)
    billed(stage, 2)
    first = stage.bill("1", JANUARY).key
    posted = a_day_later(stage)
    stage.office.register.set_residents("1", date(2026, 1, 1), 5)
    correct(stage, "1")
    second = stage.bill("1", JANUARY).key
    replaced = a_day_later(stage)
    pay_all(stage, 1, maximum=100)
    paid_part = a_day_later(stage)
    pay_all(stage, 1)
    stage.office.register.set_residents("1", date(2026, 1, 1), 1)
    correct(stage, "1", key="again")
    for _ in range(6):
        stage.turn()
    note = stage.bill("1", JANUARY).key
    now = today(stage)

    nothing = seen(stage, first, before)
    assert (nothing.bill, nothing.asked, nothing.later) == (None, None, (first, second, note))
    as_posted = seen(stage, second, posted)
    assert as_posted.bill is not None
    assert (as_posted.bill.key, as_posted.bill.view.state, as_posted.bill.revision) == (first, BillState.OPEN, 0)
    assert (as_posted.asked, as_posted.later, as_posted.bill.receipts) == (None, (second, note), ())
    as_replaced = seen(stage, first, replaced)
    assert as_replaced.bill is not None
    assert as_replaced.asked is not None
    assert (as_replaced.bill.key, as_replaced.replaced) == (second, (first,))
    assert as_replaced.asked.view.state is BillState.SUPERSEDED
    in_part = seen(stage, second, paid_part)
    assert in_part.bill is not None
    assert in_part.bill.view.state is BillState.PARTIAL
    assert sum(r.amount_kopecks for r in in_part.bill.receipts) == 100
    assert in_part.bill.view.open_kopecks == in_part.bill.view.charged_kopecks - 100
    assert in_part.notes == ()
    at_last = seen(stage, second, now)
    assert at_last.bill is not None
    assert at_last.bill.view == stage.view(second)  # today is as it is
    assert [(n.key, n.view.kind) for n in at_last.notes] == [(note, BillKind.CREDIT_NOTE)]
    assert at_last.bill.document is not None
    assert at_last.bill.document["revision"] == 1
    check_books(stage)


def test_a_bill_that_was_never_posted_is_named(stage: Stage) -> None:
    billed(stage, 1)
    with pytest.raises(NeverPosted, match="9-9"):
        seen(stage, BillKey(RunId(9), 9), date(2026, 2, 1))


def version(stage: Stage) -> tuple[int, Document]:
    last = stage.office.tariffs.published(stage.office.ledger).versions[-1]
    return last.number, last.document


def test_a_late_tariff_lists_its_months_and_corrects_without_editing(stage: Stage) -> None:
    billed(stage, 2)
    pay_all(stage, 1)
    billed_again(stage, 2)
    paid, open_ = stage.bill("1", JANUARY), stage.bill("2", JANUARY)
    publish(
        stage, name="moscow-cold-water-late", effective_from="2026-01-16", effective_to="2026-02-01",
        rates={"single": "87.14"}, replaces=["moscow-cold-water-2021-07"],
    )  # fmt: skip
    number, document = version(stage)
    office = stage.office
    months = affected_by(number, office.tariffs.published(office.ledger), office.register, office.runs)
    assert [(m.period, m.accounts) for m in months] == [(JANUARY, ("1", "2"))]
    with pytest.raises(NoSuchVersion):
        affected_by(number + 1, office.tariffs.published(office.ledger), office.register, office.runs)
    items = correct_affected(number, "Приказ № 2", months, stage.inbox)
    assert [i.id for i in correct_affected(number, "Приказ № 2", months, stage.inbox)] == [i.id for i in items]
    for item in stage.work(*items):
        assert item.state is State.DONE, item.reason
    assert stage.view(paid.key).charged_kopecks == paid.charged_kopecks
    assert stage.view(open_.key).state is BillState.SUPERSEDED
    note = stage.bill("1", JANUARY)
    assert (note.kind, note.original) == (BillKind.DEBIT_NOTE, paid.key)
    # 3500 litres by days: 1694 to the 15th at 43.57 (73.81), 1806 from the 16th at 87.14 (157.37); 152.50 was charged
    assert note.charged_kopecks == 7381 + 15737 - 15250
    months = affected_by(number, office.tariffs.published(office.ledger), office.register, office.runs)
    assert [m.accounts for m in months] == [("1", "2")]  # the first bills stay what they were
    assert document.name == "moscow-cold-water-late"
    assert stage.bill("1", FEBRUARY).kind is BillKind.BILL
    check_books(stage)
