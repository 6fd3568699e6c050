"""Gas: by meter; by norm per person for cooking and hot water, and by area for heating."""

from __future__ import annotations

from fractions import Fraction

from billing.domain import formulas
from billing.domain.calendar import Span
from billing.domain.charge import ChargedLine, Input, Part
from billing.domain.household import AccountMonth
from billing.domain.norms import metered_or_estimated
from billing.domain.numbers import half_up
from billing.domain.parts import (
    LITRES,
    days_shared,
    norm_part,
    point_of,
    spans_of,
    tariff_on,
    volume_of,
)
from billing.domain.tariff import Kind, Version
from billing.domain.usage import Method
from contracts.wire.ids import Service

HEATED_POINT = "ф. 4, норматив на отопление жилых помещений"


def gas(month: AccountMonth) -> ChargedLine:
    """Gas: F1 by meter, F4 by norm per person; where the norm heats by gas, its volume per m² in the season too.

    Quantities are litres of gas.
    """
    service = Service.GAS
    spans = spans_of(month, service)
    used = metered_or_estimated(month, service, spans)
    parts: list[Part] = []
    heated = Fraction(0)
    for place, span in enumerate(spans):
        tariff, mode = tariff_on(month, service, span.first), used.modes[place]
        if mode.method is Method.NORM:
            parts.append(norm_part(month, service, tariff, span, mode))
            heat = _heating_part(month, tariff, span)
            if heat is not None:
                part, volume = heat
                parts.append(part)
                heated += volume
            continue
        volume_, rate = volume_of(month, service, used, place, span), tariff.document.rates["single"]
        inputs = (*volume_.inputs, Input.of("T", rate, "RUB/m3"))
        parts.append(
            Part("P = V · T", point_of(mode), inputs, (tariff,), span, formulas.by_meter(volume_.value, rate))
        )  # fmt: skip
    quantity = used.total + half_up(heated * LITRES)
    return ChargedLine(
        service, month.suppliers[service], used.method, quantity, "litre", tuple(parts), used.readings,
        used.by_zone(), used.owed_back,
    )  # fmt: skip


def _heating_part(month: AccountMonth, tariff: Version, span: Span) -> tuple[Part, Fraction] | None:
    """What a flat heated by gas uses by norm, m³ per m² a month; None out of the season or where nothing is heated."""
    norm = month.tariffs.require(Kind.NORM, Service.GAS, month.house.areas, span.first, month.features)
    value = norm.document.rates.get("heating_per_m2")
    if value is None or month.period.month not in norm.document.season:
        return None
    area, rate, share = month.household.area_m2, tariff.document.rates["single"], Fraction(span.days, month.span.days)
    formula, days = days_shared("P = S · N_heat · T", span, month)
    inputs = (
        Input.of("S", area, "m2"), Input.of("N_heat", value, "m3/m2"), Input.of("T", rate, "RUB/m3"), *days,
    )  # fmt: skip
    amount = formulas.by_base_norm(area, value * share, rate)
    return Part(formula, HEATED_POINT, inputs, (tariff, norm), span, amount, "heating"), area * value * share
