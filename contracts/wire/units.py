"""Money and quantities: whole numbers of the smallest unit, each with a type of its own."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import total_ordering
from typing import Self


class Unit(IntEnum):
    """Unit of a reading, as docs/protocol.md §3 numbers it."""

    WH = 1
    LITRE = 2
    MICRO_GCAL = 3
    VARH = 4
    GAS_LITRE = 5


def div_half_up(numerator: int, denominator: int) -> int:
    """``numerator / denominator`` to the nearest whole, halves away from zero.

    Raises ZeroDivisionError; the denominator must be positive otherwise.
    """
    if denominator < 0:
        raise ValueError("denominator must be positive")
    magnitude = (2 * abs(numerator) + denominator) // (2 * denominator)
    return -magnitude if numerator < 0 else magnitude


@total_ordering
@dataclass(frozen=True, slots=True)
class _Amount:
    """A whole number of one unit that mixes with its own kind only."""

    count: int

    def __post_init__(self) -> None:
        if type(self.count) is not int:
            raise TypeError(f"{type(self).__name__} takes a whole number, not {self.count!r}")

    def _same(self, other: object) -> int:
        if type(other) is not type(self):
            raise TypeError(f"{type(self).__name__} does not mix with {type(other).__name__}")
        return other.count

    def __add__(self, other: Self) -> Self:
        return type(self)(self.count + self._same(other))

    def __sub__(self, other: Self) -> Self:
        return type(self)(self.count - self._same(other))

    def __neg__(self) -> Self:
        return type(self)(-self.count)

    def __lt__(self, other: Self) -> bool:
        return self.count < self._same(other)

    def __bool__(self) -> bool:
        return self.count != 0

    def times(self, numerator: int, denominator: int = 1) -> Self:
        """``self · numerator / denominator``, half up to the whole unit."""
        return type(self)(div_half_up(self.count * numerator, denominator))

    @classmethod
    def zero(cls) -> Self:
        """Nothing of it."""
        return cls(0)


@dataclass(frozen=True, slots=True, eq=True)
class Money(_Amount):
    """Kopecks."""

    @property
    def kopecks(self) -> int:
        """The whole number of kopecks, negative for what is owed back."""
        return self.count

    def __str__(self) -> str:
        sign = "-" if self.count < 0 else ""
        return f"{sign}{abs(self.count) // 100}.{abs(self.count) % 100:02d}"

    @classmethod
    def parse(cls, text: str) -> Money:
        """Money written in roubles with at most two decimals. Raises ValueError."""
        body = text.strip().replace("\u00a0", "").replace(" ", "").replace(",", ".")
        sign = -1 if body.startswith("-") else 1
        whole, _, part = body.lstrip("+-").partition(".")
        if not whole.isdigit() or (part and not part.isdigit()) or len(part) > 2:
            raise ValueError(f"not a sum in roubles: {text!r}; give at most two decimals, for example 1234.50")
        return cls(sign * (int(whole) * 100 + int(part.ljust(2, "0") or "0")))


@dataclass(frozen=True, slots=True, eq=True)
class Wh(_Amount):
    """Watt-hours of electric energy."""


@dataclass(frozen=True, slots=True, eq=True)
class Litre(_Amount):
    """Litres of water."""


@dataclass(frozen=True, slots=True, eq=True)
class MicroGcal(_Amount):
    """Millionths of a gigacalorie of heat."""


def split_largest_remainder(total: int, weights: list[int]) -> list[int]:
    """Divides ``total`` by ``weights`` so that the parts sum to it: docs/protocol.md §7.

    ``total`` is not negative and some weight is positive. Ties go to the lower place.
    """
    whole = sum(weights)
    if total < 0 or whole <= 0 or min(weights) < 0:
        raise ValueError("a division needs a sum that is not negative and weights, none negative, some positive")
    parts = [total * w // whole for w in weights]
    order = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in order[: total - sum(parts)]:
        parts[i] += 1
    return parts
