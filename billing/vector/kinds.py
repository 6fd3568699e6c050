"""Numbers for what many accounts have alike, so that groups are found by columns."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class TooManyKinds(OverflowError):
    """There are more kinds of a thing than a group's key has room for."""


class Kinds:
    """A number for each different thing, kept from stretch to stretch. ``bits`` is the room of a number in a key."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self._numbers: dict[Hashable, int] = {}

    def number(self, thing: Hashable) -> int:
        """From 1 on; 0 is for none. Raises TooManyKinds."""
        found = self._numbers.get(thing)
        if found is None:
            found = self._numbers[thing] = len(self._numbers) + 1
            if found >> self.bits:
                raise TooManyKinds(f"more than {1 << self.bits} kinds")
        return found


def packed(columns: Sequence[tuple[Ints, int]]) -> Ints:
    """One number a row out of several, each with its room in bits: 63 together at most."""
    out = np.zeros(len(columns[0][0]), np.int64)
    for column, bits in columns:
        out = (out << bits) | column
    return out


def grouped(keys: Ints) -> list[tuple[int, Ints]]:
    """Each different key with the places that it has, ascending."""
    order = np.argsort(keys, kind="stable")
    there = keys[order]
    cuts = np.flatnonzero(np.diff(there)) + 1
    return [(int(keys[places[0]]), places) for places in np.split(order, cuts)] if len(keys) else []
