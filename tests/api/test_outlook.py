"""The months to come over HTTP: whole sums with their interval and the naive figure, for those who live there."""

from __future__ import annotations

from fastapi.testclient import TestClient

from tests.api.conftest import LogIn


def test_a_month_to_come_has_an_interval_and_the_naive_figure(resident: TestClient) -> None:
    found = resident.get("/v1/accounts/10000012/outlook", params={"months": 2}).json()
    assert [month["period"] for month in found["months"]] == ["2026-02", "2026-03"]
    month = found["months"][0]
    sums = [month[name] for name in ("low_kopecks", "bill_kopecks", "high_kopecks", "naive_kopecks")]
    assert sums == [15_350, 30_373, 45_400, 30_564]
    assert month["lines"] == [{"service": "cold_water", "amount_kopecks": 30_373}]
    (water,) = month["use"]
    assert [water[name] for name in ("unit", "low", "quantity", "high", "naive", "naive_is")] == [
        "litre", 3_523, 6_971, 10_420, 7_015, "last-month",
    ]  # fmt: skip


def test_an_account_without_history_is_told_so(log_in: LogIn) -> None:
    answer = log_in("resident13").get("/v1/accounts/10000013/outlook")
    assert (answer.status_code, answer.json()["type"].rsplit("/")[-1]) == (409, "no-forecast")
    assert "one month of readings" in answer.json()["detail"]


def test_another_s_forecast_does_not_exist(resident: TestClient, anonymous: TestClient, log_in: LogIn) -> None:
    assert anonymous.get("/v1/accounts/10000012/outlook").status_code == 401
    assert resident.get("/v1/accounts/10000013/outlook").status_code == 404
    assert log_in("supplier1").get("/v1/accounts/10000012/outlook").status_code == 404
    assert resident.get("/v1/accounts/10000012/outlook", params={"months": 13}).status_code == 422
