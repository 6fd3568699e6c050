"""The formulas of ПП РФ № 354, Приложение 2, each rounded half up to the kopeck once, at its end.

Volumes and norms come in natural units (m³, kWh, Gcal, m²) as exact numbers, rates in roubles per unit.
"""

from __future__ import annotations

from fractions import Fraction

from billing.domain.numbers import half_up, kopecks
from contracts.wire.units import split_largest_remainder


def by_meter(volume: Fraction, rate: Fraction) -> int:
    """F1: P = V · T, kopecks."""
    return kopecks(volume * rate)


def by_norm(persons: int, norm: Fraction, rate: Fraction, share: Fraction = Fraction(1)) -> int:
    """F4: P = n · N · T, kopecks; ``share`` is the part of the month by days."""
    return kopecks(persons * norm * rate * share)


def by_norm_raised(
    persons: int, norm: Fraction, multiplier: Fraction, rate: Fraction, share: Fraction = Fraction(1)
) -> int:
    """F4(1): P = n · N · K · T, kopecks, where a meter could be installed and is not."""
    return kopecks(persons * norm * multiplier * rate * share)


def surcharge_of(
    persons: int, norm: Fraction, multiplier: Fraction, rate: Fraction, share: Fraction = Fraction(1)
) -> int:
    """The part of F4(1) that the multiplier adds, n · N · (K − 1) · T, kopecks: shown apart, not added again."""
    return kopecks(persons * norm * (multiplier - 1) * rate * share)


def two_component(
    volume: Fraction, water_rate: Fraction, heat_per_m3: Fraction, heat_rate: Fraction
) -> tuple[int, int]:
    """Two-component hot water: V · T_water and V · q · T_heat, each its own sum in kopecks; q is the norm, Gcal/m³."""
    return kopecks(volume * water_rate), kopecks(volume * heat_per_m3 * heat_rate)


def heating_by_norm(area_m2: Fraction, norm: Fraction, rate: Fraction, multiplier: Fraction = Fraction(1)) -> int:
    """F2: P = S · N · T; F2(1) with K = months of the season / 12. Kopecks for a whole month."""
    return kopecks(area_m2 * norm * multiplier * rate)


def heating_by_house_meter(area_m2: Fraction, house_volume: Fraction, house_area_m2: Fraction, rate: Fraction) -> int:
    """F3: P = S_i · V_house / S_all · T, kopecks: a house with a heat meter, flats without."""
    return kopecks(area_m2 * house_volume / house_area_m2 * rate)


def by_base_norm(base: Fraction, norm: Fraction, rate: Fraction) -> int:
    """P = S · N · T or P = n · N · T, kopecks: solid waste (ф. 9(1), 9(2)), gas for heating; the norm in m³ a month per
    m² of area or per person."""
    return kopecks(base * norm * rate)


def per_area(area_m2: Fraction, rate: Fraction) -> int:
    """P = S · T, kopecks: capital repair (ЖК РФ, ст. 169), housing services (ст. 156)."""
    return kopecks(area_m2 * rate)


def social_norm_kwh(persons: int, per_person: Fraction, least: Fraction) -> Fraction:
    """Krasnoyarsk's social norm for a month: max(least, per person · n) kWh; nobody registered has none."""
    return max(least, per_person * persons) if persons else Fraction(0)


def split_social_norm(norm_kwh: Fraction, zones_wh: list[int]) -> list[int]:
    """The watt-hours of each zone within the norm: whole kWh in proportion to use, by largest remainder.

    Where all use is within the norm, all of it, to the watt-hour.
    """
    if sum(zones_wh) <= norm_kwh * 1000:
        return list(zones_wh)
    parts = split_largest_remainder(half_up(norm_kwh), zones_wh)
    return [min(1000 * part, used) for part, used in zip(parts, zones_wh, strict=True)]
