"""Formulas of which nobody publishes a sum, where they come to one of which somebody does.

Each is driven to the case in which the act's own words make it equal to a formula with a published sum; what it then
charges is that sum. So a wrong share, sign, divisor or rate shows, whatever our script of the act thinks.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from billing.domain.calendar import month_span
from billing.domain.charge import ChargedLine, PartKind, Scope
from billing.domain.events import Absence, RefusedInspection, Tampering
from billing.domain.house_use import HouseUse
from billing.domain.household import AccountMonth
from billing.domain.services import charge_account
from billing.domain.usage import Method, PastMonth
from contracts.wire.ids import Period, Service, SupplierId
from tests.billing.builders import ZONE, counters, household, month_of, register, tariffs_of
from tests.billing.cases import event, metered
from tests.billing.test_common import flat, rules, t1
from tests.billing.test_heating import HEAT, NORM, SPAN, TARIFF, by_season, check_working, evenly, line_of, month

COLD = Service.COLD_WATER

# --- heating: Voronezh's published sum -------------------------------------------------------------------------------

VORONEZH = 717642
"""54 m² in a house with a meter and none in flats: 1.9429 Gcal at 3693.66 ₽ are 7176.42 ₽ (29ru.net/voronezh/422737105,
figures of the city's heat supplier). The heat is printed to four digits; that sum is of 1.942901 to 1.942903 Gcal."""
GCAL = 194_290_200
"""What the house's meter showed, 10⁻⁶ Gcal, where the house is a hundred times the flat: the page leaves that out."""
FLAT_DM2, HOUSE_DM2 = 5400, 540_000
TARIFFS = tariffs_of({**TARIFF, "rates": {"single": "3693.66"}}, NORM)
DECEMBER = Period(2025, 12)
OWN = (0, 700_000, 1_942_902, 2_500_000)
"""What the flat's own meter told, 10⁻⁶ Gcal, and every other premises by its area: less than the house's, and more."""


def heated(at: Any, use: HouseUse | None = None, **more: Any) -> AccountMonth:
    return month(at, use, tariffs=TARIFFS, flat=household(area_dm2=FLAT_DM2), **more)


def house_use(**told: Any) -> HouseUse:
    return HouseUse(HEAT, HOUSE_DM2, dwellings_dm2=HOUSE_DM2, **told)


def own_meter(ucal: int) -> dict[str, Any]:
    rows = [register(SPAN.start_ts, 0), register(SPAN.end_ts, ucal)]
    return {"meters": {HEAT: (counters(HEAT, rows),)}}


def published(line: ChargedLine, point: str) -> None:
    assert [(part.amount_kopecks, part.point) for part in line.parts] == [(VORONEZH, point)]
    check_working(line)


def test_the_house_s_meter_and_no_others() -> None:
    rows = [register(SPAN.start_ts, 0, meter=9), register(SPAN.end_ts, GCAL, meter=9)]
    line = line_of(heated(by_season(HOUSE_DM2), house_meters={HEAT: (counters(HEAT, rows, meter=9),)}))
    published(line, "ф. 3")
    assert f"{line.quantity / 1_000_000:.4f}" == "1.9429"


@pytest.mark.parametrize("by_meter", [0, 50_000_000, 150_000_000])
def test_a_flat_without_a_meter_pays_as_if_nobody_had_one(by_meter: int) -> None:
    """V_i is the metered mean by area, and ΣV that mean over the whole house: they cancel out, whatever was told."""
    use = house_use(volume=GCAL, by_meter=by_meter, metered_dm2=HOUSE_DM2 // 2)
    published(line_of(heated(by_season(HOUSE_DM2), use)), "ф. 3")


@pytest.mark.parametrize("own", OWN)
def test_meters_in_all_flats_that_tell_heat_by_area(own: int) -> None:
    """F3(3): what the meters left to share, or told too much, is shared by area as they are."""
    use = house_use(volume=GCAL, by_meter=own * 100, metered_dm2=HOUSE_DM2)
    published(line_of(heated(by_season(HOUSE_DM2), use, **own_meter(own))), "ф. 3(3)")


def test_a_year_like_every_month_is_paid_as_that_month() -> None:
    published(line_of(heated(evenly(HOUSE_DM2), HouseUse(HEAT, HOUSE_DM2, last_year=12 * GCAL))), "ф. 3(1)")


def set_right(past: HouseUse, told: dict[str, int], charged_kopecks: int) -> tuple[int, str]:
    """January's correction where one month of the year before was told by the house's meter, and charged so much."""
    charged = PastMonth(Method.METER, told, month_span(DECEMBER, ZONE).start_ts, charged_kopecks=charged_kopecks)
    use = HouseUse(HEAT, HOUSE_DM2, past={DECEMBER.number: past}, last_year=12 * GCAL)
    line = line_of(heated(evenly(HOUSE_DM2), use, history={HEAT: (charged,)}))
    check_working(line)
    (part,) = [part for part in line.parts if part.kind is PartKind.RECALCULATION]
    return part.amount_kopecks, part.point


@pytest.mark.parametrize(("paid", "more"), [(0, VORONEZH), (VORONEZH, 0), (1_000_000, VORONEZH - 1_000_000)])
def test_what_a_month_was_short_of_its_sum_is_the_correction(paid: int, more: int) -> None:
    """F3(2): charged nothing, January charges the month's whole sum; charged that, nothing; charged more, less."""
    assert set_right(house_use(volume=GCAL), {}, paid) == (more, "ф. 3(2)")


@pytest.mark.parametrize("own", OWN)
def test_the_correction_where_all_flats_have_meters(own: int) -> None:
    """F3(4): by the same, its sum is F3(3)'s."""
    past = house_use(volume=GCAL, by_meter=own * 100, metered_dm2=HOUSE_DM2)
    assert set_right(past, {"single": own}, 0) == (VORONEZH, "ф. 3(4)")
    assert set_right(past, {"single": own}, VORONEZH - 100) == (100, "ф. 3(4)")


def test_a_house_s_own_exchanger_that_takes_bought_heat_alone() -> None:
    """F18, F19: one resource shared by area at its rate, which for heat is F3."""
    published(line_of(heated(by_season(HOUSE_DM2), HouseUse(HEAT, HOUSE_DM2, fuels={HEAT: GCAL}))), "ф. 18, 19")


@pytest.mark.parametrize(("norm", "kopecks"), [("0.20", 9459), ("0.15", 7094), ("0.07", 3311), ("0.05", 2365)])
def test_a_season_of_twelve_months_is_the_norm_itself(norm: str, kopecks: int) -> None:
    """F2(1) with K = 12 / 12 is F2: Kabardino-Balkaria's published sums at 472.96 ₽ (oracle T7)."""
    tariffs = tariffs_of(
        {**TARIFF, "rates": {"single": "472.96"}},
        {**NORM, "rates": {"single": norm}, "season_months": list(range(1, 13))},
    )
    line = line_of(month(evenly(), tariffs=tariffs, flat=household(area_dm2=100)))
    assert [(part.amount_kopecks, part.point) for part in line.parts] == [(kopecks, "ф. 2(1)")]


# --- common use: Krasnoyarsk's published sum -------------------------------------------------------------------------


@pytest.mark.parametrize(("negative", "point"), [("area", "ф. 10, ф. 13"), ("persons", "ф. 10, ф. 14")])
def test_below_nothing_takes_off_what_as_much_above_would_add(negative: str, point: str) -> None:
    """F13 where all premises are dwellings is F12 with its sign turned: T1's house with 2000 kWh too little by its
    meter takes 96.80 off. F14 is F13 where the people live as the area lies: two in 60 m², 80 in 2400."""
    use = t1(volume=8_000_000, persons=80)
    (line,) = charge_account(flat(use, tariffs=rules(negative)))
    (part,) = [part for part in line.parts if part.scope is Scope.COMMON]
    assert (part.amount_kopecks, part.point) == (-9680, point)
    assert line.amount_kopecks == 150 * 193.6 - 9680


# --- water: Moscow's published sums, and a norm's multiplier ---------------------------------------------------------


def water(*events: Any, **changes: Any) -> ChargedLine:
    given = month_of(suppliers={COLD: SupplierId(1)}, events=events, **changes)
    (line,) = charge_account(given)
    return line


def test_an_average_of_like_months_is_such_a_month() -> None:
    """п. 59: half a year of 7 m³ a month, and none read since: 304.99 at Moscow's tariff, as seven metered ones are."""
    half_a_year = tuple(PastMonth(Method.METER, {"single": 7000}) for _ in range(6))
    line = water(meters={COLD: (counters(COLD, []),)}, history={COLD: half_a_year})
    assert [(part.amount_kopecks, part.point) for part in line.parts] == [(30499, "ф. 1, п. 59")]
    assert water(meters=metered(COLD, 7000)).amount_kopecks == 30499


def test_after_two_refusals_a_flat_pays_as_one_that_could_have_a_meter_and_has_none() -> None:
    refused = [event(RefusedInspection, service=COLD, refused=day) for day in (date(2025, 12, 20), date(2026, 1, 19))]
    line, without = water(*refused, meters=metered(COLD, 6200)), water()
    assert line.amount_kopecks == without.amount_kopecks
    assert (line.parts[0].point, without.parts[0].point) == ("ф. 4(1), п. 60(1)", "ф. 4(1)")


def test_tampering_by_two_is_the_norm_of_twenty() -> None:
    """п. 62, 81(11): tenfold the norm's volume, and no multiplier beside it: F4 of ten times as many persons."""
    sealed = event(Tampering, service=COLD, since=date(2025, 12, 1), found=date(2026, 1, 20))
    twenty = household(residents=((date(2020, 1, 1), 20),), no_meter_possible=frozenset({COLD}))
    line, crowd = water(sealed, meters=metered(COLD, 6200)), water(flat=twenty)
    assert (line.amount_kopecks, crowd.parts[0].point) == (crowd.amount_kopecks, "ф. 4")


def test_who_is_away_pays_as_who_was_not_there() -> None:
    """п. 86–92: both of two away for 12 full days pay what a flat does whose account was opened those days later."""
    alone = household(no_meter_possible=frozenset({COLD}))
    away = event(Absence, departed=date(2026, 1, 4), returned=date(2026, 1, 17), persons=2, filed=date(2026, 1, 20))
    line = water(away, flat=alone)
    later = water(flat=alone, opened=date(2026, 1, 13))
    assert line.amount_kopecks == later.amount_kopecks
    assert replace(line, parts=line.parts[:1]).amount_kopecks - line.amount_kopecks == 23393
