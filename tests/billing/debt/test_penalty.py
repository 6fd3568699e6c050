"""Penalties against published sums, a calculator of others, and a count day by day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.debt.penalty import (
    Debt,
    Paid,
    Pause,
    PauseKind,
    PenaltyError,
    PenaltyTable,
    RateFrom,
    Row,
    Scale,
    Step,
    Terms,
    penalty_table,
)
from billing.debt.penalty_rules import shipped_rules
from contracts.wire.ids import Period

STEPS = (Step(31, Fraction(1, 300)), Step(91, Fraction(1, 130)))
GRACE_ONLY_300 = (Step(31, Fraction(1, 300)),)
MAY_2019 = Period(2019, 5)


def moratorium(first: str, last: str) -> Pause:
    return Pause(PauseKind.MORATORIUM, date.fromisoformat(first), date.fromisoformat(last), "act", days_count=True)


def flat(percent: str, *pauses: Pause, steps: Sequence[Step] = STEPS) -> Terms:
    return Terms(tuple(steps), (RateFrom(date(2000, 1, 1), Fraction(percent) / 100, "act"),), pauses)


# A calculator of others counted this: debt of 05.2019, first day of delay 11.06.2019, through 18.04.2024, 9.5 %.
P1_DEBT = Debt(MAY_2019, 100_000, date(2019, 6, 10), (Paid(date(2020, 1, 1), 10_000),))
P1_AT = date(2024, 4, 18)
P1_MORATORIA = moratorium("2020-04-06", "2021-01-01"), moratorium("2022-03-31", "2022-10-01")


def said(rows: Sequence[Row]) -> list[tuple[int, int, int]]:
    return [(row.days, row.balance_kopecks, row.amount_kopecks) for row in rows]


def test_p1_gives_the_published_table_row_by_row() -> None:
    table = penalty_table(P1_DEBT, flat("9.5", *P1_MORATORIA), P1_AT)
    assert said(table.rows) == [
        (30, 100_000, 0),
        (60, 100_000, 1900),
        (115, 100_000, 8404),
        (95, 90_000, 6248),
        (271, 90_000, 0),
        (453, 90_000, 29793),
        (185, 90_000, 0),
        (565, 90_000, 37160),
    ]
    assert table.amount_kopecks == 83505
    assert sum(row.amount_kopecks for row in table.rows if row.balance_kopecks == 100_000) == 10304
    assert sum(row.amount_kopecks for row in table.rows if row.balance_kopecks == 90_000) == 73201
    assert sum(row.amount_kopecks for row in table.rows if row.fraction == Fraction(1, 130)) == 81605
    assert (table.rows[0].first, table.rows[-1].last) == (date(2019, 6, 11), P1_AT)
    assert table.open_kopecks == 90_000


def test_p1_by_the_shipped_data_begins_and_ends_the_moratoria_as_the_acts_say() -> None:
    """837.02 is what others get with 06.04.2020 before 01.01.2021, and 01.04 before 01.10.2022."""
    terms = shipped_rules().terms(Scale.UTILITIES, P1_DEBT.due, P1_AT)
    table = penalty_table(P1_DEBT, terms, P1_AT)
    assert {row.rate for row in table.rows} == {Fraction("0.095")}
    assert table.amount_kopecks == 83702
    assert [row.days for row in table.rows if row.pause] == [270, 183]


def test_p2_published_sum_is_wrong_since_it_never_leaves_the_first_fraction() -> None:
    """250 roubles due on 15.12.2016, paid on 17.03.2017 at 10 %: the page claims 63 days and 5.25.

    By ст. 155 ч. 14 days 31 to 90 are 60, and days 91 and 92 cost 1/130: 5.00 + 0.38.
    """
    debt = Debt(Period(2016, 11), 25_000, date(2016, 12, 15), (Paid(date(2017, 3, 17), 25_000),))
    table = penalty_table(debt, flat("10"), date(2017, 3, 31))
    assert said(table.rows) == [(30, 25_000, 0), (60, 25_000, 500), (2, 25_000, 38)]
    assert table.amount_kopecks == 538
    at_the_first = penalty_table(debt, flat("10", steps=GRACE_ONLY_300), date(2017, 3, 31))
    assert at_the_first.amount_kopecks == 517  # even at 1/300 alone it is 62 days, not 63
    assert 25_000 * 63 * Fraction("0.1") / 300 == 525  # how the page came to its sum


def test_p3_a_day_costs_the_published_percentages() -> None:
    """7.5 % a year: 0.025 % a day at 1/300, 0.0577 % at 1/130."""
    table = penalty_table(Debt(MAY_2019, 10**9, date(2019, 6, 10)), flat("7.5"), date(2019, 9, 10))
    _, first, second = table.rows
    assert first.exact_kopecks / first.days / first.balance_kopecks == Fraction("0.00025")
    assert round(second.exact_kopecks / second.days / second.balance_kopecks * 100, 4) == Fraction("0.0577")


def test_p4_a_year_costs_more_than_the_published_bounds() -> None:
    """A supplier's page says more than 13 % and 30 % a year; 11 % fits: 13.38 and 30.88."""
    year = timedelta(days=365)
    low = penalty_table(Debt(MAY_2019, 10**6, date(2015, 12, 31)), flat("11", steps=(Step(1, Fraction(1, 300)),)),
                        date(2015, 12, 31) + year)  # fmt: skip
    high = penalty_table(Debt(MAY_2019, 10**6, date(2015, 12, 31)), flat("11", steps=(Step(1, Fraction(1, 130)),)),
                         date(2015, 12, 31) + year)  # fmt: skip
    assert (low.amount_kopecks, high.amount_kopecks) == (133_833, 308_846)


def test_p5_thirty_days_of_five_thousand() -> None:
    table = penalty_table(Debt(MAY_2019, 500_000, date(2019, 6, 10)), flat("8"), date(2019, 6, 10) + timedelta(days=60))
    assert said(table.rows) == [(30, 500_000, 0), (30, 500_000, 4000)]


def test_capital_repair_stays_at_the_first_fraction() -> None:
    terms = shipped_rules().terms(Scale.CAPITAL_REPAIR, date(2024, 1, 10), date(2025, 1, 10))
    table = penalty_table(Debt(Period(2023, 12), 10_000, date(2024, 1, 10)), terms, date(2025, 1, 10))
    assert [row.fraction for row in table.rows] == [0, Fraction(1, 300)]
    assert [row.days for row in table.rows] == [30, 336]


def test_a_dispute_stops_the_clock_itself_and_a_moratorium_does_not() -> None:
    debt = Debt(Period(2024, 1), 100_000, date(2024, 2, 12))
    span = date(2024, 2, 23), date(2024, 3, 3)  # ten days, the 11th to the 20th of delay
    dispute = Pause(PauseKind.DISPUTE, *span, act="claim 1", days_count=False)
    days = {
        kind: [row.days for row in penalty_table(debt, flat("9.5", pause), date(2024, 6, 30)).rows if row.fraction]
        for kind, pause in (("dispute", dispute), ("moratorium", moratorium(*(day.isoformat() for day in span))))
    }
    assert days == {"dispute": [60, 39], "moratorium": [60, 49]}


def test_an_open_dispute_pauses_without_an_end() -> None:
    pause = Pause(PauseKind.DISPUTE, date(2024, 3, 1), None, "claim 1", days_count=False)
    table = penalty_table(Debt(Period(2024, 1), 100_000, date(2024, 2, 12)), flat("9.5", pause), date(2026, 2, 12))
    assert table.amount_kopecks == 0
    assert table.rows[-1].pause == pause


def test_nothing_accrues_on_a_debt_that_is_not_due() -> None:
    debt = Debt(Period(2024, 1), 100_000, date(2024, 2, 12))
    assert penalty_table(debt, flat("9.5"), date(2024, 2, 12)).rows == ()
    assert len(penalty_table(debt, flat("9.5"), date(2024, 2, 13)).rows) == 1


def test_a_missing_rate_is_named_with_the_remedy() -> None:
    terms = Terms(STEPS, (RateFrom(date(2025, 1, 1), Fraction("0.095"), "act"),))
    with pytest.raises(PenaltyError, match="no rate is known for 2024-02-13; import the rate"):
        penalty_table(Debt(Period(2024, 1), 100_000, date(2024, 2, 12)), terms, date(2024, 6, 1))


# --- properties ---

START = date(2020, 1, 1)
days = st.integers(0, 1200).map(lambda n: START + timedelta(days=n))
payments = st.lists(st.builds(Paid, days, st.integers(0, 300_000)), max_size=4)
pauses = st.lists(
    st.builds(
        lambda first, length, counts: Pause(
            PauseKind.MORATORIUM if counts else PauseKind.DISPUTE, first, first + timedelta(days=length), "act", counts
        ),
        days,
        st.integers(0, 300),
        st.booleans(),
    ),
    max_size=3,
)
rates = st.lists(st.tuples(days, st.integers(1, 2100)), max_size=3, unique_by=lambda pair: pair[0]).map(
    lambda pairs: (
        RateFrom(date(2000, 1, 1), Fraction("0.095"), "act"),
        *(RateFrom(day, Fraction(percent, 10_000), f"act of {day}") for day, percent in sorted(pairs)),
    )
)
debts = st.builds(
    lambda principal, due, paid: Debt(Period(2019, 12), principal, due, tuple(paid)),
    st.integers(0, 1_000_000),
    days,
    payments,
)
terms = st.builds(lambda steps, rates, pauses: Terms(steps, rates, tuple(pauses)),
                  st.sampled_from([STEPS, GRACE_ONLY_300]), rates, pauses)  # fmt: skip


def by_the_day(debt: Debt, terms: Terms, at: date) -> list[Fraction]:
    """What each day costs, counted with nothing but the wording of the law."""
    out, delay, day = [], 0, debt.due
    while day < at:
        day += timedelta(days=1)
        left = debt.principal_kopecks
        for paid in debt.payments:
            left -= paid.amount_kopecks if paid.day < day else 0
        covering = [p for p in terms.pauses if p.first <= day <= (p.last or date.max)]
        if not any(not p.days_count for p in covering):
            delay += 1
        rate = [r.rate for r in terms.rates if r.since <= day][-1]
        share = 0
        for step in terms.steps:
            if delay >= step.from_day:
                share = step.fraction
        out.append(Fraction(0) if covering else max(0, left) * rate * share)
    return out


def exact(table: PenaltyTable) -> Fraction:
    return sum((row.exact_kopecks for row in table.rows), Fraction(0))


@given(debts, terms, days)
def test_the_rows_cost_what_their_days_cost(debt: Debt, terms: Terms, at: date) -> None:
    table = penalty_table(debt, terms, at)
    assert exact(table) == sum(by_the_day(debt, terms, at))
    assert abs(table.amount_kopecks - exact(table)) <= Fraction(len(table.rows), 2)


@given(debts, terms, days)
def test_the_rows_follow_each_other_without_a_gap(debt: Debt, terms: Terms, at: date) -> None:
    rows = penalty_table(debt, terms, at).rows
    day = debt.due
    for row in rows:
        assert row.first == day + timedelta(days=1)
        assert row.last >= row.first
        assert row.balance_kopecks > 0
        day = row.last
    assert all(row.amount_kopecks == 0 for row in rows if row.pause)


@given(debts, terms, days, st.integers(0, 1200))
def test_counting_up_to_any_day_and_on_changes_nothing_but_rounding(
    debt: Debt, terms: Terms, at: date, later: int
) -> None:
    end = at + timedelta(days=later)
    whole, before = penalty_table(debt, terms, end), penalty_table(debt, terms, at)
    after = [r for r in whole.rows if r.last > at]
    cut = [replace(r, first=max(r.first, at + timedelta(days=1))) for r in after]
    assert exact(whole) == exact(before) + sum(row.exact_kopecks for row in cut)
    in_parts = before.amount_kopecks + sum(row.amount_kopecks for row in cut)
    assert abs(whole.amount_kopecks - in_parts) <= 1  # one row at most is cut in two, each part rounded by itself


@given(debts, terms, days, st.integers(0, 500_000), st.integers(0, 400))
def test_more_debt_or_more_days_never_cost_less(debt: Debt, terms: Terms, at: date, more: int, longer: int) -> None:
    now = penalty_table(debt, terms, at)
    bigger = replace(debt, principal_kopecks=debt.principal_kopecks + more)
    assert penalty_table(bigger, terms, at).amount_kopecks >= now.amount_kopecks
    assert penalty_table(debt, terms, at + timedelta(days=longer)).amount_kopecks >= now.amount_kopecks


@given(debts, terms, days)
def test_payment_stops_it_after_its_own_day(debt: Debt, terms: Terms, at: date) -> None:
    settled = replace(debt, payments=(*debt.payments, Paid(at, debt.principal_kopecks)))
    stopped = penalty_table(settled, terms, at + timedelta(days=900))
    assert stopped.amount_kopecks == penalty_table(debt, terms, at).amount_kopecks
    assert all(row.last <= at for row in stopped.rows)


@given(debts, terms)
def test_a_moratorium_over_all_days_costs_nothing(debt: Debt, terms: Terms) -> None:
    always = terms.with_pauses([moratorium("2000-01-01", "2100-01-01")])
    assert penalty_table(debt, always, date(2026, 1, 1)).amount_kopecks == 0
