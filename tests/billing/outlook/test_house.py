"""The house's months to come, charged by the flats' own rules: the published example of F3."""

from __future__ import annotations

from dataclasses import replace

from billing.domain.house_use import HouseUse
from billing.outlook.bill import foreseen_bill
from billing.outlook.house import foreseen_uses
from billing.outlook.past import days_of
from contracts.wire.ids import Period, Service
from tests.billing.builders import HOUSE, SUPPLIERS, month_of

DECEMBER, JANUARY = Period(2025, 12), Period(2026, 1)
VOLUME = 182_400_000
"""182.4 Gcal over 5,620.8 m²: a flat of 54.3 m² pays 4,487.73 roubles at 2,546.83 (ПП 354, ф. 3)."""


def test_a_house_that_heats_evenly_gives_the_published_share() -> None:
    past, period = {}, DECEMBER
    for _ in range(14):
        volume = VOLUME * days_of(period) // 31
        past[period.number] = HouseUse(Service.HEATING, HOUSE.area_dm2, volume=volume)
        period = period.previous()
    use = HouseUse(Service.HEATING, HOUSE.area_dm2, past=past, unknown={"17": "nothing was read yet"})
    supplier = {Service.HEATING: SUPPLIERS[Service.HEATING]}
    month = replace(month_of(period=JANUARY, suppliers=supplier), house_use={Service.HEATING: use})
    point, low, high = foreseen_uses(month, DECEMBER, 1, None)
    assert abs((point[Service.HEATING].volume or 0) - VOLUME) <= 1
    assert (low[Service.HEATING].volume or 0) < VOLUME < (high[Service.HEATING].volume or 0)
    bill = foreseen_bill(month, {}, (point, low, high))
    assert bill.point_kopecks == 448_773
    assert bill.low_kopecks < 448_773 < bill.high_kopecks
    assert bill.naive_kopecks == bill.point_kopecks


def test_a_house_without_a_meter_stays_as_it_is() -> None:
    use = HouseUse(Service.COLD_WATER, HOUSE.area_dm2, 5_000, norm=7)
    month = replace(month_of(period=JANUARY), house_use={Service.COLD_WATER: use})
    point, low, high = foreseen_uses(month, DECEMBER, 1, None)
    assert point == low == high == {Service.COLD_WATER: use}
