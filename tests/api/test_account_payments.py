"""A sum for a whole account over HTTP: where it goes before it is paid, and one payment under one key."""

from __future__ import annotations

from fastapi.testclient import TestClient

from billing.debt.requests import AccountPayment
from tests.api.conftest import LogIn
from tests.api.town import Town
from tests.api.town_ledger import ACCOUNT

KEY = {"Idempotency-Key": "a key of the tests"}
DIVISION = "/v1/accounts/10000012/division"


def test_a_sum_goes_to_the_oldest_bill_first_and_passes_over_what_waits(resident: TestClient) -> None:
    whole = resident.get(DIVISION).json()
    assert (whole["amount_kopecks"], whole["waiting_kopecks"]) == (40_000, 5_000)
    assert [(part["bill"], part["amount_kopecks"]) for part in whole["parts"]] == [("1-0", 30_000), ("1-1", 10_000)]
    part = resident.get(DIVISION, params={"amount_kopecks": 30_001}).json()
    assert [row["amount_kopecks"] for row in part["parts"]] == [30_000, 1]
    assert resident.get(DIVISION, params={"amount_kopecks": 50_000}).json()["amount_kopecks"] == 40_000


def test_the_same_key_pays_once_and_no_more_than_can_be_paid(town: Town, resident: TestClient) -> None:
    wanted = {"account": ACCOUNT, "amount_kopecks": 40_000}
    first, again = (resident.post("/v1/account-payments", json=wanted, headers=KEY) for _ in range(2))
    assert (first.status_code, first.json()["maximum_kopecks"]) == (202, 40_000)
    assert again.json() == first.json()
    (item,) = town.inbox.items()
    assert item.request == AccountPayment(ACCOUNT, 40_000)
    too_much = resident.post("/v1/account-payments", json=wanted | {"amount_kopecks": 40_001}, headers={
        "Idempotency-Key": "another of the tests"
    })  # fmt: skip
    assert (too_much.status_code, too_much.json()["type"].rsplit("/")[-1]) == (422, "wrong-sum")
    assert resident.get(f"/v1/payments/{item.id}").json()["account"] == ACCOUNT


def test_nobody_pays_or_looks_for_another(
    town: Town, anonymous: TestClient, resident: TestClient, log_in: LogIn
) -> None:
    wanted = {"account": ACCOUNT, "amount_kopecks": 100}
    assert anonymous.get(DIVISION).status_code == 401
    assert log_in("resident13").get(DIVISION).status_code == 404
    assert log_in("resident13").post("/v1/account-payments", json=wanted, headers=KEY).status_code == 404
    assert log_in("regulator").post("/v1/account-payments", json=wanted, headers=KEY).status_code == 403
    assert resident.post("/v1/account-payments", json=wanted).status_code == 400
    assert not town.inbox.items()
