"""Differences of counters by columns: the plain case of ``billing.domain.usage.register_usage``, for many meters.

Plain: the meter stood before the month and stands after it, each register has a counter at or before the month's first
second and one within it, and none went down. Whatever is not plain is left to the rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from billing.domain.readings import UNUSABLE
from billing.store import load
from billing.vector.rows import PlainMeter
from contracts.wire.ids import MeterId
from ledger.queries.bulk import PlainRegister

Ints = NDArray[np.int64]


@lru_cache(maxsize=256)
def zones_of(text: str) -> tuple[tuple[int, str], ...]:
    """Registers with their zones, in the order of the binding."""
    return tuple((int(register), name) for register, name in load(text).items())


@dataclass(frozen=True, slots=True)
class Differences:
    """For each slot (a register of a meter): the difference, and the places in ``registers`` of the two counters that
    it lies between; ``is_plain`` says where these can be charged by."""

    difference: Ints
    first: Ints
    last: Ints
    is_plain: NDArray[np.bool_]
    taken_at: Ints
    value: Ints
    leaf: Ints
    batch: Ints
    quality: Ints


def differences(
    slots: Sequence[tuple[MeterId, int]],
    meters: Sequence[PlainMeter],
    spans: Sequence[tuple[int, int]],
    registers: Sequence[PlainRegister],
) -> Differences:
    """The differences over each slot's month: ``meters`` and ``spans`` (first second, first second after) by slot."""
    places = {slot: place for place, slot in enumerate(slots)}
    chosen = [(place, row) for row in registers if (place := places.get((row[0], row[1]))) is not None]
    slot = np.fromiter((place for place, _ in chosen), np.int64, len(chosen))
    plain = np.array([row[2:8] for _, row in chosen], dtype=np.int64).reshape(-1, 6)
    since = np.array([meter.since for meter in meters], dtype=np.int64)
    far = np.iinfo(np.int64).max
    until = np.array([far if meter.until is None else meter.until for meter in meters], dtype=np.int64)
    start = np.array([span[0] for span in spans], dtype=np.int64)
    end = np.array([span[1] for span in spans], dtype=np.int64)
    taken_at, quality = plain[:, 0], plain[:, 2]
    fits = (taken_at >= since[slot]) & (taken_at <= np.minimum(until, end)[slot])
    fits &= ~np.isin(quality, [int(q) for q in UNUSABLE])
    slot, plain = slot[fits], plain[fits]
    order = np.lexsort((plain[:, 0], slot))
    slot, plain = slot[order], plain[order]
    return _between(slot, plain, start, len(slots))


def _between(slot: Ints, plain: Ints, start: Ints, slots: int) -> Differences:
    """``slot`` and ``plain`` are in the order of slots and of time, none later than its month."""
    taken_at, value = plain[:, 0], plain[:, 1]
    is_before = taken_at <= start[slot]
    count = np.bincount(slot, minlength=slots)
    before = np.bincount(slot[is_before], minlength=slots)
    begin = np.concatenate(([0], np.cumsum(count)[:-1])) if slots else np.zeros(0, np.int64)
    first, last = begin + before - 1, begin + count - 1
    is_plain: NDArray[np.bool_] = (before > 0) & (count > before)
    if len(slot) > 1:
        same = slot[1:] == slot[:-1]
        twice = same & (taken_at[1:] == taken_at[:-1])
        fell = same & (value[1:] < value[:-1]) & ~is_before[1:]
        is_plain[slot[1:][twice | fell]] = False
    first, last = np.where(is_plain, first, 0), np.where(is_plain, last, 0)
    none = np.zeros(slots, np.int64)
    difference = np.where(is_plain, value[last] - value[first], 0) if len(value) else none
    return Differences(difference, first, last, is_plain, taken_at, value, plain[:, 5], plain[:, 4], plain[:, 2])


def by_zone(names: Sequence[str], zones: Sequence[tuple[int, str]], columns: Sequence[Ints]) -> Mapping[str, Ints]:
    """Sums of registers by zone; a register of a zone that the plan does not have counts in its first."""
    out = {name: np.zeros_like(columns[0]) for name in names}
    for (_, name), column in zip(zones, columns, strict=True):
        target = name if name in out else names[0]
        out[target] = out[target] + column
    return out
