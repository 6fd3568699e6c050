"""A meter's history as even steps: use a day in each month, with gaps; and what is known of its seasons."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from contracts.wire.ids import Service

Floats = NDArray[np.float64]


class Habit(StrEnum):
    """How a service is used over the year: what to expect of it before its meter has shown its own way."""

    SEASONAL = "seasonal"
    STEADY = "steady"


HABITS = {Service.HEATING: Habit.SEASONAL, Service.GAS: Habit.SEASONAL}
"""Services that follow the weather; the rest are steady."""


@dataclass(frozen=True, slots=True)
class Series:
    """``values`` are use a day by step, the oldest first, NaN where nothing is known; ``season`` steps are a year.

    ``warmth`` holds the degree-days a day of each step and of those to come, None where the climate is not known.
    """

    values: Floats
    habit: Habit = Habit.STEADY
    season: int = 12
    warmth: Floats | None = field(default=None, compare=False)

    @property
    def is_known(self) -> bool:
        """Whether any step has a value."""
        return bool(np.isfinite(self.values).any())

    def upto(self, steps: int) -> Floats:
        """The first ``steps`` values."""
        return self.values[:steps]

    def value(self, step: int) -> float:
        """The value of a step; NaN where it lies outside or is not known."""
        return float(self.values[step]) if 0 <= step < len(self.values) else float("nan")
