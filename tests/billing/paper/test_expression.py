"""The evaluator against the rules' own sums and against Python's arithmetic."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.numbers import kopecks
from billing.paper.expression import ExpressionError, evaluate
from tests.billing.paper.scene import by_norm, document_of, metered_month

TRIPLE = st.tuples(*[st.fractions(min_value=-1000, max_value=1000, max_denominator=1000)] * 3)


@pytest.mark.parametrize("month", [metered_month, by_norm])
def test_every_part_of_a_bill_is_the_value_of_its_formula(month: object) -> None:
    lines = document_of(month())["lines"]  # type: ignore[operator]
    parts = [part for line in lines for part in line["parts"]]
    assert len(parts) >= 7
    for part in parts:
        values = {i["symbol"]: Fraction(i["value"]) for i in part["inputs"]}
        assert kopecks(evaluate(part["formula"], values)) == part["amount_kopecks"]


@given(TRIPLE)
def test_the_grammar_means_what_arithmetic_means(values: tuple[Fraction, Fraction, Fraction]) -> None:
    a, b, c = values
    names = {"a": a, "b_1": b, "V": c}
    assert evaluate("P = a + b_1 · V − (a − V) · 2.5", names) == a + b * c - (a - c) * Fraction("2.5")
    assert evaluate("P = max(0, a − b_1, min(a, V))", names) == max(0, a - b, min(a, c))
    assert evaluate("P = -a + (−b_1)", names) == -a - b
    if b and c:
        assert evaluate("P = a / b_1 / V · a", names) == a / b / c * a


@pytest.mark.parametrize(
    "text", ["P =", "P = a +", "P = (a", "P = a b", "P = x", "P = min(a", "P = a / 0", "P = a ; a"]
)
def test_what_is_no_formula_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(text, {"a": Fraction(1), "b": Fraction(2)})
