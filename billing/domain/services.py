"""One rule for each service: from an account's month to a charged line. A new rule is one function and one row."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from fractions import Fraction

from billing.domain import formulas
from billing.domain.calendar import Span, cut
from billing.domain.charge import ChargedLine, Input, Part
from billing.domain.household import AccountMonth
from billing.domain.norms import Consumption, metered_or_estimated, persons_norm
from billing.domain.numbers import half_up
from billing.domain.readings import ReadingUsed
from billing.domain.tariff import Kind, Version, zone_plan
from billing.domain.usage import Method, metered_usage
from billing.domain.zones import SINGLE, Buckets
from contracts.wire.ids import Service

Rule = Callable[[AccountMonth], ChargedLine | None]
NormBehind = tuple[tuple[Input, ...], tuple[Version, ...]]
"""Inputs and versions of the norm that a volume comes of; empty for a volume by meter."""

LITRES = 1000
WH_PER_KWH = 1000
MICRO = 1_000_000

WASTE_ACT = "ПП РФ от 06.05.2011 № 354, п. 148(30)"
VOLUME_POINTS = {
    Method.METER: "ф. 1",
    Method.PROFILE: "ф. 1",
    Method.AVERAGE: "ф. 1, п. 59",
    Method.NORM: "ф. 4",
}


def charge_account(month: AccountMonth) -> list[ChargedLine]:
    """All lines of an account for a period, in the order of the services; services without a supplier give none."""
    lines = [rule(month) for service, rule in RULES.items() if service in month.suppliers]
    return [line for line in lines if line is not None]


# --- water ---------------------------------------------------------------------------------------------------------


def cold_water(month: AccountMonth) -> ChargedLine:
    """Cold water: F1 by meter, F4 / F4(1) by norm, п. 59 by average."""
    spans = _spans(month, Service.COLD_WATER)
    used = metered_or_estimated(month, Service.COLD_WATER, spans)
    return _water_line(month, Service.COLD_WATER, used, _water_parts(month, Service.COLD_WATER, used, spans))


def hot_water(month: AccountMonth) -> ChargedLine:
    """Hot water by one tariff, or by two components where the tariff has them (ф. 23)."""
    spans = _spans(month, Service.HOT_WATER)
    used = metered_or_estimated(month, Service.HOT_WATER, spans)
    return _water_line(month, Service.HOT_WATER, used, _water_parts(month, Service.HOT_WATER, used, spans))


def sewage(month: AccountMonth) -> ChargedLine:
    """Sewage: the cold and the hot water together, F1 or F4; no multiplier (ПП 354, п. 42)."""
    spans = _spans(month, Service.SEWAGE, Service.COLD_WATER, Service.HOT_WATER)
    services = [service for service in (Service.COLD_WATER, Service.HOT_WATER) if service in month.suppliers]
    waters = [metered_or_estimated(month, service, spans) for service in services]
    method = max((used.method for used in waters), key=list(Method).index)
    parts: list[Part] = []
    for place, span in enumerate(spans):
        tariff = _tariff(month, Service.SEWAGE, span.first)
        litres = [used.quantities[place].get("single", 0) for used in waters]
        rate = tariff.document.rates["single"]
        total = Fraction(sum(litres), LITRES)
        names = ("V_cold", "V_hot") if len(litres) == 2 else ("V",)
        inputs = [Input.of(name, Fraction(v, LITRES), "m3") for name, v in zip(names, litres, strict=True)]
        formula = "P = (V_cold + V_hot) · T" if len(litres) == 2 else "P = V · T"
        behind = [_norm_behind(month, service, span) for service, used in zip(services, waters, strict=True)
                  if used.method is Method.NORM]  # fmt: skip
        inputs += [given for norm_inputs, _ in behind for given in norm_inputs]
        norms = [version for _, versions in behind for version in versions]
        parts.append(
            Part(formula, VOLUME_POINTS[method], (*inputs, Input.of("T", rate, "RUB/m3")), (tariff, *norms), span,
                 formulas.by_meter(total, rate))
        )  # fmt: skip
    readings = tuple(reading for used in waters for reading in used.readings)
    quantity = sum(used.total for used in waters)
    return ChargedLine(
        Service.SEWAGE, month.suppliers[Service.SEWAGE], method, quantity, "litre", tuple(parts), readings,
        {"single": quantity},
    )  # fmt: skip


def _water_line(month: AccountMonth, service: Service, used: Consumption, parts: list[Part]) -> ChargedLine:
    return ChargedLine(
        service, month.suppliers[service], used.method, used.total, "litre", tuple(parts), used.readings,
        used.by_zone(), used.owed_back,
    )  # fmt: skip


def _water_parts(month: AccountMonth, service: Service, used: Consumption, spans: tuple[Span, ...]) -> list[Part]:
    parts: list[Part] = []
    for place, span in enumerate(spans):
        tariff = _tariff(month, service, span.first)
        if "water" in tariff.document.rates:
            by_norm = used.method is Method.NORM
            behind = _norm_behind(month, service, span) if by_norm else ((), ())
            parts += _two_component_parts(tariff, Fraction(used.quantities[place]["single"], LITRES), span, behind)
        elif used.method is Method.NORM:
            parts.append(_norm_part(month, service, tariff, span, used.raised))
        else:
            volume, rate = Fraction(used.quantities[place]["single"], LITRES), tariff.document.rates["single"]
            point = VOLUME_POINTS[used.method]
            inputs = (Input.of("V", volume, "m3"), Input.of("T", rate, "RUB/m3"))
            parts.append(Part("P = V · T", point, inputs, (tariff,), span, formulas.by_meter(volume, rate)))
    return parts


def _two_component_parts(tariff: Version, volume: Fraction, span: Span, behind: NormBehind) -> list[Part]:
    norm_inputs, norms = behind
    rates = tariff.document.rates
    water, heat = formulas.two_component(volume, rates["water"], rates["heat_per_m3"], rates["heat"])
    v = Input.of("V", volume, "m3")
    q = Input.of("q", rates["heat_per_m3"], "Gcal/m3")
    return [
        Part("P = V · T_water", "ф. 23", (v, *norm_inputs, Input.of("T_water", rates["water"], "RUB/m3")),
             (tariff, *norms), span, water),
        Part("P = V · q · T_heat", "ф. 23", (v, *norm_inputs, q, Input.of("T_heat", rates["heat"], "RUB/Gcal")),
             (tariff, *norms), span, heat),
    ]  # fmt: skip


def _norm_behind(month: AccountMonth, service: Service, span: Span) -> NormBehind:
    """The norm that a volume in a part was worked out of, so that the part can name it."""
    norm = persons_norm(month, service, span.first)
    name = service.name.lower()
    unit = norm.version.document.unit
    inputs = (Input.of(f"n_{name}", norm.persons, "person"), Input.of(f"N_{name}", norm.per_person, unit))
    return inputs, (norm.version,)


def _norm_part(month: AccountMonth, service: Service, tariff: Version, span: Span, raised: bool) -> Part:
    norm = persons_norm(month, service, span.first)
    rate, unit = tariff.document.rates["single"], tariff.document.unit
    share = Fraction(span.days, month.span.days)
    inputs = [Input.of("n", norm.persons, "person"), Input.of("N", norm.per_person, f"{unit}/person")]
    multiplier = month.tariffs.find(Kind.MULTIPLIER, service, month.house.areas, span.first) if raised else None
    versions = [tariff, norm.version]
    if multiplier is not None:
        k = multiplier.document.rates["single"]
        inputs.append(Input.of("K", k, "1"))
        versions.append(multiplier)
        amount = formulas.by_norm_raised(norm.persons, norm.per_person, k, rate, share)
        surcharge = formulas.surcharge_of(norm.persons, norm.per_person, k, rate, share)
        formula, point = "P = n · N · K · T", "ф. 4(1)"
    else:
        amount, surcharge = formulas.by_norm(norm.persons, norm.per_person, rate, share), 0
        formula, point = "P = n · N · T", "ф. 4"
    inputs.append(Input.of("T", rate, f"RUB/{unit}"))
    if share != 1:
        formula += " · d"
        inputs.append(Input(symbol="d", value=f"{span.days}/{month.span.days}", unit="1"))
    return Part(formula, point, tuple(inputs), tuple(versions), span, amount, surcharge_kopecks=surcharge)


# --- electricity ---------------------------------------------------------------------------------------------------


def electricity(month: AccountMonth) -> ChargedLine:
    """Electricity by one, two or three zones, within and over the social norm where the tariff has one."""
    service = Service.ELECTRICITY
    spans = _spans(month, service)
    first = _tariff(month, service, spans[0].first)
    metered = bool(month.meters.get(service))
    plan = zone_plan(first.document, month.household.plan) if metered else SINGLE
    used = metered_or_estimated(month, service, spans, plan)
    parts: list[Part] = []
    for place, span in enumerate(spans):
        tariff = _tariff(month, service, span.first)
        if used.method is Method.NORM and not _has_social_norm(tariff):
            parts.append(_norm_part(month, service, tariff, span, used.raised))
        else:
            parts += _zone_parts(month, tariff, used, place, span)
    return ChargedLine(
        service, month.suppliers[service], used.method, used.total, "Wh", tuple(parts), used.readings, used.by_zone(),
        used.owed_back, used.estimated, used.intervals,
    )  # fmt: skip


def _has_social_norm(tariff: Version) -> bool:
    return "social_norm_per_person" in tariff.document.rates


def _zone_parts(month: AccountMonth, tariff: Version, used: Consumption, place: int, span: Span) -> list[Part]:
    rates = tariff.document.rates
    zones_wh = dict(used.quantities[place])
    if used.raised:
        zones_wh = {zone: _raised(month, wh, span) for zone, wh in zones_wh.items()}
    within = list(zones_wh.values())
    if _has_social_norm(tariff):
        persons = month.household.registered_on(span.first)
        norm = formulas.social_norm_kwh(persons, rates["social_norm_per_person"], rates["social_norm_least"])
        within = formulas.split_social_norm(norm * Fraction(span.days, month.span.days), within)
    point = VOLUME_POINTS[used.method]
    norm_inputs, norms = _norm_behind(month, Service.ELECTRICITY, span) if used.method is Method.NORM else ((), ())
    multiplier = _multiplier(month, span) if used.raised else None
    if multiplier is not None:
        norm_inputs += (Input.of("K", multiplier.document.rates["single"], "1"),)
        norms += (multiplier,)
    parts = []
    for (zone, wh), inside in zip(zones_wh.items(), within, strict=True):
        bands = [(zone, inside, "V", "T")]
        if wh > inside:
            bands = [(zone, inside, "V_within", "T_within"), (f"{zone}_over", wh - inside, "V_over", "T_over")]
        for rate_name, quantity, v, t in bands:
            if quantity == 0 and any(zones_wh.values()):
                continue
            volume, rate = Fraction(quantity, WH_PER_KWH), rates[rate_name]
            inputs = (Input.of(v, volume, "kWh"), *norm_inputs, Input.of(t, rate, "RUB/kWh"))
            amount = formulas.by_meter(volume, rate)
            parts.append(Part(f"P = {v} · {t}", point, inputs, (tariff, *norms), span, amount, zone))
    return parts


def _raised(month: AccountMonth, wh: int, span: Span) -> int:
    """A norm's watt-hours with the multiplier, half up, where the charge is worked out of the volume."""
    found = _multiplier(month, span)
    return wh if found is None else half_up(wh * found.document.rates["single"])


def _multiplier(month: AccountMonth, span: Span) -> Version | None:
    return month.tariffs.find(Kind.MULTIPLIER, Service.ELECTRICITY, month.house.areas, span.first)


# --- by area -------------------------------------------------------------------------------------------------------


def heating(month: AccountMonth) -> ChargedLine | None:
    """Heating by area: F3 by the house's heat meter, else F2 by norm; nothing out of the season."""
    service = Service.HEATING
    spans = _spans(month, service)
    house_heat = metered_usage(month.house_heat, Buckets(spans, SINGLE, month.house.zone)) if month.house_heat else None
    parts: list[Part] = []
    inputs: tuple[Input, ...]
    area = month.household.area_m2
    for place, span in enumerate(spans):
        tariff = _tariff(month, service, span.first)
        rate = tariff.document.rates["single"]
        s, t = Input.of("S", area, "m2"), Input.of("T", rate, "RUB/Gcal")
        if house_heat is not None:
            volume, whole = Fraction(house_heat.quantities[place]["single"], MICRO), Fraction(month.house.area_dm2, 100)
            inputs = (s, Input.of("V_house", volume, "Gcal"), Input.of("S_house", whole, "m2"), t)
            amount = formulas.heating_by_house_meter(area, volume, whole, rate)
            parts.append(Part("P = S · V_house / S_house · T", "ф. 3", inputs, (tariff,), span, amount))
            continue
        norm = month.tariffs.require(Kind.NORM, service, month.house.areas, span.first, month.features)
        if month.period.month not in norm.document.season:
            continue
        value, share = norm.document.rates["single"], Fraction(span.days, month.span.days)
        amount = formulas.heating_by_norm(area, value, rate, share)
        formula, extra = _shared("P = S · N · T", span, month)
        inputs = (s, Input.of("N", value, "Gcal/m2"), t, *extra)
        parts.append(Part(formula, "ф. 2", inputs, (tariff, norm), span, amount))
    if not parts:
        return None
    if house_heat is not None:
        quantity = half_up(Fraction(house_heat.total * month.household.area_dm2, month.house.area_dm2))
    else:
        norms = [part.versions[1].document.rates["single"] for part in parts]
        shares = [Fraction(part.span.days, month.span.days) for part in parts]
        quantity = half_up(sum((area * n * d for n, d in zip(norms, shares, strict=True)), Fraction(0)) * MICRO)
    readings: tuple[ReadingUsed, ...] = house_heat.readings if house_heat else ()
    method = Method.METER if house_heat else Method.NORM
    return ChargedLine(service, month.suppliers[service], method, quantity, "ucal", tuple(parts), readings)


def solid_waste(month: AccountMonth) -> ChargedLine:
    """Solid waste by area or by person, as the region's norm is set (ПП 354, п. 148(30))."""
    service = Service.SOLID_WASTE
    parts: list[Part] = []
    quantity = Fraction(0)
    for span in _spans(month, service):
        tariff = _tariff(month, service, span.first)
        norm = month.tariffs.require(Kind.NORM, service, month.house.areas, span.first, month.features)
        rate, value = tariff.document.rates["single"], norm.document.rates["single"]
        by_area = norm.document.unit == "m3/m2"
        base = month.household.area_m2 if by_area else Fraction(month.household.persons_on(span.first))
        share = Fraction(span.days, month.span.days)
        formula, extra = _shared("P = S · N · T" if by_area else "P = n · N · T", span, month)
        first = Input.of("S", base, "m2") if by_area else Input.of("n", base, "person")
        inputs = (first, Input.of("N", value, norm.document.unit), Input.of("T", rate, "RUB/m3"), *extra)
        amount = formulas.waste_by_area(base, value * share, rate)
        parts.append(Part(formula, WASTE_ACT, inputs, (tariff, norm), span, amount))
        quantity += base * value * share * LITRES
    method = Method.AREA if parts[0].formula.startswith("P = S") else Method.NORM
    return ChargedLine(service, month.suppliers[service], method, half_up(quantity), "litre", tuple(parts))


def capital_repair(month: AccountMonth) -> ChargedLine:
    """Capital repair: area by the region's least contribution; the owner's duty (ЖК РФ, ст. 169)."""
    service = Service.CAPITAL_REPAIR
    parts = []
    for span in _spans(month, service):
        tariff = _tariff(month, service, span.first)
        rate = tariff.document.rates["single"]
        formula, extra = _shared("P = S · T", span, month)
        inputs = (Input.of("S", month.household.area_m2, "m2"), Input.of("T", rate, "RUB/m2"), *extra)
        amount = formulas.capital_repair(month.household.area_m2, rate * Fraction(span.days, month.span.days))
        parts.append(Part(formula, "ЖК РФ, ст. 169", inputs, (tariff,), span, amount))
    area = month.household.area_dm2
    return ChargedLine(service, month.suppliers[service], Method.AREA, area, "dm2", tuple(parts))


# --- what the rules share ------------------------------------------------------------------------------------------


def _tariff(month: AccountMonth, service: Service, day: date) -> Version:
    return month.tariffs.require(Kind.TARIFF, service, month.house.areas, day, month.features)


def _spans(month: AccountMonth, *services: Service) -> tuple[Span, ...]:
    """The month cut where a tariff, a norm, a multiplier or the number of residents changes."""
    days = month.tariffs.changes(services, month.house.areas, month.span)
    days |= {since for since, _ in month.household.residents}
    return cut(month.span, days, month.house.zone)


def _shared(formula: str, span: Span, month: AccountMonth) -> tuple[str, tuple[Input, ...]]:
    """The formula of a part of a month names its share of days."""
    if span.days == month.span.days:
        return formula, ()
    return formula + " · d", (Input(symbol="d", value=f"{span.days}/{month.span.days}", unit="1"),)


RULES: dict[Service, Rule] = {
    Service.COLD_WATER: cold_water,
    Service.HOT_WATER: hot_water,
    Service.SEWAGE: sewage,
    Service.ELECTRICITY: electricity,
    Service.HEATING: heating,
    Service.SOLID_WASTE: solid_waste,
    Service.CAPITAL_REPAIR: capital_repair,
}
