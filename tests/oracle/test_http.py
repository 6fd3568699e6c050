"""The intake over HTTP: receipts, problems, limits, and a node that is away."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from contracts.client.deployments import CONTRACTS, Deployment
from contracts.client.reader import Reader
from contracts.client.rpc import Rpc
from contracts.wire.canonical import content_hash
from contracts.wire.ids import Address
from oracle.batch import NO_BATCH, batch_to_json
from oracle.chain import OnChain
from oracle.http import make_app
from oracle.intake import Intake
from tests.oracle.conftest import Town, reading

TOKEN = "for-entitled-readers"


@pytest.fixture
def web(town: Town) -> TestClient:
    return TestClient(make_app(town.intake, TOKEN, lambda _body: "intent"))


def problem(response: Any) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/problem+json"
    value: dict[str, Any] = response.json()
    assert value["status"] == response.status_code
    assert value["remedy"] in value["detail"]
    return value


def test_a_receipt_then_a_repeat_then_its_state(town: Town, web: TestClient) -> None:
    batch = town.signer(1).next(reading(town.meters[0], 100))
    body = batch_to_json(batch)
    first = web.post("/batches", content=body)
    assert first.status_code == 202
    assert first.json() == {"root": "0x" + batch.header.root.hex(), "sequence": 1, "state": "accepted", "reason": None}
    assert web.post("/batches", content=body).json()["state"] == "repeated"
    assert web.get("/batches/1/1").json()["state"] == "accepted"
    head = web.get("/sources/1/head").json()
    assert (head["epoch"], head["sequence"], head["head"]) == (0, 1, "0x" + batch.header.head().hex())
    assert problem(web.get("/batches/1/2"))["type"].endswith("not-found")


def test_a_quarantined_batch_says_why_and_is_listed(town: Town, web: TestClient) -> None:
    source = town.signer(1)
    broken = source.make(NO_BATCH, reading(town.meters[0], 100), previous=b"\x07" * 24)
    answer = problem(web.post("/batches", content=batch_to_json(broken)))
    assert (answer["status"], answer["state"]) == (409, "quarantined")
    assert (answer["source"], answer["sequence"], answer["given"]) == (1, 1, "0x" + "07" * 24)
    assert web.get("/batches/1/1").json()["state"] == "quarantined"
    listed = web.get("/quarantine", headers={"Authorization": f"Bearer {TOKEN}"}).json()
    assert [(row["slug"], row["source"], row["sequence"]) for row in listed] == [("broken-chain", 1, 1)]
    assert problem(web.get("/quarantine"))["status"] == 401
    assert problem(web.get("/quarantine", headers={"Authorization": "Bearer " + TOKEN[:-1]}))["status"] == 401


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda _: b"{", "not JSON"),
        (lambda _: b"[]", "no object `header`"),
        (lambda v: {**v, "leaves": "x"}, "no list `leaves`"),
        (lambda v: {**v, "leaves": ["!!"]}, "leaf 0 is not base64"),
        (lambda v: {**v, "leaves": [5]}, "leaf 0 is not base64"),
        (lambda v: {**v, "signature": 5}, "`signature` is not hex"),
        (lambda v: {**v, "header": {**v["header"], "epoch": 70_000}}, "header.epoch is not a whole number below 2^16"),
        (lambda v: {**v, "header": {**v["header"], "sequence": True}}, "header.sequence"),
        (lambda v: {**v, "header": {**v["header"], "root": "0x12"}}, "header.root has 1 bytes, not 32"),
    ],
)
def test_what_is_no_batch_is_refused_by_field(town: Town, web: TestClient, change: Any, names: str) -> None:
    good = json.loads(batch_to_json(town.signer(1).next(reading(town.meters[0], 100))))
    body = change(good)
    answer = problem(web.post("/batches", content=body if isinstance(body, bytes) else json.dumps(body)))
    assert (answer["status"], answer["state"]) == (400, "refused")
    assert names in answer["detail"]


def test_a_body_past_the_limit_is_refused(town: Town, web: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oracle.http.MAX_BODY_BYTES", 100)
    answer = problem(web.post("/batches", content=batch_to_json(town.signer(1).next(reading(town.meters[0], 1)))))
    assert answer["status"] == 413
    monkeypatch.undo()
    monkeypatch.setattr("oracle.batch.MAX_LEAVES", 1)
    two = town.signer(2).next(reading(town.meters[0], 1), reading(town.meters[1], 1))
    assert "2 leaves, at most 1" in problem(web.post("/batches", content=batch_to_json(two)))["detail"]


@pytest.mark.parametrize("path", ["/batches/x/1", "/batches/1/-1", f"/sources/{1 << 40}/head", f"/batches/1/{1 << 70}"])
def test_numbers_out_of_range_are_refused(web: TestClient, path: str) -> None:
    assert problem(web.get(path))["status"] == 400


def test_an_unknown_source_has_no_head(web: TestClient) -> None:
    answer = problem(web.get("/sources/9/head"))
    assert (answer["status"], answer["type"]) == (403, "urn:kopeck:problem:unknown-source")


def test_documents_are_named_by_their_bytes_and_for_the_entitled(town: Town, web: TestClient) -> None:
    data = "акт № 1".encode()
    name = "0x" + content_hash(data).hex()
    entitled = {"Authorization": f"Bearer {TOKEN}"}
    assert problem(web.put(f"/documents/{name}", content=data))["status"] == 401
    mismatch = problem(web.put(f"/documents/{name}", content=data + b".", headers=entitled))
    assert mismatch["type"].endswith("document-mismatch")
    assert not (town.folder / "files" / "documents").exists()
    assert web.put(f"/documents/{name}", content=data, headers=entitled).status_code == 201
    assert web.get(f"/files/documents/{name}", headers=entitled).content == data
    assert problem(web.get(f"/files/documents/{name}"))["status"] == 401
    for odd in ("/files/bills/" + name, "/files/readings/0x12", "/files/readings/..%2Foracle.db"):
        assert web.get(odd, headers=entitled).status_code == 404


def test_while_the_node_is_away_nothing_is_taken(town: Town) -> None:
    addresses = {name: Address(bytes([i]) * 20) for i, name in enumerate(CONTRACTS)}
    deployment = Deployment(31337, 1, addresses)
    away = OnChain(Reader(Rpc("http://127.0.0.1:9", timeout_s=1), deployment), deployment)
    intake = Intake(town.intake.engine, town.intake.files, town.intake.keys, away)
    web = TestClient(make_app(intake, TOKEN, lambda _body: "intent"))
    answer = problem(web.post("/batches", content=batch_to_json(town.signer(1).next(reading(town.meters[0], 1)))))
    assert (answer["status"], answer["state"]) == (503, "refused")
    assert "send it again once the oracle's node is back" in answer["detail"]
    assert not (town.folder / "files" / "readings").exists()
    assert TestClient(make_app(town.intake, TOKEN, lambda _body: "intent")).get("/quarantine").status_code == 401
