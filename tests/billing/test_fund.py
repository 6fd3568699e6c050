"""A house's capital-repair fund against the wallet that the chain paid into, and the published rate."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader

from billing.debt.balance import Move
from billing.debt.books import DebtBooks
from billing.debt.penalty_rules import shipped_rules
from billing.fund import FundEntry, FundKind, Funds, NoSuchHouse, OtherEntry, fund_months, statement_json
from billing.fund_moves import FundMove
from billing.paper.fund_sheet import fund_sheet
from billing.paper.render import pdf
from billing.requests import GrantItem, GrantsRequest
from contracts.wire.ids import Period, Service
from tests.billing.debt.test_claim import PERSON
from tests.billing.scenes import FEBRUARY, JANUARY, billed, billed_again, pay_all
from tests.billing.stage import HOUSE, Stage

RATE = Decimal("10.04")
"""Roubles per m² with a lift, Krasnoyarsk 2024, as Krasnoyarskenergosbyt published it."""
AREAS = {"1": 41, "2": 42, "3": 43}
MARCH = Period(2026, 3)


def funds_of(stage: Stage) -> Funds:
    office = stage.office
    books = DebtBooks(office.engine, office.register, office.runs, office.ledger, shipped_rules())
    return Funds(office.engine, office.register, books)


def work(kind: FundKind, day: date, kopecks: int, document: str) -> FundEntry:
    return FundEntry(HOUSE.code, kind, day, kopecks, document, "ремонт крыши", "ООО «Кровля»")


def test_contributions_are_what_reached_the_fund_s_wallet(stage: Stage) -> None:
    billed(stage, 3)
    grant = GrantItem("1", JANUARY, Service.CAPITAL_REPAIR, 9_000, 1 << 39, "decision")
    stage.work(stage.ask("grants", GrantsRequest("act", (grant,))))
    pay_all(stage, 1)
    pay_all(stage, 2, maximum=30_000)
    stage.settle()
    billed_again(stage, 3)
    pay_all(stage, 3, period=FEBRUARY)
    stage.settle()
    funds = funds_of(stage)

    found = funds.statement(HOUSE.code, JANUARY, Period(2026, 12))
    assert found.received == stage.balance("fund") > 0
    assert found.closing == found.received
    monthly = sum(int(area * RATE * 100) for area in AREAS.values())
    assert [month.charged for month in found.months[:3]] == [monthly, monthly, 0]
    assert found.charged == 2 * monthly
    assert found.share("1").charged == 2 * int(41 * RATE * 100)
    assert found.share("1").received == int(41 * RATE * 100)
    assert sum(share.received for share in found.shares) == found.received
    assert sum(share.owed for share in found.shares) == found.charged - found.received

    # An erased account's payments stay in the sum, without its name anywhere.
    stage.office.keyring.destroy(stage.office.register.account("1").key_id, 1, "act")
    again = funds.statement(HOUSE.code, JANUARY, Period(2026, 12))
    assert (again.received, again.charged, again.closing) == (found.received, found.charged, found.closing)
    with pytest.raises(LookupError, match="account 99 is not of house"):
        found.share("99")


def test_works_are_entered_once_with_their_act_and_leave_the_fund(stage: Stage) -> None:
    billed(stage, 2)
    pay_all(stage, 1, 2)
    stage.settle()
    funds = funds_of(stage)
    opening = work(FundKind.OPENING, date(2026, 1, 1), 100_000_00, "акт передачи 1")
    accepted = work(FundKind.ACCEPTED, date(2026, 2, 10), 60_000_00, "КС-2 № 1")
    spent = work(FundKind.SPENT, date(2026, 3, 5), 40_000_00, "п/п 77")
    interest = work(FundKind.INTEREST, date(2026, 2, 28), 123_45, "выписка банка 2")
    for entry in (opening, accepted, spent, interest, spent):
        funds.enter(entry)
    with pytest.raises(OtherEntry, match="another entry under the document 'п/п 77'"):
        funds.enter(replace(spent, amount_kopecks=1))
    with pytest.raises(NoSuchHouse, match="no house 'nowhere'"):
        funds.enter(replace(spent, house="nowhere"))
    with pytest.raises(ValueError, match="sum other than zero"):
        funds.enter(replace(spent, amount_kopecks=0, document="п/п 78"))
    end = Period(2026, 12)
    found = funds.statement(HOUSE.code, JANUARY, end)
    assert found.closing == 100_000_00 + 123_45 - 40_000_00 + stage.balance("fund")
    assert found.owed_to_contractors == 20_000_00
    back = replace(spent, amount_kopecks=-40_000_00, document="п/п 77, возврат")
    funds.enter(back)
    assert funds.statement(HOUSE.code, JANUARY, end).owed_to_contractors == 60_000_00
    # A part of the time opens with what the time before it left.
    part = funds.statement(HOUSE.code, MARCH, end)
    assert part.opening == found.months[2].opening
    assert part.closing == funds.statement(HOUSE.code, JANUARY, end).closing
    with pytest.raises(ValueError, match="first month first"):
        funds.statement(HOUSE.code, MARCH, JANUARY)

    # The owner's paper and data say the same, and name no other account.
    value = json.loads(json.dumps(statement_json(found, "1")))
    assert value["account"] == {
        "account": "1", "charged_kopecks": 41_164, "received_kopecks": 41_164, "owed_kopecks": 0,
    }  # fmt: skip
    assert "shares" not in value
    data = pdf(fund_sheet(found, "1", PERSON), datetime(2027, 1, 1, tzinfo=UTC))
    said = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(data)).pages)
    said = re.sub(r"[\s\u00a0]", "", said)
    roubles = f"{found.closing / 100:.2f}".replace(".", ",")
    for wanted in (roubles, "411,64", "КС-2№1", "ООО«Кровля»", "Образцова"):
        assert wanted in said


entries = st.lists(
    st.tuples(st.sampled_from(sorted(FundKind)), st.integers(0, 23), st.integers(-(10**9), 10**9)), max_size=20
)
payments = st.lists(
    st.tuples(st.sampled_from(sorted(Move)), st.integers(0, 23), st.integers(0, 10**9)), max_size=20
)  # fmt: skip


def months_after(number: int) -> Period:
    return Period(2025 + number // 12, number % 12 + 1)


@given(entries, payments, st.integers(0, 23))
def test_the_months_add_up_wherever_the_statement_begins(
    entered: list[tuple[FundKind, int, int]], moved: list[tuple[Move, int, int]], first: int
) -> None:
    rows = [
        FundEntry("h", kind, date(months_after(n).year, months_after(n).month, 1), amount, str(place), "")
        for place, (kind, n, amount) in enumerate(entered)
    ]
    found = [FundMove("1", months_after(n), m, amount) for m, n, amount in moved]
    last = months_after(23)
    months = list(fund_months(found, rows, (months_after(first), last)))
    came = {Move.PAID: 1, Move.GRANTED: 1, Move.NETTED: 1, Move.REFUNDED: -1}
    sign = {FundKind.OPENING: 1, FundKind.INTEREST: 1, FundKind.SPENT: -1, FundKind.ACCEPTED: 0}
    wanted = sum(came.get(m, 0) * amount for m, _, amount in moved) + sum(sign[k] * a for k, _, a in entered)
    assert months[-1].closing == wanted
    assert all(one.closing == after.opening for one, after in pairwise(months))
    assert len(months) == 24 - first
