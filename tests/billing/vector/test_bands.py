"""Steps of electricity by columns against the rule for one account."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.electricity import Band
from billing.domain.electricity import over_bands as one_by_one
from billing.vector.bands import over_bands

widths = st.lists(st.fractions(0, 800, max_denominator=31), min_size=0, max_size=2)
zones = st.integers(1, 3).flatmap(
    lambda n: st.lists(st.lists(st.integers(0, 900_000), min_size=n, max_size=n), min_size=1, max_size=12)
)


@given(widths, zones)
def test_each_account_s_steps_are_those_of_the_rule(steps: list[Fraction], used: list[list[int]]) -> None:
    bands = [*steps, None]
    taken = over_bands(bands, np.array(used, dtype=np.int64))
    for row, zones_wh in enumerate(used):
        named = {str(zone): wh for zone, wh in enumerate(zones_wh)}
        expected = one_by_one(tuple(Band("", "", width) for width in bands), named)
        assert [part[row].tolist() for part in taken] == [list(wh.values()) for _, wh in expected]


def test_more_watt_hours_than_64_bits_hold_are_refused() -> None:
    with pytest.raises(OverflowError):
        over_bands([Fraction(10**6), None], np.array([[2**55, 2**55]], dtype=np.int64))
