"""A household's month: compensations first, the subsidy on what is left, no line's help above its charge."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from billing.welfare.cases import CompensationCase, Revision, SubsidyCase, in_force
from billing.welfare.compensation import BilledLine, Bounds, Dwelling
from billing.welfare.due import BilledMonth, dues
from billing.welfare.reference import AreaNorm, Book
from billing.welfare.subsidy import Debt, Family
from contracts.wire.ids import Period, Service
from tests.billing.welfare.sheets import area_norm, category, rules, share_limit, shipped_book, standard, subsistence

JANUARY = Period(2026, 1)
DAY = date(2025, 12, 1)
SERVICES = (Service.COLD_WATER, Service.ELECTRICITY, Service.HEATING, Service.CAPITAL_REPAIR)


def book_of(share: str = "0.5", cost: str = "3000") -> Book:
    everything = {service.name.lower(): (share, "area") for service in SERVICES}
    return shipped_book(
        category("person", "person", **everything),
        category("family", "family", **{**everything, "cold_water": (share, "whole")}),
        area_norm("33", per_person="22"),
        subsistence("10000"),
        standard(cost),
        share_limit((None, "0.22")),
        rules(),
    )


def month_of(kopecks: list[int], persons: int = 2, area: str = "60") -> BilledMonth:
    norm = area_norm("33", per_person="22")
    assert isinstance(norm.body, AreaNorm)
    lines = tuple(
        BilledLine(service, place, amount, 0, Fraction(1))
        for place, (service, amount) in enumerate(zip(SERVICES, kopecks, strict=True))
    )
    dwelling = Dwelling(Fraction(area), persons)
    return BilledMonth("17", JANUARY, ("here", "russia"), lines, dwelling, Bounds((norm, norm.body), {}), {})


def compensated(number: str, person: str = "") -> Revision:
    case = CompensationCase("17", number, DAY, "person" if person else "family", person, JANUARY)
    return Revision(1, JANUARY, DAY, "decision", case)


def subsidised(number: str, income: int, *debts: Debt, size: int = 2) -> Revision:
    family = Family({"working": size}, "owner")
    case = SubsidyCase("17", number, DAY, DAY, ("here",), family, (income,), debts, (JANUARY,))
    return Revision(1, JANUARY, DAY, "decision", case)


def test_the_subsidy_covers_what_the_compensation_left() -> None:
    # 2 · 3000 − 22 % of 20 000 is 1600.00; half of 1000.00 within 44 of 60 m² is 366.67, so 633.33 is left.
    month = month_of([0, 0, 0, 1000_00])
    found = dues(month, [compensated("K"), subsidised("S", 20_000_00)], book_of())
    assert found["K"].lines == {Service.CAPITAL_REPAIR: 366_67}
    assert found["S"].lines == {Service.CAPITAL_REPAIR: 633_33}
    assert found["S"].expense_kopecks == 633_33


def test_a_court_s_debt_ends_the_subsidy_with_its_name() -> None:
    found = dues(month_of([1, 1, 1, 1000_00]), [subsidised("S", 0, Debt(date(2024, 1, 1), "act 2-17/2025"))], book_of())
    assert found["S"].amount_kopecks == 0
    assert "act 2-17/2025" in found["S"].why_nothing


def test_what_a_case_does_not_help_with_says_why() -> None:
    found = dues(month_of([0, 0, 0, 0]), [compensated("K"), subsidised("S", 10**9)], book_of())
    assert all(due.amount_kopecks == 0 and due.why_nothing for due in found.values())


def test_the_revision_of_the_month_holds() -> None:
    february = JANUARY.next()
    case = CompensationCase("17", "K", DAY, "family", "", JANUARY)
    first, second = Revision(1, JANUARY, DAY, "", case), Revision(2, february, DAY, "", case)
    assert in_force([second, first], JANUARY) == first
    assert in_force([second, first], february) == second
    assert in_force([first], Period(2025, 12)) is None


kopecks = st.lists(st.integers(0, 10**6), min_size=len(SERVICES), max_size=len(SERVICES))


@given(
    charged=kopecks, persons=st.integers(1, 4), helped=st.integers(0, 6), family=st.booleans(),
    share=st.integers(0, 100), cost=st.integers(0, 20_000), income=st.integers(0, 10**7),
)  # fmt: skip
def test_no_line_s_help_is_above_its_charge(
    *, charged: list[int], persons: int, helped: int, family: bool, share: int, cost: int, income: int
) -> None:
    month = month_of(charged, persons)
    cases = [compensated(f"K{i}", str(i)) for i in range(1, helped + 1)]  # more, even, than live there
    cases += [compensated("F")] if family else []
    cases += [subsidised("S", income, size=persons)]
    found = dues(month, cases, book_of(f"{share / 100:.2f}", str(cost)))
    for line in month.lines:
        parts = [due.lines.get(line.service, 0) for due in found.values()]
        assert min(parts) >= 0
        assert sum(parts) <= line.charged_kopecks
    assert found["S"].amount_kopecks <= found["S"].expense_kopecks
