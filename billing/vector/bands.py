"""The steps of a month's electricity by columns: the twin of ``billing.domain.electricity.over_bands``."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from billing.domain.numbers import half_up

Ints = NDArray[np.int64]
ROOM = 1 << 62


def over_bands(widths_kwh: Sequence[Fraction | None], zones_wh: Ints) -> list[Ints]:
    """The watt-hours of each zone (a column) in each step, from the first; rows are accounts.

    A step takes what is left of all zones while it fits, else whole kWh in proportion, by largest remainder.
    """
    left = zones_wh
    out = []
    for width in widths_kwh:
        taken = left if width is None else _within(width, left)
        left = left - taken
        out.append(taken)
    return out


def _within(width_kwh: Fraction, left: Ints) -> Ints:
    whole = left.sum(axis=1)
    fits = whole * width_kwh.denominator <= width_kwh.numerator * 1000
    shares = _by_largest_remainder(half_up(width_kwh), left, np.where(whole > 0, whole, 1))
    return np.where(fits[:, None], left, np.minimum(1000 * shares, left))


def _by_largest_remainder(total: int, weights: Ints, whole: Ints) -> Ints:
    """``total`` divided by each row's weights so that the parts sum to it; ties go to the lower place."""
    if weights.size and total * int(weights.max()) >= ROOM:
        raise OverflowError(f"{total} kWh over {int(weights.max())} Wh is beyond 64 bits")
    product = weights * total
    parts = product // whole[:, None]
    rest = product - parts * whole[:, None]
    rank = np.argsort(np.argsort(-rest, axis=1, kind="stable"), axis=1, kind="stable")
    more: Ints = (rank < (total - parts.sum(axis=1))[:, None]).astype(np.int64)
    return parts + more
