"""Meters of real households as series of months, out of the public sets that lie beside the checkout.

Nothing of them is kept: they are read where they lie. A month counts where four fifths of its days are known.
"""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from billing.outlook.climate import Climate
from billing.outlook.score import HORIZONS
from billing.outlook.series import Habit, Series
from contracts.wire.ids import Period

KNOWN_SHARE = 0.8
MOST_WATER_A_DAY = 20_000.0
"""Litres: a jump beyond it is a register that was set, not use."""
SYDNEY, COPENHAGEN = ZoneInfo("Australia/Sydney"), ZoneInfo("Europe/Copenhagen")
Days = dict[date, float]


class NoHouseholds(FileNotFoundError):
    """The public sets are not there."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"no data of real households in {folder}; give their folder with --data")
        self.folder = folder


def households(folder: Path) -> dict[str, dict[str, Series]]:
    """All groups of meters, by set. Raises NoHouseholds."""
    if not (folder / "electricity_sgsc10").exists():
        raise NoHouseholds(folder)
    return {
        "electricity_sgsc10": dict(_electricity(folder)),
        "water_daiad": dict(_water(folder)),
        "water_daiad by quarter": dict(_water_quarters(folder)),
        "heat_danish": dict(_heat(folder)),
        "gasbill_opendsm": dict(_gas(folder)),
    }


def _electricity(folder: Path) -> Iterator[tuple[str, Series]]:
    """Half-hours: a day with at least 40 of its 48 counts, in proportion."""
    sums: defaultdict[str, defaultdict[date, list[float]]] = defaultdict(lambda: defaultdict(list))
    with gzip.open(folder / "electricity_sgsc10" / "sgsc_6households_halfhourly.csv.gz", "rt") as file:
        for customer, at, kwh in list(csv.reader(file))[1:]:
            local = datetime.fromisoformat(at).replace(tzinfo=UTC).astimezone(SYDNEY)
            sums[customer][local.date()].append(float(kwh))
    for customer, days in sums.items():
        known = {day: 48 * sum(values) / len(values) for day, values in days.items() if len(values) >= 40}
        yield customer, by_month(known)


def _water(folder: Path) -> Iterator[tuple[str, Series]]:
    """Counters in litres by the hour: the last of each day, over the days between; what falls or leaps is unknown."""
    last: defaultdict[str, dict[date, float]] = defaultdict(dict)
    for user, at, litres, _ in _packed(folder, "swm_trialA_clean"):
        last[user][date(int(at[6:10]), int(at[3:5]), int(at[:2]))] = float(litres)
    for user, counters in last.items():
        yield user, by_month(_between(counters.items(), MOST_WATER_A_DAY))


def _water_quarters(folder: Path) -> Iterator[tuple[str, Series]]:
    """Quarterly counters in m³ over many years, as use a day by calendar quarter."""
    counters: defaultdict[str, dict[date, float]] = defaultdict(dict)
    for user, day, cubic in _packed(folder, "swm_trialA_SanJoan"):
        counters[user][date.fromisoformat(day)] = float(cubic)
    for user, rows in counters.items():
        yield user, by_step(_between(sorted(rows.items()), MOST_WATER_A_DAY / 1000), 3, Habit.STEADY)


def _packed(folder: Path, name: str) -> Iterator[list[str]]:
    with zipfile.ZipFile(folder / "water_daiad" / f"{name}.zip") as packed, packed.open(f"{name}.csv") as file:
        rows = csv.reader(io.TextIOWrapper(file, "utf-8"), delimiter=";")
        next(rows)
        yield from rows


def _heat(folder: Path) -> Iterator[tuple[str, Series]]:
    """Counters in kWh by the hour: the last of each day."""
    last: dict[date, float] = {}
    with (folder / "heat_danish" / "processed_final_data_sample.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            last[datetime.fromisoformat(row["time_rounded"]).astimezone(COPENHAGEN).date()] = float(
                row["energy_heat_kwh"]
            )
    days = _between(sorted(last.items()), float("inf"))
    series, first = by_month(days, Habit.SEASONAL), min(days)
    periods = [Period(first.year, first.month)]
    for _ in range(len(series.values) + max(HORIZONS)):
        periods.append(periods[-1].next())
    yield "meter 660", replace(series, warmth=hamburg().warmth(periods))


def hamburg() -> Climate:
    """Normals of the nearest place whose test reference year demandlib ships: monthly means of its hours."""
    source = files("demandlib") / "vdi" / "resources_weather" / "TRY2010_03_Jahr.dat"
    hours: defaultdict[int, list[float]] = defaultdict(list)
    for line in source.read_bytes().decode("latin-1").partition("***")[2].split("\n")[1:]:
        if columns := line.split():
            hours[int(columns[2])].append(float(columns[8]))
    means = tuple(float(np.mean(hours[month])) for month in range(1, 13))
    return Climate("hamburg", "hamburg", "DWD, Testreferenzjahr 2010, Hamburg", 17.0, means)


def _gas(folder: Path) -> Iterator[tuple[str, Series]]:
    """Monthly bills spread over their days, and an hourly meter summed by day."""
    for path in sorted((folder / "gasbill_opendsm").glob("*_monthly.csv.gz")):
        with gzip.open(path, "rt") as file:
            rows = [(date.fromisoformat(start[:10]), value) for start, value in list(csv.reader(file))[1:]]
        days: Days = {}
        for (start, value), (end, _) in pairwise(rows):
            if value:
                days |= {start + timedelta(n): float(value) / (end - start).days for n in range((end - start).days)}
        yield path.name, by_month(days, Habit.SEASONAL)
    for path in sorted((folder / "gasbill_opendsm").glob("uk-gas-*.csv.gz")):
        sums: defaultdict[date, list[float]] = defaultdict(list)
        with gzip.open(path, "rt") as file:
            for at, value in list(csv.reader(file))[1:]:
                if value:
                    sums[date.fromisoformat(at[:10])].append(float(value))
        known = {day: 24 * sum(values) / len(values) for day, values in sums.items() if len(values) >= 20}
        yield path.name, by_month(known, Habit.SEASONAL)


def _between(counters: Iterable[tuple[date, float]], most: float) -> Days:
    """What counters of days leave for the days between them; nothing where they fall or leap."""
    out: Days = {}
    for (first, before), (end, after) in pairwise(counters):
        length = (end - first).days
        a_day = (after - before) / length if length > 0 else -1.0
        if 0 <= a_day <= most:
            out |= {first + timedelta(n + 1): a_day for n in range(length)}
    return out


def by_month(days: Days, habit: Habit = Habit.STEADY) -> Series:
    """Use a day by calendar month."""
    return by_step(days, 1, habit)


def by_step(days: Days, months: int, habit: Habit) -> Series:
    """Use a day by so many calendar months together: the mean of the known days, NaN where too few are."""
    grouped: defaultdict[int, list[float]] = defaultdict(list)
    for day, use in days.items():
        grouped[(day.year * 12 + day.month - 1) // months].append(use)
    known = {
        step: np.mean(found) for step, found in grouped.items() if len(found) >= KNOWN_SHARE * _length(step, months)
    }
    if not known:
        return Series(np.array([np.nan]), habit, 12 // months)
    values = [float(known.get(step, np.nan)) for step in range(min(known), max(known) + 1)]
    return Series(np.array(values), habit, 12 // months)


def _length(step: int, months: int) -> int:
    first, after = (divmod(number * months, 12) for number in (step, step + 1))
    return (date(after[0], after[1] + 1, 1) - date(first[0], first[1] + 1, 1)).days
