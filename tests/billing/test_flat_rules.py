"""Sums of flats against what others published, and what must hold of every line however a month is divided."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.charge import ChargedLine, PartKind
from billing.domain.events import Event, Ownership
from billing.domain.household import AccountMonth
from billing.domain.numbers import exact, exact_text, kopecks
from billing.domain.services import charge_account
from billing.domain.tariff import TariffSet
from billing.domain.usage import Method, PastMonth
from contracts.wire.ids import Period, Service, SupplierId
from tests.billing.builders import HOUSE, SUPPLIERS, demo_tariffs, household, month_of, tariffs_of
from tests.billing.cases import (
    by_half_hours,
    cases,
    event,
    gas_month,
    made_up,
    metered,
    shipped,
    tier_month,
)

ORACLES = Path(__file__).parents[3] / "shared" / "data" / "oracles.json"


def oracle(name: str) -> dict[str, str]:
    if not ORACLES.exists():
        pytest.skip(f"no worked cases at {ORACLES.name}: they lie beside the repository")
    rows = json.loads(ORACLES.read_text(encoding="utf-8"))["tariff"]
    return next(row for row in rows if row["id"] == name)


def line_of(month: AccountMonth, service: Service) -> ChargedLine:
    return next(line for line in charge_account(month) if line.service is service)


def published(text: str) -> list[int]:
    return [kopecks(exact(number)) for number in re.findall(r"\d+\.\d+", text)]


# --- published sums --------------------------------------------------------------------------------------------------


def test_hot_water_of_two_components_oracle_t6() -> None:
    """Sverdlovsk's price of a cubic metre. The first was published as 58.38: 58.3862 with the half kopeck cut off."""
    row = oracle("T6")
    sums = re.findall(r"([\d.]+)\+([\d.]+)\*\(([\d.]+)\+([\d.]+)\)", row["in"])
    found = []
    for water, per_m3, heat, carrier in sums:
        rates = {"water": water, "heat_per_m3": per_m3, "heat": exact_text(exact(heat) + exact(carrier))}
        tariffs = tariffs_of(made_up("tariff", "hot_water", rates))
        only = {Service.HOT_WATER: SupplierId(2)}
        month = month_of(tariffs=tariffs, suppliers=only, meters=metered(Service.HOT_WATER, 1000))
        found.append(line_of(month, Service.HOT_WATER).amount_kopecks)
    wrong, *right = published(row["out"])
    assert found == [5839, *right]
    assert wrong == 5838
    assert "truncated" in row["check"]


def test_a_norm_by_its_share_oracle_t7() -> None:
    """Kabardino-Balkaria: a price by norms of 0.05 to 0.20. 52.0256 was published as 52.02, cut and not rounded."""
    row = oracle("T7")
    price, shares = re.match(r"([\d.]+) \* \{([\d.,]+)\}; [\d.]+\*([\d.]+)", row["in"]).group(1, 2)  # type: ignore[union-attr]
    norms = [*shares.split(","), "0.012"]
    found = []
    for norm in norms:
        tariffs = tariffs_of(
            made_up("tariff", "heating", {"single": price}, unit="Gcal"),
            made_up("norm", "heating", {"single": norm}, unit="Gcal/m2"),
        )
        only = {Service.HEATING: SupplierId(2)}
        month = month_of(tariffs=tariffs, suppliers=only, flat=household(area_dm2=100))
        found.append(line_of(month, Service.HEATING).amount_kopecks)
    wrong, *right = published(row["out"])
    assert found == [5203, *right]
    assert wrong == 5202


def test_waste_by_area_oracle_t4() -> None:
    row = oracle("T4")
    found = []
    for area, norm, rate in re.findall(r"(\d+)\*([\d.]+)\*([\d.]+)", row["in"]):
        tariffs = tariffs_of(
            made_up("tariff", "solid_waste", {"single": rate}),
            made_up("norm", "solid_waste", {"single": norm}, unit="m3/m2"),
        )
        month = month_of(
            tariffs=tariffs, suppliers={Service.SOLID_WASTE: SupplierId(4)}, flat=household(area_dm2=int(area) * 100)
        )
        found.append(line_of(month, Service.SOLID_WASTE).amount_kopecks)
    assert found == published(row["out"])


def test_waste_by_person() -> None:
    """Nobody registered: as many as own the flat (ПП 354, п. 148(36))."""
    tariffs = tariffs_of(
        made_up("tariff", "solid_waste", {"single": "433.17"}),
        made_up("norm", "solid_waste", {"single": "0.19"}, unit="m3/person"),
    )
    only = {Service.SOLID_WASTE: SupplierId(4)}
    lines = [
        line_of(month_of(tariffs=tariffs, suppliers=only, flat=household(residents=people, owners=3)),
                Service.SOLID_WASTE) for people in (((date(2020, 1, 1), 2),), ())
    ]  # fmt: skip
    assert [line.amount_kopecks for line in lines] == [kopecks(n * exact("0.19") * exact("433.17")) for n in (2, 3)]
    assert lines[0].method is Method.NORM


def test_gas_by_norm_and_by_meter() -> None:
    """Samara: 6.45 a cubic metre, 13 a person; Smolensk's 8.1 m³ per m² where a flat is heated by gas."""
    cooking, heating = line_of(gas_month(), Service.GAS).parts
    assert cooking.amount_kopecks == 16770
    assert heating.amount_kopecks == kopecks(exact("54.3") * exact("8.1") * exact("6.45")) == 283690
    assert [part.zone for part in line_of(gas_month(period=Period(2026, 7)), Service.GAS).parts] == ["single"]
    samara = replace(HOUSE, areas=("samara", "russia"))
    month = month_of(suppliers={Service.GAS: SupplierId(6)}, house=samara, meters=metered(Service.GAS, 20_000))
    assert line_of(month, Service.GAS).amount_kopecks == 12900


def test_housing_services_are_parts_that_sum_to_the_published_whole() -> None:
    """Mari El: 5.84 upkeep, 0.71 repair, 0.20 management make 6.75 a square metre."""
    rates = {"upkeep": "5.84", "repair": "0.71", "management": "0.20"}
    only = {Service.HOUSING: SupplierId(9)}
    flat = household(area_dm2=10_000)
    month = month_of(tariffs=tariffs_of(made_up("tariff", "housing", rates, unit="m2")), suppliers=only, flat=flat)
    line = line_of(month, Service.HOUSING)
    assert [(part.zone, part.amount_kopecks) for part in line.parts] == [
        ("management", 2000), ("repair", 7100), ("upkeep", 58_400),
    ]  # fmt: skip
    assert line.amount_kopecks == 67_500
    omsk = replace(HOUSE, areas=("omsk",))
    assert line_of(month_of(suppliers=only, flat=flat, house=omsk), Service.HOUSING).amount_kopecks == 118_900
    low = replace(omsk, features=frozenset())
    assert line_of(month_of(suppliers=only, flat=flat, house=low), Service.HOUSING).amount_kopecks == 77_400


@pytest.mark.parametrize(
    ("kwh", "roubles"),
    [
        (3900, "19227.00"),
        (3901, "19235.27"),
        (6000, "36594.00"),  # 3900 at 4.93, 2100 at 8.27
        (7000, "46064.00"),  # and 1000 at 9.47
    ],
)
def test_federal_tiers_at_published_rates(kwh: int, roubles: str) -> None:
    """Ulyanovsk: 4.93, 8.27 and 9.47 a kWh; up to 3900, up to 6000, above."""
    assert line_of(tier_month(kwh * 1000), Service.ELECTRICITY).amount_kopecks == kopecks(exact(roubles))


def test_a_region_s_lower_ceiling_is_data() -> None:
    rates = {**shipped("ulyanovsk-electricity-2025")["rates"], "tier_1_ceiling": "1000"}
    line = line_of(tier_month(2_000_000, rates=rates), Service.ELECTRICITY)
    assert [(part.inputs[0].symbol, part.amount_kopecks) for part in line.parts] == [("V_1", 493_000), ("V_2", 827_000)]


def test_tiers_over_two_zones_are_divided_in_proportion() -> None:
    """5000 kWh, two thirds by day: 2600 and 1300 in the first tier, the rest in the second."""
    rates = {"day": "4.93", "night": "2.96", "day_tier_2": "8.27", "night_tier_2": "4.97", "day_tier_3": "9.47",
             "night_tier_3": "5.69", "tier_1_ceiling": "3900", "tier_2_ceiling": "6000"}  # fmt: skip
    plans = {"two": {"day": [[7, 23]], "night": [[23, 7]]}}
    values = [5_000_000 // 31 // 48] * 48
    month = month_of(
        tariffs=tariffs_of(made_up("tariff", "electricity", rates, plans=plans, unit="kWh")),
        suppliers={Service.ELECTRICITY: SupplierId(3)}, meters=by_half_hours(values), flat=household(plan="two"),
    )  # fmt: skip
    line = line_of(month, Service.ELECTRICITY)
    taken = [(part.zone, part.inputs[0].symbol, part.inputs[0].value) for part in line.parts]
    assert [pair[:2] for pair in taken] == [("day", "V_1"), ("day", "V_2"), ("night", "V_1"), ("night", "V_2")]
    assert [value for _, symbol, value in taken if symbol == "V_1"] == ["2600", "1300"]
    assert sum(Fraction(value) for *_, value in taken) == Fraction(line.quantity, 1000)


# --- within a month --------------------------------------------------------------------------------------------------


def test_a_flat_sold_in_mid_month_pays_from_the_sale() -> None:
    city, sold = (event(Ownership, since=since, owned=owned)
                  for since, owned in ((date(2020, 1, 1), False), (date(2026, 1, 21), True)))  # fmt: skip
    flat = household(area_dm2=4000)
    line = line_of(month_of(flat=flat, events=(city, sold)), Service.CAPITAL_REPAIR)
    assert line.amount_kopecks == kopecks(40 * exact("10.04") * Fraction(11, 31))
    assert line.parts[0].inputs[-1].value == "11/31"
    services = {found.service for found in charge_account(month_of(flat=flat, events=(city,)))}
    assert services == set(SUPPLIERS) - {Service.CAPITAL_REPAIR}


def test_an_account_pays_for_the_days_that_it_is_open() -> None:
    months = [month_of(opened=date(2026, 1, 11)), month_of(closed=date(2026, 1, 11)), month_of()]
    late, early, whole = ({line.service: line.amount_kopecks for line in charge_account(month)} for month in months)
    for service in SUPPLIERS:
        # A whole kWh of the social norm either way; half a litre of either water by norm.
        apart = {Service.ELECTRICITY: 198, Service.SEWAGE: 4}.get(service, 1)
        assert abs(late[service] + early[service] - whole[service]) <= apart, service
        assert abs(late[service] - Fraction(whole[service] * 21, 31)) <= apart, service


def test_a_carried_kopeck_comes_off_until_nothing_is_left() -> None:
    history = {Service.COLD_WATER: (PastMonth(Method.NORM, {}, carried_kopecks=200_000),)}
    first = line_of(month_of(history=history), Service.COLD_WATER)
    assert (first.amount_kopecks, first.carried_kopecks) == (0, 200_000 - 181_295)
    assert first.parts[-1].kind is PartKind.RECALCULATION
    again = {Service.COLD_WATER: (PastMonth(Method.NORM, {}, carried_kopecks=first.carried_kopecks),)}
    second = line_of(month_of(history=again), Service.COLD_WATER)
    assert first.amount_kopecks + second.amount_kopecks == 2 * 181_295 - 200_000
    assert second.carried_kopecks == 0


def with_edges(days: list[int], service: str) -> TariffSet:
    """The demo's tariffs, one of them published anew at the same rate on each of some days of January."""
    name = {
        "cold_water": "moscow-cold-water-2021-07",
        "hot_water": "moscow-hot-water-2021-07",
        "sewage": "moscow-sewage-2021-07",
        "electricity": "krasnoyarsk-electricity-2022-12",
        "solid_waste": "amur-solid-waste-tariff",
        "capital_repair": "krasnoyarsk-capital-repair-lift-2024",
    }
    again = [shipped(name[service], name=f"again {day}", effective_from=f"2026-01-{day:02}") for day in days]
    versions = demo_tariffs().versions
    more = [replace(v, number=len(versions) + v.number) for v in tariffs_of(*again).versions]
    return TariffSet([*versions, *more])


BY_NORM = ["cold_water", "hot_water", "solid_waste", "capital_repair"]


@settings(max_examples=60, deadline=None)
@given(service=st.sampled_from(BY_NORM), days=st.lists(st.integers(2, 31), max_size=6, unique=True),
       persons=st.integers(0, 7), area=st.integers(100, 20_000))  # fmt: skip
def test_a_month_divided_by_dates_adds_up(service: str, days: list[int], persons: int, area: int) -> None:
    """At one rate throughout, the parts come to the undivided sum within half a kopeck for each part."""
    flat = household(area_dm2=area, residents=((date(2020, 1, 1), persons),))
    at = Service[service.upper()]
    whole = line_of(month_of(flat=flat), at)
    split = line_of(month_of(flat=flat, tariffs=with_edges(days, service)), at)
    assert sum(part.span.days for part in split.parts) == 31
    assert 2 * abs(split.amount_kopecks - whole.amount_kopecks) <= len(split.parts) + 1


@settings(max_examples=60, deadline=None)
@given(service=st.sampled_from(["cold_water", "sewage", "electricity"]), amount=st.integers(0, 900_000),
       days=st.lists(st.integers(2, 31), max_size=5, unique=True))  # fmt: skip
def test_a_metered_month_divided_by_dates_keeps_its_volume(service: str, amount: int, days: list[int]) -> None:
    """Litres and watt-hours to the last one. The money: half a kopeck a part, and where the social norm is divided
    in whole kWh one kWh a part at the difference of its two rates."""
    at = Service[service.upper()]
    meters = {**metered(Service.COLD_WATER, amount), **metered(Service.HOT_WATER, amount // 3, 2)}
    meters = meters if service == "sewage" else metered(at, amount)
    whole = line_of(month_of(meters=meters), at)
    split = line_of(month_of(meters=meters, tariffs=with_edges(days, service)), at)
    assert split.quantity == whole.quantity
    bound = Fraction(len(split.parts) + 1, 2) + (198 * len(split.parts) if service == "electricity" else 0)
    assert abs(split.amount_kopecks - whole.amount_kopecks) <= bound


@settings(max_examples=80, deadline=None)
@given(
    service=st.sampled_from([Service.COLD_WATER, Service.HOT_WATER, Service.SEWAGE, Service.ELECTRICITY]),
    amount=st.integers(0, 9_000_000), more=st.integers(0, 2_000_000), persons=st.integers(0, 6),
)  # fmt: skip
def test_more_volume_never_costs_less(service: Service, amount: int, more: int, persons: int) -> None:
    """Each part rounds by itself, so that a tariff with steps may turn by a kopeck for each of its parts."""
    by = Service.COLD_WATER if service is Service.SEWAGE else service
    flat = household(residents=((date(2020, 1, 1), persons),))
    less, most = (
        line_of(month_of(meters=metered(by, volume), flat=flat), service) for volume in (amount, amount + more)
    )
    assert less.amount_kopecks <= most.amount_kopecks + len(most.parts) - 1
    tiers = [line_of(tier_month(volume), Service.ELECTRICITY) for volume in (amount, amount + more)]
    assert tiers[0].amount_kopecks <= tiers[1].amount_kopecks + 2
    for line in (less, most, *tiers):
        volumes = [part.inputs[0].value for part in line.parts]
        assert all(part.amount_kopecks >= 0 for part in line.parts)
        if line.service is not Service.SEWAGE:
            assert sum(map(Fraction, volumes)) * 1000 == line.quantity


@settings(max_examples=40, deadline=None)
@given(persons=st.integers(1, 6), area=st.integers(1000, 15_000), more=st.integers(0, 3))
def test_more_persons_or_more_floor_never_cost_less(persons: int, area: int, more: int) -> None:
    """But for electricity: a fourth person adds 14 kWh to the norm and 75 to what is cheap, and the sum falls."""
    sums = []
    for add in (0, more):
        flat = household(area_dm2=area + 100 * add, residents=((date(2020, 1, 1), persons + add),))
        sums.append({line.service: line.amount_kopecks for line in charge_account(month_of(flat=flat))})
    assert all(sums[0][service] <= sums[1][service] for service in sums[0] if service is not Service.ELECTRICITY)


def test_every_case_sums_up_and_is_never_negative() -> None:
    seen = 0
    for name, month in cases():
        for line in charge_account(month):
            total = sum(part.amount_kopecks for part in line.parts)
            assert line.amount_kopecks == max(0, total), name
            assert line.amount_kopecks - line.carried_kopecks == total, name
            assert all(part.amount_kopecks >= 0 for part in line.parts if part.kind is PartKind.CHARGE), name
            assert all(part.point and part.versions for part in line.parts), name
            seen += 1
    assert seen > 200


def test_events_of_another_service_change_nothing() -> None:
    from tests.billing.cases import cut_off

    plain = {line.service: line for line in charge_account(month_of())}
    events: list[Event] = [cut_off(Service.HEATING, 60)]
    changed = {line.service: line for line in charge_account(month_of(events=events))}
    assert {service for service in plain if plain[service] != changed[service]} == {Service.HEATING}
