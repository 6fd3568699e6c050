"""The rules of the services on whole months: which method, which tariff, which parts, and what the line says of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.calendar import month_span
from billing.domain.charge import ChargedLine, explain
from billing.domain.household import AccountMonth
from billing.domain.services import RULES, charge_account
from billing.domain.tariff import Kind, NoTariff, TariffError, parse_document
from billing.domain.usage import Method, PastMonth
from contracts.wire.canonical import canonical_json
from contracts.wire.ids import Period, Service
from tests.billing.builders import (
    DATA,
    HOUSE,
    ROOT,
    SUPPLIERS,
    ZONE,
    counters,
    demo_tariffs,
    household,
    intervals,
    month_of,
    profile,
    register,
    tariffs_of,
)

JANUARY = month_span(Period(2026, 1), ZONE)


def line_of(month: AccountMonth, service: Service) -> ChargedLine:
    return next(line for line in charge_account(month) if line.service is service)


def water(service: Service, litres: int, meter: int = 1) -> dict[Service, tuple[object, ...]]:
    rows = [register(JANUARY.start_ts, 0, meter=meter), register(JANUARY.end_ts, litres, meter=meter, leaf=3)]
    return {service: (counters(service, rows, meter=meter),)}


def test_metered_water_with_sewage_is_the_published_bill() -> None:
    """Moscow, 07.2021: 7 m³ cold 304.99, 4 m³ hot 846.68, sewage of both 352.22."""
    meters = {**water(Service.COLD_WATER, 7000), **water(Service.HOT_WATER, 4000, meter=2)}
    month = month_of(meters=meters)  # type: ignore[arg-type]
    amounts = {s: line_of(month, s).amount_kopecks for s in (Service.COLD_WATER, Service.HOT_WATER, Service.SEWAGE)}
    assert list(amounts.values()) == [30499, 84668, 35222]
    assert line_of(month, Service.SEWAGE).quantity == 11_000


def test_multiplier_of_cold_water_changes_within_december_2025() -> None:
    """K is 1.5 up to 05.12.2025 and 3 from 06.12.2025 on: two parts, each by its days."""
    line = line_of(month_of(period=Period(2025, 12)), Service.COLD_WATER)
    k = [next(i.value for i in part.inputs if i.symbol == "K") for part in line.parts]
    assert k == ["1.5", "3"]
    assert [part.span.days for part in line.parts] == [5, 26]
    base = 2 * 6.935 * 43.57  # a float is well enough to check a sum against
    assert line.amount_kopecks / 100 == pytest.approx(base * (1.5 * 5 + 3 * 26) / 31, abs=0.02)


def test_no_multiplier_where_a_meter_is_impossible() -> None:
    flat = household(no_meter_possible=frozenset({Service.COLD_WATER}))
    line = line_of(month_of(flat=flat), Service.COLD_WATER)
    assert line.amount_kopecks == 60432
    assert line.parts[0].surcharge_kopecks == 0


def test_surcharge_of_the_multiplier_is_shown_and_not_added_again() -> None:
    line = line_of(month_of(), Service.COLD_WATER)
    assert (line.amount_kopecks, line.parts[0].surcharge_kopecks) == (181295, 120863)


def test_nobody_registered_counts_the_owners() -> None:
    flat = household(residents=((date(2020, 1, 1), 0),), owners=2)
    assert line_of(month_of(flat=flat), Service.COLD_WATER).amount_kopecks == 181295


def test_residents_change_within_the_month() -> None:
    flat = household(residents=((date(2020, 1, 1), 2), (date(2026, 1, 11), 3)))
    line = line_of(month_of(flat=flat), Service.COLD_WATER)
    assert [next(i.value for i in part.inputs if i.symbol == "n") for part in line.parts] == ["2", "3"]
    assert [part.span.days for part in line.parts] == [10, 21]


def test_missing_readings_are_averaged_then_by_norm() -> None:
    meters = {Service.COLD_WATER: (counters(Service.COLD_WATER, []),)}
    past = tuple(PastMonth(Method.METER, {"single": 6000}) for _ in range(6))
    averaged = line_of(month_of(meters=meters, history={Service.COLD_WATER: past}), Service.COLD_WATER)
    assert (averaged.method, averaged.quantity, averaged.amount_kopecks) == (Method.AVERAGE, 6000, 26142)
    assert averaged.parts[0].point == "ф. 1, п. 59"
    young = line_of(month_of(meters=meters), Service.COLD_WATER)
    assert (young.method, young.amount_kopecks) == (Method.NORM, 60432)
    spent = tuple(PastMonth(Method.AVERAGE, {"single": 6000}) for _ in range(3)) + past
    raised = line_of(month_of(meters=meters, history={Service.COLD_WATER: spent}), Service.COLD_WATER)
    assert (raised.method, raised.amount_kopecks) == (Method.NORM, 181295)


def electricity(month: AccountMonth) -> ChargedLine:
    return line_of(month, Service.ELECTRICITY)


def test_two_zones_within_and_over_the_social_norm() -> None:
    """Oracle T3: 2 persons, 160 kWh by day and 60 by night at the tariffs of 12.2022 come to 883.50."""
    days, nights = 31 * 32, 31 * 16
    values = [0] * (31 * 48)
    by_day, by_night = (
        [i for i in range(31 * 48) if 14 <= i % 48 < 46],
        [i for i in range(31 * 48) if not 14 <= i % 48 < 46],
    )
    assert (len(by_day), len(by_night)) == (days, nights)
    values[by_day[0]], values[by_night[-1]] = 160_000, 60_000
    meters = {Service.ELECTRICITY: (intervals(Service.ELECTRICITY, [profile(JANUARY.start_ts, values)]),)}
    line = electricity(month_of(meters=meters, flat=household(plan="two")))
    assert line.amount_kopecks == 88350
    assert [(part.zone, part.inputs[0].value) for part in line.parts] == [
        ("day", "109"), ("day", "51"), ("night", "41"), ("night", "19"),
    ]  # fmt: skip


def test_single_zone_from_counters() -> None:
    rows = [register(JANUARY.start_ts, 0), register(JANUARY.end_ts, 100_000)]
    line = electricity(month_of(meters={Service.ELECTRICITY: (counters(Service.ELECTRICITY, rows),)}))
    assert line.amount_kopecks == 32500


def test_a_month_of_nothing_still_says_why() -> None:
    meters = {Service.ELECTRICITY: (intervals(Service.ELECTRICITY, [profile(JANUARY.start_ts, [0] * (31 * 48))]),)}
    line = electricity(month_of(meters=meters, flat=household(plan="two")))
    assert (line.amount_kopecks, [part.zone for part in line.parts]) == (0, ["day", "night"])


def test_nobody_registered_is_all_over_the_norm() -> None:
    rows = [register(JANUARY.start_ts, 0), register(JANUARY.end_ts, 100_000)]
    flat = household(residents=((date(2020, 1, 1), 0),))
    line = electricity(month_of(flat=flat, meters={Service.ELECTRICITY: (counters(Service.ELECTRICITY, rows),)}))
    assert line.amount_kopecks == 52300


@pytest.mark.parametrize(
    ("persons", "kwh"), [(1, 120), (2, 2 * 74), (3, 3 * 58), (4, 4 * 47), (5, 5 * 41), (7, 7 * 41)]
)
def test_norm_of_electricity_is_a_table_by_persons(persons: int, kwh: int) -> None:
    flat = household(residents=((date(2020, 1, 1), persons),), no_meter_possible=frozenset({Service.ELECTRICITY}))
    assert electricity(month_of(flat=flat)).quantity == kwh * 1000


def test_heating_by_norm_and_by_the_house_meter() -> None:
    assert line_of(month_of(), Service.HEATING).amount_kopecks == 221269
    rows = [register(JANUARY.start_ts, 0, meter=9), register(JANUARY.end_ts, 182_400_000, meter=9)]
    month = month_of(house_meters={Service.HEATING: (counters(Service.HEATING, rows, meter=9),)})
    line = line_of(month, Service.HEATING)
    assert (line.amount_kopecks, line.quantity) == (448773, 1_762_084)
    assert [used.value for used in line.readings] == [0, 182_400_000]


def test_no_heating_out_of_the_season() -> None:
    norm = json.loads((DATA / "moscow-heating-norm.json").read_text(encoding="utf-8"))
    tariff = json.loads((DATA / "moscow-heating-2021-07.json").read_text(encoding="utf-8"))
    tariffs = tariffs_of({**norm, "season_months": [1, 2, 3, 4, 10, 11, 12]}, tariff)
    only = {Service.HEATING: SUPPLIERS[Service.HEATING]}
    assert charge_account(month_of(period=Period(2026, 7), tariffs=tariffs, suppliers=only)) == []
    assert len(charge_account(month_of(period=Period(2026, 1), tariffs=tariffs, suppliers=only))) == 1


def test_capital_repair_with_and_without_a_lift() -> None:
    flat = household(area_dm2=4000)
    assert line_of(month_of(flat=flat), Service.CAPITAL_REPAIR).amount_kopecks == 40160
    low = replace(HOUSE, features=frozenset())
    assert line_of(month_of(flat=flat, house=low), Service.CAPITAL_REPAIR).amount_kopecks == 38640


def test_solid_waste_by_area_is_the_published_sum() -> None:
    assert line_of(month_of(flat=household(area_dm2=3300)), Service.SOLID_WASTE).amount_kopecks == 12651


def test_two_component_hot_water_where_the_tariff_has_components() -> None:
    tariff = json.loads((DATA / "moscow-hot-water-2021-07.json").read_text(encoding="utf-8"))
    tariff["rates"] = {"water": "43.57", "heat": "2546.83", "heat_per_m3": "0.0583"}
    meters = water(Service.HOT_WATER, 3100)
    month = month_of(
        meters=meters,
        tariffs=tariffs_of(tariff),
        suppliers={Service.HOT_WATER: SUPPLIERS[Service.HOT_WATER]},  # type: ignore[arg-type]
    )
    assert [part.amount_kopecks for part in line_of(month, Service.HOT_WATER).parts] == [13507, 46029]


def test_a_line_says_all_that_it_came_from() -> None:
    month = month_of(meters=water(Service.COLD_WATER, 7000))  # type: ignore[arg-type]
    line = explain(line_of(month, Service.COLD_WATER))
    part = line["parts"][0]  # type: ignore[index]
    assert part["inputs"] == [
        {"symbol": "V", "value": "7", "unit": "m3", "readings": [0, 2]},
        {"symbol": "T", "value": "43.57", "unit": "RUB/m3"},
    ]
    assert "№ 354" in part["act"]
    assert [(r["root"], r["leaf"], r["quality"], r["source"]) for r in line["readings"]] == [  # type: ignore[attr-defined]
        ("0x" + ROOT.hex(), 0, "measured", "concentrator"),
        ("0x" + ROOT.hex(), 3, "measured", "concentrator"),
    ]
    (tariff,) = line["tariffs"]  # type: ignore[misc]
    version = next(v for v in demo_tariffs().versions if v.number == tariff["version"])
    assert (tariff["document"], tariff["act"]) == ("0x" + version.hash.hex(), version.document.act)


def test_every_line_can_be_stored_canonically() -> None:
    canonical_json([explain(line) for line in charge_account(month_of())])


def test_no_tariff_names_service_area_and_day() -> None:
    with pytest.raises(NoTariff, match=r"no tariff for cold_water in krasnoyarsk.*2020-01-01"):
        charge_account(month_of(period=Period(2020, 1)))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"act": ""}, "act is missing"),
        ({"rates": {"single": "-1"}}, "negative"),
        ({"rates": {"single": 43.57e9}}, "plain decimal"),
        ({"effective_to": "2021-01-01"}, "before it begins"),
        ({"rates": {}}, "neither rates nor a table"),
        ({"service": "teleportation"}, "TELEPORTATION"),
        ({"plans": {"two": {"day": [[7, 23]]}}}, "each hour"),
    ],
)
def test_bad_documents_name_themselves_and_the_field(change: dict[str, object], reason: str) -> None:
    value = json.loads((DATA / "moscow-cold-water-2021-07.json").read_text(encoding="utf-8"))
    with pytest.raises(TariffError, match="moscow-cold-water-2021-07") as caught:
        parse_document({**value, **change})
    assert reason in str(caught.value)


def test_every_document_that_ships_names_its_act() -> None:
    documents = [version.document for version in demo_tariffs().versions]
    assert len(documents) >= 15
    assert all(len(document.act) > 20 for document in documents)
    assert {Kind.TARIFF, Kind.NORM, Kind.MULTIPLIER, Kind.RULE} <= {document.kind for document in documents}


def test_there_is_a_rule_for_every_service() -> None:
    assert set(RULES) == set(Service)
    assert list(RULES) == sorted(RULES)


@settings(max_examples=60, deadline=None)
@given(
    area=st.integers(1000, 20_000),
    persons=st.integers(0, 8),
    litres=st.integers(0, 90_000),
    period=st.sampled_from([Period(2026, 1), Period(2025, 12), Period(2026, 2)]),
)
def test_lines_are_sums_of_parts_and_never_negative(area: int, persons: int, litres: int, period: Period) -> None:
    span = month_span(period, ZONE)
    rows = [register(span.start_ts, 10), register(span.end_ts, 10 + litres)]
    flat = household(area_dm2=area, residents=((date(2020, 1, 1), persons),))
    meters = {Service.COLD_WATER: (counters(Service.COLD_WATER, rows),)}
    for line in charge_account(month_of(period=period, flat=flat, meters=meters)):
        assert line.amount_kopecks == sum(part.amount_kopecks for part in line.parts)
        assert all(part.amount_kopecks >= 0 for part in line.parts)
        assert all(part.versions for part in line.parts)
        assert line.method is not Method.METER or line.readings
