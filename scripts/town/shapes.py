"""Load shapes of households: the BDEW profile H0, from the table that demandlib ships.

The table is read as it stands: demandlib's own frame code turns pandas' deprecations into errors. Shares of a year
are floats here; what leaves the town is whole watt-hours.
"""

from __future__ import annotations

import csv
from datetime import date, timedelta
from functools import cache
from importlib.resources import files

HALF_HOURS = 48
_SEASONS = (
    ((1, 1), (3, 20), "winter"),
    ((3, 21), (5, 14), "transition"),
    ((5, 15), (9, 14), "summer"),
    ((9, 15), (10, 31), "transition"),
    ((11, 1), (12, 31), "winter"),
)


def season_of(day: date) -> str:
    """BDEW's season of a day: winter, transition or summer."""
    here = (day.month, day.day)
    return next(name for first, last, name in _SEASONS if first <= here <= last)


@cache
def _table() -> dict[tuple[str, int], list[float]]:
    """For a season and a weekday (1 Monday … 7 Sunday) the 48 half-hours' mean load."""
    quarters: dict[tuple[str, int], list[float]] = {}
    source = files("demandlib") / "bdew" / "bdew_data" / "selp_series.csv"
    with source.open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            key = (row["period"], int(row["weekday"]))
            quarters.setdefault(key, []).append(float(row["h0"]))
    return {key: [(loads[2 * i] + loads[2 * i + 1]) / 2 for i in range(HALF_HOURS)] for key, loads in quarters.items()}


def _dynamic(day: date) -> float:
    """BDEW's smoothing of H0 over the year: a polynomial in the day of the year."""
    t = day.timetuple().tm_yday
    return float(-3.92e-10 * t**4 + 3.2e-7 * t**3 - 7.02e-5 * t**2 + 2.1e-3 * t + 1.24)


@cache
def _loads(day: date) -> tuple[float, ...]:
    loads = _table()[season_of(day), day.isoweekday()]
    factor = _dynamic(day)
    return tuple(load * factor for load in loads)


@cache
def _year(year: int) -> float:
    days = (date(year, 12, 31) - date(year, 1, 1)).days + 1
    return sum(sum(_loads(date(year, 1, 1) + timedelta(days=i))) for i in range(days))


@cache
def day_shares(day: date) -> tuple[float, ...]:
    """Share of the year's consumption that falls on each of the day's 48 half-hours."""
    whole = _year(day.year)
    return tuple(load / whole for load in _loads(day))
