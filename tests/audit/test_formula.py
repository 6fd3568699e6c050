"""Formulas by whole numbers, held against Python's own fractions."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from scripts.audit.formula import FormulaError, half_up, is_same, ratio_of, value_of

NAMES = ("V", "T_hot", "n")


def expression(chance: random.Random, depth: int = 3) -> str:
    if not depth or chance.random() < 0.2:
        return chance.choice([*NAMES, "0.25", "3", "12.5"])
    parts = [expression(chance, depth - 1) for _ in range(2)]
    kind = chance.choice("+−·/mM-")
    if kind in "mM":
        return f"{'min' if kind == 'm' else 'max'}({parts[0]}, {parts[1]})"
    return f"(−{parts[0]})" if kind == "-" else f"({parts[0]} {kind} {parts[1]})"


def judged(text: str, given: dict[str, str]) -> Fraction:
    plain = text.replace("·", "*").replace("−", "-")
    for number in ("12.5", "0.25", "3"):
        plain = plain.replace(number, f"F('{number}')") if number != "3" else plain
    plain = plain.replace(" 3", " F(3)").replace("(3", "(F(3)")
    found = eval(plain, {"F": Fraction, "min": min, "max": max, **{k: Fraction(v) for k, v in given.items()}})
    return Fraction(found)


@pytest.mark.parametrize("seed", range(300))
def test_values_are_those_of_exact_fractions(seed: int) -> None:
    chance = random.Random(seed)
    text = expression(chance)
    given = {name: str(Fraction(chance.randrange(-9999, 9999), chance.choice([1, 10, 1000, 7]))) for name in NAMES}
    inputs = {name: ratio_of(value) for name, value in given.items()}
    try:
        due = judged(f" {text}", given)
    except ZeroDivisionError:
        with pytest.raises(FormulaError, match="divides by nothing"):
            value_of(text, inputs)
        return
    found = value_of(text, inputs)
    assert is_same(found, due.as_integer_ratio())
    away = abs(due) + Fraction(1, 2)
    assert half_up(found) == (away.numerator // away.denominator) * (1 if due >= 0 else -1)
