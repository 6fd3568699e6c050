"""Usage from counters, profiles and the months before, against sums made another way in the test."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.calendar import UnknownZone, cut, month_span
from billing.domain.usage import (
    AverageLimits,
    DecreasingRegister,
    Method,
    PastMonth,
    Usage,
    average_usage,
    less_estimates,
    metered_usage,
)
from billing.domain.zones import SINGLE, Buckets, ZoneError, ZonePlan
from contracts.wire.ids import Period, Service
from contracts.wire.leaf import Quality, ReadingFlags
from tests.billing.builders import ZONE, counters, intervals, profile, register

WATER = Service.COLD_WATER
JANUARY = month_span(Period(2026, 1), ZONE)
WHOLE = Buckets((JANUARY,), SINGLE, ZONE)
TWO = ZonePlan((("day", ((7, 23),)), ("night", ((23, 7),))))
START, END = JANUARY.start_ts, JANUARY.end_ts
DAY = 86_400
LIMITS = AverageLimits(6, 3, 3)
"""Those of ПП 354, п. 59 and 60."""


def total(usage: Usage | None) -> int | None:
    return None if usage is None else usage.total


def test_difference_of_counters_over_the_month() -> None:
    rows = [register(START - 5, 100), register(START + 9 * DAY, 130), register(END, 171), register(END + 5, 999)]
    usage = metered_usage([counters(WATER, rows)], WHOLE)
    assert usage is not None
    assert (usage.method, usage.total) == (Method.METER, 71)
    assert [used.value for used in usage.readings] == [100, 171]


def test_two_months_telescope() -> None:
    """What one month leaves, the next takes: no litre is lost or charged twice, whenever readings come."""
    february = Buckets((month_span(Period(2026, 2), ZONE),), SINGLE, ZONE)
    rows = [register(START - DAY, 10), register(START + 24 * DAY, 60), register(END + 20 * DAY, 95)]
    both = [total(metered_usage([counters(WATER, rows)], buckets)) for buckets in (WHOLE, february)]
    assert both == [50, 35]


def test_no_reading_in_the_month_is_not_zero() -> None:
    assert metered_usage([counters(WATER, [register(START - 5, 100)])], WHOLE) is None


def test_meter_replaced_within_the_month() -> None:
    """old final − old start + new − new initial."""
    swap = START + 12 * DAY
    old = counters(WATER, [register(START, 500), register(START + 10 * DAY, 520)], until=swap, final={0: 527})
    new = counters(WATER, [register(END, 19, meter=2)], meter=2, since=swap, initial={0: 3})
    assert total(metered_usage([old, new], WHOLE)) == (527 - 500) + (19 - 3)


def test_rollover_needs_its_flag_and_a_capacity() -> None:
    rows = [register(START, 99_990), register(END, 15, flags=ReadingFlags.ROLLOVER)]
    assert total(metered_usage([counters(WATER, rows, capacity=100_000)], WHOLE)) == 25
    with pytest.raises(DecreasingRegister, match="rollover"):
        metered_usage([counters(WATER, rows)], WHOLE)


def test_fall_of_a_counter_names_meter_leaf_and_remedy() -> None:
    rows = [register(START, 200), register(END, 150, leaf=7)]
    with pytest.raises(DecreasingRegister) as caught:
        metered_usage([counters(WATER, rows, capacity=1000)], WHOLE)
    text = str(caught.value)
    assert all(words in text for words in ("leaf 7", "fell from 200 to 150", "inspector"))


def test_counters_by_tariff_register() -> None:
    rows = [
        register(START, 10, name=1),
        register(END, 40, name=1),
        register(START, 5, name=2),
        register(END, 9, name=2),
    ]
    meter = counters(Service.ELECTRICITY, rows, zones={1: "day", 2: "night"})
    usage = metered_usage([meter], Buckets((JANUARY,), TWO, ZONE))
    assert usage is not None
    assert usage.by_zone() == {"day": 30, "night": 4}


def test_change_of_tariff_takes_the_counter_of_that_day_or_shares_by_days() -> None:
    spans = cut(JANUARY, [date(2026, 1, 11)], ZONE)
    buckets = Buckets(spans, SINGLE, ZONE)
    daily = [register(START + d * DAY, 100 * d) for d in range(32)]
    usage = metered_usage([counters(WATER, daily)], buckets)
    assert usage is not None
    assert [zones["single"] for zones in usage.quantities] == [1000, 2100]
    monthly = metered_usage([counters(WATER, [daily[0], daily[-1]])], buckets)
    assert monthly is not None
    assert [zones["single"] for zones in monthly.quantities] == [1000, 2100]


def _oracle_zone_sums(start: int, values: list[int | None], zone: str, period: Period) -> dict[str, int]:
    """The same by walking local clocks with timedelta, one interval after another."""
    out = {"day": 0, "night": 0}
    moment = datetime.fromtimestamp(start, ZoneInfo("UTC"))
    for value in values:
        local = moment.astimezone(ZoneInfo(zone))
        if (local.year, local.month) == (period.year, period.month) and value is not None:
            out["day" if 7 <= local.hour < 23 else "night"] += value
        moment += timedelta(minutes=30)
    return out


@settings(max_examples=30, deadline=None)
@given(
    values=st.lists(st.integers(0, 5000), min_size=33 * 48, max_size=33 * 48),
    zone=st.sampled_from([ZONE, "Europe/Moscow", "Europe/Berlin", "Australia/Sydney", "Asia/Kolkata"]),
    period=st.sampled_from([Period(2026, 1), Period(2026, 3), Period(2026, 10), Period(2026, 4)]),
)
def test_zone_sums_against_a_walk_of_the_clock(values: list[int], zone: str, period: Period) -> None:
    span = month_span(period, zone)
    start = span.start_ts - DAY // 2
    rows = [profile(start + i * 1800, values[i : i + 48], leaf=i) for i in range(0, len(values), 48)]
    usage = metered_usage([intervals(Service.ELECTRICITY, rows)], Buckets((span,), TWO, zone))
    assert usage is not None
    assert usage.estimated == 0
    assert usage.by_zone() == _oracle_zone_sums(start, list(values), zone, period)


def test_gap_gets_the_mean_of_its_zone_and_is_counted() -> None:
    values: list[int | None] = [100 if 14 <= i % 48 < 46 else 10 for i in range(31 * 48)]
    full = sum(v for v in values if v is not None)
    for i in (0, 1, 20, 21, 22):
        values[i] = None
    usage = metered_usage([intervals(Service.ELECTRICITY, [profile(START, values)])], Buckets((JANUARY,), TWO, ZONE))
    assert usage is not None
    assert (usage.total, usage.estimated, usage.intervals) == (full, 5, 31 * 48)


def test_intervals_not_for_settlement_are_gaps() -> None:
    qualities = [Quality.NOT_FOR_SETTLEMENT if i < 4 else Quality.MEASURED for i in range(31 * 48)]
    row = profile(START, [1_000_000 if i < 4 else 10 for i in range(31 * 48)], qualities=qualities)
    usage = metered_usage([intervals(Service.ELECTRICITY, [row])], WHOLE)
    assert usage is not None
    assert (usage.total, usage.estimated) == (31 * 480, 4)


def test_more_than_half_missing_is_not_a_month() -> None:
    assert metered_usage([intervals(Service.ELECTRICITY, [profile(START, [10] * (15 * 48))])], WHOLE) is None


def test_intervals_told_twice_count_once() -> None:
    rows = [profile(START, [10] * (31 * 48)), profile(START + DAY, [70] * 48, leaf=1)]
    assert total(metered_usage([intervals(Service.ELECTRICITY, rows)], WHOLE)) == 31 * 480


def test_meter_on_an_account_for_one_day_expects_one_day() -> None:
    rows = [profile(START, [10] * 96)]
    meter = intervals(Service.ELECTRICITY, rows, since=START, until=START + DAY)
    usage = metered_usage([meter], WHOLE)
    assert usage is not None
    assert (usage.total, usage.intervals) == (480, 48)


def _past(method: Method, quantity: int, start_ts: int = 0) -> PastMonth:
    return PastMonth(method, {"single": quantity}, start_ts)


def test_mean_of_six_months_half_up() -> None:
    history = [_past(Method.METER, q) for q in (10, 11, 12, 13, 14, 15, 9000)]
    assert total(average_usage(history, WHOLE, LIMITS)) == 13  # 12.5


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([], None),
        ([Method.METER] * 2, None),
        ([Method.METER] * 3, 100),
        ([Method.AVERAGE] * 2 + [Method.METER] * 6, 100),
        ([Method.AVERAGE] * 3 + [Method.METER] * 6, None),
        ([Method.NORM] + [Method.METER] * 3, 100),
    ],
)
def test_when_an_average_may_be_charged(history: list[Method], expected: int | None) -> None:
    assert total(average_usage([_past(method, 100) for method in history], WHOLE, LIMITS)) == expected


def test_counter_after_estimates_takes_them_back() -> None:
    """Three months by one difference: two were estimated already, the third is what is left."""
    november = month_span(Period(2025, 11), ZONE).start_ts
    december = month_span(Period(2025, 12), ZONE).start_ts
    usage = metered_usage([counters(WATER, [register(november, 1000), register(END, 1950)])], WHOLE)
    assert usage is not None
    history = [_past(Method.AVERAGE, 300, december), _past(Method.AVERAGE, 300, november), _past(Method.METER, 1, 0)]
    net, owed_back = less_estimates(usage, history)
    assert (net.total, owed_back) == (350, {})


def test_estimates_above_the_counter_are_carried_over() -> None:
    december = month_span(Period(2025, 12), ZONE).start_ts
    usage = metered_usage([counters(WATER, [register(december, 1000), register(END, 1200)])], WHOLE)
    assert usage is not None
    net, owed_back = less_estimates(usage, [_past(Method.AVERAGE, 500, december)])
    assert (net.total, owed_back) == (0, {"single": 300})
    later = Usage(Method.METER, ({"single": 450},), counted_from=START)
    again, rest = less_estimates(later, [PastMonth(Method.METER, {"single": 0}, START, owed_back)])
    assert (again.total, rest) == (150, {})


def test_zones_cover_each_hour_once() -> None:
    with pytest.raises(ZoneError):
        ZonePlan((("day", ((7, 23),)), ("night", ((22, 7),))))


def test_zone_of_a_house_is_an_iana_name() -> None:
    with pytest.raises(UnknownZone, match="IANA"):
        month_span(Period(2026, 1), "Mars/Olympus")
