"""Checkpoints over HTTP: open to anybody, checked before they are told, and the file as it was signed."""

from __future__ import annotations

import json

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from fastapi.testclient import TestClient

from tests.api.town import Town

KEYS = (b"\x01" * 32, b"\x02" * 32)


def test_anybody_sees_the_newest_and_who_signed_them(town: Town, anonymous: TestClient) -> None:
    assert anonymous.get("/v1/checkpoints").json() == {"checkpoints": [], "unreadable": []}
    points = [town.publish(height, *KEYS[:signers]) for height, signers in ((900, 2), (1100, 0), (1000, 1))]
    found = anonymous.get("/v1/checkpoints").json()["checkpoints"]
    assert [(row["height"], len(row["cosignatures"])) for row in found] == [(1100, 0), (1000, 1), (900, 2)]
    assert (found[0]["block"], found[0]["ledger"], found[0]["blocks"]) == ("0x" + "71" * 32, "0x" + "73" * 32, 9)
    town.publish(1100, KEYS[0])
    newest = anonymous.get("/v1/checkpoints", params={"count": 1}).json()["checkpoints"]
    assert [(row["name"], len(row["cosignatures"])) for row in newest] == [("0x" + points[1].name.hex(), 1)]


def test_a_file_is_what_another_library_finds_signed(town: Town, anonymous: TestClient) -> None:
    """eth-account recovers the signer of the text in the file, by EIP-191 and not by our code."""
    town.publish(900, *KEYS)
    (row,) = anonymous.get("/v1/checkpoints").json()["checkpoints"]
    answer = anonymous.get(row["file"])
    assert answer.headers["content-disposition"] == f'attachment; filename="{row["name"]}.json"'
    body = json.loads(answer.content)
    signers = {
        Account.recover_message(encode_defunct(text=body["text"]), signature=signed["signature"])
        for signed in body["cosignatures"]
    }
    assert signers == {Account.from_key(key).address for key in KEYS}
    assert signers == {signed["observer"] for signed in row["cosignatures"]}


def test_a_file_that_is_not_what_it_says_is_named_and_not_told(town: Town, anonymous: TestClient) -> None:
    good, bad = town.publish(900, KEYS[0]), town.publish(901, KEYS[0])
    assert len(anonymous.get("/v1/checkpoints").json()["checkpoints"]) == 2
    path = town.checkpoints / f"0x{bad.name.hex()}.json"
    path.write_text(path.read_text().replace("height 901", "height 902"))
    found = anonymous.get("/v1/checkpoints").json()
    assert [row["height"] for row in found["checkpoints"]] == [good.height]
    assert found["unreadable"] == [path.name]
    assert anonymous.get(f"/files/checkpoints/{path.name}").status_code == 404


@pytest.mark.parametrize("name", ["0x" + "00" * 32 + ".json", "0x" + "00" * 32, "..%2Fapi.db", "x.json"])
def test_no_other_file_is_to_be_had(town: Town, anonymous: TestClient, name: str) -> None:
    town.publish(900)
    assert anonymous.get(f"/files/checkpoints/{name}").status_code in (404, 422)


@pytest.mark.parametrize("count", ["0", "101", "-1", "x"])
def test_no_more_than_a_page_is_read_at_once(anonymous: TestClient, count: str) -> None:
    assert anonymous.get("/v1/checkpoints", params={"count": count}).status_code == 422
