"""Exact arithmetic over columns: whole numerators over whole denominators, and the formulas of explanations.

A column is 64-bit as long as nothing in it can overflow, which is looked at before every product; beyond that the same
arithmetic goes on over Python's own whole numbers, slower and as exact.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.wire.units import div_half_up

Column = NDArray[Any]
Whole = int | Column
ROOM = 1 << 62
"""Products stay below it in 64 bits, so that doubling them for the rounding still fits."""


class FormulaError(ValueError):
    """A formula is not an expression over its inputs."""


def _largest(value: Whole) -> int:
    if isinstance(value, int):
        return abs(value)
    return max(abs(int(value.max())), abs(int(value.min()))) if value.size else 0


def _wide(value: Whole) -> Whole:
    return value if isinstance(value, int) else value.astype(object)


def _times(a: Whole, b: Whole) -> Whole:
    if _largest(a) * _largest(b) >= ROOM:
        a, b = _wide(a), _wide(b)
    return a * b


def _plus(a: Whole, b: Whole) -> Whole:
    if _largest(a) + _largest(b) >= ROOM:
        a, b = _wide(a), _wide(b)
    return a + b


@dataclass(frozen=True, slots=True)
class Ratio:
    """``num / den`` for each row; ``den`` is positive, and one number where it is the same for all."""

    num: Whole
    den: Whole = 1

    @classmethod
    def of(cls, value: Fraction | int) -> Ratio:
        """The same exact number in every row."""
        value = Fraction(value)
        return cls(value.numerator, value.denominator)

    def __add__(self, other: Ratio) -> Ratio:
        if isinstance(self.den, int) and self.den == other.den:
            return Ratio(_plus(self.num, other.num), self.den)
        left, right = _times(self.num, other.den), _times(other.num, self.den)
        return Ratio(_plus(left, right), _times(self.den, other.den))

    def __neg__(self) -> Ratio:
        return Ratio(-self.num, self.den)

    def __mul__(self, other: Ratio) -> Ratio:
        a, b = _lowered(self.num, other.den)
        c, d = _lowered(other.num, self.den)
        return Ratio(_times(a, c), _times(b, d))

    def over(self, other: Ratio) -> Ratio:
        """The quotient. Raises ZeroDivisionError where a divisor is not above zero."""
        if (other.num if isinstance(other.num, int) else other.num.min()) <= 0:
            raise ZeroDivisionError("a divisor of a formula is not above zero")
        return self * Ratio(other.den, other.num)

    def smaller(self, other: Ratio, *, larger: bool = False) -> Ratio:
        """The smaller (or larger) of two, row by row."""
        difference = (self + -other).num
        first = np.asarray(difference) >= 0 if larger else np.asarray(difference) <= 0
        num = np.where(first, _times(self.num, other.den), _times(other.num, self.den))
        return Ratio(num, _times(self.den, other.den))

    def half_up(self) -> Whole:
        """The nearest whole number, halves away from zero."""
        if isinstance(self.num, int) and isinstance(self.den, int):
            return div_half_up(self.num, self.den)
        num, den = np.asarray(self.num), np.asarray(self.den)
        if _largest(self.num) + _largest(self.den) >= ROOM:
            num, den = num.astype(object), den.astype(object)
        magnitude: Column = (2 * np.abs(num) + den) // (2 * den)
        return np.where(num < 0, -magnitude, magnitude)


def _lowered(num: Whole, den: Whole) -> tuple[Whole, Whole]:
    """Both without what they have in common, where both are single numbers."""
    if isinstance(num, int) and isinstance(den, int):
        common = gcd(num, den)
        return (num // common, den // common) if common > 1 else (num, den)
    return num, den


def kopecks(roubles: Ratio) -> Whole:
    """Whole kopecks of sums in roubles, half up: the one rounding of a part."""
    return (roubles * Ratio(100)).half_up()


# --- formulas --------------------------------------------------------------------------------------------------------

_TOKENS = re.compile(r"\s*(?:(?P<name>[^\W\d]\w*)|(?P<number>\d+(?:\.\d+)?)|(?P<sign>[·*/+−\-(),]))")
Tree = tuple[Any, ...]


@lru_cache(maxsize=1024)
def parse_formula(text: str) -> Tree:
    """The tree of a formula such as ``P = V · T``; what stands left of ``=`` is its name. Raises FormulaError."""
    body = text.partition("=")[2] if "=" in text else text
    tokens = list(_tokens(body))
    tree, rest = _sum(tokens)
    if rest:
        raise FormulaError(f"formula {text!r}: nothing should follow at {rest[0][1]!r}")
    return tree


def value_of(tree: Tree, inputs: Mapping[str, Ratio]) -> Ratio:
    """The value of a formula over its inputs. Raises FormulaError for a symbol that has none."""
    kind, *rest = tree
    if kind == "name":
        if rest[0] not in inputs:
            raise FormulaError(f"no input {rest[0]!r}")
        return inputs[rest[0]]
    if kind == "number":
        return Ratio.of(Fraction(rest[0]))
    left, *others = (value_of(branch, inputs) for branch in rest)
    if kind == "neg":
        return -left
    (right,) = others
    if kind == "+":
        return left + right
    if kind == "-":
        return left + -right
    if kind == "*":
        return left * right
    if kind == "/":
        return left.over(right)
    return left.smaller(right, larger=kind == "max")


def names_in(tree: Tree) -> frozenset[str]:
    """The symbols of a formula."""
    if tree[0] == "name":
        return frozenset({tree[1]})
    return frozenset().union(*(names_in(branch) for branch in tree[1:] if isinstance(branch, tuple)))


_Tokens = list[tuple[str, str]]


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    text = text.strip()
    while at < len(text):
        found = _TOKENS.match(text, at)
        if found is None or found.lastgroup is None:
            raise FormulaError(f"formula {text!r}: not understood from {text[at:]!r}")
        yield found.lastgroup, found[found.lastgroup]
        at = found.end()


def _sum(tokens: _Tokens) -> tuple[Tree, _Tokens]:
    tree, rest = _product(tokens)
    while rest and rest[0][1] in "+−-":
        sign = rest[0][1]
        right, rest = _product(rest[1:])
        tree = ("+" if sign == "+" else "-", tree, right)
    return tree, rest


def _product(tokens: _Tokens) -> tuple[Tree, _Tokens]:
    tree, rest = _factor(tokens)
    while rest and rest[0][1] in "·*/":
        sign = rest[0][1]
        right, rest = _factor(rest[1:])
        tree = ("/" if sign == "/" else "*", tree, right)
    return tree, rest


def _factor(tokens: _Tokens) -> tuple[Tree, _Tokens]:
    if not tokens:
        raise FormulaError("a formula ends too early")
    (kind, text), rest = tokens[0], tokens[1:]
    if kind == "number":
        return ("number", text), rest
    if text in "−-":
        tree, rest = _factor(rest)
        return ("neg", tree), rest
    if text == "(":
        return _closed(*_sum(rest))
    if kind != "name":
        raise FormulaError(f"a formula has {text!r} where a number should be")
    if text not in ("min", "max"):
        return ("name", text), rest
    if not rest or rest[0][1] != "(":
        raise FormulaError(f"{text} needs its brackets")
    tree, rest = _sum(rest[1:])
    while rest and rest[0][1] == ",":
        right, rest = _sum(rest[1:])
        tree = (text, tree, right)
    return _closed(tree, rest)


def _closed(tree: Tree, rest: _Tokens) -> tuple[Tree, _Tokens]:
    if not rest or rest[0][1] != ")":
        raise FormulaError("a bracket of a formula is not closed")
    return tree, rest[1:]
