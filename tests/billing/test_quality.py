"""Interruptions and poor quality (ПП 354, приложение 1): the limits, the rates, and what must hold of any."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.charge import ChargedLine, PartKind
from billing.domain.events import Event, PoorQuality
from billing.domain.services import charge_account
from billing.domain.tariff import NoTariff, TariffError
from contracts.wire.ids import Service, SupplierId
from tests.billing.builders import demo_tariffs, month_of, tariffs_of
from tests.billing.cases import HOUR_S, JANUARY, STARTED, cut_off, event, made_up, metered, poor, shipped


def line_of(service: Service, *events: Event, **changes: object) -> ChargedLine:
    lines = charge_account(month_of(events=events, **changes))  # type: ignore[arg-type]
    return next(line for line in lines if line.service is service)


def share_off(line: ChargedLine) -> Fraction:
    """What recalculations take, as a share of the charge."""
    off = -sum(part.amount_kopecks for part in line.parts if part.kind is PartKind.RECALCULATION)
    return Fraction(off, line.charged_kopecks)


def near(line: ChargedLine, share: str) -> bool:
    return abs(share_off(line) - Fraction(share)) <= Fraction(1, line.charged_kopecks)


@pytest.mark.parametrize(
    ("service", "hours", "share"),
    [
        (Service.COLD_WATER, 4, "0"),  # as long at once as may be
        (Service.COLD_WATER, 5, "0.0015"),  # one hour over the four at once
        (Service.COLD_WATER, 12, "0.012"),  # eight over the four, four over the month's eight
        (Service.HOT_WATER, 104, "0.15"),
        (Service.SEWAGE, 14, "0.015"),
        (Service.ELECTRICITY, 24, "0"),
        (Service.ELECTRICITY, 26, "0.003"),
        (Service.HEATING, 16, "0"),
        (Service.HEATING, 20, "0.006"),
        (Service.SOLID_WASTE, 48, "0"),
        (Service.SOLID_WASTE, 71, "0"),  # not yet another 24 hours
        (Service.SOLID_WASTE, 72, "0.033"),
        (Service.SOLID_WASTE, 120, "0.099"),
        (Service.COLD_WATER, 27 * 24, "0.966"),
    ],
)
def test_hours_over_the_limit(service: Service, hours: int, share: str) -> None:
    line = line_of(service, cut_off(service, hours))
    assert near(line, share)
    assert all("приложение 1" in part.point for part in line.parts if part.kind is PartKind.RECALCULATION)


def test_short_interruptions_add_up_over_the_month() -> None:
    """Four times three hours: none is too long by itself, together four over the month's eight."""
    day = 24 * HOUR_S
    some = [
        event(type(cut_off(Service.COLD_WATER, 1)), service=Service.COLD_WATER, start=STARTED + i * day,
              end=STARTED + i * day + 3 * HOUR_S) for i in range(4)
    ]  # fmt: skip
    assert near(line_of(Service.COLD_WATER, *some), "0.006")


def test_a_case_with_a_limit_of_its_own() -> None:
    """A dead-end main may be off for 24 hours; a flat at 9 °C may go without heating for four."""
    assert near(line_of(Service.HOT_WATER, cut_off(Service.HOT_WATER, 26, allowed_hours=24)), "0.027")
    assert near(line_of(Service.HEATING, cut_off(Service.HEATING, 10, allowed_hours=4)), "0.009")


def test_hours_of_other_months_do_not_count() -> None:
    start = JANUARY.start_ts - 10 * HOUR_S
    over = event(type(cut_off(Service.COLD_WATER, 1)), service=Service.COLD_WATER, start=start,
                 end=JANUARY.start_ts + 3 * HOUR_S)  # fmt: skip
    assert near(line_of(Service.COLD_WATER, over), "0.0045")  # the three of January are past the four at once


@pytest.mark.parametrize(
    ("measured_tenths", "at_hour", "share"),
    [
        (570, 12, "0"),  # three degrees below by day are allowed
        (541, 12, "0"),  # not yet three more
        (540, 12, "0.001"),
        (510, 12, "0.002"),
        (550, 1, "0"),  # five are by night
        (520, 1, "0.001"),
        (400, 12, "0.005"),
    ],
)
def test_hot_water_by_degrees_for_one_hour(measured_tenths: int, at_hour: int, share: str) -> None:
    start = JANUARY.start_ts + at_hour * HOUR_S
    cooler = PoorQuality(
        act="act 1", service=Service.HOT_WATER, measure="temperature", start=start, end=start + HOUR_S,
        measured_tenths=measured_tenths,
    )  # fmt: skip
    assert near(line_of(Service.HOT_WATER, cooler), share)


def test_water_below_forty_degrees_is_paid_as_cold() -> None:
    """All month at 30 °C: 4 m³ come to 4 · 43.57, the tariff of cold water, not to 4 · 211.67."""
    hours = (JANUARY.end_ts - JANUARY.start_ts) // HOUR_S
    icy = event(PoorQuality, service=Service.HOT_WATER, measure="temperature", start=JANUARY.start_ts,
                end=JANUARY.end_ts, measured_tenths=300)  # fmt: skip
    meters = metered(Service.HOT_WATER, 4000)
    assert line_of(Service.HOT_WATER, icy, meters=meters).amount_kopecks == 17428
    half = event(PoorQuality, service=Service.HOT_WATER, measure="temperature", start=JANUARY.start_ts,
                 end=JANUARY.start_ts + hours // 2 * HOUR_S, measured_tenths=300)  # fmt: skip
    assert line_of(Service.HOT_WATER, half, meters=meters).amount_kopecks == (84668 + 17428) // 2


def test_rooms_below_their_norm_by_degree_and_hour() -> None:
    chilly = poor(Service.HEATING, "temperature", 10, measured_tenths=160)  # begins at midnight: 5 by night, 5 by day
    assert near(line_of(Service.HEATING, chilly), "0.015")  # two degrees in five hours; three are allowed by night
    corner = poor(Service.HEATING, "temperature", 10, measured_tenths=160, norm_tenths=200)
    assert near(line_of(Service.HEATING, corner), "0.0375")  # four by day, one by night


def test_a_day_of_bad_water_is_not_charged() -> None:
    spoilt = poor(Service.COLD_WATER, "composition", 25)  # begins at midnight: two days
    line = line_of(Service.COLD_WATER, spoilt, meters=metered(Service.COLD_WATER, 7000))
    assert share_off(line) == Fraction(round(Fraction(30499 * 2, 31)), 30499)


def test_a_rule_that_lacks_the_number_is_named() -> None:
    with pytest.raises(TariffError, match=r"russia-cold-water-rule.*smell_rate"):
        line_of(Service.COLD_WATER, poor(Service.COLD_WATER, "smell", 5))
    only = {Service.COLD_WATER: SupplierId(1)}
    tariffs = tariffs_of(
        made_up("tariff", "cold_water", {"single": "10"}), made_up("norm", "cold_water", {"single": "5"})
    )
    with pytest.raises(NoTariff, match="no rule for cold_water"):
        line_of(Service.COLD_WATER, cut_off(Service.COLD_WATER, 9), tariffs=tariffs, suppliers=only)


def test_a_later_edition_of_the_rule_is_data() -> None:
    """Where a later act takes 1 % an hour, its document says so and nothing else changes."""
    versions = [v for v in demo_tariffs().versions if v.document.name != "russia-cold-water-rule"]
    value = shipped("russia-cold-water-rule")
    value["rates"]["interruption_rate"] = "0.01"
    tariffs = type(demo_tariffs())([*versions, *tariffs_of(value).versions])
    assert near(line_of(Service.COLD_WATER, cut_off(Service.COLD_WATER, 14), tariffs=tariffs), "0.1")


@settings(max_examples=60, deadline=None)
@given(
    service=st.sampled_from([Service.COLD_WATER, Service.HOT_WATER, Service.HEATING, Service.SOLID_WASTE]),
    hours=st.lists(st.tuples(st.integers(-100, 800), st.integers(1, 900)), min_size=1, max_size=4),
    degrees=st.integers(0, 700), more=st.integers(1, 48),
)  # fmt: skip
def test_longer_never_takes_off_less_and_never_more_than_the_charge(
    service: Service, hours: list[tuple[int, int]], degrees: int, more: int
) -> None:
    kind = type(cut_off(service, 1))
    before = Fraction(0)
    for longer in (0, more):
        events: list[Event] = [
            event(kind, service=service, start=JANUARY.start_ts + first * HOUR_S,
                  end=JANUARY.start_ts + (first + length + longer) * HOUR_S) for first, length in hours
        ]  # fmt: skip
        if service in (Service.HOT_WATER, Service.HEATING):
            events.append(poor(service, "temperature", 5 + longer, measured_tenths=degrees))
        line = line_of(service, *events)
        assert 0 <= share_off(line) <= 1
        assert share_off(line) >= before - Fraction(len(line.parts), line.charged_kopecks)
        assert line.amount_kopecks >= 0
        before = share_off(line)
