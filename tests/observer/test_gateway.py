"""The gateway before a real node: what it lets through is what the node says, and nobody writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from eth_account import Account
from starlette.testclient import TestClient

from scripts.observer.config import GatewaySettings
from scripts.observer.gateway import Gateway
from scripts.processes import free_port
from tests.client.chain import Node

TOKEN = "the-kit's-own"
KEY = "0x" + "29" * 32
SETTINGS = GatewaySettings(
    origins=("https://verify.example",), calls_per_s=1, burst_calls=200, largest_body_bytes=20_000, largest_batch=100
)


@pytest.fixture
def door(node: Node) -> Iterator[TestClient]:
    with TestClient(Gateway(SETTINGS, node.url, TOKEN).app()) as client:
        yield client


def ask(door: TestClient, method: str, *params: object) -> dict[str, Any]:
    body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
    answer: dict[str, Any] = door.post("/", json=body).json()
    assert answer["id"] == 7
    return answer


def test_reads_are_answered_as_the_node_answers_them(door: TestClient, node: Node) -> None:
    calls: list[tuple[str, list[Any]]] = [
        ("eth_chainId", []),
        ("eth_getBlockByNumber", ["0x2", True]),
        ("eth_getBlockByNumber", ["finalized", False]),
        ("eth_getLogs", [{"fromBlock": "0x0", "toBlock": "finalized"}]),
        ("eth_call", [{"to": "0x" + "00" * 19 + "04", "data": "0x1234"}, "latest"]),
        ("eth_getTransactionReceipt", ["0x" + "11" * 32]),
    ]
    for method, params in calls:
        assert ask(door, method, *params)["result"] == node.rpc.call(method, *params), method


def test_a_signed_transaction_is_refused_and_the_node_never_sees_it(door: TestClient, node: Node) -> None:
    transaction = {"chainId": 31337, "nonce": 0, "gas": 21_000, "gasPrice": 0, "to": "0x" + "11" * 20, "value": 0}
    signed = Account.sign_transaction(transaction, KEY)
    before = node.rpc.call("txpool_status")
    answer = ask(door, "eth_sendRawTransaction", "0x" + signed.raw_transaction.hex())
    assert answer["error"]["code"] == -32601
    assert "reading only" in answer["error"]["message"]
    assert node.rpc.call("txpool_status") == before
    node.rpc.call("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex())  # by itself it would have taken it


@pytest.mark.parametrize(
    "method",
    [
        "eth_sendTransaction", "eth_sign", "personal_unlockAccount", "admin_addPeer", "debug_traceTransaction",
        "miner_stop", "txpool_content", "istanbul_propose", "qbft_proposeValidatorVote", "anvil_mine", "evm_revert",
        "eth_newFilter", "ETH_SENDRAWTRANSACTION", "eth_getlogs ",
    ],
)  # fmt: skip
def test_what_is_not_known_to_read_is_refused(door: TestClient, node: Node, method: str) -> None:
    head = node.rpc.call("eth_blockNumber")
    assert ask(door, method, "0x1")["error"]["code"] == -32601
    assert node.rpc.call("eth_blockNumber") == head


def test_in_a_batch_each_call_is_judged_by_itself_and_keeps_its_own_number(door: TestClient) -> None:
    calls = [
        {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"},
        {"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": ["0x00"]},
        {"jsonrpc": "2.0", "id": "x", "method": "eth_blockNumber", "params": []},
        "eth_chainId",
        {"jsonrpc": "2.0", "id": 2, "method": "eth_getBlockByNumber", "params": {"tag": "latest"}},
        {"jsonrpc": "2.0", "id": 3, "method": "eth_getBlockByNumber", "params": ["rubbish", False]},
    ]
    answers = door.post("/", json=calls).json()
    assert [answer["id"] for answer in answers] == [1, 1, "x", None, 2, 3]
    assert answers[0]["result"] == "0x7a69"
    assert int(answers[2]["result"], 16) >= 3
    assert [answer["error"]["code"] for answer in (answers[1], answers[3], answers[4])] == [-32601, -32600, -32600]
    assert answers[5]["error"]["code"] == -32602  # the node's own words


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b"[" * 9_000, 400, "not JSON"),
        (b"[]", 400, "1 to 100"),
        (json.dumps([{"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"}] * 101).encode(), 400, "this one 101"),
        (b" " * 20_001, 413, "larger than 20000 bytes"),
    ],
)
def test_bad_input_is_told_apart(door: TestClient, body: bytes, status: int, word: str) -> None:
    answer = door.post("/", content=body)
    assert answer.status_code == status
    assert word in answer.json()["error"]["message"]


def test_too_many_calls_are_told_when_to_come_back_and_the_kits_own_audit_is_not(door: TestClient) -> None:
    batch = [{"jsonrpc": "2.0", "id": number, "method": "eth_chainId"} for number in range(100)]
    assert [door.post("/", json=batch).status_code for _ in range(2)] == [200, 200]
    late = door.post("/", json=batch)
    assert late.status_code == 429
    assert 90 <= int(late.headers["Retry-After"]) <= 100
    assert door.post(f"/own/{TOKEN}", json=batch).status_code == 200
    assert door.post("/own/guessed", json=batch).status_code == 404


def test_a_browser_may_ask_from_the_verifiers_page_and_from_no_other(door: TestClient) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"}
    allowed = door.post("/", json=body, headers={"Origin": "https://verify.example"})
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://verify.example"
    other = door.post("/", json=body, headers={"Origin": "https://elsewhere.example"})
    assert "Access-Control-Allow-Origin" not in other.headers
    preflight = {"Origin": "https://verify.example", "Access-Control-Request-Method": "POST"}
    assert door.options("/", headers={**preflight, "Access-Control-Request-Headers": "content-type"}).status_code == 200


def test_health_tells_a_chain_that_stands_still_from_a_node_that_is_gone(door: TestClient) -> None:
    still = door.get("/health")
    assert still.status_code == 503  # this Anvil's blocks are of January
    assert still.json()["reason"] == "no new block"
    assert still.json()["chain_id"] == 31337
    with TestClient(Gateway(SETTINGS, f"http://127.0.0.1:{free_port()}").app()) as dead:
        assert dead.get("/health").json()["reason"] == "the node does not answer"
        gone = dead.post("/", json={"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"})
        assert gone.status_code == 502
        assert dead.post("/own/", json=[]).status_code == 404  # no token, no way in
