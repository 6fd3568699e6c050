"""The ways to foresee and the forecast: against numpy's least squares, never looking ahead, exact for even use."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.usage import Method
from billing.outlook.candidates import by_degrees, naive
from billing.outlook.climate import ClimateError, climate_of, parse_climate
from billing.outlook.forecast import NoHistory, foresee, walk
from billing.outlook.past import MEASURED, UsedMonth, days_of, series_of
from billing.outlook.series import Habit, Series
from contracts.wire.ids import Period, Service

COLD = np.array([33.7, 31.5, 23.6, 15.7, 8.4, 1.9, 0.0, 2.4, 9.1, 16.4, 25.2, 31.4])
uses = st.lists(st.one_of(st.floats(0, 1e6), st.just(float("nan"))), min_size=1, max_size=30)


def test_even_use_is_foreseen_exactly() -> None:
    for step in foresee(Series(np.full(14, 7.5)), 3):
        assert step.point == pytest.approx(7.5)
        assert step.low < 7.5 < step.high
        assert step.naive == 7.5
        assert step.is_seasonal


def test_the_baseline_is_the_month_a_year_before_or_the_last() -> None:
    series = Series(np.arange(1.0, 16.0))
    assert naive(series, 15, 15) == 4.0
    assert naive(series, 15, 26) == 15.0
    assert naive(series, 15, 27) == 4.0
    assert naive(Series(np.arange(1.0, 6.0)), 5, 5) == 5.0


def test_degree_days_are_weighted_least_squares() -> None:
    rng = np.random.default_rng(5)
    warmth = np.tile(COLD, 3)
    use = 4.0 + 2.5 * warmth[:30] + rng.normal(0, 3, 30)
    use[[4, 17]] = np.nan
    ok = np.isfinite(use)
    weights = np.sqrt(0.93 ** np.arange(30)[::-1])[ok]
    columns = np.column_stack([np.ones(30), warmth[:30]])[ok]
    (base, slope), *_ = np.linalg.lstsq(columns * weights[:, None], use[ok] * weights, rcond=None)
    found = by_degrees(Series(use, Habit.SEASONAL, warmth=warmth), 30, 31)
    assert found == pytest.approx(base + slope * warmth[31])


def test_a_cold_spell_counts_where_the_normals_do_not() -> None:
    """Two years of which the second is a third colder: what to come is as cold as the second, by its degree-days."""
    warmth = np.concatenate([COLD, 1.33 * COLD, 1.33 * COLD])
    use = 3.0 + 2.0 * warmth[:24]
    with_degrees = foresee(Series(use, Habit.SEASONAL, warmth=warmth), 3)
    without = foresee(Series(use, Habit.SEASONAL), 3)
    wanted = 3.0 + 2.0 * warmth[24:27]
    errors = [sum(abs(s.point - w) for s, w in zip(steps, wanted, strict=True)) for steps in (with_degrees, without)]
    assert errors[0] < 0.05 * wanted.sum()
    assert errors[0] <= errors[1]


@given(uses, st.integers(1, 3), st.floats(0, 1e6))
@settings(max_examples=60, deadline=None)
def test_no_forecast_looks_ahead(values: list[float], horizon: int, other: float) -> None:
    """A forecast made when some steps were known is the same whatever came after."""
    whole = Series(np.array(values))
    for step in walk(whole, horizon):
        known = step.step - horizon + 1
        changed = Series(np.array([*values[:known], *([other] * (len(values) - known))]))
        twins = [twin for twin in walk(changed, horizon) if twin.step == step.step]
        assert not twins or twins[0] == step
        assert 0 <= step.low <= step.point <= step.high


def test_a_series_of_nothing_says_so() -> None:
    with pytest.raises(NoHistory, match="one month of readings"):
        foresee(Series(np.array([np.nan, np.nan])), 1)


def test_estimated_months_and_those_that_make_up_for_them_are_not_known() -> None:
    months = {
        Period(2025, 1): UsedMonth(Method.METER, {"single": 3100}),
        Period(2025, 2): UsedMonth(Method.AVERAGE, {"single": 2800}),
        Period(2025, 3): UsedMonth(Method.METER, {"single": 9999}),
        Period(2025, 4): UsedMonth(Method.PROFILE, {"day": 2000, "night": 1000}),
    }
    series = series_of(Service.COLD_WATER, months, Period(2025, 5), 2, None)
    assert series.values[[0, 3]].tolist() == [100.0, 100.0]
    assert np.isnan(series.values[[1, 2, 4]]).all()
    assert {Method.METER, Method.PROFILE} == MEASURED
    assert [days_of(Period(2024, 2)), days_of(Period(2025, 2)), days_of(Period(2025, 12))] == [29, 28, 31]


def test_heat_knows_the_climate_of_the_house_s_area() -> None:
    climate = climate_of(("nowhere", "krasnoyarsk", "russia"))
    assert climate is not None
    months = {Period(2025, 1): UsedMonth(Method.METER, {"single": 31})}
    series = series_of(Service.HEATING, months, Period(2025, 2), 1, climate)
    assert series.warmth is not None
    assert series.warmth.tolist() == pytest.approx([18 + 15.7, 18 + 13.5, 18 + 5.6])
    assert series_of(Service.COLD_WATER, months, Period(2025, 2), 1, climate).warmth is None
    assert climate_of(("nowhere",)) is None


def test_normals_that_lack_a_month_are_refused_by_name() -> None:
    with pytest.raises(ClimateError, match="short-year: months_c must list twelve"):
        parse_climate({"name": "short-year", "area": "a", "source": "s", "base_c": "18", "months_c": ["1"]})
    with pytest.raises(ClimateError, match="source"):
        parse_climate({"name": "no-source", "area": "a", "base_c": "18", "months_c": ["1"] * 12})
