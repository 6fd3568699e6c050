"""The formula of a part as a value: the same expression that a document prints, over the same exact inputs.

The grammar is that of ``billing.domain.charge.Part``: ``P =`` and + − · / over symbols, brackets, min( , ), max( , ).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

TOKEN = re.compile(r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<name>[^\W\d]\w*)|(?P<mark>[-+−·*/(),]))")


class ExpressionError(ValueError):
    """An expression can't be read, or needs a symbol that no input gives."""


def evaluate(formula: str, values: Mapping[str, Fraction]) -> Fraction:
    """The right side of a formula. Raises ExpressionError."""
    _, equals, right = formula.partition("=")
    reader = _Reader(right if equals else formula, values)
    result = reader.sum()
    reader.end()
    return result


class _Reader:
    """Recursive descent: sums of products of atoms."""

    def __init__(self, text: str, values: Mapping[str, Fraction]) -> None:
        self._text, self._values = text, values
        self._tokens = list(_tokens(text))
        self._at = 0

    def sum(self) -> Fraction:
        total = self._product()
        while (mark := self._peek()) in ("+", "-", "−"):
            self._at += 1
            total = total + self._product() if mark == "+" else total - self._product()
        return total

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise ExpressionError(f"{self._text!r} can't be read from {self._tokens[self._at]!r} on")

    def _product(self) -> Fraction:
        total = self._atom()
        while (mark := self._peek()) in ("·", "*", "/"):
            self._at += 1
            factor = self._atom()
            if mark == "/" and not factor:
                raise ExpressionError(f"{self._text!r} divides by nothing")
            total = total / factor if mark == "/" else total * factor
        return total

    def _atom(self) -> Fraction:
        token = self._take()
        if token in ("-", "−"):
            return -self._atom()
        if token == "(":
            return self._until_closed()[0]
        if token in ("min", "max") and self._peek() == "(":
            self._at += 1
            values = self._until_closed()
            return min(values) if token == "min" else max(values)
        if token[0].isdecimal():
            return Fraction(token)
        if token not in self._values:
            raise ExpressionError(f"{self._text!r} needs {token!r}, which no input gives")
        return self._values[token]

    def _until_closed(self) -> list[Fraction]:
        values = [self.sum()]
        while (token := self._take()) == ",":
            values.append(self.sum())
        if token != ")":
            raise ExpressionError(f"{self._text!r} has {token!r} where a bracket closes")
        return values

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        if not token:
            raise ExpressionError(f"{self._text!r} breaks off")
        self._at += 1
        return token


def _tokens(text: str) -> list[str]:
    found, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise ExpressionError(f"{text!r} can't be read from {text[at:]!r} on")
        found.append(match[match.lastgroup or 0])
        at = match.end()
    return found
