"""The forecast on real households, beside seasonal-naive; and the series of months against pandas."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from billing.outlook.score import Score, score
from billing.outlook.series import Series
from scripts.bench.households import hamburg, households

DATA = Path(__file__).parents[4] / "shared" / "data"

pytestmark = pytest.mark.skipif(not DATA.exists(), reason=f"no real data at {DATA.name}: it lies beside the repository")


@pytest.fixture(scope="module")
def groups() -> dict[str, dict[str, Series]]:
    return households(DATA)


@pytest.fixture(scope="module")
def scores(groups: dict[str, dict[str, Series]]) -> list[Score]:
    return [one for name, meters in groups.items() for one in score(name, meters)]


def test_better_than_seasonal_naive_on_the_median_of_every_set(scores: list[Score]) -> None:
    seasonal = [one for one in scores if one.is_seasonal]
    assert {one.group for one in seasonal} == {
        "electricity_sgsc10", "water_daiad by quarter", "heat_danish", "gasbill_opendsm",
    }  # fmt: skip
    assert all(one.error < one.naive_error for one in seasonal)
    (one_year,) = (one for one in scores if one.group == "water_daiad")
    assert not one_year.is_seasonal
    assert one_year.error < one_year.naive_error
    assert one_year.better > 0.7


def test_temperature_tells_a_first_winter_what_the_last_month_cannot(scores: list[Score]) -> None:
    (first_year,) = (one for one in scores if one.group == "heat_danish" and not one.is_seasonal)
    assert first_year.error < 0.5 * first_year.naive_error


def test_intervals_hold_about_as_many_outcomes_as_they_promise(scores: list[Score]) -> None:
    """Promised are 80 %."""
    held = sum(one.covered * one.forecasts for one in scores) / sum(one.forecasts for one in scores)
    assert 0.78 <= held <= 0.9
    assert all(one.covered >= 0.78 for one in scores if one.is_seasonal)


def test_months_of_half_hours_are_those_of_pandas(groups: dict[str, dict[str, Series]]) -> None:
    frame = pd.read_csv(DATA / "electricity_sgsc10" / "sgsc_6households_halfhourly.csv.gz", dtype={"customer_id": str})
    at = pd.to_datetime(frame["reading_datetime"]).dt.tz_localize("UTC").dt.tz_convert("Australia/Sydney")
    mine = frame.assign(month=at.dt.strftime("%Y-%m"))[frame["customer_id"] == "10017936"]
    whole = mine.groupby("month")["general_supply_kwh"].agg(["sum", "count"])
    # The months of which every half-hour is there (the one in which the clock goes back has two more).
    wanted = [row["sum"] / 31 for month, row in whole.iterrows() if row["count"] == 31 * 48]
    found = groups["electricity_sgsc10"]["10017936"].values
    assert len(wanted) >= 5
    assert all(abs(found - value).min() < 1e-6 for value in wanted)


def test_hamburg_s_normals_are_the_published_means() -> None:
    """DWD gives 9.0 to 9.7 °C for the year at Hamburg-Fuhlsbüttel, 1988 to 2007 within."""
    climate = hamburg()
    assert 9.0 <= sum(climate.months_c) / 12 <= 9.8
    january, july = climate.months_c[0], climate.months_c[6]
    assert 0 < january < 3
    assert 17 < july < 19
