"""What the door says of a bill, and that the contract of the door is written down."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import api
from api.app import create_app
from api.problems import TABLE
from ledger.queries.views import ReceiptKind
from tests.api.town import Town
from tests.api.town_ledger import AGENT, PAID, receipt

OPENAPI = Path(api.__file__).parent / "openapi.json"


def test_a_bill_tells_each_line_with_its_reason_and_where_the_money_went(resident: TestClient) -> None:
    bill = resident.get("/v1/bills/1-0").json()
    line = bill["lines"][0]
    assert (line["service"], line["charged_kopecks"], line["granted_kopecks"], line["open_kopecks"]) == (
        "electricity",
        37_213,
        10_000,
        27_213,
    )
    why = line["explanation"]
    rate = why["parts"][0]["inputs"][1]
    assert (rate["symbol"], rate["value"], rate["unit"]) == ("T", "3.25", "RUB/kWh")
    assert why["readings"][0]["root"] == "0x" + "5b" * 32
    assert why["tariffs"][0]["act"] == "Приказ Минтарифполитики № 42-э"
    assert bill["without_charge"] == ["heating"]
    (receipt,) = bill["receipts"]
    assert (receipt["kind"], receipt["payer"]["kind"], receipt["finalised"]) == ("grant", "welfare", True)
    assert receipt["legs"][0]["party"]["name"] == "Горэнергосбыт"
    assert [(b["state"], b["applied_kopecks"]) for b in bill["benefits"]] == [("applied", 10_000), ("waiting", 0)]


def test_sums_of_a_bill_agree(resident: TestClient) -> None:
    for key in ("1-0", "1-1"):
        bill = resident.get(f"/v1/bills/{key}").json()
        moved = sum(leg["amount_kopecks"] for r in bill["receipts"] for leg in r["legs"])
        assert moved == bill["paid_kopecks"] + bill["granted_kopecks"]
        assert bill["charged_kopecks"] == moved + bill["open_kopecks"]


def test_an_agent_payment_names_no_person(resident: TestClient) -> None:
    (receipt,) = resident.get("/v1/bills/1-1").json()["receipts"]
    assert receipt["payer"]["kind"] == "agent"
    assert not receipt["finalised"]


def test_a_refund_goes_from_the_supplier_to_the_payer(town: Town, resident: TestClient) -> None:
    town.ledger.moved[PAID].append(receipt(ReceiptKind.REFUND, PAID, AGENT, ((1, 2, 700),)))
    (_, refund) = resident.get("/v1/bills/1-1").json()["receipts"]
    assert (refund["payer"], refund["refunded_to"]["kind"]) == (None, "agent")
    assert refund["legs"][0]["party"]["name"] == "Водоканал"


def test_a_proof_comes_with_the_bill(resident: TestClient) -> None:
    proof = resident.get("/v1/bills/1-0/proof").json()
    assert (proof["run"], proof["index"], proof["count"], len(proof["siblings"])) == (1, 0, 3, 2)
    assert proof["charge_book"].lower() == "0x" + "a5" * 20


@pytest.mark.parametrize("key", ["0-0", "1", "1-", "-1-0", "99999999999-0", "1-4294967296", "a-b", "1-0-0"])
def test_a_name_that_is_no_bill_names_nothing(resident: TestClient, key: str) -> None:
    answer = resident.get(f"/v1/bills/{key}")
    assert answer.status_code == 404
    assert answer.json()["title"] == "There is no such record"


def test_a_defect_of_ours_tells_no_secret(town: Town, resident: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_key: object) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(town.ledger, "bill", broken)
    answer = resident.get("/v1/bills/1-0")
    assert answer.status_code == 500
    assert "hunter2" not in answer.text
    assert answer.json()["remedy"]


def test_every_problem_has_a_type_of_its_own_and_a_remedy() -> None:
    assert len({problem.slug for problem in TABLE}) == len(TABLE)
    assert all(problem.remedy.endswith(".") and 400 <= problem.status < 600 for problem in TABLE)


def test_openapi_is_up_to_date(town: Town) -> None:
    """Made anew with: python -m api.openapi"""
    assert json.loads(OPENAPI.read_text()) == json.loads(json.dumps(create_app(town.context).openapi()))
