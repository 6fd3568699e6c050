"""Formulas of bills read as they are printed, and their values: exact fractions, rounded half up where they say so.

A second reading of the language that billing writes (names, numbers, + − · /, brackets, min and max); nothing of
billing's is called. Each text is read once: a town's bills hold the same few. A value is numerator and denominator, the
latter above zero, in no lowest terms: a million bills have no use for them.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache, reduce
from typing import Any

from contracts.wire.units import div_half_up

_SIGNS = str.maketrans({"·": "*", "−": "-"})
Ratio = tuple[int, int]


def _quotient(one: Ratio, other: Ratio) -> Ratio:
    """Raises ZeroDivisionError."""
    if not other[0]:
        raise ZeroDivisionError
    sign = 1 if other[0] > 0 else -1
    return sign * one[0] * other[1], sign * one[1] * other[0]


_OPERATIONS: dict[type[ast.operator], Callable[[Ratio, Ratio], Ratio]] = {
    ast.Add: lambda a, b: (a[0] * b[1] + b[0] * a[1], a[1] * b[1]),
    ast.Sub: lambda a, b: (a[0] * b[1] - b[0] * a[1], a[1] * b[1]),
    ast.Mult: lambda a, b: (a[0] * b[0], a[1] * b[1]),
    ast.Div: _quotient,
}
_CALLS: dict[str, Callable[[Ratio, Ratio], Ratio]] = {
    "min": lambda a, b: a if a[0] * b[1] <= b[0] * a[1] else b,
    "max": lambda a, b: a if a[0] * b[1] >= b[0] * a[1] else b,
}
_Value = Callable[[Mapping[str, Ratio]], Ratio]


class FormulaError(ValueError):
    """A formula can't be read, or lacks an input."""


def value_of(text: str, inputs: Mapping[str, Ratio]) -> Ratio:
    """The value of an expression. Raises FormulaError."""
    try:
        return _read(text)(inputs)
    except KeyError as error:
        raise FormulaError(f"{text!r} needs {error}, which no input gives") from error
    except ZeroDivisionError as error:
        raise FormulaError(f"{text!r} divides by nothing") from error


@lru_cache(maxsize=4096)
def number_of(text: str) -> Fraction:
    """The exact number that an input's text names, a decimal or ``num/den``. Raises FormulaError."""
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise FormulaError(f"{text!r} is no number") from error


@lru_cache(maxsize=65536)
def ratio_of(text: str) -> Ratio:
    """The same number as numerator and denominator. Raises FormulaError."""
    whole, _, part = text.partition(".")
    if text.isascii() and whole.isdigit() and part.isdigit():
        return int(whole + part), 10 ** len(part)
    return number_of(text).as_integer_ratio()


def half_up(value: Ratio) -> int:
    """The nearest whole number, halves away from zero."""
    return div_half_up(*value)


def is_same(one: Ratio, other: Ratio) -> bool:
    """Whether two values are equal."""
    return one[0] * other[1] == other[0] * one[1]


@lru_cache(maxsize=1024)
def _read(text: str) -> _Value:
    source = text.translate(_SIGNS).strip()
    try:
        return _node(ast.parse(source, mode="eval").body, source)
    except SyntaxError as error:
        raise FormulaError(f"{text!r} is no formula") from error


def _node(node: ast.expr, source: str) -> _Value:
    if isinstance(node, ast.Name):
        return _name(node.id)
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return _constant(ratio_of(ast.get_source_segment(source, node) or ""))  # as printed: no float is made of it
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        return _binary(_OPERATIONS[type(node.op)], _node(node.left, source), _node(node.right, source))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return _negative(_node(node.operand, source))
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in _CALLS
        and node.args
        and not node.keywords
    ):
        return _call(_CALLS[node.func.id], [_node(part, source) for part in node.args])
    raise FormulaError(f"{source!r} holds more than names, numbers, + − · /, brackets, min and max")


def _name(name: str) -> _Value:
    return lambda inputs: inputs[name]


def _constant(value: Ratio) -> _Value:
    return lambda _: value


def _binary(operation: Callable[[Ratio, Ratio], Ratio], left: _Value, right: _Value) -> _Value:
    return lambda inputs: operation(left(inputs), right(inputs))


def _negative(part: _Value) -> _Value:
    def negative(inputs: Mapping[str, Ratio]) -> Ratio:
        above, below = part(inputs)
        return -above, below

    return negative


def _call(choose: Callable[[Ratio, Ratio], Ratio], parts: Sequence[_Value]) -> _Value:
    return lambda inputs: reduce(choose, [part(inputs) for part in parts])


def inputs_of(part: Mapping[str, Any]) -> dict[str, Ratio]:
    """The inputs of a part of a line by their symbols. Raises FormulaError where two bear one symbol."""
    out = {str(given["symbol"]): ratio_of(str(given["value"])) for given in part["inputs"]}
    if len(out) != len(part["inputs"]):
        raise FormulaError("two inputs bear one symbol")
    return out
