"""Whole houses by the rules and by a script that knows the act's words alone: every flat, to the kopeck."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from billing.domain.calendar import month_span
from billing.domain.charge import ChargedLine, Scope
from billing.domain.house import HouseEntries, house_uses
from billing.domain.household import AccountMonth, House, Household, HouseTerms, Management
from billing.domain.readings import MeterMonth
from billing.domain.services import charge_account
from billing.domain.tariff import TariffSet
from contracts.wire.ids import Service, SupplierId
from tests.billing import independent_house as act
from tests.billing.builders import JANUARY, ZONE, counters, month_of, register, tariffs_of

SPAN, SINCE = month_span(JANUARY, ZONE), date(2020, 1, 1)
BASE = {"area": "here", "act": "of the test", "effective_from": "2020-01-01"}
UNITS = {Service.HEATING: ("Gcal", 1_000_000), Service.ELECTRICITY: ("kWh", 1000), Service.GAS: ("m3", 1000),
         Service.COLD_WATER: ("m3", 1000), Service.HOT_WATER: ("m3", 1000)}  # fmt: skip
RATES = {Service.HEATING: "2546.83", Service.ELECTRICITY: "3.25", Service.GAS: "7.13", Service.COLD_WATER: "43.57"}


def tariff(service: Service) -> dict[str, object]:
    name = service.name.lower()
    return {**BASE, "name": name, "kind": "tariff", "service": name, "unit": UNITS[service][0],
            "rates": {"single": RATES[service]}}  # fmt: skip


def rule(negative: str) -> dict[str, object]:
    return {**BASE, "name": "rule", "kind": "common_rule", "service": "electricity", "unit": "1", "rates": {},
            "options": {"negative": negative, "cap": "none"}}  # fmt: skip


def drawn(seed: int, unmetered: float, most: int) -> list[act.Flat]:
    """Flats with odd areas; ``most`` bounds what one uses, in thousandths."""
    chance = random.Random(seed)
    return [
        act.Flat(
            Decimal(chance.randrange(2000, 12_000)) / 100,
            chance.randrange(1, 6),
            None if chance.random() < unmetered else Decimal(chance.randrange(0, most)) / 1000,
        )
        for _ in range(chance.randrange(2, 12))
    ]


def months(
    flats: Sequence[act.Flat], service: Service, tariffs: TariffSet, volume: Decimal | None, common_dm2: int = 0
) -> list[AccountMonth]:
    """The accounts of a house of which these are all premises; ``volume`` is what its meter counted."""
    base = UNITS[service][1]
    terms = (HouseTerms(SINCE, Management.DIRECT, common_dm2, "act", False, False),) if common_dm2 else ()
    area = sum(int(flat.area * 100) for flat in flats)
    house = House("House 1", ZONE, ("here",), area, frozenset(), terms)
    of_house = {} if volume is None else {service: (meter(service, int(volume * base), 99),)}
    return [
        replace(
            month_of(
                house=house, flat=Household(int(flat.area * 100), 2, 1, ((SINCE, flat.persons),)), tariffs=tariffs,
                suppliers={service: SupplierId(1)}, house_meters=of_house,
                meters={} if flat.own is None else {service: (meter(service, int(flat.own * base), place),)},
            ),
            account=str(place),
        )
        for place, flat in enumerate(flats, start=1)
    ]  # fmt: skip


def meter(service: Service, used: int, number: int) -> MeterMonth:
    rows = [register(SPAN.start_ts, 5, meter=number), register(SPAN.end_ts, 5 + used, meter=number)]
    return counters(service, rows, meter=number)


def charged(found: Sequence[AccountMonth], entries: Mapping[Service, HouseEntries] | None = None) -> list[ChargedLine]:
    uses = house_uses(found, entries)
    lines = []
    for month in found:
        (line,) = charge_account(replace(month, house_use=uses))
        lines.append(line)
    return lines


def sums(line: ChargedLine) -> list[Decimal]:
    return [Decimal(part.amount_kopecks) / 100 for part in line.parts]


SEEDS = range(40)


@pytest.mark.parametrize(("unmetered", "point"), [(1.0, "ф. 3"), (0.5, None), (0.0, "ф. 3(3)")])
def test_heat_by_the_house_meter_and_by_flats_own(unmetered: float, point: str | None) -> None:
    """Too little by the house's meter is here too: the metered flats then pay for less than they counted."""
    for seed in SEEDS:
        flats = drawn(seed, unmetered, 3000)
        house = Decimal(random.Random(-seed).randrange(0, 2000 * len(flats))) / 1000
        lines = charged(months(flats, Service.HEATING, tariffs_of(tariff(Service.HEATING)), house))
        expected = act.heating(flats, house, Decimal(RATES[Service.HEATING]))
        assert [sums(line) for line in lines] == [[one] for one in expected]
        named = {part.point for line in lines for part in line.parts}
        assert named == {point or ("ф. 3(3)" if all(flat.own is not None for flat in flats) else "ф. 3")}


@pytest.mark.parametrize("spread", ["area", "persons"])
def test_common_use_left_over_and_below_nothing(spread: str) -> None:
    below = 0
    for seed in SEEDS:
        flats = drawn(seed, 0.0, 400_000)
        own = sum((flat.own or Decimal(0) for flat in flats), Decimal(0))
        house = (own * random.Random(-seed).randrange(50, 130) / 100).quantize(Decimal("0.001"))
        tariffs = tariffs_of(tariff(Service.ELECTRICITY), rule(spread))
        lines = charged(months(flats, Service.ELECTRICITY, tariffs, house, 10_000))
        found = [part for line in lines for part in line.parts if part.scope is Scope.COMMON]
        expected = act.common(flats, house, Decimal(RATES[Service.ELECTRICITY]), spread)
        assert [Decimal(part.amount_kopecks) / 100 for part in found] == expected
        points = {"ф. 10, ф. 12"} if house >= own else {"ф. 10, ф. 13" if spread == "area" else "ф. 10, ф. 14"}
        assert {part.point for part in found} == points
        below += house < own
    assert 5 < below < len(SEEDS) - 5


def test_common_use_by_its_norm() -> None:
    norm = {**BASE, "name": "norm", "kind": "common_norm", "service": "electricity", "unit": "kWh/m2",
            "rates": {"single": "1.781"}}  # fmt: skip
    for seed in SEEDS:
        flats = drawn(seed, 0.0, 400_000)
        tariffs = tariffs_of(tariff(Service.ELECTRICITY), rule("none"), norm)
        lines = charged(months(flats, Service.ELECTRICITY, tariffs, None, 12_345))
        found = [part for line in lines for part in line.parts if part.scope is Scope.COMMON]
        expected = act.common_by_norm(flats, Decimal("1.781"), Decimal("123.45"), Decimal(RATES[Service.ELECTRICITY]))
        assert [Decimal(part.amount_kopecks) / 100 for part in found] == expected
        assert {part.point for part in found} == {"ф. 10, ф. 15"}


def test_a_boiler_of_the_house_heats_it_and_its_water() -> None:
    fuels = [Service.ELECTRICITY, Service.GAS]
    tariffs = tariffs_of(*(tariff(service) for service in (*fuels, Service.COLD_WATER)))
    for seed in SEEDS:
        flats, chance = drawn(seed, 0.0, 9000), random.Random(-seed)
        taken = {fuel: chance.randrange(1, 20_000_000) for fuel in sorted(fuels)}
        told = {
            fuel.name: (Decimal(quantity) / UNITS[fuel][1], Decimal(RATES[fuel])) for fuel, quantity in taken.items()
        }
        unheated = [replace(flat, own=None) for flat in flats]
        lines = charged(months(unheated, Service.HEATING, tariffs, None), {Service.HEATING: HouseEntries(fuels=taken)})
        assert [sums(line) for line in lines] == act.boiler_heating(flats, told)
        entries = {Service.HOT_WATER: HouseEntries(fuels=taken)}
        lines = charged(months(flats, Service.HOT_WATER, tariffs, None), entries)
        assert [sums(line) for line in lines] == act.boiler_hot_water(flats, Decimal(RATES[Service.COLD_WATER]), told)
