"""A dispute decided over HTTP: by the operator alone, once, in their own name and on the house's own day."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.people import Role
from billing.debt.requests import DisputeDecision
from tests.api.conftest import LogIn
from tests.api.town import Town
from tests.api.town_ledger import ACCOUNT, NOW, WALLETS
from tests.api.town_register import GROUND

PATH = "/v1/disputes/3/decision"
WORD = {"upheld": True, "act": " решение № 7 "}
KEY = {"Idempotency-Key": "a key of the tests"}


def test_the_operator_decides_in_their_own_name_on_the_houses_own_day(town: Town, log_in: LogIn) -> None:
    """The head is of 28 February, 17:33 UTC: 1 March in Krasnoyarsk."""
    assert NOW == 1_772_300_000
    operator = log_in("operator")
    answer, again = (operator.post(PATH, json=WORD, headers=KEY) for _ in range(2))
    assert (answer.status_code, answer.json()["kind"], answer.json()["state"]) == (202, "decision", "waiting")
    assert again.json() == answer.json()
    (item,) = town.inbox.items()
    person = town.context.people.authenticate("operator", "correct horse")
    assert person is not None
    assert item.request == DisputeDecision(3, True, date(2026, 3, 1), "решение № 7", person.id)
    assert item.client_key.startswith(f"{person.id}:")
    other = operator.post(PATH, json=WORD | {"upheld": False}, headers=KEY)
    assert (other.status_code, other.json()["type"].rsplit("/")[-1]) == (409, "idempotency-key-reused")
    town.inbox.done([item.id], {"case": 3, "outcome": "upheld"})
    ended = operator.get(f"/v1/disputes/3/decisions/{item.id}", params={"wait_s": 1}).json()
    assert (ended["id"], ended["state"]) == (str(item.id), "done")
    assert operator.get(f"/v1/disputes/1/decisions/{item.id}").status_code == 404


def test_a_repeated_decision_is_told_its_own_end_though_the_dispute_is_over(town: Town, log_in: LogIn) -> None:
    operator = log_in("operator")
    first = operator.post(PATH, json=WORD, headers=KEY).json()
    found = town.register.staff_cases[0]
    ended = found.matter.decide(upheld=True, on=date(2026, 3, 1), act="решение № 7")
    town.register.staff_cases[0] = type(found)(found.id, found.account, ended, found.bill, 0)
    assert operator.post(PATH, json=WORD, headers=KEY).json() == first
    late = operator.post(PATH, json=WORD, headers={"Idempotency-Key": "another of the tests"})
    assert (late.status_code, late.json()["type"].rsplit("/")[-1]) == (409, "dispute-decided")
    assert len(town.inbox.items()) == 1


def test_the_list_tells_what_waits_and_who_decided_what(log_in: LogIn) -> None:
    for login in ("operator", "regulator"):
        client = log_in(login)
        (waits,) = client.get("/v1/disputes").json()["disputes"]
        assert (waits["case"], waits["account"], waits["bill"], waits["ground"]) == (3, ACCOUNT, "1-0", GROUND)
        assert (waits["waiting_kopecks"], waits["outcome"], waits["decided_by"]) == (60_432, "open", "")
        assert client.get("/v1/disputes/3").json() == waits
        (decided,) = client.get("/v1/disputes", params={"decided": True}).json()["disputes"]
        assert (decided["outcome"], decided["decision"], decided["decided_by"]) == (
            "rejected",
            "решение № 1",
            "somebody",
        )


def test_a_person_who_decided_is_told_by_name_and_not_to_residents(town: Town, log_in: LogIn) -> None:
    person = town.context.people.authenticate("operator", "correct horse")
    assert person is not None
    found = town.register.staff_cases[0]
    ended = found.matter.decide(upheld=False, on=date(2026, 3, 1), act="решение № 7", by=person.id)
    town.register.staff_cases[0] = type(found)(found.id, found.account, ended, found.bill, 0)
    assert log_in("operator").get("/v1/disputes/3").json()["decided_by"] == "Расчётный центр"
    assert "decided_by" not in log_in("resident12").get("/v1/accounts/10000012/balance").text


def test_nobody_else_decides(town: Town, anonymous: TestClient, log_in: LogIn) -> None:
    assert anonymous.post(PATH, json=WORD, headers=KEY).status_code == 401
    for login in ("regulator", "welfare", "supplier1", "resident12"):
        client = log_in(login)
        assert client.post(PATH, json=WORD, headers=KEY).status_code == 403
        assert client.get("/v1/disputes/3/decisions/1").status_code == 403
        expected = 200 if login == "regulator" else 403
        assert client.get("/v1/disputes").status_code == client.get("/v1/disputes/3").status_code == expected
    supplier = town.context.people.issue_token(Role.SUPPLIER, "Водоканал", min(WALLETS))
    assert anonymous.post(PATH, json=WORD, headers=KEY | {"Authorization": f"Bearer {supplier}"}).status_code == 403
    assert log_in("operator").post(PATH, json=WORD).status_code == 400
    assert not town.inbox.items()


@pytest.mark.parametrize("case", ["2", "0", "-1", "x", "9" * 20])
def test_a_dispute_that_is_none_is_not_decided(town: Town, log_in: LogIn, case: str) -> None:
    operator = log_in("operator")
    assert operator.post(f"/v1/disputes/{case}/decision", json=WORD, headers=KEY).status_code == 404
    assert operator.get(f"/v1/disputes/{case}").status_code == 404
    assert not town.inbox.items()


@pytest.mark.parametrize("word", [{"act": "  "}, {"act": "x" * 201}, {"upheld": "maybe"}, {"on": "2020-01-01"}])
def test_a_decision_without_an_act_or_on_another_day_is_refused(
    town: Town, log_in: LogIn, word: dict[str, Any]
) -> None:
    assert log_in("operator").post(PATH, json=WORD | word, headers=KEY).status_code == 422
    assert not town.inbox.items()
