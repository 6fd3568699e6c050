"""Recomputes a sum of help from its explanation with nothing of ours: a reader of the formula in a dozen lines."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

OPERATIONS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
}


def recomputed(explained: Mapping[str, Any]) -> int:
    values = {row["symbol"]: Fraction(row["value"]) for row in explained["inputs"]}
    text = explained["formula"].removeprefix("P = ").replace("·", "*").replace("−", "-")
    exact = _value(ast.parse(text, mode="eval").body, values) * 100
    # Enough digits that no half can be missed: the denominators here are small.
    return int((Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(Decimal(1), ROUND_HALF_UP))


def _value(node: ast.expr, values: Mapping[str, Fraction]) -> Fraction:
    match node:
        case ast.Name(id=name):
            return values[name]
        case ast.Constant(value=int(number)):
            return Fraction(number)
        case ast.BinOp(left=left, op=op, right=right):
            return OPERATIONS[type(op)](_value(left, values), _value(right, values))
        case ast.Call(func=ast.Name(id="min"), args=args):
            return min(_value(arg, values) for arg in args)
        case ast.Call(func=ast.Name(id="max"), args=args):
            return max(_value(arg, values) for arg in args)
    raise AssertionError(ast.dump(node))
