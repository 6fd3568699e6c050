"""Asking for money to move: once for each key, only what is open, only by whom the bill concerns."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from fastapi.testclient import TestClient

from billing.requests import AgentPayment, PayOrder
from contracts.wire.ids import BillKey
from tests.api.conftest import LogIn
from tests.api.town import Town
from tests.api.town_ledger import MINE, NOW

WANTED = {"bill": "1-0", "maximum_kopecks": 100_296}


def _pay(client: TestClient, key: str | None = "the first payment", **changes: Any) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post("/v1/payments", json=WANTED | changes, headers=headers)


def test_a_hundred_clicks_at_once_are_one_payment(town: Town, resident: TestClient) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: _pay(resident), range(100)))
    assert {a.status_code for a in answers} == {202}
    assert len({a.json()["id"] for a in answers}) == 1
    (item,) = town.inbox.items()
    assert item.request == AgentPayment(MINE, 100_296)


def test_a_repeated_key_answers_with_its_payment_after_the_bill_is_paid(town: Town, resident: TestClient) -> None:
    first = _pay(resident).json()
    town.close(MINE)
    assert _pay(resident).json()["id"] == first["id"]
    late = _pay(resident, key="another payment")
    assert (late.status_code, late.json()["type"].rsplit("/", 1)[1]) == (409, "bill-closed")
    assert len(town.inbox.items()) == 1


def test_a_key_with_other_content_is_refused(town: Town, resident: TestClient) -> None:
    _pay(resident)
    other = _pay(resident, maximum_kopecks=5)
    assert (other.status_code, other.json()["type"].rsplit("/", 1)[1]) == (409, "idempotency-key-reused")
    assert len(town.inbox.items()) == 1


def test_two_people_with_one_key_are_two_payments(town: Town, resident: TestClient, log_in: LogIn) -> None:
    mine = _pay(resident).json()
    theirs = _pay(log_in("resident13"), bill="1-2").json()
    assert mine["id"] != theirs["id"]
    assert len(town.inbox.items()) == 2


def test_a_payment_without_a_key_is_refused(town: Town, resident: TestClient) -> None:
    answer = _pay(resident, key=None)
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("idempotency-key-missing")
    assert town.inbox.items() == []


@pytest.mark.parametrize("kopecks", [0, -1, 100_297, 2**48, 1.5, "all"])
def test_a_wrong_sum_is_refused(town: Town, resident: TestClient, kopecks: object) -> None:
    answer = _pay(resident, maximum_kopecks=kopecks)
    assert answer.status_code == 422
    assert answer.json()["remedy"]
    assert town.inbox.items() == []


def test_a_paid_bill_takes_no_money(town: Town, resident: TestClient) -> None:
    assert _pay(resident, bill="1-1", maximum_kopecks=1).status_code == 409
    assert town.inbox.items() == []


def test_suppliers_and_regulators_do_not_pay_residents_bills(town: Town, log_in: LogIn) -> None:
    for login in ("supplier1", "regulator"):
        assert _pay(log_in(login)).status_code == 403
    assert town.inbox.items() == []


def test_the_split_shown_before_paying_sums_to_the_payment(resident: TestClient) -> None:
    # By hand: 10 000 · 27 213 / 100 296 = 2 713.2687, · 60 432 = 6 025.3649, · 12 651 = 1 261.3664. The floors make
    # 9 999; the kopeck left goes to the largest remainder, the third.
    split = resident.get("/v1/bills/1-0/split", params={"amount_kopecks": 10_000}).json()
    assert [part["amount_kopecks"] for part in split["parts"]] == [2_713, 6_025, 1_262]
    whole = resident.get("/v1/bills/1-0/split", params={"amount_kopecks": 100_296}).json()
    assert [part["amount_kopecks"] for part in whole["parts"]] == [27_213, 60_432, 12_651]


def test_a_suspended_suppliers_part_stays_open_and_does_not_weigh(town: Town, resident: TestClient) -> None:
    town.ledger.suspended = {5}
    # By hand: 10 000 · 27 213 / 87 645 = 3 104.9119, · 60 432 = 6 895.0881; the kopeck left goes to the first.
    split = resident.get("/v1/bills/1-0/split", params={"amount_kopecks": 10_000}).json()
    assert [(part["supplier"], part["amount_kopecks"]) for part in split["parts"]] == [(1, 3_105), (2, 6_895)]
    whole = resident.get("/v1/bills/1-0/split", params={"amount_kopecks": 100_296}).json()
    assert whole["amount_kopecks"] == 27_213 + 60_432
    assert [(part["supplier"], part["amount_kopecks"]) for part in whole["passed_over"]] == [(5, 12_651)]
    town.ledger.suspended = {1, 2, 5}
    assert resident.get("/v1/bills/1-0/split", params={"amount_kopecks": 1}).status_code == 409


def test_a_prepayment_goes_into_the_inbox_once(town: Town, resident: TestClient) -> None:
    wanted = {"account": "10000012", "supplier": 1, "amount_kopecks": 5_000}
    answers = [
        resident.post("/v1/prepayments", json=wanted, headers={"Idempotency-Key": "ahead of time"}) for _ in range(3)
    ]
    assert {a.status_code for a in answers} == {202}
    assert len(town.inbox.items()) == 1
    assert resident.get(f"/v1/payments/{answers[0].json()['id']}").json()["account"] == "10000012"


def test_nothing_is_prepaid_to_a_suspended_supplier_or_for_a_stranger(town: Town, resident: TestClient) -> None:
    town.ledger.suspended = {5}
    for change in ({"supplier": 5}, {"supplier": 77}, {"account": "10000013"}):
        wanted = {"account": "10000012", "supplier": 1, "amount_kopecks": 5_000} | change
        answer = resident.post("/v1/prepayments", json=wanted, headers={"Idempotency-Key": "ahead of time"})
        assert answer.status_code == 404
    assert town.inbox.items() == []


# --- orders: the wallet's side is eth-account, which knows nothing of our encoding ---

WALLET = Account.from_key("0x" + "11" * 32)


def _signed(resident: TestClient, wallet: Any = WALLET) -> dict[str, Any]:
    order = resident.get("/v1/bills/1-0/order", params={"payer": WALLET.address}).json()
    message = encode_typed_data(full_message=order["typed_data"])
    signature = wallet.sign_message(message).signature.hex()
    fields = {name: order[name] for name in ("bill", "payer", "maximum_kopecks", "nonce", "valid_before")}
    return fields | {"signature": "0x" + signature.removeprefix("0x")}


def test_an_order_signed_by_another_implementation_is_accepted_once(town: Town, resident: TestClient) -> None:
    order = _signed(resident)
    answers = [resident.post("/v1/orders", json=order) for _ in range(3)]
    assert [a.status_code for a in answers] == [202, 202, 202], answers[0].text
    (item,) = town.inbox.items()
    assert isinstance(item.request, PayOrder)
    assert item.request.bill == BillKey.parse("1-0")
    assert item.request.authorization.maximum_kopecks == 100_296
    assert item.request.authorization.valid_before == NOW + 24 * 3600


@pytest.mark.parametrize(
    "change",
    [{"maximum_kopecks": 100_295}, {"nonce": "7"}, {"payer": "0x" + "22" * 20}, {"signature": "0x" + "00" * 65}],
)
def test_an_order_that_is_not_what_was_signed_is_refused(
    town: Town, resident: TestClient, change: dict[str, object]
) -> None:
    answer = resident.post("/v1/orders", json=_signed(resident) | change)
    assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[1]) == (422, "order-refused")
    assert answer.json()["remedy"]
    assert town.inbox.items() == []


def test_a_strangers_signature_is_refused(town: Town, resident: TestClient) -> None:
    answer = resident.post("/v1/orders", json=_signed(resident, Account.from_key("0x" + "12" * 32)))
    assert answer.status_code == 422
    assert town.inbox.items() == []


def test_an_order_expires_by_the_chains_clock(town: Town, resident: TestClient) -> None:
    order = _signed(resident)
    town.ledger.head_at = NOW + 24 * 3600
    answer = resident.post("/v1/orders", json=order)
    assert answer.json()["type"].endswith("order-refused")
    assert "expired" in answer.json()["detail"]
    assert town.inbox.items() == []
