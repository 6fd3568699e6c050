"""Months of many kinds, one for each way a rule can go: what is worked out again, and what must hold of all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from billing.domain.calendar import month_span
from billing.domain.events import (
    Absence,
    Event,
    Inspection,
    Interruption,
    MeterOutage,
    Ownership,
    PoorQuality,
    RefusedInspection,
    Tampering,
)
from billing.domain.household import AccountMonth
from billing.domain.readings import MeterMonth
from billing.domain.usage import Method, PastMonth
from contracts.wire.ids import Period, Service, SupplierId
from tests.billing.builders import (
    DATA,
    HOUSE,
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
HOUR_S, DAY_S = 3600, 86_400
LATER = "2026-01-16"
WATERS = frozenset({Service.COLD_WATER, Service.HOT_WATER, Service.GAS, Service.ELECTRICITY})
SIX_MONTHS = tuple(PastMonth(Method.METER, {"single": 6000}) for _ in range(6))


def shipped(document: str, /, **changes: object) -> dict[str, Any]:
    """A document that ships with billing, with changes."""
    return {**json.loads((DATA / f"{document}.json").read_text(encoding="utf-8")), **changes}


def made_up(kind: str, service: str, rates: dict[str, str], **changes: object) -> dict[str, Any]:
    """A document of a test."""
    base = {"name": f"{service} {kind}", "kind": kind, "area": "russia", "act": "of the test", "service": service,
            "effective_from": "2020-01-01", "unit": "m3", "rates": rates}  # fmt: skip
    return {**base, **changes}


def metered(service: Service, amount: int, meter: int = 1) -> dict[Service, tuple[MeterMonth, ...]]:
    """A meter that counted so much in January."""
    rows = [register(JANUARY.start_ts, 7, meter=meter), register(JANUARY.end_ts, 7 + amount, meter=meter, leaf=3)]
    return {service: (counters(service, rows, meter=meter),)}


def by_half_hours(watt_hours: Sequence[int]) -> dict[Service, tuple[MeterMonth, ...]]:
    """A profile of January in which the day's 48 values repeat."""
    values = list(watt_hours) * 31
    return {Service.ELECTRICITY: (intervals(Service.ELECTRICITY, [profile(JANUARY.start_ts, values)]),)}


def gas_month(
    *, heating: str = "8.1", events: Sequence[Event] = (), no_meter_possible: frozenset[Service] = frozenset(),
    period: Period | None = None,
) -> AccountMonth:  # fmt: skip
    """Samara's price and norm per person; Smolensk's published norm for heating, 8.1 m³ per m², October to April."""
    norm = shipped("samara-gas-norm", area="russia", rates={"single": "13", "heating_per_m2": heating},
                   season_months=[1, 2, 3, 4, 10, 11, 12])  # fmt: skip
    tariff = shipped("samara-gas-2015-07", area="russia")
    return month_of(
        tariffs=tariffs_of(tariff, norm, shipped("russia-gas-rule")), suppliers={Service.GAS: SupplierId(6)},
        flat=household(no_meter_possible=no_meter_possible), events=events, period=period or Period(2026, 1),
    )  # fmt: skip


def tier_month(watt_hours: int, **changes: object) -> AccountMonth:
    """Ulyanovsk's published tiers."""
    tariffs = tariffs_of(shipped("ulyanovsk-electricity-2025", area="russia", **changes))
    only = {Service.ELECTRICITY: SupplierId(3)}
    return month_of(tariffs=tariffs, suppliers=only, meters=metered(Service.ELECTRICITY, watt_hours))


def event(kind: type[Event], **fields: object) -> Event:
    return kind(act="act 7", **fields)


JANUARY_ABSENCE = event(
    Absence, departed=date(2026, 1, 5), returned=date(2026, 1, 18), persons=1, filed=date(2026, 1, 20)
)
STARTED = JANUARY.start_ts + 3 * DAY_S


def cut_off(service: Service, hours: int, **fields: object) -> Event:
    return event(Interruption, service=service, start=STARTED, end=STARTED + hours * HOUR_S, **fields)


def poor(service: Service, measure: str, hours: int, **fields: object) -> Event:
    return event(PoorQuality, service=service, measure=measure, start=STARTED, end=STARTED + hours * HOUR_S, **fields)


def cases() -> Iterator[tuple[str, AccountMonth]]:
    """Each with a name. The demo's tariffs, but where a case says otherwise."""
    yield "by norm", month_of()
    yield "no meter possible", month_of(flat=household(no_meter_possible=WATERS))
    yield "K changes", month_of(period=Period(2025, 12))
    yield "residents change", month_of(flat=household(residents=((date(2020, 1, 1), 2), (date(2026, 1, 11), 3))))
    yield "nobody registered", month_of(flat=household(residents=()))
    yield "opened and closed", month_of(opened=date(2026, 1, 8), closed=date(2026, 1, 27))
    waters = {**metered(Service.COLD_WATER, 7000), **metered(Service.HOT_WATER, 4000, 2)}
    yield "metered", month_of(meters=waters)
    yield "half metered", month_of(meters=metered(Service.COLD_WATER, 7123))
    unread = {Service.COLD_WATER: (counters(Service.COLD_WATER, []),)}
    yield "average", month_of(meters=unread, history={Service.COLD_WATER: SIX_MONTHS})
    yield "tariff changes", month_of(meters=waters, tariffs=_with_later_tariffs())
    yield "tariff changes by norm", month_of(tariffs=_with_later_tariffs())
    yield "one zone", month_of(meters=metered(Service.ELECTRICITY, 187_654))
    for plan in ("two", "three"):
        yield (
            f"{plan} zones",
            month_of(flat=household(plan=plan), meters=by_half_hours([i * 13 % 401 for i in range(48)])),
        )
    yield "over the social norm", month_of(meters=metered(Service.ELECTRICITY, 400_001))
    for watt_hours in (3_000_000, 4_321_987, 7_000_003):
        yield f"tiers at {watt_hours} Wh", tier_month(watt_hours)
    yield "gas by norm", gas_month()
    yield "gas by meter", month_of(
        suppliers={Service.GAS: SupplierId(6)}, house=_house("samara"), meters=metered(Service.GAS, 31_415)
    )  # fmt: skip
    yield "housing", month_of(suppliers={Service.HOUSING: SupplierId(9)}, house=_house("omsk"))
    yield "two components", _two_components(metered(Service.HOT_WATER, 3100))
    yield "two components by norm", _two_components({})
    for name, found in _events():
        yield name, month_of(events=found, flat=household(no_meter_possible=WATERS))
        yield f"{name}, metered", month_of(
            events=found, meters={**waters, **metered(Service.ELECTRICITY, 187_654, 3)},
            history=dict.fromkeys(WATERS, SIX_MONTHS),
        )  # fmt: skip
    yield (
        "away, one water metered",
        month_of(
            events=(JANUARY_ABSENCE,),
            flat=household(no_meter_possible=WATERS),
            meters=metered(Service.COLD_WATER, 7123),
        ),
    )
    carried = {Service.COLD_WATER: (PastMonth(Method.NORM, {}, carried_kopecks=1_000_000),)}
    yield "carried over", month_of(history=carried)


def _events() -> Iterator[tuple[str, tuple[Event, ...]]]:
    yield "absence", (JANUARY_ABSENCE,)
    yield "interruptions", tuple(cut_off(service, 40) for service in (*WATERS, Service.SEWAGE, Service.HEATING))
    yield "waste not taken", (cut_off(Service.SOLID_WASTE, 200),)
    yield "lukewarm", (poor(Service.HOT_WATER, "temperature", 50, measured_tenths=487),)
    yield "cold", (
        poor(Service.HOT_WATER, "temperature", 30, measured_tenths=312),
        poor(Service.HOT_WATER, "temperature", 20, measured_tenths=520), JANUARY_ABSENCE,
    )  # fmt: skip
    yield "chilly rooms", (poor(Service.HEATING, "temperature", 100, measured_tenths=155),)
    yield "bad water", (poor(Service.COLD_WATER, "composition", 60), poor(Service.COLD_WATER, "pressure", 30))
    for service in (Service.COLD_WATER, Service.HOT_WATER, Service.ELECTRICITY):
        sealed = {"service": service, "since": date(2025, 12, 20), "found": date(2026, 1, 10)}
        yield f"tampering, {service.name}", (event(Tampering, **sealed, cured=date(2026, 1, 14)),)
        yield f"tampering that lasts, {service.name}", (event(Tampering, **sealed),)
        refused = [event(RefusedInspection, service=service, refused=date(2026, 1, day)) for day in (3, 9)]
        inspected = event(Inspection, service=service, inspected=date(2026, 1, 20))
        yield f"refusals, {service.name}", (*refused, inspected)
        yield f"outage, {service.name}", (event(MeterOutage, service=service, since=date(2026, 1, 12)),)
    yield "sold in mid-month", (event(Ownership, since=date(2020, 1, 1), owned=False),
                                event(Ownership, since=date(2026, 1, 21), owned=True))  # fmt: skip


def _house(area: str) -> Any:
    return type(HOUSE)(HOUSE.code, ZONE, (area, "russia"), HOUSE.area_dm2, HOUSE.features)


def _with_later_tariffs() -> Any:
    """Cold water dearer and electricity cheaper from the 16th."""
    versions = demo_tariffs().versions
    cold = shipped("moscow-cold-water-2021-07", name="later cold", effective_from=LATER, rates={"single": "51.19"})
    power = shipped("krasnoyarsk-electricity-2022-12", name="later power", effective_from=LATER)
    power["rates"] = {**power["rates"], "single": "3.11", "single_over": "5.03"}
    more = tariffs_of(cold, power).versions
    return type(demo_tariffs())([*versions, *(type(v)(len(versions) + v.number, v.hash, v.document) for v in more)])


def _two_components(meters: dict[Service, tuple[MeterMonth, ...]]) -> AccountMonth:
    tariff = shipped("moscow-hot-water-2021-07", area="russia",
                     rates={"water": "43.57", "heat": "2546.83", "heat_per_m3": "0.0583"})  # fmt: skip
    tariffs = tariffs_of(
        tariff, shipped("moscow-hot-water-norm", area="russia"), shipped("russia-hot-water-multiplier-2017")
    )  # fmt: skip
    return month_of(tariffs=tariffs, suppliers={Service.HOT_WATER: SupplierId(2)}, meters=meters)
