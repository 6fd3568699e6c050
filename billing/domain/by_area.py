"""What is charged by the floor or by the head: solid waste, capital repair."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from billing.domain import formulas
from billing.domain.charge import ChargedLine, Input, Part
from billing.domain.events import Ownership
from billing.domain.household import AccountMonth
from billing.domain.numbers import half_up
from billing.domain.parts import (
    LITRES,
    days_shared,
    spans_of,
    tariff_on,
)
from billing.domain.tariff import Kind
from billing.domain.usage import Method
from contracts.wire.ids import Service

WASTE_ACT = "ПП РФ от 06.05.2011 № 354, п. 148(30)"


def solid_waste(month: AccountMonth) -> ChargedLine:
    """Solid waste by area or by person, as the region's norm is set (ПП 354, п. 148(30))."""
    service = Service.SOLID_WASTE
    parts: list[Part] = []
    quantity = Fraction(0)
    for span in spans_of(month, service):
        tariff = tariff_on(month, service, span.first)
        norm = month.tariffs.require(Kind.NORM, service, month.house.areas, span.first, month.features)
        rate, value = tariff.document.rates["single"], norm.document.rates["single"]
        by_area = norm.document.unit == "m3/m2"
        base = month.household.area_m2 if by_area else Fraction(month.household.persons_on(span.first))
        share = Fraction(span.days, month.span.days)
        formula, extra = days_shared("P = S · N · T" if by_area else "P = n · N · T", span, month)
        first = Input.of("S", base, "m2") if by_area else Input.of("n", base, "person")
        inputs = (first, Input.of("N", value, norm.document.unit), Input.of("T", rate, "RUB/m3"), *extra)
        amount = formulas.by_base_norm(base, value * share, rate)
        parts.append(Part(formula, WASTE_ACT, inputs, (tariff, norm), span, amount))
        quantity += base * value * share * LITRES
    method = Method.AREA if parts[0].formula.startswith("P = S") else Method.NORM
    return ChargedLine(service, month.suppliers[service], method, half_up(quantity), "litre", tuple(parts))


def capital_repair(month: AccountMonth) -> ChargedLine | None:
    """Capital repair: area by the region's least contribution, for the days on which those who live there own it.

    The owner's duty (ЖК РФ, ст. 169): nothing where the flat is the city's all month.
    """
    service = Service.CAPITAL_REPAIR
    parts = []
    for span in spans_of(month, service):
        if not _is_owned(month, span.first):
            continue
        tariff = tariff_on(month, service, span.first)
        rate = tariff.document.rates["single"]
        formula, extra = days_shared("P = S · T", span, month)
        inputs = (Input.of("S", month.household.area_m2, "m2"), Input.of("T", rate, "RUB/m2"), *extra)
        amount = formulas.per_area(month.household.area_m2, rate * Fraction(span.days, month.span.days))
        parts.append(Part(formula, "ЖК РФ, ст. 169", inputs, (tariff,), span, amount))
    area = month.household.area_dm2
    if not parts:
        return None
    return ChargedLine(service, month.suppliers[service], Method.AREA, area, "dm2", tuple(parts))


def _is_owned(month: AccountMonth, day: date) -> bool:
    """Flats are owned unless an act says otherwise."""
    said = [event for event in month.events if isinstance(event, Ownership) and event.since <= day]
    return max(said, key=lambda event: event.since).owned if said else True
