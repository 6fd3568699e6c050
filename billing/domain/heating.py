"""Heating."""

from __future__ import annotations

from fractions import Fraction

from billing.domain import formulas
from billing.domain.charge import ChargedLine, Input, Part
from billing.domain.household import AccountMonth
from billing.domain.numbers import half_up
from billing.domain.parts import (
    MICRO,
    days_shared,
    spans_of,
    tariff_on,
)
from billing.domain.readings import ReadingUsed
from billing.domain.tariff import Kind
from billing.domain.usage import Method, metered_usage
from billing.domain.zones import SINGLE, Buckets
from contracts.wire.ids import Service


def heating(month: AccountMonth) -> ChargedLine | None:
    """Heating by area: F3 by the house's heat meter, else F2 by norm; nothing out of the season."""
    service = Service.HEATING
    spans = spans_of(month, service)
    meters = month.house_meters.get(service, ())
    house_heat = metered_usage(meters, Buckets(spans, SINGLE, month.house.zone)) if meters else None
    parts: list[Part] = []
    inputs: tuple[Input, ...]
    area = month.household.area_m2
    for place, span in enumerate(spans):
        tariff = tariff_on(month, service, span.first)
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
        formula, extra = days_shared("P = S · N · T", span, month)
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
