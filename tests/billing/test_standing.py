"""A meter that cannot be believed, for part of a month or all of it: tampering, refusals, outage, not yet there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.calendar import midnight
from billing.domain.charge import ChargedLine
from billing.domain.events import Event, Inspection, MeterOutage, RefusedInspection, Tampering
from billing.domain.services import charge_account
from billing.domain.standing import months_before
from billing.domain.tariff import TariffSet
from billing.domain.usage import Method, PastMonth
from contracts.wire.ids import Period, Service
from tests.billing.builders import ZONE, counters, demo_tariffs, household, month_of, register, tariffs_of
from tests.billing.cases import JANUARY, SIX_MONTHS, by_half_hours, event, metered, shipped

COLD = Service.COLD_WATER
APART = 2 * 5 + 2
"""Whole litres on either side of a stretch are less than one apart from their share, 4.36 kopecks each; three parts
round by half a kopeck."""
RAISED = 181295  # 2 · 6.935 · 3 · 43.57, the worked sum


def line_of(service: Service, *events: Event, **changes: object) -> ChargedLine:
    changes = {"meters": metered(service, 6200), **changes}
    lines = charge_account(month_of(events=events, **changes))  # type: ignore[arg-type]
    return next(line for line in lines if line.service is service)


def tampered(since: date, found: date, cured: date | None = None, service: Service = COLD) -> Event:
    return event(Tampering, service=service, since=since, found=found, cured=cured)


def refused(*days: date) -> list[Event]:
    return [event(RefusedInspection, service=COLD, refused=day) for day in days]


def test_tampering_is_the_norm_tenfold_from_the_sealing_until_cured() -> None:
    """31 days: 2 · 6.935 · 10 · 43.57; the ten days before the sealing and the rest are by the meter."""
    whole = line_of(COLD, tampered(date(2025, 12, 1), date(2026, 1, 20)))
    (part,) = whole.parts
    assert (part.amount_kopecks, part.formula, part.point) == (604316, "P = n · N · K · T", "п. 62, 81(11)")
    assert part.surcharge_kopecks == 604316 - 60432
    assert whole.method is Method.NORM
    assert whole.by_zone == {}  # nothing that later counters would take back
    some = line_of(COLD, tampered(date(2026, 1, 11), date(2026, 1, 20), date(2026, 1, 21)))
    assert [(p.span.days, p.formula) for p in some.parts] == [
        (10, "P = V · T"), (10, "P = n · N · K · T · d"), (11, "P = V · T"),
    ]  # fmt: skip
    assert [p.inputs[0].value for p in some.parts if p.formula == "P = V · T"] == ["2", "2.2"]
    assert some.by_zone == {"single": 4200}


def test_tampering_reaches_back_three_months_at_most() -> None:
    long_ago = tampered(date(2025, 1, 1), date(2026, 4, 15))
    january = line_of(COLD, long_ago)
    assert [(p.span.days, p.formula) for p in january.parts] == [(14, "P = V · T"), (17, "P = n · N · K · T · d")]
    assert months_before(date(2026, 5, 31), 3) == date(2026, 2, 28)
    assert months_before(date(2026, 1, 15), 3) == date(2025, 10, 15)


def test_electricity_after_tampering_is_all_over_the_social_norm() -> None:
    """Krasnoyarsk: two persons in one room, 74 kWh each, tenfold, at 5.23."""
    sealed = tampered(date(2025, 12, 1), date(2026, 1, 20), service=Service.ELECTRICITY)
    line = line_of(Service.ELECTRICITY, sealed, meters=by_half_hours([100] * 48))
    assert [p.formula for p in line.parts] == ["P = V_over · T_over"]
    assert line.amount_kopecks == 2 * 74 * 10 * 523


def test_two_refusals_are_the_norm_with_its_multiplier_from_the_second_act_s_month() -> None:
    second = (date(2025, 12, 20), date(2026, 1, 19))
    assert line_of(COLD, *refused(second[0])).method is Method.METER
    line = line_of(COLD, *refused(*second))
    assert (line.amount_kopecks, line.parts[0].point) == (RAISED, "ф. 4(1), п. 60(1)")
    seen = event(Inspection, service=COLD, inspected=date(2026, 1, 21))
    until = line_of(COLD, *refused(*second), seen)
    assert [(p.span.days, p.formula) for p in until.parts] == [(20, "P = n · N · K · T · d"), (11, "P = V · T")]
    shown = event(Inspection, service=COLD, inspected=date(2026, 1, 2))
    assert line_of(COLD, *refused(*second), shown).method is Method.METER  # one before it, one after


def test_an_outage_is_averaged_by_days_then_by_norm() -> None:
    broken = event(MeterOutage, service=COLD, since=date(2026, 1, 11))
    rows = [register(JANUARY.start_ts, 0), register(midnight(date(2026, 1, 11), ZONE), 1500),
            register(JANUARY.end_ts, 90_000)]  # fmt: skip
    meters = {COLD: (counters(COLD, rows),)}
    line = line_of(COLD, broken, meters=meters, history={COLD: SIX_MONTHS})
    assert [(p.point, p.inputs[0].value) for p in line.parts] == [("ф. 1", "1.5"), ("ф. 1, п. 59", "4.065")]
    assert line.method is Method.AVERAGE
    spent = {COLD: tuple(PastMonth(Method.AVERAGE, {"single": 6000}) for _ in range(3)) + SIX_MONTHS}
    over = line_of(COLD, event(MeterOutage, service=COLD, since=date(2025, 10, 1)), meters=meters, history=spent)
    assert (over.method, over.amount_kopecks) == (Method.NORM, RAISED)


def test_a_verified_meter_counts_again_from_its_day() -> None:
    back = midnight(date(2026, 1, 21), ZONE)
    out = event(MeterOutage, service=COLD, since=date(2025, 12, 5), until=date(2026, 1, 21))
    rows = [register(JANUARY.start_ts, 0), register(back, 777), register(JANUARY.end_ts, 2777)]
    line = line_of(COLD, out, meters={COLD: (counters(COLD, rows),)}, history={COLD: SIX_MONTHS})
    assert [(p.point, p.inputs[0].value) for p in line.parts] == [("ф. 1, п. 59", "3.871"), ("ф. 1", "2")]


def test_a_meter_put_in_within_the_month() -> None:
    """By norm with the multiplier up to the day it was put in, by its counters from then on."""
    since = midnight(date(2026, 1, 16), ZONE) + 36_000
    new = counters(COLD, [register(JANUARY.end_ts, 3100)], since=since, initial={0: 100})
    line = line_of(COLD, meters={COLD: (new,)})
    assert [(p.span.days, p.formula) for p in line.parts] == [(15, "P = n · N · K · T · d"), (16, "P = V · T")]
    assert line.parts[1].amount_kopecks == 13071  # 3 m³ at 43.57
    assert line.parts[0].amount_kopecks == round(RAISED * 15 / 31)


def test_a_replaced_meter_leaves_no_gap() -> None:
    change = midnight(date(2026, 1, 16), ZONE) + 36_000
    old = counters(COLD, [register(JANUARY.start_ts, 0)], until=change, final={0: 2000})
    new = counters(COLD, [register(JANUARY.end_ts, 4100, meter=2)], meter=2, since=change, initial={0: 100})
    line = line_of(COLD, meters={COLD: (old, new)})
    assert [(p.formula, p.inputs[0].value) for p in line.parts] == [("P = V · T", "6")]


def test_how_long_an_average_stands_is_data() -> None:
    """By the rule that ships three periods in a row; by a later edition that says two, the norm from the third on."""
    history = {COLD: tuple(PastMonth(Method.AVERAGE, {"single": 6000}) for _ in range(2)) + SIX_MONTHS}
    unread = {COLD: (counters(COLD, []),)}
    assert line_of(COLD, meters=unread, history=history).method is Method.AVERAGE
    value = shipped("russia-cold-water-rule", name="later", effective_from="2025-12-01")
    value["rates"]["average_periods"] = "2"
    versions = demo_tariffs().versions
    later = replace(tariffs_of(value).versions[0], number=len(versions) + 1)
    found = line_of(COLD, meters=unread, history=history, tariffs=TariffSet([*versions, later]))
    assert (found.method, found.amount_kopecks) == (Method.NORM, RAISED)


def test_what_was_owed_back_outlives_an_estimated_month() -> None:
    past = (PastMonth(Method.METER, {"single": 0}, owed_back={"single": 900}), *SIX_MONTHS)
    silent = line_of(COLD, meters={COLD: (counters(COLD, []),)}, history={COLD: past})
    assert (silent.method, silent.owed_back) == (Method.AVERAGE, {"single": 900})


def test_the_counter_a_day_opens_with_is_not_the_one_it_closes_with() -> None:
    """One refused day at the month's start: the meter's difference is shared out by days, as with any stretch."""
    line = line_of(COLD, *refused(*[date(2026, 1, 1)] * 2), event(Inspection, service=COLD, inspected=date(2026, 1, 2)))
    assert [(p.span.days, p.inputs[0].value) for p in line.parts if p.formula == "P = V · T"] == [(30, "6")]


@settings(max_examples=60, deadline=None)
@given(
    first=st.integers(1, 31), length=st.integers(1, 31), litres=st.integers(0, 50_000), persons=st.integers(1, 6),
    kind=st.sampled_from(["tampering", "outage", "refusal"]),
)  # fmt: skip
def test_a_stretch_is_never_below_the_meter_alone_nor_above_all_of_it(
    first: int, length: int, litres: int, persons: int, kind: str
) -> None:
    """Parts by days lie between the month all by the meter and the month all as the stretch has it."""
    start = date(2026, 1, first)
    end = date.fromordinal(start.toordinal() + length)
    flat = household(residents=((date(2020, 1, 1), persons),))
    made: dict[str, Callable[[date, date], list[Event]]] = {
        "tampering": lambda since, until: [tampered(since, since, until)],
        "outage": lambda since, until: [event(MeterOutage, service=COLD, since=since, until=until)],
        "refusal": lambda since, until: [*refused(since, since), event(Inspection, service=COLD, inspected=until)],
    }
    given_ = {"meters": metered(COLD, litres), "flat": flat, "history": {COLD: SIX_MONTHS}}
    alone = line_of(COLD, **given_).amount_kopecks
    every = line_of(COLD, *made[kind](date(2026, 1, 1), date(2026, 2, 1)), **given_).amount_kopecks
    found = line_of(COLD, *made[kind](start, end), **given_)
    whole = line_of(COLD, *made[kind](date(2026, 1, 1), date(2026, 2, 1)), **{**given_, "meters": metered(COLD, 0)})
    assert sum(part.span.days for part in found.parts) == 31
    assert found.amount_kopecks >= 0
    if kind != "outage":  # a broken meter's own readings stand for the days before it alone
        assert min(alone, every) - APART <= found.amount_kopecks <= max(alone, every) + APART
    assert whole.amount_kopecks == every


@pytest.mark.parametrize("number", [1, 2, 4])
def test_months_without_the_event_are_as_ever(number: int) -> None:
    sealed = tampered(date(2025, 8, 1), date(2025, 9, 1), date(2025, 9, 15))
    period = Period(2026, number)
    with_it = charge_account(month_of(events=(sealed,), period=period))
    assert with_it == charge_account(month_of(period=period))
