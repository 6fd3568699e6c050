"""The subsidy against published cases, and as properties.

T9 is the example of Rybinsk's centre of social payments (September 2022): standards of the heating season by family
and tenure, an owner alone with 12 500 a month who applied on 20 September: 1911.00 from October to March. Its minimum
of subsistence is not stated; the sum shows that it is not above the income.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from billing.welfare.reference import Book, Sheet, SubsidyRules
from billing.welfare.subsidy import (
    Debt,
    Family,
    blocking_debt,
    coefficient,
    figures_for,
    first_month,
    mean_income,
    subsidy,
    term,
)
from contracts.wire.ids import Period
from tests.billing.welfare.recompute import recomputed
from tests.billing.welfare.sheets import rules, share_limit, shipped_book, standard, subsistence

RYBINSK = ("rybinsk", "russia")
DAY = date(2022, 9, 20)


def ruled(**switches: object) -> tuple[Sheet, SubsidyRules]:
    sheet = rules(**switches)
    assert isinstance(sheet.body, SubsidyRules)
    return sheet, sheet.body


def given_to(
    book: Book, family: Family, roubles: Fraction | int, expense: Fraction | None = None, **switches: object
) -> int:
    income = Fraction(roubles)
    areas = (*RYBINSK, "here")
    figures = figures_for(book, areas, family, income, DAY)
    working = subsidy(family, income, figures, ruled(**switches), expense)
    assert recomputed(working.explain()) == working.amount_kopecks
    return working.amount_kopecks


def test_rybinsk_s_owner_alone() -> None:
    book = shipped_book(subsistence("12500", "rybinsk"))
    assert given_to(book, Family({"pensioner": 1}, "owner"), 12500) == 1911_00
    assert [str(month) for month in term(DAY, ruled()[1])] == [
        "2022-10", "2022-11", "2022-12", "2023-01", "2023-02", "2023-03",
    ]  # fmt: skip


def test_below_the_subsistence_minimum_the_share_is_lowered() -> None:
    book = shipped_book(subsistence("14500", "rybinsk"))
    family = Family({"working": 2, "child": 1}, "owner")
    assert given_to(book, family, 36000) == 2804_80
    k = coefficient(family, Fraction(36000), Fraction(14500))
    assert k is not None
    assert round(k, 6) == Fraction("0.827586")
    assert given_to(book, family, 36000, lowers_share_below_subsistence=False) == 1439_28  # 3119.76 · 3 − 7920


def test_tenants_have_standards_of_their_own() -> None:
    book = shipped_book(subsistence("1000", "rybinsk"))
    assert given_to(book, Family({"working": 2}, "tenant"), 20000) == 2 * 3479_15 - 4400_00


@pytest.mark.parametrize(
    ("applied", "month"),
    [((2022, 9, 1), (2022, 9)), ((2022, 9, 15), (2022, 9)), ((2022, 9, 16), (2022, 10)), ((2022, 12, 31), (2023, 1))],
)
def test_from_the_16th_on_the_next_month_counts(applied: tuple[int, int, int], month: tuple[int, int]) -> None:
    assert first_month(date(*applied), ruled()[1]) == Period(*month)


def test_a_region_s_share_goes_by_income_and_never_above_the_federal_one() -> None:
    # Bands of 10, 16 and 22 % by mean income over the subsistence minimum.
    book = shipped_book(
        subsistence("10000"), standard("9000"), share_limit(("1", "0.10"), ("2", "0.16"), (None, "0.30"))
    )
    alone, areas = Family({"working": 1}, "owner"), ("here", "russia")
    shares = [figures_for(book, areas, alone, Fraction(income), DAY).share[1] for income in (9999, 10000, 20000)]
    assert shares == [Fraction("0.10"), Fraction("0.16"), Fraction("0.22")]


def test_only_an_unpaid_debt_of_the_last_years_bars() -> None:
    old, fresh = Debt(date(2019, 9, 19), "act 1"), Debt(date(2019, 9, 20), "act 2")
    paid = Debt(date(2022, 1, 1), "act 3", paid=date(2022, 9, 20))
    later = Debt(date(2022, 1, 1), "act 4", paid=date(2022, 9, 21))
    assert blocking_debt([old, paid], DAY, ruled()[1]) is None
    assert blocking_debt([old, fresh], DAY, ruled()[1]) == fresh
    assert blocking_debt([later], DAY, ruled()[1]) == later
    assert blocking_debt([fresh], DAY, ruled(debt_blocks=False)[1]) is None


def test_mean_income_is_exact() -> None:
    assert mean_income([1_250_000, 1_250_001, 1_250_000]) == Fraction(3_750_001, 300)


roubles = st.integers(0, 200_000)


@given(
    first=roubles, second=roubles, size=st.integers(1, 7), minimum=st.integers(1000, 30_000),
    cost=st.integers(0, 20_000), expense=st.integers(0, 60_000), lowered=st.booleans(),
)  # fmt: skip
def test_falls_with_income_and_stays_between_nothing_and_the_expense(
    *, first: int, second: int, size: int, minimum: int, cost: int, expense: int, lowered: bool
) -> None:
    assume(first != second)
    book = shipped_book(
        subsistence(str(minimum)), standard(str(cost)), share_limit(("1", "0.10"), ("2", "0.16"), (None, "0.22"))
    )
    family = Family({"working": size}, "owner")
    areas, low, high = ("here", "russia"), *sorted((first, second))
    sums = []
    for income in (low, high):
        figures = figures_for(book, areas, family, Fraction(income), DAY)
        working = subsidy(
            family, Fraction(income), figures, ruled(lowers_share_below_subsistence=lowered), Fraction(expense)
        )
        assert recomputed(working.explain()) == working.amount_kopecks
        sums.append(working.amount_kopecks)
    assert 0 <= sums[1] <= sums[0] <= 100 * expense
