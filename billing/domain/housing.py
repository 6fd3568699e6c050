"""Housing services per m²: one line a bill, a part for each named service."""

from __future__ import annotations

from fractions import Fraction

from billing.domain import formulas
from billing.domain.charge import ChargedLine, Input, Part
from billing.domain.household import AccountMonth
from billing.domain.parts import days_shared, spans_of, tariff_on
from billing.domain.tariff import Kind
from billing.domain.usage import Method
from contracts.wire.ids import Service


def housing(month: AccountMonth) -> ChargedLine | None:
    """Upkeep and repair of the building, and whatever else the owners' meeting set per m² (ЖК РФ, ст. 154, 156).

    Each rate of the tariff is one named service and one part, the name in the place of a zone. Nothing where no tariff
    is published and the house's terms make the line one for common use alone.
    """
    service = Service.HOUSING
    areas, features = month.house.areas, month.features
    if month.terms is not None and not month.tariffs.find(Kind.TARIFF, service, areas, month.span.first, features):
        return None
    parts = []
    for span in spans_of(month, service):
        tariff = tariff_on(month, service, span.first)
        for name, rate in sorted(tariff.document.rates.items()):
            formula, days = days_shared("P = S · T", span, month)
            inputs = (Input.of("S", month.household.area_m2, "m2"), Input.of("T", rate, "RUB/m2"), *days)
            share = Fraction(span.days, month.span.days)
            amount = formulas.per_area(month.household.area_m2, rate * share)
            parts.append(Part(formula, "ЖК РФ, ст. 154 и 156", inputs, (tariff,), span, amount, name))
    area = month.household.area_dm2
    return ChargedLine(service, month.suppliers[service], Method.AREA, area, "dm2", tuple(parts))
