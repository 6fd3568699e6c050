"""Temporary absence: the worked sum, who may have it, for how long, and what must hold of any."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.absences import days_away, refusal_of
from billing.domain.charge import ChargedLine, PartKind
from billing.domain.events import Absence
from billing.domain.household import AccountMonth, Household
from billing.domain.rules import rule_on
from billing.domain.services import charge_account
from contracts.wire.ids import Period, Service
from tests.billing.builders import SUPPLIERS, counters, household, month_of, register
from tests.billing.cases import gas_month

WATERS = frozenset({Service.COLD_WATER, Service.HOT_WATER, Service.ELECTRICITY, Service.GAS})
UNMETERED = household(no_meter_possible=WATERS)


def away(departed: date, returned: date, persons: int = 2, **changes: object) -> Absence:
    fields = {"departed": departed, "returned": returned, "persons": persons, "filed": returned, "act": "application 1"}
    return Absence(**{**fields, **changes})  # type: ignore[arg-type]


JANUARY = away(date(2026, 1, 5), date(2026, 1, 18))


def month(*events: Absence, flat: Household = UNMETERED, period: Period | None = None) -> AccountMonth:
    return month_of(flat=flat, events=events, period=period or Period(2026, 1))


def line_of(at: AccountMonth, service: Service) -> ChargedLine:
    return next(line for line in charge_account(at) if line.service is service)


def taken_off(line: ChargedLine) -> int:
    return -sum(part.amount_kopecks for part in line.parts if part.kind is PartKind.RECALCULATION)


def test_twelve_of_thirty_one_days_of_the_worked_sum() -> None:
    """604.32 for two persons by norm, both away on 12 full days: −233.93."""
    assert days_away(JANUARY) == 12
    line = line_of(month(JANUARY), Service.COLD_WATER)
    charge, less = line.parts
    assert (charge.amount_kopecks, less.amount_kopecks) == (60432, -23393)
    assert (charge.kind, less.kind) == (PartKind.CHARGE, PartKind.RECALCULATION)
    assert "п. 86" in less.point
    assert "application 1" in less.point


def test_one_of_two_persons_takes_off_half() -> None:
    one = away(date(2026, 1, 5), date(2026, 1, 18), persons=1)
    assert taken_off(line_of(month(one), Service.COLD_WATER)) == 11697  # 604.32 · 6 / 31 = 116.9651…


def test_what_absence_lessens_and_what_it_does_not() -> None:
    """Heating and capital repair never (ПП 354, п. 86); solid waste by area too (п. 148(44), приложение 4)."""
    lines = {line.service: taken_off(line) for line in charge_account(month(JANUARY))}
    assert {service for service, kopecks in lines.items() if kopecks} == {
        Service.COLD_WATER, Service.HOT_WATER, Service.SEWAGE, Service.ELECTRICITY, Service.SOLID_WASTE,
    }  # fmt: skip


def test_waste_by_days_of_the_published_formula() -> None:
    """A published formula for one person, in words of the tariff, the days of the period and the days away."""
    line = line_of(month(JANUARY), Service.SOLID_WASTE)
    monthly = Fraction(line.parts[0].amount_kopecks)
    assert taken_off(line) == round(monthly / 31 * 12)


def test_a_metered_service_is_left_alone() -> None:
    start, end = month().span.start_ts, month().span.end_ts
    meters = {Service.COLD_WATER: (counters(Service.COLD_WATER, [register(start, 0), register(end, 5000)]),)}
    at = month_of(flat=UNMETERED, events=(JANUARY,), meters=meters)
    assert taken_off(line_of(at, Service.COLD_WATER)) == 0
    sewage = line_of(at, Service.SEWAGE)  # cold by the meter, hot by norm: the share of the norm alone
    norm, whole = Fraction(2 * 4745, 1000), Fraction(2 * 4745, 1000) + 5
    assert taken_off(sewage) == round(Fraction(sewage.parts[0].amount_kopecks) * norm / whole * 12 / 31)


def test_where_a_meter_could_stand_only_a_force_beyond_control_counts() -> None:
    assert taken_off(line_of(month(JANUARY, flat=household()), Service.COLD_WATER)) == 0
    forced = away(date(2026, 1, 5), date(2026, 1, 18), beyond_control=True)
    line = line_of(month(forced, flat=household()), Service.COLD_WATER)
    assert taken_off(line) == 70179  # 1812.95 · 12 / 31 = 701.787…


@pytest.mark.parametrize(
    ("absence", "why"),
    [
        (away(date(2026, 1, 5), date(2026, 1, 11)), "5 full days"),
        (away(date(2026, 1, 5), date(2026, 1, 18), filed=date(2026, 2, 18)), "more than 30 days"),
    ],
)
def test_too_short_or_too_late(absence: Absence, why: str) -> None:
    rule = rule_on(month(), Service.COLD_WATER, date(2026, 1, 1))
    assert why in str(refusal_of(absence, rule))
    assert taken_off(line_of(month(absence), Service.COLD_WATER)) == 0
    last = away(absence.departed, absence.departed + timedelta(days=7))
    assert refusal_of(last, rule) is None
    assert refusal_of(away(date(2026, 1, 5), date(2026, 1, 18), filed=date(2026, 2, 17)), rule) is None


def test_an_application_covers_six_months() -> None:
    long = away(date(2025, 12, 20), date(2026, 9, 10))
    by_month = {number: taken_off(line_of(month(long, period=Period(2026, number)), Service.COLD_WATER))
                for number in range(1, 9)}  # fmt: skip
    assert [number for number, kopecks in by_month.items() if kopecks] == [1, 2, 3, 4, 5, 6]
    assert by_month[5] == 60432  # a whole month away
    assert by_month[6] == round(Fraction(60432 * 20, 30))  # up to the 20th


def test_absences_that_run_together_count_each_person_once() -> None:
    other = away(date(2026, 1, 10), date(2026, 1, 25), persons=1, act="application 2")
    one = away(date(2026, 1, 5), date(2026, 1, 18), persons=1)
    line = line_of(month(one, other), Service.COLD_WATER)
    alone = Fraction(60432, 2 * 31)
    assert taken_off(line) == pytest.approx(float(alone * (12 + 14)), abs=2)
    both = line_of(month(JANUARY, other), Service.COLD_WATER)  # two are all there are
    assert taken_off(both) == pytest.approx(float(alone * (2 * 12 + 7)), abs=2)


def test_gas_by_norm_is_lessened_and_gas_for_heating_is_not() -> None:
    line = line_of(gas_month(events=(JANUARY,), no_meter_possible=WATERS), Service.GAS)
    cooking, heating, less = line.parts
    assert less.amount_kopecks == -round(Fraction(cooking.amount_kopecks * 12, 31))
    assert heating.zone == "heating"


@settings(max_examples=40, deadline=None)
@given(
    first=st.integers(0, 40), length=st.integers(2, 60), persons=st.integers(1, 5), registered=st.integers(1, 5),
    moved=st.integers(0, 6),
)  # fmt: skip
def test_absence_never_takes_off_more_than_the_charge(
    first: int, length: int, persons: int, registered: int, moved: int
) -> None:
    """More days away never take off less, a change of residents within the month or not."""
    departed = date(2025, 12, 20) + timedelta(days=first)
    people = ((date(2020, 1, 1), registered), (date(2026, 1, 12), moved))
    flat = household(no_meter_possible=WATERS, residents=people)
    shorter, longer = (away(departed, departed + timedelta(days=length + more), persons) for more in (0, 3))
    before: dict[Service, int] = {}
    for absence in (shorter, longer):
        for line in charge_account(month(absence, flat=flat)):
            off = taken_off(line)
            charged = sum(part.amount_kopecks for part in line.parts if part.kind is PartKind.CHARGE)
            assert before.get(line.service, 0) - len(line.parts) <= off <= charged + len(line.parts)
            assert line.amount_kopecks >= 0
            before[line.service] = off
    assert set(SUPPLIERS) <= set(before)
