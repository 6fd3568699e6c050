"""Works a part of a bill out again from its JSON alone: no line of billing's code is used here."""

from __future__ import annotations

import ast
import operator
from collections.abc import Mapping
from fractions import Fraction
from math import floor
from typing import Any

_OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
_FUNCTIONS = {"min": min, "max": max}


def recompute(part: Mapping[str, Any]) -> int:
    """The kopecks of a part. Raises AssertionError where an input is not what its own formula gives."""
    values = {given["symbol"]: Fraction(given["value"]) for given in part["inputs"]}
    for given in part["inputs"]:
        if given.get("formula"):
            found = evaluate(given["formula"], values)
            if given.get("rounded_to"):
                step = Fraction(given["rounded_to"])
                found = _half_up(found / step) * step
            assert found == values[given["symbol"]], given
    left, _, expression = part["formula"].partition("=")
    assert left.strip() == "P"
    return _half_up(evaluate(expression, values) * 100)


def evaluate(expression: str, values: Mapping[str, Fraction]) -> Fraction:
    text = expression.replace("·", "*").replace("−", "-").strip()
    return _value(ast.parse(text, mode="eval").body, values)


def _half_up(value: Fraction) -> int:
    return floor(abs(value) + Fraction(1, 2)) * (-1 if value < 0 else 1)


def _value(node: ast.expr, values: Mapping[str, Fraction]) -> Fraction:
    if isinstance(node, ast.Name):
        return values[node.id]
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return Fraction(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, values)
    if isinstance(node, ast.BinOp):
        return Fraction(_OPERATORS[type(node.op)](_value(node.left, values), _value(node.right, values)))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return Fraction(_FUNCTIONS[node.func.id](*(_value(arg, values) for arg in node.args)))
    raise AssertionError(f"not an expression of a bill: {ast.dump(node)}")
