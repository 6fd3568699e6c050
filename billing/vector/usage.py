"""Differences of counters by columns: the plain case of ``billing.domain.usage.register_usage``, for many meters.

Plain: the meter stood before the month and stands after it, each register has a counter at or before the month's first
second and one within it, and none went down. Whatever is not plain is left to the rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from billing.domain.readings import UNUSABLE
from billing.store import load
from contracts.wire.ids import MeterId
from ledger.queries.bulk import PlainRegisters

Ints = NDArray[np.int64]
_FAR = int(np.iinfo(np.int64).max)


@lru_cache(maxsize=256)
def zones_of(text: str) -> tuple[tuple[int, str], ...]:
    """Registers with their zones, in the order of the binding."""
    return tuple((int(register), name) for register, name in load(text).items())


@dataclass(slots=True)
class Slots:
    """Registers of meters, each in a place of its own: when its meter stood there, and the month it is charged for."""

    places: dict[tuple[MeterId, int], int] = field(default_factory=dict)
    since: list[int] = field(default_factory=list)
    until: list[int] = field(default_factory=list)
    start: list[int] = field(default_factory=list)
    end: list[int] = field(default_factory=list)

    def add(self, name: tuple[MeterId, int], stood: tuple[int, int | None], month: tuple[int, int]) -> int:
        """The place of one more register."""
        place = self.places[name] = len(self.since)
        self.since.append(stood[0])
        self.until.append(_FAR if stood[1] is None else stood[1])
        self.start.append(month[0])
        self.end.append(month[1])
        return place


@dataclass(frozen=True, slots=True)
class Differences:
    """For each slot: the difference, and the places among the rows of the two counters that it lies between;
    ``is_plain`` says where these can be charged by."""

    difference: Ints
    first: Ints
    last: Ints
    is_plain: NDArray[np.bool_]
    taken_at: Ints
    value: Ints
    leaf: Ints
    batch: Ints
    quality: Ints


def differences(slots: Slots, registers: PlainRegisters) -> Differences:
    """The differences over each slot's month."""
    find, told = slots.places.get, registers
    slot = np.array([find(n, -1) for n in zip(told.meter, told.register.tolist(), strict=True)], dtype=np.int64)
    taken_at, quality = told.taken_at, told.quality
    since, start = np.array(slots.since, dtype=np.int64), np.array(slots.start, dtype=np.int64)
    last = np.minimum(np.array(slots.until, dtype=np.int64), np.array(slots.end, dtype=np.int64))
    fits = (slot >= 0) & ~np.isin(quality, [int(q) for q in UNUSABLE])
    if len(since):
        fits &= (taken_at >= since[slot]) & (taken_at <= last[slot])
    order = np.flatnonzero(fits)
    order = order[np.lexsort((taken_at[order], slot[order]))]
    columns = (column[order] for column in (slot, taken_at, told.value, told.leaf, told.batch, quality))
    return _between(start, *columns)


def _between(start: Ints, slot: Ints, taken_at: Ints, value: Ints, *others: Ints) -> Differences:
    """Rows in the order of slots and of time, none later than its month."""
    slots = len(start)
    is_before = taken_at <= start[slot]
    count, before = np.bincount(slot, minlength=slots), np.bincount(slot[is_before], minlength=slots)
    begin = np.cumsum(count) - count
    is_plain: NDArray[np.bool_] = (before > 0) & (count > before)
    same = slot[1:] == slot[:-1]
    twice = same & (taken_at[1:] == taken_at[:-1])
    fell = same & (value[1:] < value[:-1]) & ~is_before[1:]
    is_plain[slot[1:][twice | fell]] = False
    first, last = np.where(is_plain, begin + before - 1, 0), np.where(is_plain, begin + count - 1, 0)
    difference = np.where(is_plain, value[last] - value[first], 0) if len(value) else np.zeros(slots, np.int64)
    leaf, batch, quality = others
    return Differences(difference, first, last, is_plain, taken_at, value, leaf, batch, quality)


def by_zone(names: Sequence[str], zones: Sequence[tuple[int, str]], columns: Sequence[Ints]) -> Mapping[str, Ints]:
    """Sums of registers by zone; a register of a zone that the plan does not have counts in its first."""
    out = {name: np.zeros_like(columns[0]) for name in names}
    for (_, name), column in zip(zones, columns, strict=True):
        target = name if name in out else names[0]
        out[target] = out[target] + column
    return out
