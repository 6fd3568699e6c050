"""Tariff zones of the day, and which zone an interval of a profile falls in.

An interval belongs to the zone, the day and the month in which it starts, by the house's own clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from billing.domain.calendar import Span, zone_of

HOURS = 24


class ZoneError(ValueError):
    """A plan of zones does not cover each hour of the day exactly once."""


def _hours(first: int, end: int) -> list[int]:
    if first < end:
        return list(range(first, end))
    return [*range(first, HOURS), *range(end)]


@dataclass(frozen=True, slots=True)
class ZonePlan:
    """Zones with their hours: ``(("day", ((7, 23),)), ("night", ((23, 7),)))``. A pair may run over midnight."""

    zones: tuple[tuple[str, tuple[tuple[int, int], ...]], ...]

    def __post_init__(self) -> None:
        covered = [hour for _, hours in self.zones for pair in hours for hour in _hours(*pair)]
        if sorted(covered) != list(range(HOURS)):
            raise ZoneError(f"zones {self.names} must cover each hour of the day once")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the zones, in order."""
        return tuple(name for name, _ in self.zones)

    def by_hour(self) -> tuple[int, ...]:
        """Place of the zone of each hour of the day."""
        table = {hour: i for i, (_, hours) in enumerate(self.zones) for pair in hours for hour in _hours(*pair)}
        return tuple(table[hour] for hour in range(HOURS))


SINGLE = ZonePlan((("single", ((0, 24),)),))


@dataclass(frozen=True, slots=True)
class Buckets:
    """The buckets of a month: each part of it in which nothing changed, times each zone of the day."""

    spans: tuple[Span, ...]
    plan: ZonePlan
    zone: str

    @property
    def size(self) -> int:
        """Number of buckets."""
        return len(self.spans) * len(self.plan.zones)

    @property
    def start_ts(self) -> int:
        """First second."""
        return self.spans[0].start_ts

    @property
    def end_ts(self) -> int:
        """First second after."""
        return self.spans[-1].end_ts

    def by_span(self, sums: Sequence[int]) -> tuple[dict[str, int], ...]:
        """Sums of all buckets as one mapping of zones for each span."""
        width = len(self.plan.zones)
        return tuple(
            dict(zip(self.plan.names, sums[i * width : (i + 1) * width], strict=True)) for i in range(len(self.spans))
        )


@lru_cache(maxsize=4096)
def bucket_index(buckets: Buckets, start: int, step_s: int, n: int) -> NDArray[np.int64]:
    """For each of ``n`` intervals from ``start`` its bucket, ``span · zones + zone``, or -1 outside the spans."""
    by_hour, width, tz = buckets.plan.by_hour(), len(buckets.plan.zones), zone_of(buckets.zone)
    out = np.full(n, -1, dtype=np.int64)
    for i in range(n):
        moment = start + i * step_s
        for place, span in enumerate(buckets.spans):
            if span.start_ts <= moment < span.end_ts:
                out[i] = place * width + by_hour[datetime.fromtimestamp(moment, tz).hour]
                break
    return out


@lru_cache(maxsize=4096)
def bucket_index_of_days(buckets: Buckets, step_s: int, n: int, starts: tuple[int, ...]) -> NDArray[np.int64]:
    """``bucket_index`` of several profiles of one shape, one row each: looked up once for all meters of a month."""
    return np.stack([bucket_index(buckets, start, step_s, n) for start in starts])


def bucket_counts(index: NDArray[np.int64], buckets: int) -> list[int]:
    """How many intervals fall in each bucket."""
    return [int(count) for count in np.bincount(index[index >= 0], minlength=buckets)]


def bucket_sums(index: NDArray[np.int64], values: NDArray[Any], buckets: int) -> list[int]:
    """Sum of the values in each bucket: whole numbers throughout."""
    return [int(values[index == bucket].sum()) for bucket in range(buckets)]
