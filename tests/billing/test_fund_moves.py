"""The fund by its queries against a walk through every account's book, entry by entry."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import pytest

from billing.debt.balance import Entry, Move
from billing.debt.requests import DisputeDecision, DisputeRequest, PenaltyRequest
from billing.fund import FundStatement
from billing.requests import AgentPayment, GrantItem, GrantsRequest
from contracts.wire.ids import Period, Service, SupplierId
from contracts.wire.leaf import BillKind
from tests.billing.debt.test_request_desk import book_of, done, notes_of
from tests.billing.scenes import ALL, FEBRUARY, JANUARY, billed, billed_again, pay_all
from tests.billing.stage import HOUSE, OPENED, Stage
from tests.billing.test_fund import funds_of

LAST = Period(2026, 12)
CAME = {Move.PAID: 1, Move.GRANTED: 1, Move.NETTED: 1, Move.REFUNDED: -1}


def check(stage: Stage, fund_only: frozenset[SupplierId]) -> FundStatement:
    """The statement, once it is what the walk comes to: each month's sums, and each account's."""
    office = stage.office
    found = funds_of(stage).statement(HOUSE.code, JANUARY, LAST)

    def is_ours(entry: Entry) -> bool:
        service, supplier = entry.service_line
        return service is Service.CAPITAL_REPAIR or (service is None and supplier in fund_only)

    months: Counter[tuple[Period, str]] = Counter()
    shares: Counter[tuple[str, str]] = Counter()
    for book in office.debts().of_accounts(office.register.accounts_of([HOUSE.code])):
        for entry in filter(is_ours, book.entries):
            name = "received" if entry.move in CAME else "charged"
            months[entry.month, name] += CAME.get(entry.move, 1) * entry.amount_kopecks
            shares[book.account, name] += CAME.get(entry.move, 1) * entry.amount_kopecks
        for entry in filter(is_ours, book.penalty_entries):
            if entry.move in CAME:
                months[entry.month, "penalties"] += CAME[entry.move] * entry.amount_kopecks
    for month in found.months:
        told = month.charged, month.received, month.penalties
        assert told == tuple(months[month.month, name] for name in ("charged", "received", "penalties")), month
    assert sum(months.values()) == sum(m.charged + m.received + m.penalties for m in found.months)
    for share in found.shares:
        assert (share.charged, share.received) == (shares[share.account, "charged"], shares[share.account, "received"])
    assert len(found.shares) == len(office.register.accounts_of([HOUSE.code]))
    return found


def test_every_kind_of_movement_is_summed_as_the_walk_does(stage: Stage) -> None:
    billed(stage, 4)
    fund = stage.suppliers["fund"]
    grant = GrantItem("1", JANUARY, Service.CAPITAL_REPAIR, 9_000, 1 << 39, "decision")
    stage.work(stage.ask("grants", GrantsRequest("act", (grant,))))
    pay_all(stage, 1)
    pay_all(stage, 2, maximum=30_000)
    stage.settle()
    for account in ("3", "4"):
        request = DisputeRequest(account, JANUARY, Service.CAPITAL_REPAIR, date(2026, 2, 20), "no works", "claim 7")
        done(stage, stage.ask(f"dispute {account}", request))
    (case,) = stage.office.cases().of_accounts(["4"])["4"]
    done(stage, stage.ask("decide", DisputeDecision(case.id, upheld=True, on=date(2026, 2, 25), act="decision 9")))
    stage.settle()
    at = book_of(stage, "2").debts[0].due + timedelta(days=120)
    done(stage, stage.ask("penalty", PenaltyRequest(fund, JANUARY, at, "demand 3", ("2",))))
    (note,) = notes_of(stage, "2", BillKind.DEBIT_NOTE)
    done(stage, stage.ask("pay the penalty", AgentPayment(note.key, ALL)))
    billed_again(stage, 4)
    pay_all(stage, 3, period=FEBRUARY)
    stage.settle()
    only = frozenset({fund})
    found = check(stage, only)
    assert found.received + sum(month.penalties for month in found.months) == stage.balance("fund")
    assert sum(month.penalties for month in found.months) == note.charged_kopecks > 0

    # Erased, its lines are known by their supplier alone.
    stage.office.keyring.destroy(stage.office.register.account("1").key_id, 1, "act")
    assert check(stage, only).received == found.received

    # A supplier that bills the house for something else as well: its erased lines are nobody's.
    stage.office.register.set_supplier(HOUSE.code, Service.GAS, fund, OPENED)
    assert check(stage, frozenset()).received < found.received


@pytest.mark.slow
def test_a_house_of_three_hundred_flats_comes_to_the_same_by_fewer_queries(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    billed(stage, 300)
    stage.mint("agent", 500_000_000, "for three hundred")
    pay_all(stage, *range(1, 251))
    pay_all(stage, *range(251, 281), maximum=20_000)
    stage.settle()
    found = check(stage, frozenset({stage.suppliers["fund"]}))
    assert found.received == stage.balance("fund") > 0

    def walked(*_: object) -> None:
        raise AssertionError("an account was walked to")

    monkeypatch.setattr(stage.office.ledger, "receipts", walked)
    monkeypatch.setattr(stage.office.runs, "of_accounts", walked)
    assert funds_of(stage).statement(HOUSE.code, JANUARY, LAST) == found
