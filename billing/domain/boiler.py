"""Heat and hot water that a house makes itself, in a boiler that is common property (ПП 354, п. 54, ф. 18–20).

What the boiler took of each resource stands in the house's books, divided between heating and hot water. The rate is
the resource's own, or that of a document with the feature ``boiler`` where boilers have one.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from billing.domain import house_formulas, water
from billing.domain.calendar import Span, cut
from billing.domain.charge import ChargedLine, Input, Part
from billing.domain.house_use import HouseUse
from billing.domain.household import DM2_PER_M2, AccountMonth
from billing.domain.norms import metered_or_estimated
from billing.domain.parts import LITRES, MICRO, WH_PER_KWH, days_shared, spans_of
from billing.domain.tariff import Kind, Version
from contracts.wire.ids import Service

FUELS: dict[Service, tuple[str, int]] = {
    Service.GAS: ("m3", LITRES),
    Service.ELECTRICITY: ("kWh", WH_PER_KWH),
    Service.COLD_WATER: ("m3", LITRES),
    Service.HEATING: ("Gcal", MICRO),
}
"""What a boiler takes: the unit of its rate, and how many base units it holds. Heat is bought where a house warms its
own hot water in an exchanger; what that took is told by a meter of its own, not by the house's meter of heating."""
FEATURE = "boiler"


def heating_parts(month: AccountMonth, use: HouseUse) -> tuple[Part, ...]:
    """F18, F19: each resource that the boiler took for heating, by area. Raises NoTariff."""
    area, whole = month.household.area_m2, Fraction(use.area_dm2, DM2_PER_M2)
    parts = []
    for fuel, quantity in sorted(use.fuels.items()):
        unit, base = FUELS[fuel]
        for span, version in _spans(month, fuel):
            rate, share = version.document.rates["single"], Fraction(span.days, month.span.days)
            formula, days = days_shared("P = V_boiler · S / S_house · T", span, month)
            inputs = (
                Input.of("V_boiler", Fraction(quantity, base), unit), Input.of("S", area, "m2"),
                Input.of("S_house", whole, "m2"), Input.of("T", rate, f"RUB/{unit}"), *days,
            )  # fmt: skip
            amount = house_formulas.boiler_heating(area, whole, Fraction(quantity, base) * share, rate)
            parts.append(Part(formula, "ф. 18, 19", inputs, (version,), span, amount, resource=fuel))
    return tuple(parts)


def hot_water(month: AccountMonth) -> ChargedLine | None:
    """Hot water by F20 where the house makes it itself, else as it is supplied; None where its sums are not known."""
    use = month.house_use.get(Service.HOT_WATER)
    if use is None or not use.fuels:
        return water.hot_water(month)
    if use.unknown:
        return None
    spans = spans_of(month, Service.HOT_WATER, Service.COLD_WATER, *use.fuels)
    used = metered_or_estimated(month, Service.HOT_WATER, spans)
    parts: list[Part] = []
    for place, span in enumerate(spans):
        volume = Fraction(sum(used.quantities[place].values()), LITRES)
        parts += _hot_water_parts(month, use, volume, span)
    return ChargedLine(
        Service.HOT_WATER, month.suppliers[Service.HOT_WATER], used.method, used.total, "litre", tuple(parts),
        used.readings, used.by_zone(), used.owed_back,
    )  # fmt: skip


def _hot_water_parts(month: AccountMonth, use: HouseUse, volume: Fraction, span: Span) -> Iterator[Part]:
    cold = month.tariffs.require(Kind.TARIFF, Service.COLD_WATER, month.house.areas, span.first, month.features)
    rate = cold.document.rates["single"]
    v, whole = Input.of("V", volume, "m3"), Fraction(use.premises, LITRES)
    yield Part(
        "P = V · T_water", "ф. 20", (v, Input.of("T_water", rate, "RUB/m3")), (cold,), span,
        house_formulas.common_charge(volume, rate), resource=Service.COLD_WATER,
    )  # fmt: skip
    if not whole:
        return  # nobody used hot water: nothing to share the fuel by
    for fuel, quantity in sorted(use.fuels.items()):
        unit, base = FUELS[fuel]
        version = _tariff(month, fuel, span)
        rate, taken = version.document.rates["single"], Fraction(quantity, base)
        inputs = (
            v, Input.of("V_boiler", taken, unit), Input.of("V_house", whole, "m3"), Input.of("T", rate, f"RUB/{unit}"),
        )  # fmt: skip
        amount = house_formulas.boiler_hot_water(volume, taken, whole, rate)
        formula = "P = V · V_boiler / V_house · T"
        yield Part(formula, "ф. 20", inputs, (version,), span, amount, resource=fuel)


def _spans(month: AccountMonth, fuel: Service) -> Iterator[tuple[Span, Version]]:
    for span in cut(month.span, month.tariffs.changes([fuel], month.house.areas, month.span), month.house.zone):
        yield span, _tariff(month, fuel, span)


def _tariff(month: AccountMonth, fuel: Service, span: Span) -> Version:
    return month.tariffs.require(Kind.TARIFF, fuel, month.house.areas, span.first, month.features | {FEATURE})
