"""Cold water, hot water and sewage."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from billing.domain import formulas
from billing.domain.calendar import Span
from billing.domain.charge import ChargedLine, Input, Part
from billing.domain.household import AccountMonth
from billing.domain.norms import Consumption, metered_or_estimated
from billing.domain.parts import (
    VOLUME_POINTS,
    Volume,
    VolumeName,
    norm_part,
    point_of,
    spans_of,
    tariff_on,
    volume_of,
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
    """Sewage: the cold and the hot water together, F1 or F4; no multiplier (ПП 354, п. 42).

    Where neither is supplied, its own meter or its own norm.
    """
    spans = spans_of(month, Service.SEWAGE, Service.COLD_WATER, Service.HOT_WATER)
    supplied = [service for service in (Service.COLD_WATER, Service.HOT_WATER) if service in month.suppliers]
    waters = {service: metered_or_estimated(month, service, spans) for service in supplied or [Service.SEWAGE]}
    method = max((used.method for used in waters.values()), key=list(Method).index)
    names = _names(waters)
    formula = "P = (" + " + ".join(name.symbol for name in names.values()) + ") · T" if len(names) > 1 else "P = V · T"
    parts: list[Part] = []
    for place, span in enumerate(spans):
        tariff = tariff_on(month, Service.SEWAGE, span.first)
        rate = tariff.document.rates["single"]
        volumes = [
            volume_of(month, service, used, place, span, name=names[service]) for service, used in waters.items()
        ]
        inputs = {
            given.symbol: given for volume in volumes for given in volume.inputs
        }  # the share of days is there once
        versions = [version for volume in volumes for version in volume.versions]
        total = sum((volume.value for volume in volumes), Fraction(0))
        t = Input.of("T", rate, "RUB/m3")
        parts.append(
            Part(formula, VOLUME_POINTS[method], (*inputs.values(), t), (tariff, *versions), span,
                 formulas.by_meter(total, rate))
        )  # fmt: skip
    readings = tuple(reading for used in waters.values() for reading in used.readings)
    quantity = sum(used.total for used in waters.values())
    return ChargedLine(
        Service.SEWAGE, month.suppliers[Service.SEWAGE], method, quantity, "litre", tuple(parts), readings,
        {"single": quantity},
    )  # fmt: skip


def _names(waters: Mapping[Service, Consumption]) -> dict[Service, VolumeName]:
    """What each water's volume is called, and where its readings begin among the line's."""
    out, first = {}, 0
    for service, used in waters.items():
        word = service.name.lower()
        symbol = f"V_{word.partition('_')[0]}" if len(waters) > 1 else "V"
        out[service] = VolumeName(symbol, f"_{word}", first, is_raised=False)
        first += len(used.readings)
    return out


def _water_line(month: AccountMonth, service: Service, used: Consumption, parts: list[Part]) -> ChargedLine:
    return ChargedLine(
        service, month.suppliers[service], used.method, used.total, "litre", tuple(parts), used.readings,
        used.by_zone(), used.owed_back,
    )  # fmt: skip


def _water_parts(month: AccountMonth, service: Service, used: Consumption, spans: tuple[Span, ...]) -> list[Part]:
    parts: list[Part] = []
    for place, span in enumerate(spans):
        tariff, mode = tariff_on(month, service, span.first), used.modes[place]
        if "water" in tariff.document.rates:
            volume = volume_of(month, service, used, place, span)
            parts += [_component(tariff, volume, span, component) for component in ("water", "heat")]
        elif mode.method is Method.NORM:
            parts.append(norm_part(month, service, tariff, span, mode))
        else:
            volume, rate = volume_of(month, service, used, place, span), tariff.document.rates["single"]
            inputs = (*volume.inputs, Input.of("T", rate, "RUB/m3"))
            amount = formulas.by_meter(volume.value, rate)
            parts.append(Part("P = V · T", point_of(mode), inputs, (tariff,), span, amount))
    return parts


def _component(tariff: Version, volume: Volume, span: Span, component: str) -> Part:
    """F23: what one component of hot water costs, the water or the heat in it. A multiplier may be the component's own:
    the act raises the plain norm (ф. 4(1)), and whether heat is raised with it is for the document to say."""
    rates = tariff.document.rates
    k, times, raised = volume.multiplier_of(component)
    amounts = formulas.two_component(volume.value * k, rates["water"], rates["heat_per_m3"], rates["heat"])
    if component == "water":
        formula, amount, roubles = f"P = V{times} · T_water", amounts[0], volume.value * k * rates["water"]
        told: tuple[Input, ...] = (Input.of("T_water", rates["water"], "RUB/m3"),)
    else:
        formula, amount = f"P = V{times} · q · T_heat", amounts[1]
        roubles = volume.value * k * rates["heat_per_m3"] * rates["heat"]
        told = Input.of("q", rates["heat_per_m3"], "Gcal/m3"), Input.of("T_heat", rates["heat"], "RUB/Gcal")
    return Part(
        formula, "ф. 23", (*volume.inputs, *raised, *told), (tariff, *volume.versions), span, amount,
        surcharge_kopecks=volume.surcharge_of(roubles, k),
    )  # fmt: skip
