"""A house over HTTP: for who lives there with their own use, for the regulator without any flat's."""

from __future__ import annotations

from fastapi.testclient import TestClient

from tests.api.conftest import LogIn


def test_who_lives_there_sees_the_house_its_fund_and_their_own_use(resident: TestClient) -> None:
    found = resident.get("/v1/accounts/10000012/house").json()
    assert (found["house"], found["period"], found["flats"], found["small"]) == ("house-1", "2026-01", 20, False)
    water, heat = found["resources"]
    assert water["volume"] == water["flats"] + water["others"] + water["common"] == 120_000
    assert (water["own"], water["average"]) == (5_250, 4_500)
    assert (heat["volume"], heat["flats"], heat["own"]) == (None, None, None)
    fund = found["fund"]
    assert (fund["charged_kopecks"], fund["received_kopecks"], fund["closing_kopecks"]) == (100_000, 80_000, 50_000)
    assert fund["owed_to_contractors_kopecks"] == 20_000
    assert [work["kind"] for work in fund["works"]] == ["accepted", "spent"]


def test_no_account_of_a_house_is_named_to_anybody(resident: TestClient, log_in: LogIn) -> None:
    for client, path in ((resident, "/v1/accounts/10000012/house"), (log_in("regulator"), "/v1/houses/house-1")):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "10000013" not in answer.text
    assert all(row["own"] is None for row in answer.json()["resources"])


def test_a_neighbour_sees_their_own_use_alone(log_in: LogIn) -> None:
    neighbour = log_in("resident13").get("/v1/accounts/10000013/house").json()
    assert [row["own"] for row in neighbour["resources"]] == [None, None]


def test_strangers_and_months_that_are_none(anonymous: TestClient, resident: TestClient, log_in: LogIn) -> None:
    for path in ("/v1/accounts/10000012/house", "/v1/houses", "/v1/houses/house-1"):
        assert anonymous.get(path).status_code == 401
    assert resident.get("/v1/accounts/10000013/house").status_code == 404
    assert log_in("supplier1").get("/v1/accounts/10000012/house").status_code == 404
    assert [resident.get(path).status_code for path in ("/v1/houses", "/v1/houses/house-1")] == [403, 403]
    regulator = log_in("regulator")
    assert regulator.get("/v1/houses").json() == {"houses": ["house-1"]}
    assert regulator.get("/v1/houses/house-2").status_code == 404
    for period, status in (("2026-02", 404), ("2026-13", 422), ("1999-01", 422), ("2026-01", 200)):
        assert resident.get("/v1/accounts/10000012/house", params={"period": period}).status_code == status
