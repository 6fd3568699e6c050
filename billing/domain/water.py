"""Cold water, hot water and sewage."""

from __future__ import annotations

from fractions import Fraction

from billing.domain import formulas
from billing.domain.calendar import Span
from billing.domain.charge import ChargedLine, Input, Part
from billing.domain.household import AccountMonth
from billing.domain.norms import Consumption, metered_or_estimated
from billing.domain.parts import (
    LITRES,
    VOLUME_POINTS,
    NormBehind,
    norm_behind,
    norm_part,
    spans_of,
    tariff_on,
)
from billing.domain.tariff import Version
from billing.domain.usage import Method
from contracts.wire.ids import Service


def cold_water(month: AccountMonth) -> ChargedLine:
    """Cold water: F1 by meter, F4 / F4(1) by norm, п. 59 by average."""
    spans = spans_of(month, Service.COLD_WATER)
    used = metered_or_estimated(month, Service.COLD_WATER, spans)
    return _water_line(month, Service.COLD_WATER, used, _water_parts(month, Service.COLD_WATER, used, spans))


def hot_water(month: AccountMonth) -> ChargedLine:
    """Hot water by one tariff, or by two components where the tariff has them (ф. 23)."""
    spans = spans_of(month, Service.HOT_WATER)
    used = metered_or_estimated(month, Service.HOT_WATER, spans)
    return _water_line(month, Service.HOT_WATER, used, _water_parts(month, Service.HOT_WATER, used, spans))


def sewage(month: AccountMonth) -> ChargedLine:
    """Sewage: the cold and the hot water together, F1 or F4; no multiplier (ПП 354, п. 42)."""
    spans = spans_of(month, Service.SEWAGE, Service.COLD_WATER, Service.HOT_WATER)
    services = [service for service in (Service.COLD_WATER, Service.HOT_WATER) if service in month.suppliers]
    waters = [metered_or_estimated(month, service, spans) for service in services]
    method = max((used.method for used in waters), key=list(Method).index)
    parts: list[Part] = []
    for place, span in enumerate(spans):
        tariff = tariff_on(month, Service.SEWAGE, span.first)
        litres = [used.quantities[place].get("single", 0) for used in waters]
        rate = tariff.document.rates["single"]
        total = Fraction(sum(litres), LITRES)
        names = ("V_cold", "V_hot") if len(litres) == 2 else ("V",)
        inputs = [Input.of(name, Fraction(v, LITRES), "m3") for name, v in zip(names, litres, strict=True)]
        formula = "P = (V_cold + V_hot) · T" if len(litres) == 2 else "P = V · T"
        behind = [norm_behind(month, service, span) for service, used in zip(services, waters, strict=True)
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
        tariff = tariff_on(month, service, span.first)
        if "water" in tariff.document.rates:
            by_norm = used.method is Method.NORM
            behind = norm_behind(month, service, span) if by_norm else ((), ())
            parts += _two_component_parts(tariff, Fraction(used.quantities[place]["single"], LITRES), span, behind)
        elif used.method is Method.NORM:
            parts.append(norm_part(month, service, tariff, span, used.raised))
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
