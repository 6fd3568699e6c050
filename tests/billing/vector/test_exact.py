"""Columns of whole numbers against Python's own fractions."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.numbers import half_up
from billing.domain.numbers import kopecks as kopecks_of
from billing.vector.exact import FormulaError, Ratio, kopecks, names_in, parse_formula, value_of

Three = Callable[[Fraction, Fraction, Fraction], Fraction]
FORMULAS: dict[str, Three] = {
    "P = (V + S) · T": lambda v, t, s: (v + s) * t,
    "P = S · V / T": lambda v, t, s: s * v / t,
    "P = max(V − S, 0) · T": lambda v, t, s: max(v - s, Fraction(0)) * t,
    "P = min(V, S / 12) · T": lambda v, t, s: min(v, s / 12) * t,
    "P = V − (S − T)": lambda v, t, s: v - (s - t),
}
wholes = st.integers(0, 10**12)


@given(
    st.sampled_from(sorted(FORMULAS)),
    st.lists(st.tuples(wholes, wholes, st.integers(1, 10**12)), min_size=1, max_size=8),
    st.sampled_from([1, 100, 1000, 10**6]),
)
def test_a_formula_over_columns_is_the_formula_of_each_row(
    formula: str, rows: list[tuple[int, int, int]], den: int
) -> None:
    v, s, t = (np.array([row[i] for row in rows], dtype=np.int64) for i in range(3))
    inputs = {"V": Ratio(v, den), "S": Ratio(s, 7), "T": Ratio(t, 100)}
    found = value_of(parse_formula(formula), inputs)
    expected = [FORMULAS[formula](Fraction(a, den), Fraction(c, 100), Fraction(b, 7)) for a, b, c in rows]
    assert np.asarray(found.half_up()).tolist() == [half_up(value) for value in expected]
    assert np.asarray(kopecks(found)).tolist() == [kopecks_of(value) for value in expected]


def test_sums_beyond_64_bits_stay_exact() -> None:
    column = np.array([2**62, 3], dtype=np.int64)
    found = Ratio(column) * Ratio(column) + Ratio.of(Fraction(1, 2))
    assert np.asarray(found.half_up()).tolist() == [2**124 + 1, 10]


def test_half_a_kopeck_goes_up_and_below_nothing_away_from_it() -> None:
    column = np.array([5, 15, -5, -15], dtype=np.int64)
    assert np.asarray(Ratio(column, 10).half_up()).tolist() == [1, 2, -1, -2]


@pytest.mark.parametrize("formula", ["P = V ·", "P = (V", "P = V T", "P = V ? T", "P = min V", ""])
def test_what_is_no_formula_is_refused(formula: str) -> None:
    with pytest.raises(FormulaError):
        parse_formula(formula)


def test_a_formula_names_its_symbols() -> None:
    assert names_in(parse_formula("P = max(V_i + S · 2, 0) · T")) == {"V_i", "S", "T"}
    with pytest.raises(FormulaError):
        value_of(parse_formula("V · T"), {"V": Ratio.of(1)})


def test_nothing_is_divided_by_nothing() -> None:
    with pytest.raises(ZeroDivisionError):
        Ratio.of(1).over(Ratio(np.array([1, 0], dtype=np.int64)))
