"""Formulas of ПП РФ № 354, Приложение 2, over a whole house: volumes exact, sums rounded half up once, at their end.

Volumes in natural units (m³, kWh, Gcal), areas in m², rates in roubles per unit.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from billing.domain.numbers import kopecks


def common_share(remainder: Fraction, area_m2: Fraction, house_area_m2: Fraction) -> Fraction:
    """F12: V_i = (V^Д − ΣV^неж − ΣV^норм − ΣV^ИПУ − V^кр) · S_i / S^об; ``remainder`` is the bracket, not negative."""
    return remainder * area_m2 / house_area_m2


def common_share_by_norm(
    norm: Fraction, common_area_m2: Fraction, area_m2: Fraction, house_area_m2: Fraction
) -> Fraction:
    """F15: V_i = N^одн · S^ои · S_i / S^об, where no house meter tells the volume."""
    return norm * common_area_m2 * area_m2 / house_area_m2


def common_taken_off(own: Fraction, surplus: Fraction, share: Fraction) -> Fraction:
    """F13, F14: what a dwelling's own volume is lessened by where the bracket of F12 is below nothing.

    ``surplus`` is the bracket without its sign, ``share`` the dwelling's part by area (F13) or by persons (F14); never
    more than the own volume (п. 47).
    """
    return min(own, surplus * share)


def common_charge(volume: Fraction, rate: Fraction) -> int:
    """F10: P = V_i · T, kopecks."""
    return kopecks(volume * rate)


def heating_uniform_by_norm(area_m2: Fraction, norm: Fraction, season_months: int, rate: Fraction) -> int:
    """F2(1): P = S · N · K · T with K = months of the season / 12, kopecks a month all year round."""
    return kopecks(area_m2 * norm * Fraction(season_months, 12) * rate)


def heating_share(own: Fraction, area_m2: Fraction, remainder: Fraction, house_area_m2: Fraction) -> Fraction:
    """F3, F3(3): V_i + S_i · (V^Д − ΣV) / S^об, Gcal, where flats have heat meters; nothing at the least."""
    return max(own + area_m2 * remainder / house_area_m2, Fraction(0))


def heating_correction(
    area_m2: Fraction, house_area_m2: Fraction, year: Iterable[tuple[Fraction, Fraction]], charged_kopecks: int
) -> int:
    """F3(2), F3(4): the year's payment by the house meter less what was charged for it, kopecks; may be negative.

    ``year`` holds (Gcal of the house, rate) for each stretch of the year in which the rate was one.
    """
    due = sum((volume * rate for volume, rate in year), Fraction(0)) * area_m2 / house_area_m2
    return kopecks(due - Fraction(charged_kopecks, 100))


def boiler_heating(area_m2: Fraction, house_area_m2: Fraction, fuel: Fraction, rate: Fraction) -> int:
    """F18, F19: P = V · S_i / S^об · T for one resource that the house's own boiler took for heating, kopecks."""
    return kopecks(fuel * area_m2 / house_area_m2 * rate)


def boiler_hot_water(volume: Fraction, fuel: Fraction, house_hot_water: Fraction, rate: Fraction) -> int:
    """F20: P = V_i · (V / ΣV^гв) · T for one resource that the house's own boiler took for hot water, kopecks."""
    return kopecks(volume * fuel / house_hot_water * rate)
