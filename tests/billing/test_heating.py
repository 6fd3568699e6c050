"""Heating in every mode: against worked sums, and a real meter's three years against sums made with other code."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.calendar import month_span
from billing.domain.charge import ChargedLine, PartKind, explain
from billing.domain.heating import heating
from billing.domain.house import HouseEntries, house_uses
from billing.domain.house_heat import heat_of, heat_of_premises
from billing.domain.house_use import HouseUse
from billing.domain.household import AccountMonth, House, HouseTerms, Management
from billing.domain.numbers import half_up
from billing.domain.services import charge_account
from billing.domain.tariff import TariffSet
from billing.domain.usage import Method, PastMonth
from contracts.wire.ids import Period, Service, SupplierId
from tests.billing.builders import ZONE, counters, household, month_of, register, tariffs_of
from tests.billing.cases import shipped
from tests.billing.independent_recompute import line_faults
from tests.billing.recompute import recompute

DANISH = Path(__file__).parents[3] / "shared" / "data" / "heat_danish" / "processed_final_data_sample.csv"
HEAT, YEAR_ON = Service.HEATING, Period(2026, 1)
SPAN = month_span(YEAR_ON, ZONE)
TARIFF = {
    "name": "heat", "kind": "tariff", "area": "here", "act": "of the test", "effective_from": "2010-01-01",
    "service": "heating", "unit": "Gcal", "rates": {"single": "2546.83"},
}  # fmt: skip
NORM = {**TARIFF, "name": "heat norm", "kind": "norm", "unit": "Gcal/m2", "rates": {"single": "0.016"}}
TARIFFS = tariffs_of(TARIFF, NORM, shipped("russia-heating-rule", area="here"))
SUPPLIERS = {HEAT: SupplierId(2)}


def evenly(area_dm2: int = 562_080, zone: str = ZONE) -> House:
    terms = HouseTerms(date(2010, 1, 1), Management.DIRECT, 0, "decision of the region", uniform_heating=True)
    return House("House 1", zone, ("here",), area_dm2, frozenset(), (terms,))


def by_season(area_dm2: int = 562_080) -> House:
    return House("House 1", ZONE, ("here",), area_dm2)


def month(at: House, use: HouseUse | None = None, **more: Any) -> AccountMonth:
    uses = {} if use is None else {HEAT: use}
    return month_of(house=at, house_use=uses, **{"tariffs": TARIFFS, "suppliers": SUPPLIERS, **more})


def line_of(given_month: AccountMonth) -> ChargedLine:
    line = heating(given_month)
    assert line is not None
    return line


def check_working(line: ChargedLine) -> None:
    told = json.loads(json.dumps(explain(line)))
    assert not list(line_faults(told))  # type: ignore[no-untyped-call]
    for part in told["parts"]:
        assert recompute(part) == part["amount_kopecks"], part["formula"]


# --- worked sums -----------------------------------------------------------------------------------------------------


def test_evenly_over_the_year_by_norm_and_by_last_year() -> None:
    """F2(1): 54.3 · 0.016 · 12/12 · 2546.83 = 2212.69, and 7/12 of it where the season has seven months."""
    assert line_of(month(evenly())).amount_kopecks == 221269
    seven = tariffs_of(TARIFF, {**NORM, "season_months": [1, 2, 3, 4, 10, 11, 12]})
    line = line_of(month(evenly(), tariffs=seven, period=Period(2026, 7)))
    assert (line.amount_kopecks, line.quantity) == (129073, 506_800)
    mean = line_of(month(evenly(), HouseUse(HEAT, 562_080, last_year=1_104_600_000)))
    assert (mean.amount_kopecks, mean.parts[0].point) == (226478, "ф. 3(1)")
    check_working(line)
    check_working(mean)


def year_of(gcal: int, kopecks: int, year: int = 2025) -> tuple[HouseUse, tuple[PastMonth, ...]]:
    """A house's calendar year in equal months, and what an account was charged for each of them, newest first."""
    numbers = [Period(year, n) for n in range(12, 0, -1)]
    past = {p.number: HouseUse(HEAT, 562_080, volume=gcal * 1_000_000 // 12) for p in numbers}
    charged = [PastMonth(Method.NORM, {}, month_span(p, ZONE).start_ts, charged_kopecks=kopecks) for p in numbers]
    return HouseUse(HEAT, 562_080, past=past), tuple(charged)


def test_january_sets_the_year_right() -> None:
    """F3(2): 1104.6 Gcal of the house are 27177.32 ₽ for 54.3 m²; 12 · 2212.69 = 26552.28 were paid: +625.04."""
    numbers = [Period(2025, n) for n in range(12, 0, -1)]
    past = {p.number: HouseUse(HEAT, 562_080, volume=92_050_000) for p in numbers}
    history = tuple(PastMonth(Method.NORM, {}, month_span(p, ZONE).start_ts, charged_kopecks=221269) for p in numbers)
    line = line_of(month(evenly(), HouseUse(HEAT, 562_080, past=past), history={HEAT: history}))
    right = [part for part in line.parts if part.kind is PartKind.RECALCULATION]
    assert [(part.amount_kopecks, part.point) for part in right] == [(62504, "ф. 3(2)")]
    assert line.charged_kopecks == 226478
    check_working(line)


@pytest.mark.parametrize(("metered_dm2", "point"), [(562_080, "ф. 3(4)"), (281_040, "ф. 3(2)")])
def test_the_correction_is_named_after_how_the_year_was_metered(metered_dm2: int, point: str) -> None:
    """A flat of 54.3 m² whose meter told 1 Gcal a month; the house's 92.05 Gcal are 40 more than its flats' meters
    (with half of them unmetered: than those and as much again). By hand: its own and its share of the rest, twelve
    times, at 2546.83, less 26552.28 charged."""
    by_meter = 52_050_000 if metered_dm2 == 562_080 else 26_025_000
    numbers = [Period(2025, n) for n in range(12, 0, -1)]
    past = {p.number: HouseUse(HEAT, 562_080, volume=92_050_000, by_meter=by_meter, metered_dm2=metered_dm2,
                               dwellings_dm2=562_080) for p in numbers}  # fmt: skip
    told = {"single": 1_000_000}
    history = tuple(
        PastMonth(Method.METER, told, month_span(p, ZONE).start_ts, charged_kopecks=221269) for p in numbers
    )
    line = line_of(month(evenly(), HouseUse(HEAT, 562_080, past=past), history={HEAT: history}))
    (right,) = [part for part in line.parts if part.kind is PartKind.RECALCULATION]
    year = 12 * (1 + Decimal("54.3") * 40 / Decimal("5620.8")) * Decimal("2546.83") - Decimal("26552.28")
    assert right.point == point
    assert right.amount_kopecks == int((year * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP))
    check_working(line)


def test_what_january_gives_back_may_go_on_to_february() -> None:
    use, history = year_of(552, 221269)
    line = line_of(month(evenly(), use, history={HEAT: history}))
    assert line.parts[-1].amount_kopecks < -line.charged_kopecks
    assert (line.amount_kopecks, line.carried_kopecks > 0) == (0, True)
    check_working(line)


def test_only_months_that_were_paid_evenly_and_told_are_set_right() -> None:
    use, history = year_of(1104, 221269)
    told = {number: past for number, past in use.past.items() if number != 202506}
    some = line_of(month(evenly(), replace(use, past=told, last_year=1_104_000_000), history={HEAT: history}))
    assert next(i.value for i in some.parts[-1].inputs if i.symbol == "P_charged") == "24339.59"
    for other in (Period(2026, 2), Period(2026, 12)):
        line = line_of(month(evenly(), use, history={HEAT: history}, period=other))
        assert all(part.kind is PartKind.CHARGE for part in line.parts)
    assert all(p.kind is PartKind.CHARGE for p in line_of(month(by_season(), use, history={HEAT: history})).parts)


# --- meters in flats -------------------------------------------------------------------------------------------------


def heated(ucal: int | None, area_dm2: int = 5000, name: str = "1", house_ucal: int = 20_000_000) -> AccountMonth:
    rows = [register(SPAN.start_ts, 0), register(SPAN.end_ts, ucal or 0)]
    total = [register(SPAN.start_ts, 0, meter=9), register(SPAN.end_ts, house_ucal, meter=9)]
    made = month(
        by_season(20_000),
        flat=household(area_dm2=area_dm2),
        meters={} if ucal is None else {HEAT: (counters(HEAT, rows),)},
        house_meters={HEAT: (counters(HEAT, total, meter=9),)},
    )
    return replace(made, account=name)


def charged(months: Sequence[AccountMonth]) -> list[ChargedLine]:
    uses = house_uses(months)
    return [line_of(replace(one, house_use=uses)) for one in months]


def test_flats_with_meters_pay_their_own_and_share_the_rest() -> None:
    """Flats of 50 m² in 200: 3 and 5 Gcal by meter, two without count 4 each (8 Gcal / 100 m²), so 16 of 20 are the
    premises' and 4 are everybody's, 1 a flat: 4, 6, 5 and 5 Gcal."""
    lines = charged([heated(3_000_000), heated(5_000_000, name="2"), heated(None, name="3"), heated(None, name="4")])
    assert [line.quantity for line in lines] == [4_000_000, 6_000_000, 5_000_000, 5_000_000]
    assert [line.amount_kopecks for line in lines] == [1018732, 1528098, 1273415, 1273415]
    assert [dict(line.by_zone) for line in lines] == [{"single": 3_000_000}, {"single": 5_000_000}, {}, {}]
    for line in lines:
        check_working(line)


def test_a_flat_meter_that_told_nothing_counts_by_its_mean_and_then_by_area() -> None:
    silent = heated(3_000_000)
    silent = replace(silent, meters={HEAT: (counters(HEAT, []),)})
    winters = tuple(PastMonth(Method.METER, {"single": 2_000_000}) for _ in range(6))
    assert charged([replace(silent, history={HEAT: winters}), heated(5_000_000, name="2")])[0].by_zone == {
        "single": 2_000_000
    }
    assert charged([silent, heated(5_000_000, name="2")])[0].by_zone == {}


def test_a_fallen_flat_meter_leaves_out_the_heating_of_the_house() -> None:
    fallen = heated(0)
    rows = [register(SPAN.start_ts, 5), register(SPAN.end_ts, 3)]
    uses = house_uses([heated(1_000_000), replace(fallen, account="2", meters={HEAT: (counters(HEAT, rows),)})])
    assert set(uses[HEAT].unknown) == {"2"}
    assert heating(replace(heated(1_000_000), house_use=uses)) is None


def test_accounts_that_follow_each_other_in_a_flat_pay_for_it_once() -> None:
    """The flat of 50 m² changes hands on the 11th: both together pay what one account would, by days, and the house's
    other flats pay the same."""
    change = date(2026, 1, 11)
    before, after = replace(heated(None), closed=change), replace(heated(None, name="5"), opened=change)
    others = [heated(3_000_000, 10_000, "2"), heated(None, name="3")]
    alone, split = charged([heated(None), *others]), charged([before, after, *others])
    assert [line.quantity for line in split[2:]] == [line.quantity for line in alone[1:]]
    assert abs(sum(line.quantity for line in split[:2]) - alone[0].quantity) <= 1
    by_house = [line_of(one) for one in (before, after, heated(None))]
    assert abs(by_house[0].quantity + by_house[1].quantity - by_house[2].quantity) <= 1
    for line in (*split, *by_house):
        check_working(line)


def test_a_flat_meter_that_counted_part_of_the_month_is_charged_whole() -> None:
    change = date(2026, 1, 11)
    moved_in = SPAN.start_ts + 10 * 86_400
    rows = [register(moved_in, 100), register(SPAN.end_ts, 2_000_100)]
    meter = counters(HEAT, rows, since=moved_in, initial={0: 100})
    newcomer = replace(heated(0), opened=change, meters={HEAT: (meter,)})
    uses = house_uses([newcomer, heated(3_000_000, name="2", area_dm2=15_000)])
    line = line_of(replace(newcomer, house_use=uses))
    rest = Fraction(uses[HEAT].volume or 0) - heat_of_premises(uses[HEAT])
    assert line.quantity == half_up(2_000_000 + rest * 5000 * Fraction(21, 31) / 20_000)
    check_working(line)


def test_a_silent_house_meter_counts_with_its_mean_and_then_by_norm() -> None:
    silent = replace(heated(None), house_meters={HEAT: (counters(HEAT, [], meter=9),)})
    volumes = {202512: 18_000_000, 202511: 12_000_000, 202510: 6_000_000}
    past = {number: HouseUse(HEAT, 20_000, volume=volume) for number, volume in volumes.items()}
    use = house_uses([silent], {HEAT: HouseEntries(past=past)})[HEAT]
    assert (use.volume, use.estimated) == (12_000_000, True)
    line = line_of(replace(silent, house_use={HEAT: use}))
    assert (line.method, line.quantity) == (Method.AVERAGE, 3_000_000)
    check_working(line)
    guessed = {number: replace(use, estimated=True) for number, use in past.items()}
    older = dict.fromkeys((202509, 202508, 202507), past[202510])
    assert house_uses([silent], {HEAT: HouseEntries(past={**guessed, **older})})[HEAT].volume is None
    fewer = {number: past[number] for number in (202512, 202511)}
    assert house_uses([silent], {HEAT: HouseEntries(past=fewer)})[HEAT].volume is None


def test_how_long_a_house_meter_may_be_guessed_is_data() -> None:
    silent = replace(heated(None), house_meters={HEAT: (counters(HEAT, [], meter=9),)})
    past = {number: HouseUse(HEAT, 20_000, volume=12_000_000) for number in (202512, 202511)}
    rule = shipped("russia-heating-rule", area="here")
    rule["rates"]["average_least_months"] = "2"
    sooner = replace(silent, tariffs=tariffs_of(TARIFF, NORM, rule))
    assert house_uses([sooner], {HEAT: HouseEntries(past=past)})[HEAT].volume == 12_000_000
    no_rule = replace(silent, tariffs=tariffs_of(TARIFF, NORM))
    (why,) = house_uses([no_rule], {HEAT: HouseEntries(past=past)})[HEAT].unknown.values()
    assert why.startswith("no rule for heating in here on 2026-01-01")


def test_february_takes_back_what_january_could_not() -> None:
    use, history = year_of(552, 221269)
    january = month(evenly(), use, history={HEAT: history})
    line = charge_account(january)[0]
    told = PastMonth(Method.METER, {}, SPAN.start_ts, {}, line.carried_kopecks, line.charged_kopecks)
    february = month(evenly(), use, history={HEAT: (told, *history)}, period=Period(2026, 2))
    taken = [p for p in charge_account(february)[0].parts if p.kind is PartKind.RECALCULATION]
    assert [part.amount_kopecks for part in taken] == [-line.carried_kopecks]
    assert line.carried_kopecks > 0


# --- properties ------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(1000, 20_000), st.none() | st.integers(0, 9_000_000)), min_size=1, max_size=10),
    st.integers(0, 90_000_000),
)
def test_shares_of_heat_sum_to_the_house(flats: list[tuple[int, int | None]], more: int) -> None:
    """Whatever is metered in flats, the shares of all premises are the house's volume, none below nothing."""
    metered = [(area, own) for area, own in flats if own is not None]
    use = HouseUse(
        HEAT, sum(area for area, _ in flats), volume=0, by_meter=sum(own for _, own in metered),
        dwellings_dm2=sum(area for area, _ in flats), metered_dm2=sum(area for area, _ in metered),
    )  # fmt: skip
    mean = Fraction(use.by_meter, use.metered_dm2) if use.metered_dm2 else Fraction(0)
    least = sum((Fraction(own) if own is not None else mean * area for area, own in flats), Fraction(0))
    use = replace(use, volume=int(least) + 1 + more)
    shares = [heat_of(use, area, own) for area, own in flats]
    assert sum(shares) == use.volume
    assert min(shares) >= 0


@given(st.integers(1000, 20_000), st.integers(0, 10**9), st.integers(0, 10**9))
def test_more_heat_in_the_house_is_never_less_to_pay(area_dm2: int, first: int, second: int) -> None:
    def kopecks(volume: int) -> int:
        return line_of(heated(None, area_dm2, house_ucal=volume)).amount_kopecks

    low, high = sorted((first, second))
    assert kopecks(low) <= kopecks(high)


# --- a real meter ----------------------------------------------------------------------------------------------------

DANISH_ZONE = "Europe/Copenhagen"
KWH_PER_GCAL = Decimal(1163)
WHOLE_DM2 = 12_000
FLATS_DM2 = {"1": 3000, "2": 3650, "3": 5350}
RATES = {"heat": Decimal("2546.83"), "later": Decimal("2703.41")}
CHANGED = date(2019, 7, 1)


@pytest.mark.skipif(not DANISH.exists(), reason="../shared/data/heat_danish is not here")
def test_three_years_of_a_real_heat_meter_paid_evenly() -> None:
    """The meter as a house's: 2018 by norm, then by the year before, set right each January; beside it the same in
    Decimal, written from the rules and not from our code."""
    borders = _border_values()
    ours = {name: _ours(borders, area) for name, area in FLATS_DM2.items()}
    theirs = {name: _theirs(borders, area) for name, area in FLATS_DM2.items()}
    assert ours == theirs
    assert sum(FLATS_DM2.values()) == WHOLE_DM2
    assert any(right for _, right in ours["1"].values())


def _border_values() -> dict[tuple[int, int], int]:
    """The counter in 10⁻⁶ Gcal at the first moment of each month of 2018 to 2020, and of January 2021."""
    values: dict[datetime, Decimal] = {}
    with DANISH.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            values[datetime.fromisoformat(row["time_rounded"])] = Decimal(row["energy_heat_kwh"])
    moments = sorted(values)
    out = {}
    for year in (2018, 2019, 2020, 2021):
        for number in range(1, 13 if year < 2021 else 2):
            at = datetime.fromtimestamp(month_span(Period(year, number), DANISH_ZONE).start_ts, UTC)
            nearest = next((moment for moment in moments if moment >= at), moments[-1])
            out[year, number] = int((values[nearest] / KWH_PER_GCAL * 10**6).to_integral_value(ROUND_HALF_UP))
    return out


def _danish_tariffs() -> TariffSet:
    first = {**TARIFF, "effective_to": CHANGED.isoformat()}
    later = {**TARIFF, "name": "later", "effective_from": CHANGED.isoformat(), "rates": {"single": str(RATES["later"])}}
    return tariffs_of(first, later, {**NORM, "season_months": [1, 2, 3, 4, 5, 10, 11, 12]})


def _ours(borders: Mapping[tuple[int, int], int], area_dm2: int) -> dict[tuple[int, int], tuple[int, int]]:
    """Kopecks of each month: the charge, and what January set right."""
    tariffs, at = _danish_tariffs(), evenly(WHOLE_DM2, DANISH_ZONE)
    past: dict[int, HouseUse] = {}
    history: list[PastMonth] = []
    out = {}
    months = sorted(borders)
    for here, after in pairwise(months):
        period = Period(*here)
        span = month_span(period, DANISH_ZONE)
        rows = [register(span.start_ts, borders[here], meter=9), register(span.end_ts, borders[after], meter=9)]
        made = month_of(
            period=period, flat=household(area_dm2=area_dm2), house=at, tariffs=tariffs, suppliers=SUPPLIERS,
            house_meters={HEAT: (counters(HEAT, rows, meter=9),)}, history={HEAT: tuple(history[:12])},
        )  # fmt: skip
        uses = house_uses([made], {HEAT: HouseEntries(past=dict(past))})
        line = line_of(replace(made, house_use=uses))
        check_working(line)
        past[period.number] = replace(uses[HEAT], past={})
        history.insert(0, PastMonth(line.method, line.by_zone, span.start_ts, charged_kopecks=line.charged_kopecks))
        right = sum(p.amount_kopecks for p in line.parts if p.kind is PartKind.RECALCULATION)
        out[here] = (line.charged_kopecks, right)
    return out


def _theirs(borders: Mapping[tuple[int, int], int], area_dm2: int) -> dict[tuple[int, int], tuple[int, int]]:
    share = Decimal(area_dm2) / Decimal(WHOLE_DM2)
    area = Decimal(area_dm2) / 100
    months = sorted(borders)
    gcal = {here: Decimal(borders[after] - borders[here]) / 10**6 for here, after in pairwise(months)}
    rate = {here: RATES["later" if date(*here, 1) >= CHANGED else "heat"] for here in gcal}
    out: dict[tuple[int, int], tuple[int, int]] = {}
    for year, number in gcal:
        here = (year, number)
        if year == 2018:
            sum_ = area * Decimal("0.016") * 8 / 12 * rate[here]
        else:
            before = sum((volume for (y, _), volume in gcal.items() if y == year - 1), Decimal(0))
            sum_ = before / 12 * share * rate[here]
        right = Decimal(0)
        if number == 1 and year > 2018:
            due = sum((gcal[year - 1, n] * rate[year - 1, n] for n in range(1, 13)), Decimal(0)) * share
            right = due - Decimal(sum(out[year - 1, n][0] for n in range(1, 13))) / 100
        out[here] = (_kopecks(sum_), _kopecks(right))
    return out


def _kopecks(roubles: Decimal) -> int:
    return int((roubles * 100).to_integral_value(ROUND_HALF_UP))
