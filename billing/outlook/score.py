"""How well the forecasts of real meters came true, beside the naive baseline: rolling origin, error by meter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from billing.outlook.forecast import Step, walk
from billing.outlook.series import Series

HORIZONS = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Score:
    """Errors of a group of meters, in shares of each meter's mean use; medians over the meters.

    ``seasonal``: the baseline had a year to look back on; otherwise it repeats the last step. ``covered`` is the share
    of outcomes within their intervals, ``better`` the share of meters whose error is below the baseline's.
    """

    group: str
    is_seasonal: bool
    meters: int
    forecasts: int
    error: float
    naive_error: float
    better: float
    covered: float


def score(group: str, meters: Mapping[str, Series]) -> list[Score]:
    """Scores of the forecasts one to three steps ahead, apart where the baseline is seasonal and where it can't be."""
    by_kind: dict[bool, dict[str, list[tuple[float, float, bool]]]] = {True: {}, False: {}}
    for name, series in meters.items():
        if not series.is_known:
            continue
        mean = float(np.nanmean(series.values)) or 1.0
        for horizon in HORIZONS:
            for step in walk(series, horizon):
                actual = series.value(step.step)
                if np.isfinite(actual):
                    by_kind[step.is_seasonal].setdefault(name, []).append(_outcome(step, actual, mean))
    return [_score(group, seasonal, errors) for seasonal, errors in by_kind.items() if errors]


def _outcome(step: Step, actual: float, mean: float) -> tuple[float, float, bool]:
    return abs(step.point - actual) / mean, abs(step.naive - actual) / mean, step.low <= actual <= step.high


def _score(group: str, seasonal: bool, errors: Mapping[str, list[tuple[float, float, bool]]]) -> Score:
    per_meter = np.array([np.mean([row[:2] for row in rows], axis=0) for rows in errors.values()])
    every = [row for rows in errors.values() for row in rows]
    return Score(
        group,
        seasonal,
        len(errors),
        len(every),
        float(np.median(per_meter[:, 0])),
        float(np.median(per_meter[:, 1])),
        float(np.mean(per_meter[:, 0] < per_meter[:, 1])),
        float(np.mean([row[2] for row in every])),
    )
