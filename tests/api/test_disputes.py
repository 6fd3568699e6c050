"""A line disputed over HTTP: by whoever lives there, once, and as a request that billing's inbox keeps."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from fastapi.testclient import TestClient

from billing.debt.requests import DisputeRequest
from contracts.wire.ids import Period, Service
from tests.api.conftest import LogIn
from tests.api.town import Town
from tests.api.town_ledger import ACCOUNT

PATH = "/v1/bills/1-0/disputes"
CLAIM = {"line": 0, "ground": "  Показание не моё "}
KEY = {"Idempotency-Key": "a key of the tests"}


def test_a_claim_is_kept_under_the_houses_own_day(town: Town, resident: TestClient) -> None:
    """The head is of 28 February, 17:33 UTC: 1 March in Krasnoyarsk."""
    answer = resident.post(PATH, json=CLAIM, headers=KEY)
    assert (answer.status_code, answer.json()["kind"], answer.json()["state"]) == (202, "dispute", "waiting")
    (item,) = town.inbox.items()
    assert item.request == DisputeRequest(
        ACCOUNT,
        Period(2026, 1),
        Service.ELECTRICITY,
        date(2026, 3, 1),
        "Показание не моё",
        "обращение по счёту 1-0, строка 1, от 01.03.2026",
    )
    again = resident.post(PATH, json=CLAIM, headers=KEY)
    assert (again.status_code, again.json()["id"]) == (202, answer.json()["id"])
    assert len(town.inbox.items()) == 1
    other = resident.post(PATH, json=CLAIM | {"ground": "other words"}, headers=KEY)
    assert (other.status_code, other.json()["type"].rsplit("/")[-1]) == (409, "idempotency-key-reused")


def test_the_standing_names_the_lines_that_may_be_disputed(resident: TestClient, log_in: LogIn) -> None:
    """Water is in dispute already; waste is on no debt of the books."""
    assert resident.get("/v1/bills/1-0/standing").json()["disputable"] == [0]
    assert log_in("regulator").get("/v1/bills/1-0/standing").json()["disputable"] == []


def test_what_waits_for_a_decision_is_told_apart_from_what_is_asked_for(resident: TestClient, log_in: LogIn) -> None:
    """272.13 of power, 604.32 of disputed water and 126.51 of waste are open."""
    (account,) = resident.get("/v1/accounts").json()["accounts"]
    assert (account["open_kopecks"], account["disputed_kopecks"]) == (100_296, 60_432)
    assert {bill["key"]: bill["disputed_kopecks"] for bill in account["bills"]} == {"1-0": 60_432, "1-1": 0}
    assert resident.get("/v1/bills/1-0").json()["disputed_kopecks"] == 60_432
    (other,) = log_in("resident13").get("/v1/accounts").json()["accounts"]
    assert (other["open_kopecks"], other["disputed_kopecks"]) == (100_296, 0)


@pytest.mark.parametrize("line", [1, 2, 9])
def test_a_line_in_dispute_or_of_no_bill_is_refused(town: Town, resident: TestClient, line: int) -> None:
    answer = resident.post(PATH, json=CLAIM | {"line": line}, headers=KEY)
    assert (answer.status_code, answer.json()["type"].rsplit("/")[-1]) == (409, "not-disputable")
    assert not town.inbox.items()


@pytest.mark.parametrize(
    "claim", [{"line": 32}, {"line": -1}, {"ground": ""}, {"ground": "    "}, {"ground": "x" * 1001}]
)
def test_a_claim_without_words_is_refused(town: Town, resident: TestClient, claim: dict[str, Any]) -> None:
    assert resident.post(PATH, json=CLAIM | claim, headers=KEY).status_code == 422
    assert not town.inbox.items()


def test_nobody_disputes_for_another(town: Town, anonymous: TestClient, resident: TestClient, log_in: LogIn) -> None:
    assert anonymous.post(PATH, json=CLAIM, headers=KEY).status_code == 401
    assert log_in("resident13").post(PATH, json=CLAIM, headers=KEY).status_code == 404
    assert log_in("regulator").post(PATH, json=CLAIM, headers=KEY).status_code == 403
    assert resident.post(PATH, json=CLAIM).status_code == 400
    assert not town.inbox.items()
    item = resident.post(PATH, json=CLAIM, headers=KEY).json()["id"]
    assert resident.get(f"/v1/payments/{item}").status_code == 200
    assert log_in("resident13").get(f"/v1/payments/{item}").status_code == 404
