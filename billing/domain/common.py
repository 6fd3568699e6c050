"""What common property uses: ОДН as parts of utility lines, КР на СОИ as parts of the management company's line.

How a remainder below nothing is treated and whether the norm caps the charge is data: a document of the kind
``common_rule`` for each resource and form of management. ПП 354, п. 40, 44–48, прил. 2 ф. 10–15; ПП 491, п. 29.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction

from billing.domain import formulas, house_formulas
from billing.domain.calendar import Span
from billing.domain.charge import ChargedLine, Input, Part, Scope
from billing.domain.house_use import HouseUse
from billing.domain.household import DM2_PER_M2, AccountMonth, Management
from billing.domain.parts import LITRES, WH_PER_KWH, days_shared, spans_of, tariff_on
from billing.domain.tariff import Kind, TariffError, Version
from billing.domain.usage import Method
from contracts.wire.ids import Service

HOUSING_ACT = "ПП РФ от 13.08.2006 № 491, п. 29"
UTILITY_ACT = "ф. 10"
UNITS: dict[Service, tuple[str, int]] = {
    Service.COLD_WATER: ("m3", LITRES),
    Service.HOT_WATER: ("m3", LITRES),
    Service.SEWAGE: ("m3", LITRES),
    Service.ELECTRICITY: ("kWh", WH_PER_KWH),
}
"""The resources that common property uses: the unit of their rates, and how many base units it holds."""


class Negative(StrEnum):
    """What becomes of a remainder below nothing."""

    NONE = "none"
    """No charge, and no more."""
    CARRY = "carry"
    """No charge; the months to come are lessened by it."""
    AREA = "area"
    """It lessens the dwellings' own volumes by area (F13)."""
    PERSONS = "persons"
    """It lessens the dwellings' own volumes by persons (F14)."""


class Cap(StrEnum):
    """Whether the norm limits what owners pay."""

    NONE = "none"
    NORM = "norm"


@dataclass(frozen=True, slots=True)
class CommonRule:
    """How a resource's common use is charged."""

    negative: Negative
    cap: Cap
    version: Version


@dataclass(frozen=True, slots=True)
class CommonVolume:
    """An account's share of common use: its volume, how it is worked out, of which inputs and versions."""

    volume: Fraction
    formula: str
    inputs: tuple[Input, ...]
    versions: tuple[Version, ...]
    point: str


def rule_of(month: AccountMonth, service: Service) -> CommonRule | None:
    """The rule in force on the month's first day; None where common use of this resource is not charged.

    Raises TariffError for an option that is none.
    """
    found = month.tariffs.find(Kind.COMMON_RULE, service, month.house.areas, month.span.first, month.features)
    if found is None:
        return None
    options = found.document.options
    try:
        return CommonRule(Negative(options["negative"]), Cap(options["cap"]), found)
    except (KeyError, ValueError) as error:
        raise TariffError(found.document.name, f"its options must name negative and cap: {error}") from error


def with_common_needs(month: AccountMonth, lines: Sequence[ChargedLine]) -> list[ChargedLine]:
    """The lines with the account's share of common use; a resource whose sums are not known is left out.

    Under direct management it joins the resource's own line, otherwise the management company's housing line.
    Raises NoTariff and TariffError.
    """
    if month.terms is None or not month.house_use:
        return list(lines)
    by_service = {line.service: line for line in lines}
    into_housing = month.terms.management is Management.COMPANY
    for service, use in month.house_use.items():
        target = Service.HOUSING if into_housing else service
        if use.unknown or service not in month.suppliers or target not in month.suppliers:
            continue
        own = by_service.get(service)
        line = by_service.get(target) or _empty(month, target)
        parts = common_parts(month, use, own, len(line.readings))
        if parts:
            if into_housing:
                parts = tuple(replace(part, resource=service) for part in parts)
            by_service[target] = replace(line, parts=line.parts + parts, readings=line.readings + use.readings)
    return [by_service[service] for service in sorted(by_service)]


def _empty(month: AccountMonth, service: Service) -> ChargedLine:
    return ChargedLine(service, month.suppliers[service], Method.AREA, month.household.area_dm2, "dm2", ())


def common_parts(
    month: AccountMonth, use: HouseUse, own: ChargedLine | None, readings_before: int = 0
) -> tuple[Part, ...]:
    """The parts of one resource's common use; none where no rule is in force for it."""
    service = use.service
    rule = rule_of(month, service)
    if rule is None or service not in UNITS:
        return ()
    found = common_volume(month, use, rule, own.quantity if own else 0, readings_before)
    parts: list[Part] = []
    for span in spans_of(month, service):
        parts += _span_parts(month, found, span, service, 0 if own is None else own.quantity)
    return tuple(parts)


def common_volume(
    month: AccountMonth, use: HouseUse, rule: CommonRule, own_quantity: int = 0, readings_before: int = 0
) -> CommonVolume:
    """F12 with a house meter, F15 without; F13 and F14 take a remainder below nothing off the own volume.

    ``own_quantity`` is what the account itself used, base units. Raises NoTariff where a norm is needed and there is
    none.
    """
    shares = (
        Input.of("S", month.household.area_m2, "m2"),
        Input.of("S_house", Fraction(use.area_dm2, DM2_PER_M2), "m2"),
    )
    if use.common is None:
        inputs, norm = _norm_inputs(month, use)
        volume = house_formulas.common_share_by_norm(*_values(inputs), *_values(shares))
        return CommonVolume(volume, "N · S_common · S / S_house", (*inputs, *shares), (norm, rule.version), "ф. 15")
    remainder, bracket, told = _remainder(use, readings_before)
    if remainder < 0 and rule.negative in (Negative.AREA, Negative.PERSONS):
        return _taken_off(month, use, rule, own_quantity, (remainder, bracket, told))
    expression = bracket
    versions: tuple[Version, ...] = (rule.version,)
    capped = rule.cap is Cap.NORM and not (month.terms is not None and month.terms.over_cap_to_owners)
    if capped:
        norm_inputs, norm = _norm_inputs(month, use)
        told, versions = (*told, *norm_inputs), (norm, rule.version)
        most, area = _values(norm_inputs)
        remainder, expression = min(remainder, most * area), f"min({bracket}, N · S_common)"
    if remainder < 0:
        remainder, expression = Fraction(0), f"max({expression}, 0)"
    elif not capped:
        expression = f"({bracket})"
    volume = house_formulas.common_share(remainder, *_values(shares))
    return CommonVolume(volume, f"{expression} · S / S_house", (*told, *shares), versions, "ф. 12")


def _remainder(use: HouseUse, readings_before: int) -> tuple[Fraction, str, tuple[Input, ...]]:
    """The bracket of F12: its value, its expression, its inputs; what is nothing is left out of both."""
    unit, base = UNITS[use.service]
    stretch = (readings_before, readings_before + len(use.readings)) if use.readings else None
    house = Input.of("V_house", Fraction(use.volume or 0, base), unit, readings=stretch)
    taken = [
        (name, quantity)
        for name, quantity in (
            ("V_other", use.others), ("V_norm", use.by_norm), ("V_meter", use.by_meter), ("V_boiler", use.boiler),
            ("V_owed", -use.carried),
        )
        if quantity
    ]  # fmt: skip
    inputs = (house, *(Input.of(name, Fraction(quantity, base), unit) for name, quantity in taken))
    bracket = " − ".join(["V_house", *(name for name, _ in taken)])
    return Fraction(use.common or 0, base), bracket, inputs


def _taken_off(
    month: AccountMonth, use: HouseUse, rule: CommonRule, own_quantity: int,
    below: tuple[Fraction, str, tuple[Input, ...]],
) -> CommonVolume:  # fmt: skip
    remainder, bracket, told = below
    unit, base = UNITS[use.service]
    if rule.negative is Negative.AREA:
        mine, all_ = month.household.area_m2, Fraction(use.dwellings_dm2, DM2_PER_M2)
        shares, point = (Input.of("S", mine, "m2"), Input.of("S_dwellings", all_, "m2")), "ф. 13"
    else:
        mine, all_ = Fraction(month.household.persons_on(month.span.first)), Fraction(use.persons)
        shares, point = (Input.of("n", mine, "person"), Input.of("n_house", all_, "person")), "ф. 14"
    own = Fraction(own_quantity, base)
    volume = house_formulas.common_taken_off(own, -remainder, mine / all_)
    formula = f"0 − min(V, (0 − ({bracket})) · {shares[0].symbol} / {shares[1].symbol})"
    inputs = (Input.of("V", own, unit), *told, *shares)
    return CommonVolume(-volume, formula, inputs, (rule.version,), point)


def _norm_inputs(month: AccountMonth, use: HouseUse) -> tuple[tuple[Input, Input], Version]:
    norm = month.tariffs.require(Kind.COMMON_NORM, use.service, month.house.areas, month.span.first, month.features)
    value = Input.of("N", norm.document.rates["single"], norm.document.unit)
    return (value, Input.of("S_common", Fraction(use.common_area_dm2, DM2_PER_M2), "m2")), norm


def _values(inputs: Iterable[Input]) -> tuple[Fraction, Fraction]:
    first, second = (Fraction(given.value) for given in inputs)
    return first, second


# --- sums ------------------------------------------------------------------------------------------------------------


def _span_parts(
    month: AccountMonth, found: CommonVolume, span: Span, service: Service, own_quantity: int
) -> list[Part]:
    """One part for each rate of the tariff: one, the two components of hot water, or within and over a social norm."""
    tariff = tariff_on(month, service, span.first)
    unit, base = UNITS[service]
    rates, share = tariff.document.rates, Fraction(span.days, month.span.days)
    volume = Input.of("V_common", found.volume, unit, formula=found.formula)
    by_days, days = days_shared("", span, month)
    behind = (*found.inputs, volume)
    versions = (tariff, *found.versions)
    point = UTILITY_ACT + ", " + found.point
    if month.terms is not None and month.terms.management is Management.COMPANY:
        point = f"{HOUSING_ACT}; ПП РФ № 354, приложение 2, {found.point}"

    def part(formula: str, inputs: tuple[Input, ...], charged: Fraction, rate: Fraction, zone: str = "single") -> Part:
        amount = house_formulas.common_charge(charged * share, rate)
        told = (*behind, *inputs, *days)
        return Part(formula + by_days, point, told, versions, span, amount, zone, scope=Scope.COMMON)

    if "water" in rates:
        water, heat, q = rates["water"], rates["heat"], rates["heat_per_m3"]
        heated = (Input.of("q", q, "Gcal/m3"), Input.of("T_heat", heat, "RUB/Gcal"))
        return [
            part("P = V_common · T_water", (Input.of("T_water", water, "RUB/m3"),), found.volume, water),
            part("P = V_common · q · T_heat", heated, found.volume * q, heat),
        ]
    if "single" not in rates:
        raise TariffError(tariff.document.name, "common use is charged by one rate; it needs a rate named single")
    if "social_norm_per_person" not in rates or found.volume <= 0:
        rate = Input.of("T", rates["single"], f"RUB/{unit}")
        return [part("P = V_common · T", (rate,), found.volume, rates["single"])]
    norm = formulas.social_norm_kwh(
        month.household.registered_on(span.first), rates["social_norm_per_person"], rates["social_norm_least"]
    )
    own = Fraction(own_quantity, base)
    within = min(found.volume, max(norm - own, Fraction(0)))
    limit = (Input.of("L", norm, unit), Input.of("V", own, unit))
    least = "min(V_common, max(L − V, 0))"
    out = []
    if within:
        rate = Input.of("T_within", rates["single"], f"RUB/{unit}")
        out.append(part(f"P = {least} · T_within", (*limit, rate), within, rates["single"]))
    if found.volume > within:
        rate = Input.of("T_over", rates["single_over"], f"RUB/{unit}")
        over = found.volume - within
        out.append(
            part(f"P = (V_common − {least}) · T_over", (*limit, rate), over, rates["single_over"], "single_over")
        )
    return out


# --- after the month -------------------------------------------------------------------------------------------------


def carried_on(use: HouseUse, rule: CommonRule | None) -> int:
    """What the next month starts with: a remainder below nothing where the rule carries it, base units, never above 0.

    With a remainder that is not below nothing, all that was carried has been used.
    """
    if rule is None or rule.negative is not Negative.CARRY:
        return 0
    return use.carried if use.common is None else min(use.common, 0)
