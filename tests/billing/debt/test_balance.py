"""Balances as pure sums, and their ages."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from billing.debt.balance import Age, Entry, LineDebt, Move, age_of, ageing, is_expired, line_debts, statement
from billing.debt.penalty import Paid
from contracts.wire.ids import BillKey, Period, RunId, Service, SupplierId

WATER, HEAT = (Service.COLD_WATER, SupplierId(1)), (Service.HEATING, SupplierId(2))
BILL = BillKey(RunId(1), 0)
JANUARY, FEBRUARY, MARCH = Period(2026, 1), Period(2026, 2), Period(2026, 3)
DAY = date(2026, 2, 3)


def entry(move: Move, amount: int, month: Period, service_line=WATER, line: int = 0) -> Entry:  # type: ignore[no-untyped-def]
    return Entry(move, service_line, BILL, line, JANUARY, month, DAY, amount)


def test_a_year_s_closing_is_the_next_opening() -> None:
    rows = statement([
        entry(Move.CHARGED, 10_000, JANUARY),
        entry(Move.PAID, 4_000, FEBRUARY),
        entry(Move.GRANTED, 1_000, FEBRUARY),
        entry(Move.RECALCULATED, -2_000, MARCH),
        entry(Move.REFUNDED, 500, MARCH),
        entry(Move.CHARGED, 7_000, JANUARY, HEAT, 1),
    ])  # fmt: skip
    assert [(row.month, row.service, row.opening, row.closing) for row in rows] == [
        (JANUARY, Service.COLD_WATER, 0, 10_000),
        (JANUARY, Service.HEATING, 0, 7_000),
        (FEBRUARY, Service.COLD_WATER, 10_000, 5_000),
        (MARCH, Service.COLD_WATER, 5_000, 3_500),
    ]


def test_penalties_stand_beside_the_balance() -> None:
    rows = statement([entry(Move.CHARGED, 10_000, JANUARY)], {(WATER, MARCH): 77})
    assert [(row.month, row.opening, row.penalties, row.closing) for row in rows] == [
        (JANUARY, 0, 0, 10_000),
        (MARCH, 10_000, 77, 10_000),
    ]


moves = st.builds(
    lambda move, amount, month, line: entry(move, amount, Period(2026, month), (WATER, HEAT)[line], line),
    st.sampled_from(Move),
    st.integers(0, 10**6),
    st.integers(1, 12),
    st.integers(0, 1),
)


@given(st.lists(moves, max_size=30))
def test_the_last_closings_are_the_sum_of_all_that_moved(entries: list[Entry]) -> None:
    rows = statement(entries)
    last = {(row.service, row.supplier): row.closing for row in rows}
    assert sum(last.values()) == sum(e.effect_kopecks for e in entries)
    opening: dict[object, int] = {}
    for row in rows:
        assert row.opening == opening.get(row.service, 0)
        opening[row.service] = row.closing


@given(st.lists(moves, max_size=30))
def test_what_is_open_less_what_is_owed_back_is_the_balance(entries: list[Entry]) -> None:
    raised = [e for e in entries if e.move in (Move.CHARGED, Move.RECALCULATED)]
    debts = line_debts(entries, lambda _: DAY)
    assert sum(d.open_kopecks - d.owed_back_kopecks for d in debts) == sum(e.effect_kopecks for e in entries)
    assert sum(d.principal_kopecks for d in debts) == sum(e.amount_kopecks for e in raised)


def test_ages_change_on_the_day_after_the_bucket_s_last() -> None:
    due = date(2023, 2, 10)
    ages = {days: age_of(due, due + timedelta(days=days), 3) for days in (0, 1, 30, 31, 90, 91, 180, 181, 365, 366)}
    assert list(ages.values()) == [
        Age.NOT_DUE, Age.TO_30, Age.TO_30, Age.TO_90, Age.TO_90, Age.TO_180, Age.TO_180, Age.TO_365, Age.TO_365,
        Age.OVER,
    ]  # fmt: skip
    assert age_of(due, date(2026, 2, 10), 3) is Age.OVER
    assert age_of(due, date(2026, 2, 11), 3) is Age.EXPIRED


def test_a_debt_due_on_a_leap_day_expires_with_its_month() -> None:
    assert not is_expired(date(2024, 2, 29), date(2027, 2, 28), 3)
    assert is_expired(date(2024, 2, 29), date(2027, 3, 1), 3)


def test_buckets_hold_what_is_open_and_every_bucket_is_named() -> None:
    due = date(2026, 1, 12)
    debts = [
        LineDebt(BILL, 0, *WATER, JANUARY, due, 10_000, (Paid(due, 4_000),)),
        LineDebt(BILL, 1, *HEAT, JANUARY, due, 500, (Paid(due, 500),)),
    ]
    buckets = ageing(debts, date(2026, 3, 1), 3)
    assert buckets == {**dict.fromkeys(Age, 0), Age.TO_90: 6_000}
    assert debts[1].settled == due
    assert debts[0].settled is None
