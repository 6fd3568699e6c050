"""Exact numbers of rules: decimals as documents write them, and the one way a product becomes kopecks."""

from __future__ import annotations

from fractions import Fraction

from contracts.wire.units import div_half_up


class NumberError(ValueError):
    """A number in a document is not a plain decimal."""


def exact(text: str) -> Fraction:
    """The number that a decimal such as ``43.57`` names, without rounding. Raises NumberError."""
    body = text.strip()
    whole, _, part = body.removeprefix("-").partition(".")
    if not whole.isdecimal() or (part and not part.isdecimal()):
        raise NumberError(f"not a plain decimal: {text!r}; write it like 43.57, as text")
    value = Fraction(int(whole + part), 10 ** len(part))
    return -value if body.startswith("-") else value


def half_up(value: Fraction) -> int:
    """The nearest whole number, halves away from zero."""
    return div_half_up(value.numerator, value.denominator)


def kopecks(roubles: Fraction) -> int:
    """Whole kopecks of an exact sum in roubles, half up. Every formula calls it once, at the place it names."""
    return half_up(roubles * 100)


def exact_text(value: Fraction | int) -> str:
    """The number without any rounding: a finite decimal where there is one, else ``num/den`` in lowest terms."""
    value = Fraction(value)
    rest, twos, fives = value.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    places = max(twos, fives)
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    whole, part = digits[: len(digits) - places], digits[len(digits) - places :]
    return ("-" if value < 0 else "") + whole + ("." + part if part else "")
