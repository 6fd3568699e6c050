"""The ways to foresee a step, each plain enough to be right for some meter: the forecast weighs them by their past.

Each takes a series, how many of its steps are known, and the step to foresee; NaN where it can't tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from billing.outlook.series import Floats, Habit, Series

NAN = float("nan")
FADE = 0.7
"""Weight of a step in the recent mean against that of the step after it."""
YEARS_FADE = 0.6
"""Weight of a year in the mean of years against that of the year after it."""
DEGREES_FADE = 0.93
RATIO_STEPS = 3
LEAST_DEGREE_STEPS = 4
LEAST_DEGREE_RANGE = 3.0
"""Degree-days a day that a history must range over before use can be laid to the weather."""

Way = Callable[[Series, int, int], float]


def naive(series: Series, known: int, step: int) -> float:
    """Seasonal-naive: the same step a year before; the last known one where there is no year yet."""
    before = year_before(series, known, step)
    return last(series, known, step) if np.isnan(before) else before


def year_before(series: Series, known: int, step: int) -> float:
    """The same step of the last year of which it is known."""
    place = step - series.season
    while place >= known:
        place -= series.season
    return series.value(place)


def last(series: Series, known: int, _step: int) -> float:
    """The last known value."""
    found = _finite(series.upto(known))
    return float(found[-1]) if found.size else NAN


def recent(series: Series, known: int, _step: int) -> float:
    """The mean in which older steps count less and less."""
    return _fading_mean(series.upto(known), FADE)


def middle(series: Series, known: int, _step: int) -> float:
    """The median of the last half year."""
    found = _finite(series.upto(known)[-max(series.season // 2, 1) :])
    return float(np.median(found)) if found.size else NAN


def years(series: Series, known: int, step: int) -> float:
    """The mean of the same step of all years, the older counting less."""
    return _fading_mean(series.upto(known)[step % series.season :: series.season], YEARS_FADE)


def damped(series: Series, known: int, step: int) -> float:
    """A year before, moved half of the way (of its logarithm) that the last steps moved from those a year earlier."""
    before = year_before(series, known, step)
    pairs = [
        (series.value(place), series.value(place - series.season))
        for place in range(max(0, known - RATIO_STEPS), known)
    ]
    both = [(now, then) for now, then in pairs if np.isfinite(now) and np.isfinite(then)]
    then = sum(pair[1] for pair in both)
    if not both or then <= 0:
        return before
    moved = min(max(sum(pair[0] for pair in both) / then, 0.25), 4.0)
    return before * float(np.sqrt(moved))


def by_degrees(series: Series, known: int, step: int) -> float:
    """A base and so much for each degree-day, neither negative: least squares, older steps counting less."""
    if series.warmth is None or step >= len(series.warmth):
        return NAN
    values = series.upto(known)
    ok = np.isfinite(values) & np.isfinite(series.warmth[:known])
    degrees, use = series.warmth[:known][ok], values[ok]
    if use.size < LEAST_DEGREE_STEPS or np.ptp(degrees) < LEAST_DEGREE_RANGE:
        return NAN
    weights = (DEGREES_FADE ** np.arange(known)[::-1])[ok]
    total = weights.sum()
    mean_d, mean_u = (weights * degrees).sum() / total, (weights * use).sum() / total
    slope = (weights * (degrees - mean_d) * (use - mean_u)).sum() / (weights * (degrees - mean_d) ** 2).sum()
    base = mean_u - slope * mean_d
    if slope < 0:
        return NAN
    if base < 0:
        base, slope = 0.0, (weights * degrees * use).sum() / (weights * degrees**2).sum()
    return float(base + slope * series.warmth[step])


WAYS: Mapping[str, Way] = {
    "last": last,
    "recent": recent,
    "middle": middle,
    "year_before": year_before,
    "years": years,
    "damped": damped,
    "by_degrees": by_degrees,
}

EXPECTED_ERRORS: Mapping[Habit, Mapping[str, float]] = {
    Habit.SEASONAL: {
        "last": 0.5, "recent": 0.9, "middle": 1.2, "year_before": 0.2, "years": 0.2, "damped": 0.2, "by_degrees": 0.25,
    },
    Habit.STEADY: {
        "last": 0.25, "recent": 0.2, "middle": 0.2, "year_before": 0.22, "years": 0.2, "damped": 0.22,
        "by_degrees": 0.3,
    },
}  # fmt: skip
"""Mean error of each way, in shares of the meter's mean, that a meter is met with: its own errors soon outweigh it."""


def _finite(values: Floats) -> Floats:
    return values[np.isfinite(values)]


def _fading_mean(values: Floats, fade: float) -> float:
    ok = np.isfinite(values)
    if not ok.any():
        return NAN
    weights = (fade ** np.arange(len(values))[::-1])[ok]
    return float((weights * values[ok]).sum() / weights.sum())
