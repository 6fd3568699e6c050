"""Each formula against worked cases that others published: ../shared/data/oracles.json and the acts' own examples."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path

import pytest

from billing.domain import formulas
from billing.domain.numbers import NumberError, exact, exact_text, half_up, kopecks

ORACLES = Path(__file__).parents[3] / "shared" / "data" / "oracles.json"


def oracle(name: str) -> dict[str, str]:
    if not ORACLES.exists():
        pytest.skip(f"no worked cases at {ORACLES.name}: they lie beside the repository")
    rows = json.loads(ORACLES.read_text(encoding="utf-8"))["tariff"]
    return next(row for row in rows if row["id"] == name)


def roubles(text: str) -> int:
    return kopecks(exact(text))


@pytest.mark.parametrize(
    ("volume", "rate", "expected"),
    [("7", "43.57", "304.99"), ("4", "211.67", "846.68"), ("11", "32.02", "352.22")],
)
def test_by_meter_moscow_2021(volume: str, rate: str, expected: str) -> None:
    assert formulas.by_meter(exact(volume), exact(rate)) == roubles(expected)


@pytest.mark.parametrize(
    ("k", "charge", "surcharge"), [("1", "604.32", "0"), ("1.5", "906.47", "302.16"), ("3", "1812.95", "1208.63")]
)
def test_norm_with_multiplier(k: str, charge: str, surcharge: str) -> None:
    arguments = (2, exact("6.935"), exact(k), exact("43.57"))
    assert formulas.by_norm_raised(*arguments) == roubles(charge)
    assert formulas.surcharge_of(*arguments) == roubles(surcharge)


def test_norm_without_multiplier_is_multiplier_one() -> None:
    assert formulas.by_norm(2, exact("6.935"), exact("43.57")) == roubles("604.32")


def test_heating_by_house_meter() -> None:
    house = (exact("54.3"), exact("182.4"), exact("5620.8"))
    assert half_up(house[0] * house[1] / house[2] * 100_000) == 176_208
    assert formulas.heating_by_house_meter(*house, exact("2546.83")) == roubles("4487.73")


def test_heating_by_norm() -> None:
    assert formulas.heating_by_norm(exact("54.3"), exact("0.016"), exact("2546.83")) == roubles("2212.69")


def test_heating_by_norm_all_year_is_the_season_spread() -> None:
    seven_of_twelve = formulas.heating_by_norm(exact("54.3"), exact("0.016"), exact("2546.83"), Fraction(7, 12))
    assert seven_of_twelve == half_up(Fraction(exact("54.3") * exact("0.016") * exact("2546.83") * 100 * 7) / 12)


def test_two_component_hot_water() -> None:
    parts = formulas.two_component(exact("3.1"), exact("43.57"), exact("0.0583"), exact("2546.83"))
    assert parts == (roubles("135.07"), roubles("460.29"))
    assert sum(parts) == roubles("595.36")


def test_solid_waste_oracle_t4() -> None:
    row = oracle("T4")
    sums, results = row["in"].split("; "), row["out"].split("; ")
    assert len(sums) == len(results) == 2
    for product, result in zip(sums, results, strict=True):
        area, norm, rate = (exact(number) for number in product.split("*"))
        assert formulas.by_base_norm(area, norm, rate) == roubles(result)


def test_capital_repair_oracle_t11() -> None:
    row = oracle("T11")
    area, rate = re.search(r"(\d+) m2.* ([\d.]+) rub/m2", row["in"]).groups()  # type: ignore[union-attr]
    charge = re.search(r"charge ([\d.]+)", row["check"]).group(1)  # type: ignore[union-attr]
    assert formulas.per_area(exact(area), exact(rate)) == roubles(charge)


def test_social_norm_oracle_t3() -> None:
    row = oracle("T3")
    norm = formulas.social_norm_kwh(2, exact("75"), exact("110"))
    assert norm == 150
    day, night = formulas.split_social_norm(norm, [160_000, 60_000])
    assert f"day norm {day // 1000}, night {night // 1000}" == row["out"]
    day_in, day_over, night_in, night_over = (exact(r) for r in ("3.76", "6.55", "1.95", "3.14"))
    bill = (
        formulas.by_meter(Fraction(day, 1000), day_in)
        + formulas.by_meter(Fraction(160_000 - day, 1000), day_over)
        + formulas.by_meter(Fraction(night, 1000), night_in)
        + formulas.by_meter(Fraction(60_000 - night, 1000), night_over)
    )
    assert "883.50 (whole kWh)" in row["check"]
    assert bill == roubles("883.50")


@pytest.mark.parametrize(("persons", "norm"), [(0, 0), (1, 110), (2, 150), (5, 375)])
def test_social_norm_by_persons(persons: int, norm: int) -> None:
    assert formulas.social_norm_kwh(persons, exact("75"), exact("110")) == norm


def test_published_sums_that_cut_kopecks_are_not_ours() -> None:
    assert "58.38;" in oracle("T6")["out"]
    assert kopecks(exact("7.76") + exact("0.06") * (exact("787.24") + exact("56.53"))) == 5839
    assert oracle("T7")["out"].startswith("52.02,")
    assert kopecks(exact("472.96") * exact("0.11")) == 5203


def test_negative_oracle_t8_is_refused_by_arithmetic() -> None:
    row = oracle("T8")
    numbers = [exact(n) for n in re.findall(r"[\d.]+", row["in"])]
    norm, flat, first, second, common = numbers
    assert half_up(norm * flat / (first + second) * common * 10_000) == 13_268


def test_within_the_norm_keeps_every_watt_hour() -> None:
    assert formulas.split_social_norm(exact("150"), [100_123, 49_876]) == [100_123, 49_876]


@pytest.mark.parametrize("text", ["", "1,5", "1e3", "--1", "nan", "1.2.3"])
def test_numbers_of_documents_are_plain_decimals(text: str) -> None:
    with pytest.raises(NumberError, match="plain decimal"):
        exact(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(1, 3), "1/3"),
        (Fraction(-22, 7), "-22/7"),
        (exact("-12.500"), "-12.5"),
        (exact("0.00885"), "0.00885"),
        (Fraction(1, 2**20), "0.00000095367431640625"),
        (Fraction(-1, 8), "-0.125"),
        (7, "7"),
        (100, "100"),
        (0, "0"),
    ],
)
def test_a_number_is_written_without_rounding(value: Fraction | int, text: str) -> None:
    assert exact_text(value) == text
    assert Fraction(text) == value
