"""A house that makes its own heat or hot water: ф. 18–20 against a published sum, and sums by hand."""

from __future__ import annotations

from dataclasses import replace

from billing.domain.house import HouseEntries, house_uses
from billing.domain.house_use import HouseUse
from billing.domain.services import charge_account
from contracts.wire.ids import Service, SupplierId
from tests.billing.builders import counters, month_of, register, tariffs_of
from tests.billing.test_heating import HEAT, NORM, SPAN, TARIFF, by_season, check_working, line_of, month

GAS = {**TARIFF, "name": "gas", "service": "gas", "unit": "m3", "rates": {"single": "7.50"}}
BOILER_GAS = {**GAS, "name": "gas for boilers", "features": ["boiler"], "rates": {"single": "6.20"}}
POWER = {**TARIFF, "name": "power", "service": "electricity", "unit": "kWh", "rates": {"single": "4.00"}}
COLD = {**TARIFF, "name": "cold", "service": "cold_water", "unit": "m3", "rates": {"single": "43.57"}}
HOT_NORM = {**NORM, "name": "hot norm", "service": "hot_water", "unit": "m3", "rates": {"single": "3"}}


def test_a_house_that_heats_itself_pays_for_what_its_boiler_took() -> None:
    """F18, F19: 10 000 m³ of gas at 6.20 and 900 kWh at 4.00 over 5620.8 m²: 598.95 and 34.78 for 54.3 m²."""
    tariffs = tariffs_of(GAS, BOILER_GAS, POWER)
    use = HouseUse(HEAT, 562_080, fuels={Service.GAS: 10_000_000, Service.ELECTRICITY: 900_000})
    line = line_of(month(by_season(), use, tariffs=tariffs))
    assert [part.amount_kopecks for part in line.parts] == [3478, 59895]
    check_working(line)


def test_hot_water_of_the_house_s_own_boiler() -> None:
    """F20: 3.1 m³ at 43.57 are 135.07; of 250 m³ gas for 100 m³ they took 7.75 m³ at 6.20, 48.05."""
    tariffs = tariffs_of(GAS, BOILER_GAS, COLD, HOT_NORM)
    rows = [register(SPAN.start_ts, 0), register(SPAN.end_ts, 3100)]
    use = HouseUse(Service.HOT_WATER, 562_080, by_norm=60_000, by_meter=40_000, fuels={Service.GAS: 250_000})
    made = month_of(
        house=by_season(), tariffs=tariffs, suppliers={Service.HOT_WATER: SupplierId(2)},
        meters={Service.HOT_WATER: (counters(Service.HOT_WATER, rows),)}, house_use={Service.HOT_WATER: use},
    )  # fmt: skip
    (line,) = charge_account(made)
    assert [part.amount_kopecks for part in line.parts] == [13507, 4805]
    check_working(line)


def test_published_hot_water_of_a_house_that_warms_it_by_bought_heat() -> None:
    """F20 as an authority of Penza worked it out for June 2014: 31.424 m³ of hot water took 12.9 Gcal at 1056.37 ₽,
    cold water costs 17.73 ₽: (12.9 · 1056.37 + 31.424 · 17.73) / 31.424 = 451.38 ₽ a cubic metre."""
    heat = {**TARIFF, "rates": {"single": "1056.37"}}
    cold = {**COLD, "rates": {"single": "17.73"}}
    rows = [register(SPAN.start_ts, 0), register(SPAN.end_ts, 1000)]
    use = HouseUse(Service.HOT_WATER, 562_080, by_meter=31_424, fuels={HEAT: 12_900_000})
    made = month_of(
        house=by_season(), tariffs=tariffs_of(heat, cold), suppliers={Service.HOT_WATER: SupplierId(2)},
        meters={Service.HOT_WATER: (counters(Service.HOT_WATER, rows),)}, house_use={Service.HOT_WATER: use},
    )  # fmt: skip
    (line,) = charge_account(made)
    assert line.amount_kopecks == 45138
    check_working(line)


def test_what_a_boiler_took_is_paid_once_by_all_who_used_its_water() -> None:
    tariffs = tariffs_of(BOILER_GAS, COLD, HOT_NORM)
    months = []
    for name, litres in (("1", 3100), ("2", 4900), ("3", 2000)):
        rows = [register(SPAN.start_ts, 0), register(SPAN.end_ts, litres)]
        made = month_of(
            house=by_season(), tariffs=tariffs, suppliers={Service.HOT_WATER: SupplierId(2)},
            meters={Service.HOT_WATER: (counters(Service.HOT_WATER, rows),)},
        )  # fmt: skip
        months.append(replace(made, account=name))
    uses = house_uses(months, {Service.HOT_WATER: HouseEntries(fuels={Service.GAS: 25_000})})
    gas = [charge_account(replace(one, house_use=uses))[0].parts[1].amount_kopecks for one in months]
    assert gas == [4805, 7595, 3100]
    assert sum(gas) == 15_500
