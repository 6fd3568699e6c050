"""Formulas of bills read as they are printed, and their values: exact fractions, rounded half up where they say so.

A second reading of the language that billing writes (names, numbers, + − · /, brackets, min and max); nothing of
billing's is called. Each text is read once: a town's bills hold the same few.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

from contracts.wire.units import div_half_up

_SIGNS = str.maketrans({"·": "*", "−": "-"})
_OPERATIONS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
}
_CALLS: dict[str, Callable[..., Fraction]] = {"min": min, "max": max}
_Value = Callable[[Mapping[str, Fraction]], Fraction]


class FormulaError(ValueError):
    """A formula can't be read, or lacks an input."""


def value_of(text: str, inputs: Mapping[str, Fraction]) -> Fraction:
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


def half_up(value: Fraction) -> int:
    """The nearest whole number, halves away from zero."""
    return div_half_up(value.numerator, value.denominator)


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
        return _constant(number_of(ast.get_source_segment(source, node) or ""))  # as printed: no float is made of it
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        return _binary(_OPERATIONS[type(node.op)], _node(node.left, source), _node(node.right, source))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return _negative(_node(node.operand, source))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLS and not node.keywords:
        return _call(_CALLS[node.func.id], [_node(part, source) for part in node.args])
    raise FormulaError(f"{source!r} holds more than names, numbers, + − · /, brackets, min and max")


def _name(name: str) -> _Value:
    return lambda inputs: inputs[name]


def _constant(value: Fraction) -> _Value:
    return lambda _: value


def _binary(operation: Callable[[Fraction, Fraction], Fraction], left: _Value, right: _Value) -> _Value:
    return lambda inputs: operation(left(inputs), right(inputs))


def _negative(part: _Value) -> _Value:
    return lambda inputs: -part(inputs)


def _call(function: Callable[..., Fraction], parts: Sequence[_Value]) -> _Value:
    return lambda inputs: function(*[part(inputs) for part in parts])


def inputs_of(part: Mapping[str, Any]) -> dict[str, Fraction]:
    """The inputs of a part of a line by their symbols. Raises FormulaError where two bear one symbol."""
    out = {str(given["symbol"]): number_of(str(given["value"])) for given in part["inputs"]}
    if len(out) != len(part["inputs"]):
        raise FormulaError("two inputs bear one symbol")
    return out
