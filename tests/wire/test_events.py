"""Decoding of logs and reverts against eth-abi, which encodes random values by the compiler's types."""

from __future__ import annotations

import random
import re
from dataclasses import fields
from typing import Any

import pytest
from eth_abi.abi import encode

from contracts.client import abi
from contracts.client.deployments import CONTRACTS
from contracts.wire.errors import ContractError, UnknownRevert, decode_revert, error_table
from contracts.wire.events import Event, LogError, decode_log, event_layouts
from contracts.wire.ids import BillKey, BillState, Hash, Period, SourceClass
from contracts.wire.keccak import keccak
from contracts.wire.receipts import Leg
from contracts.wire.structs import Proposal, SupplierTotal, UsedHead


def rows(kind: str) -> list[tuple[str, dict[str, Any]]]:
    """ABI entries that our table reads."""
    if kind == "event":
        topics = event_layouts()
        known = [(c, r) for c in CONTRACTS for r in abi.artifact(c)["abi"] if r["type"] == "event"]
        return [(c, r) for c, r in known if topic(r) in topics and topics[topic(r)][1] == c]
    known = [(c, r) for c in CONTRACTS for r in abi.artifact(c)["abi"] if r["type"] == "error"]
    return [(c, r) for c, r in known if bytes.fromhex(topic(r)[2:])[:4] in error_table()]


def topic(row: dict[str, Any]) -> str:
    signature = f"{row['name']}({','.join(abi.type_of(part) for part in row['inputs'])})"
    return "0x" + keccak(signature.encode()).hex()


def draw_value(draw: random.Random, part: dict[str, Any]) -> tuple[Any, Any]:
    """A random value as eth-abi takes it, and as our dataclass should hold it."""
    kind, named = part["type"], part.get("internalType", "")
    if kind == "bytes":  # a receipt's legs, or plain bytes
        if part["name"] != "legs":
            value = draw.randbytes(draw.randint(0, 80))
            return value, value
        amounts = [(draw.randint(1, 65535), draw.choice((0, draw.randint(1, 2**48 - 1)))) for _ in range(5)]
        legs = b"".join(s.to_bytes(2, "big") + a.to_bytes(6, "big") for s, a in amounts)
        return legs, tuple(Leg(i, s, a) for i, (s, a) in enumerate(amounts) if a)
    if kind == "tuple":
        return draw_proposal(draw)
    if kind == "address":
        value = draw.randbytes(20)
        return value, value
    if kind == "bool":
        return (flag := draw.random() < 0.5), flag
    if kind.startswith("bytes"):
        value = draw.randbytes(int(kind[5:]))
        return value, value
    if named.startswith("enum"):
        number = draw.randint(0, 3)
        return number, {"enum BillState": BillState, "enum SourceClass": SourceClass}[named](number)
    bits = int(re.sub(r"\D", "", kind))
    number = draw.choice((0, 2**bits - 1, draw.getrandbits(bits)))
    return number, BillKey.from_number(number) if named == "BillKey" else number


def draw_proposal(draw: random.Random) -> tuple[Any, Any]:
    suppliers = [SupplierTotal(n, draw.getrandbits(32), -(2**40), Hash(draw.randbytes(32))) for n in (1, 2, 9)]
    heads = [UsedHead(n, 1, draw.getrandbits(48), draw.randbytes(24)) for n in range(draw.randint(0, 3))]
    root, engine = Hash(draw.randbytes(32)), Hash(draw.randbytes(32))
    ours = Proposal(Period(2026, 1), 60, root, 4, engine, Hash(bytes(32)), tuple(suppliers), tuple(heads))
    given = (
        202601,
        60,
        root,
        4,
        engine,
        bytes(32),
        [(s.supplier, s.lines, s.total_kopecks, s.root) for s in suppliers],
        [(h.source, h.epoch, h.sequence, h.hash) for h in heads],
    )
    return given, ours


def make_log(draw: random.Random, row: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    topics, types, plain, expected = [topic(row)], [], [], []
    for part in row["inputs"]:
        given, ours = draw_value(draw, part)
        expected.append(ours)
        if part["indexed"]:
            topics.append("0x" + encode([part["type"]], [given]).hex())
        else:
            types.append(abi.type_of(part))
            plain.append(given)
    raw = {
        "topics": topics,
        "data": "0x" + encode(types, plain).hex(),
        "blockNumber": "0x11",
        "blockHash": "0x" + "ab" * 32,
        "transactionHash": "0x" + "cd" * 32,
        "logIndex": "0x3",
        "address": "0x" + "ee" * 20,
    }
    return raw, expected


@pytest.mark.parametrize(("contract", "row"), rows("event"), ids=lambda v: v if isinstance(v, str) else v["name"])
def test_every_event_is_decoded_field_by_field(contract: str, row: dict[str, Any]) -> None:
    draw = random.Random(row["name"])
    for _ in range(20):
        raw, expected = make_log(draw, row)
        event = decode_log(raw)
        assert isinstance(event, Event)
        assert [getattr(event, f.name) for f in fields(event)][1:] == expected
        assert (event.log.block_number, event.log.log_index, event.log.contract) == (17, 3, contract)
        assert (event.log.block_hash, event.log.tx_hash) == (b"\xab" * 32, b"\xcd" * 32)


@pytest.mark.parametrize(("contract", "row"), rows("event"), ids=lambda v: v if isinstance(v, str) else v["name"])
def test_a_log_cut_short_is_refused(contract: str, row: dict[str, Any]) -> None:  # noqa: ARG001
    raw, _ = make_log(random.Random(1), row)
    with pytest.raises(LogError):
        decode_log(raw | {"topics": raw["topics"][:-1] if len(raw["topics"]) > 1 else [*raw["topics"], "0x00"]})
    if len(raw["data"]) > 2:
        with pytest.raises(LogError):
            decode_log(raw | {"data": raw["data"][:-64]})


def test_a_log_of_no_event_of_ours_is_no_event() -> None:
    assert decode_log({"topics": ["0x" + "12" * 32]}) is None
    assert decode_log({"topics": []}) is None


@pytest.mark.parametrize(("contract", "row"), rows("error"), ids=lambda v: v if isinstance(v, str) else v["name"])
def test_every_error_is_decoded_field_by_field(contract: str, row: dict[str, Any]) -> None:  # noqa: ARG001
    draw = random.Random(row["name"])
    values = [draw_value(draw, part) for part in row["inputs"]]
    data = bytes.fromhex(topic(row)[2:])[:4] + encode([abi.type_of(p) for p in row["inputs"]], [v for v, _ in values])
    error = decode_revert(data)
    assert not isinstance(error, UnknownRevert)
    assert list(error.values.values()) == [ours for _, ours in values]
    assert error.remedy in str(error)
    if row["inputs"]:
        assert isinstance(decode_revert(data[:-1]), UnknownRevert)


def test_reverts_by_require_and_by_assertion_are_told_apart_from_unknown_ones() -> None:
    told = decode_revert(bytes.fromhex("08c379a0") + encode(["string"], ["too late"]))
    assert "too late" in str(told)
    assert "17" in str(decode_revert(bytes.fromhex("4e487b71") + encode(["uint256"], [17])))
    for data in (b"", b"\x01", b"\x01\x02\x03\x04" + bytes(32)):
        error: ContractError = decode_revert(data)
        assert isinstance(error, UnknownRevert)
        assert error.data == data
