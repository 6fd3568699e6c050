"""Heating: by area and norm, by the house's meter, with meters in flats; over the season or evenly over the year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from billing.domain import boiler, formulas, house_formulas
from billing.domain.calendar import Span, cut
from billing.domain.charge import ChargedLine, Input, Part
from billing.domain.heating_year import MONTHS, correction, is_uniform, last_year_volume
from billing.domain.house_heat import heat_by_area, heat_of_premises, is_all_metered, own_heat
from billing.domain.house_use import HouseUse
from billing.domain.household import DM2_PER_M2, AccountMonth
from billing.domain.numbers import half_up
from billing.domain.parts import MICRO, days_shared, spans_of, tariff_on
from billing.domain.tariff import Kind
from billing.domain.usage import Method, Usage, metered_usage
from billing.domain.zones import SINGLE, Buckets
from contracts.wire.ids import Service
from contracts.wire.units import split_largest_remainder

SERVICE = Service.HEATING


@dataclass(frozen=True, slots=True)
class _Heated:
    """Parts of a month with the heat behind them, 10⁻⁶ Gcal."""

    method: Method
    quantity: Fraction
    parts: tuple[Part, ...]
    house: Usage | None = None


def heating(month: AccountMonth) -> ChargedLine | None:
    """The heating of a month, with January's correction of a year that was paid evenly.

    F18 where the house heats itself; evenly over the year the last year's mean (F3(1)) or F2(1); by the house's meter
    F3, or F3(3) where every premises has a meter of its own; else F2 by norm, in the season. None where there is
    nothing to charge, and where the house's sums are needed and not known. Raises DecreasingRegister and NoTariff.
    """
    use = month.house_use.get(SERVICE)
    if use is not None and use.unknown:
        return None
    own = own_heat(month)
    found = _heated(month, use, own)
    set_right = correction(month)
    parts = (*found.parts, *(() if set_right is None else (set_right,)))
    if not parts:
        return None
    readings = (*(found.house.readings if found.house else ()), *(own.readings if own else ()))
    return ChargedLine(
        SERVICE, month.suppliers[SERVICE], found.method, half_up(found.quantity), "ucal", parts, readings,
        own.by_zone() if own else {},
    )  # fmt: skip


def _heated(month: AccountMonth, use: HouseUse | None, own: Usage | None) -> _Heated:
    if use is not None and use.fuels:
        return _Heated(Method.AREA, Fraction(0), boiler.heating_parts(month, use))
    if is_uniform(month, month.period):
        return _evenly(month, use)
    if use is not None and use.metered_dm2 and use.volume is not None:
        return _by_flat_meters(month, use, own)
    meters = month.house_meters.get(SERVICE, ())
    spans = spans_of(month, SERVICE)
    whole = cut(month.span, [day for span in spans for day in (span.first, span.end)], month.house.zone)
    house = metered_usage(meters, Buckets(whole, SINGLE, month.house.zone)) if meters else None
    if house is None and use is not None and use.volume is not None:
        house = Usage(Method.AVERAGE, _by_days(use.volume, whole))
    if house is None:
        return _by_norm(month, spans)
    volumes = {span.first: zones[SINGLE.names[0]] for span, zones in zip(whole, house.quantities, strict=True)}
    return _by_house_meter(month, [(span, volumes[span.first]) for span in spans], house)


def _by_days(volume: int, spans: tuple[Span, ...]) -> tuple[dict[str, int], ...]:
    """A month's mean over its spans by days, by largest remainder."""
    parts = split_largest_remainder(volume, [span.days for span in spans])
    return tuple({SINGLE.names[0]: part} for part in parts)


def _by_house_meter(month: AccountMonth, spans: Sequence[tuple[Span, int]], house: Usage) -> _Heated:
    """F3 with no meters in flats: P = S · V^Д / S^об · T, over the days that the account is open."""
    area, whole = month.household.area_m2, Fraction(month.house.area_dm2, DM2_PER_M2)
    parts = []
    for span, counted in spans:
        tariff = tariff_on(month, SERVICE, span.first)
        rate, volume = tariff.document.rates["single"], Fraction(counted, MICRO)
        inputs = (
            Input.of("S", area, "m2"), Input.of("V_house", volume, "Gcal", readings=_stretch(house)),
            Input.of("S_house", whole, "m2"), Input.of("T", rate, "RUB/Gcal"),
        )  # fmt: skip
        amount = formulas.heating_by_house_meter(area, volume, whole, rate)
        parts.append(Part("P = S · V_house / S_house · T", "ф. 3", inputs, (tariff,), span, amount))
    counted_all = sum(counted for _, counted in spans)
    quantity = Fraction(counted_all * month.household.area_dm2, month.house.area_dm2)
    return _Heated(house.method, quantity, tuple(parts), house)


def _stretch(house: Usage) -> tuple[int, int] | None:
    return (0, len(house.readings)) if house.readings else None


def _by_norm(month: AccountMonth, spans: tuple[Span, ...]) -> _Heated:
    """F2, in the months of the season: P = S · N · T."""
    area, quantity = month.household.area_m2, Fraction(0)
    parts = []
    for span in spans:
        tariff = tariff_on(month, SERVICE, span.first)
        norm = month.tariffs.require(Kind.NORM, SERVICE, month.house.areas, span.first, month.features)
        if month.period.month not in norm.document.season:
            continue
        rate, value = tariff.document.rates["single"], norm.document.rates["single"]
        share = Fraction(span.days, month.span.days)
        formula, days = days_shared("P = S · N · T", span, month)
        inputs = (
            Input.of("S", area, "m2"), Input.of("N", value, "Gcal/m2"), Input.of("T", rate, "RUB/Gcal"), *days,
        )  # fmt: skip
        amount = formulas.heating_by_norm(area, value, rate, share)
        parts.append(Part(formula, "ф. 2", inputs, (tariff, norm), span, amount))
        quantity += area * value * share * MICRO
    return _Heated(Method.NORM, quantity, tuple(parts))


def _by_flat_meters(month: AccountMonth, use: HouseUse, own: Usage | None) -> _Heated:
    """F3 and F3(3): P = (V + S · (V^Д − ΣV) / S^об) · T; a flat without a meter counts with the metered mean."""
    area, whole = month.household.area_m2, Fraction(use.area_dm2, DM2_PER_M2)
    house_usage = Usage(Method.METER, (), use.readings)
    mine = Fraction(own.total) if own else heat_by_area(use, month.household.area_dm2)
    house, premises = Fraction(use.volume or 0, MICRO), heat_of_premises(use) / MICRO
    spans = spans_of(month, SERVICE)
    here = sum(span.days for span in spans)
    inputs = [
        Input.of("V_house", house, "Gcal", readings=_stretch(house_usage)),
        Input.of("V_premises", premises, "Gcal"), Input.of("S", area, "m2"), Input.of("S_house", whole, "m2"),
    ]  # fmt: skip
    if own is None:
        metered = Input.of("S_metered", Fraction(use.metered_dm2, DM2_PER_M2), "m2")
        inputs += [Input.of("V_metered", Fraction(use.by_meter, MICRO), "Gcal"), metered]
    how = "V_metered · S / S_metered" if own is None else ""
    inputs.append(Input.of("V", mine / MICRO, "Gcal", formula=how))
    parts, quantity = [], Fraction(0)
    for span in spans:
        tariff = tariff_on(month, SERVICE, span.first)
        rate, share = tariff.document.rates["single"], Fraction(span.days, month.span.days)
        formula, days = days_shared("P = max(V + S · (V_house − V_premises) / S_house, 0) · T", span, month)
        volume = house_formulas.heating_share(mine / MICRO, area, house - premises, whole) * share
        if own and here < month.span.days:  # its meter told these days alone, the house's all of them
            formula = "P = max(V · w + S · (V_house − V_premises) / S_house · d, 0) · T"
            days = (Input("w", f"{span.days}/{here}", "1"), *days)
            told_here = mine / MICRO * Fraction(span.days, here)
            volume = house_formulas.heating_share(told_here, area * share, house - premises, whole)
        told = (*inputs, Input.of("T", rate, "RUB/Gcal"), *days)
        amount = house_formulas.common_charge(volume, rate)
        point = "ф. 3(3)" if is_all_metered(use) else "ф. 3"
        parts.append(Part(formula, point, told, (tariff,), span, amount))
        quantity += volume * MICRO
    return _Heated(Method.METER if own is None else own.method, quantity, tuple(parts), house_usage)


def _evenly(month: AccountMonth, use: HouseUse | None) -> _Heated:
    """F3(1): a twelfth of last year by the house's meter, by area; where last year is not known F2(1) by norm."""
    area, quantity = month.household.area_m2, Fraction(0)
    year = last_year_volume(use, month.period.year)
    parts = []
    for span in spans_of(month, SERVICE):
        tariff = tariff_on(month, SERVICE, span.first)
        rate, share = tariff.document.rates["single"], Fraction(span.days, month.span.days)
        s, t = Input.of("S", area, "m2"), Input.of("T", rate, "RUB/Gcal")
        if year is None:
            norm = month.tariffs.require(Kind.NORM, SERVICE, month.house.areas, span.first, month.features)
            value, season = norm.document.rates["single"], len(norm.document.season)
            formula, days = days_shared("P = S · N · K · T", span, month)
            k = Input.of("K", Fraction(season, MONTHS), "1")
            inputs: tuple[Input, ...] = (s, Input.of("N", value, "Gcal/m2"), k, t, *days)
            amount = house_formulas.heating_uniform_by_norm(area * share, value, season, rate)
            parts.append(Part(formula, "ф. 2(1)", inputs, (tariff, norm), span, amount))
            quantity += area * value * Fraction(season, MONTHS) * share * MICRO
            continue
        whole, volume = Fraction(month.house.area_dm2, DM2_PER_M2), Fraction(year, MICRO)
        formula, days = days_shared("P = S · V_year / 12 / S_house · T", span, month)
        inputs = (s, Input.of("V_year", volume, "Gcal"), Input.of("S_house", whole, "m2"), t, *days)
        amount = formulas.heating_by_house_meter(area, volume * share / MONTHS, whole, rate)
        parts.append(Part(formula, "ф. 3(1)", inputs, (tariff,), span, amount))
        quantity += area * Fraction(year, MONTHS) / whole * share
    return _Heated(Method.NORM if year is None else Method.METER, quantity, tuple(parts))
