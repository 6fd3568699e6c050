"""The forecast of a series: the ways weighed by how each has done on this meter, with an interval from past errors.

It is worked out walking forward: at each step of the past the forecast that would have been made then, from what was
known then. The errors of those forecasts give the weights, the interval, and the score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from billing.outlook.candidates import EXPECTED_ERRORS, WAYS, naive, year_before
from billing.outlook.series import Series

FEWEST = 3
"""Known steps before the first forecast of the walk."""
WINDOW = 24
"""Past forecasts that a way is judged by."""
MET_WITH = 4
"""How many past errors the expected one counts for."""
SHARPNESS = 3
"""Power by which a smaller error weighs more."""
FLOOR = 0.02
"""Added to each error, a share of the mean: no way is trusted without bound."""
LEVEL_FLOOR = 0.1
"""Share of the meter's mean added to a forecast before an error is put in proportion to it."""
COVERAGE = 0.8
"""Share of the cases that the interval is to hold."""
MET_ERRORS = (0.03, 0.07, 0.14, 0.24, 0.45)
"""Errors, in proportion to the forecast, that a meter is met with: together they count for as many of its own."""


class NoHistory(LookupError):
    """A series has no known step to foresee anything by."""

    def __init__(self, what: str) -> None:
        super().__init__(f"no history of {what}; a forecast needs one month of readings at least")
        self.what = what


@dataclass(frozen=True, slots=True)
class Step:
    """One foreseen step, use a day: the point, the interval, and the naive baseline beside it.

    ``is_seasonal``: the baseline is the same step a year before, else only the last known one.
    """

    step: int
    horizon: int
    point: float
    low: float
    high: float
    naive: float
    is_seasonal: bool


@dataclass(slots=True)
class _Walk:
    """Forecasts of one horizon made so far, with what they became."""

    series: Series
    horizon: int
    by_way: dict[int, dict[str, float]] = field(default_factory=dict)
    points: dict[int, float] = field(default_factory=dict)

    def step(self, known: int) -> Step:
        """Foresees the step ``horizon`` after the known ones."""
        series, target = self.series, known + self.horizon - 1
        found = {name: way(series, known, target) for name, way in WAYS.items()}
        ways = {name: max(value, 0.0) for name, value in found.items() if np.isfinite(value)}
        mean = float(np.nanmean(series.upto(known))) or 1.0
        weights = {name: self._weight(name, known, mean) for name in ways}
        point = sum(weights[name] * value for name, value in ways.items()) / sum(weights.values())
        self.by_way[target], self.points[target] = ways, point
        reach = self._reach(known, mean) * (point + LEVEL_FLOOR * mean)
        seasonal = bool(np.isfinite(year_before(series, known, target)))
        low, high = max(point - reach, 0.0), point + reach
        return Step(target, self.horizon, point, low, high, naive(series, known, target), seasonal)

    def _weight(self, name: str, known: int, mean: float) -> float:
        errors = [
            abs(self.by_way[target][name] - self.series.value(target)) / mean
            for target in self._past(known)
            if name in self.by_way[target]
        ]
        expected = EXPECTED_ERRORS[self.series.habit][name]
        error = (MET_WITH * expected + sum(errors)) / (MET_WITH + len(errors))
        return 1.0 / (error + FLOOR) ** SHARPNESS

    def _reach(self, known: int, mean: float) -> float:
        """The share of the forecast that the interval reaches to each side: a quantile of past errors."""
        own = [
            abs(self.points[target] - self.series.value(target)) / (self.points[target] + LEVEL_FLOOR * mean)
            for target in self._past(known)
        ]
        errors = sorted([*MET_ERRORS, *own])
        place = int(np.ceil(COVERAGE * (len(errors) + 1))) - 1
        return errors[min(place, len(errors) - 1)]

    def _past(self, known: int) -> list[int]:
        """The steps that were foreseen and are known by now."""
        first = known - WINDOW
        return [step for step in self.points if first <= step < known and np.isfinite(self.series.value(step))]


def walk(series: Series, horizon: int) -> list[Step]:
    """Every forecast ``horizon`` steps ahead that could have been made, the one from the end of the series last."""
    made, going = [], _Walk(series, horizon)
    for known in range(1, len(series.values) + 1):
        enough = np.isfinite(series.upto(known)).sum()
        if enough >= FEWEST or (known == len(series.values) and enough):
            made.append(going.step(known))
    return made


def foresee(series: Series, steps: int, what: str = "the meter") -> Sequence[Step]:
    """The ``steps`` after the end of the series. Raises NoHistory."""
    if not series.is_known:
        raise NoHistory(what)
    return [walk(series, horizon)[-1] for horizon in range(1, steps + 1)]
