"""An account's balance over HTTP."""

from __future__ import annotations

from fractions import Fraction
from math import floor

from fastapi.testclient import TestClient

from tests.api.conftest import LogIn


def test_a_balance_tells_months_ages_and_each_penalty_so_that_it_can_be_worked_out_again(resident: TestClient) -> None:
    found = resident.get("/v1/accounts/10000012/balance").json()
    assert (found["open_kopecks"], found["at"]) == (50_432, "2026-07-20")
    newest, first = found["months"]
    assert first["closing_kopecks"] == first["charged_kopecks"] == newest["opening_kopecks"] == 60_432
    assert newest["closing_kopecks"] == newest["opening_kopecks"] - newest["paid_kopecks"]
    assert {aged["age"]: aged["open_kopecks"] for aged in found["ages"] if aged["open_kopecks"]} == {"91-180": 50_432}
    (penalty,) = found["penalties"]
    assert penalty["supplier_name"] == "Водоканал"
    for row in penalty["rows"]:
        exact = row["balance_kopecks"] * row["days"] * Fraction(row["rate"]) * Fraction(row["fraction"])
        assert row["amount_kopecks"] == floor(exact + Fraction(1, 2))
    assert sum(row["amount_kopecks"] for row in penalty["rows"]) == penalty["penalty_kopecks"]
    # 8 days of 604.32 and 52 of 504.32 at 1/300, then 70 of 504.32 at 1/130, of 9.5 % a year
    assert [row["amount_kopecks"] for row in penalty["rows"]] == [0, 153, 830, 2580]
    assert found["penalties_kopecks"] == penalty["penalty_kopecks"]
    assert [(ahead["supplier"], ahead["left_kopecks"]) for ahead in found["advance"]] == [(5, 7_000)]


def test_another_s_balance_does_not_exist_and_the_regulator_sees_every_one(resident: TestClient, log_in: LogIn) -> None:
    assert resident.get("/v1/accounts/10000013/balance").status_code == 404
    assert log_in("regulator").get("/v1/accounts/10000013/balance").status_code == 200
    assert log_in("supplier1").get("/v1/accounts/10000012/balance").status_code == 404
