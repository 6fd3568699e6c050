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
from oracle.batch import NO_BATCH, SignedBatch, batch_to_json
from oracle.chain import OnChain
from oracle.http import make_app
from oracle.intake import Intake
from tests.oracle.conftest import NOW, Signer, Town, reading

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
    assert first.json() == {
        "root": "0x" + batch.header.root.hex(),
        "sequence": 1,
        "state": "accepted",
        "reason": None,
        "findings": [],
    }
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
    listed = web.get("/quarantine", headers={"Authorization": f"Bearer {TOKEN}"}).json()["batches"]
    assert [(row["slug"], row["source"], row["sequence"]) for row in listed] == [("broken-chain", 1, 1)]
    assert problem(web.get("/quarantine"))["status"] == 401
    assert problem(web.get("/quarantine", headers={"Authorization": "Bearer " + TOKEN[:-1]}))["status"] == 401


@pytest.mark.parametrize(
    ("faulty", "reason", "remedy"),
    [
        ((200, NOW + 901), "future", "set the clock"),
        ((99, NOW - 1800), "decreasing", "flag of a rollover or of a replaced meter"),
        ((101, NOW - 3600), "jump", "under an act"),
    ],
)
def test_a_reading_that_cannot_stand_is_named_to_its_source(
    town: Town, capsys: pytest.CaptureFixture[str], faulty: tuple[int, int], reason: str, remedy: str
) -> None:
    web, meter = TestClient(make_app(town.intake, TOKEN, lambda _body: "intent")), town.meters[0]
    batch = town.signer(1).next(reading(town.meters[1], 7), reading(meter, 100), reading(meter, *faulty))
    receipt = web.post("/batches", content=batch_to_json(batch)).json()
    assert (receipt["state"], receipt["reason"]) == ("accepted", "1 of its readings do not stand, see `findings`")
    (finding,) = receipt["findings"]
    assert (finding["leaf"], finding["meter"], finding["reason"]) == (2, meter.hex(), reason)
    assert remedy in finding["remedy"]
    log = capsys.readouterr().out
    assert all(word in log for word in ("reading overlaid", meter.hex(), reason, remedy))
    assert web.post("/batches", content=batch_to_json(batch)).json()["findings"] == [finding]
    entitled = {"Authorization": f"Bearer {TOKEN}"}
    assert web.get("/batches/1/1", headers=entitled).json()["findings"] == [finding]
    anybody = web.get("/batches/1/1").json()["findings"]
    assert anybody == [{k: v for k, v in finding.items() if k != "meter"}]


def test_what_a_waiting_batch_got_wrong_is_told_once_its_turn_came(town: Town, web: TestClient) -> None:
    source = town.signer(1)
    first = source.next(reading(town.meters[0], 100, NOW - 7200))
    second = source.next(reading(town.meters[0], 90))
    assert web.post("/batches", content=batch_to_json(second)).json()["findings"] == []
    assert web.post("/batches", content=batch_to_json(first)).json()["findings"] == []
    assert [f["reason"] for f in web.get("/batches/1/2").json()["findings"]] == ["decreasing"]


def test_quarantine_keeps_no_more_of_a_source_than_its_allowance(
    town: Town, web: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oracle.intake.QUARANTINE_LIMIT_BYTES", 6_000)
    entitled = {"Authorization": f"Bearer {TOKEN}"}
    source, other = town.signer(1), town.signer(2)

    def broken(signer: Signer, number: int) -> SignedBatch:
        return signer.make(NO_BATCH, reading(town.meters[0], number), previous=bytes([number]) * 24)

    def post(batch: SignedBatch) -> dict[str, Any]:
        return problem(web.post("/batches", content=batch_to_json(batch)))

    batches = [broken(source, number) for number in range(1, 9)]
    answers = [post(batch) for batch in batches]
    states = [answer["state"] for answer in answers]
    kept = states.count("quarantined")
    assert 1 <= kept < 8
    assert states == ["quarantined"] * kept + ["refused"] * (8 - kept)
    assert {answer["type"] for answer in answers} == {"urn:kopeck:problem:broken-chain"}
    assert "it was not kept: quarantine holds" in answers[-1]["detail"]
    assert "have the operator" in answers[-1]["detail"]
    assert post(batches[0])["state"] == "quarantined", "what is kept already is kept"
    assert post(broken(other, 1))["state"] == "quarantined", "another source has an allowance of its own"

    strangers = [town.signer(number) for number in range(10, 20)]
    town.chain.sources = {1: town.chain.sources[1], 2: town.chain.sources[2]}
    states = [post(broken(stranger, 1))["state"] for stranger in strangers]
    assert "refused" in states, "whoever is not proven shares one allowance"

    rows: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        page = web.get("/quarantine", params={"after": after, "limit": 2}, headers=entitled).json()
        assert len(page["batches"]) <= 2
        rows += page["batches"]
        after = page["next"]
    assert len(rows) == kept + 1 + states.count("quarantined") == len({row["digest"] for row in rows})
    assert problem(web.get("/quarantine?limit=5000", headers=entitled))["status"] == 400

    digest = rows[0]["digest"]
    assert problem(web.delete(f"/quarantine/{digest}"))["status"] == 401
    assert web.delete(f"/quarantine/{digest}", headers=entitled).json() == {"released": digest}
    assert problem(web.delete(f"/quarantine/{digest}", headers=entitled))["status"] == 404
    assert post(batches[-1])["state"] == "quarantined", "there is room again"


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda _: b"{", "not JSON"),
        (lambda _: b"[]", "no object `header`"),
        (lambda _: b"[" * 200_000, "nested too deeply"),
        (lambda _: b'{"header":' * 200_000, "nested too deeply"),
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
