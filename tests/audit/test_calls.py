"""Calls and receipts read by their fixed layouts, held against eth-abi and the decoder of all events."""

from __future__ import annotations

import random
from typing import Any

import pytest
from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_utils.abi import function_signature_to_4byte_selector

from contracts.wire.events import BillPaid, decode_log
from contracts.wire.keccak import keccak
from scripts.audit.calls import AgentBatch, CallError, Order, Shown, read_call
from scripts.audit.receipts import TOPIC, plain_receipt, receipt_of, receipt_of_event

PROVEN = "(uint32,uint32,bytes,bytes32[])"
SPLIT = "(address,uint256,uint256,uint256,bytes)"
FUNCTIONS = {
    "payBatch": ["bytes32", "uint32", "uint256", "bytes", "bytes32[]"],
    "pay": [PROVEN, "uint256"],
    "payOrder": [PROVEN, SPLIT],
    "payOrders": [f"{PROVEN}[]", f"{SPLIT}[]"],
    "refund": [PROVEN, PROVEN, "uint8", "address", "address", SPLIT],
}


def _proven(chance: random.Random) -> tuple[Any, ...]:
    proof = [chance.randbytes(32) for _ in range(chance.randrange(5))]
    return chance.randrange(1 << 32), chance.randrange(1 << 32), chance.randbytes(chance.randrange(40, 90)), proof


def _split(chance: random.Random) -> tuple[Any, ...]:
    numbers = [chance.randrange(1 << 256) for _ in range(3)]
    return "0x" + chance.randbytes(20).hex(), *numbers, chance.randbytes(65)


def _packed(chance: random.Random) -> bytes:
    blobs = [chance.randbytes(chance.randrange(40, 90)) for _ in range(3)]
    return b"".join(chance.randbytes(10) + len(blob).to_bytes(2, "big") + blob for blob in blobs)


def values_of(name: str, chance: random.Random) -> list[Any]:
    address = "0x" + chance.randbytes(20).hex()
    several = range(chance.randrange(4))
    values: dict[str, list[Any]] = {
        "payBatch": [chance.randbytes(32), 7, 3, _packed(chance), [chance.randbytes(32) for _ in several]],
        "pay": [_proven(chance), 5],
        "payOrder": [_proven(chance), _split(chance)],
        "payOrders": [[_proven(chance) for _ in several], [_split(chance) for _ in several]],
        "refund": [_proven(chance), _proven(chance), 3, address, address, _split(chance)],
    }
    return values[name]


def call_of(name: str, chance: random.Random) -> bytes:
    selector = function_signature_to_4byte_selector(f"{name}({','.join(FUNCTIONS[name])})")
    return bytes(selector) + abi_encode(FUNCTIONS[name], values_of(name, chance))


def shown(values: Any) -> Shown:
    run, index, blob, proof = values
    return Shown(run, index, blob, b"".join(proof))


def order(action: str, bill: Any, split: Any, line: int = 0, recipient: bytes = bytes(20)) -> Order:
    payer, maximum, nonce, until, signature = split
    return Order(action, shown(bill), bytes.fromhex(payer[2:]), maximum, nonce, until, signature, line, recipient)


def judged(name: str, data: bytes) -> object:
    """The same by eth-abi."""
    values: tuple[Any, ...] = abi_decode(FUNCTIONS[name], data[4:])
    if name == "pay":
        return shown(values[0])
    if name == "payOrder":
        return [order("pay", *values)]
    if name == "payOrders":
        return [order("pay", *each) for each in zip(*values, strict=True)]
    if name == "refund":
        return [order("refund", values[0], values[5], values[2], bytes.fromhex(values[3][2:]))]
    return values[0], values[1], keccak(values[1].to_bytes(4, "big") + values[3]), b"".join(values[4])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_calls_are_read_as_eth_abi_reads_them(name: str) -> None:
    for seed in range(30):
        data = call_of(name, random.Random(seed))
        found = read_call(data)
        if isinstance(found, AgentBatch):
            assert len(found.bills) == 3
            assert (found.reference, found.run, found.content, found.multiproof) == judged(name, data)
        else:
            assert found == judged(name, data)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_call_that_is_cut_short_is_refused(name: str) -> None:
    data = call_of(name, random.Random(1))
    for size in range(4, len(data) - 32, 32):
        with pytest.raises(CallError, match=name):
            read_call(data[:size])


def test_receipts_are_read_as_the_decoder_of_all_events_reads_them() -> None:
    for seed in range(50):
        chance = random.Random(seed)
        legs = b"".join(
            chance.choice([bytes(8), chance.randbytes(2) + chance.randrange(1, 1 << 48).to_bytes(6, "big")])
            for _ in range(chance.randrange(1, 9))
        )
        topics = [bytes.fromhex(TOPIC[2:]), chance.randbytes(8).rjust(32, b"\0"), chance.randbytes(20).rjust(32, b"\0")]
        raw = {
            "address": "0x", "topics": ["0x" + topic.hex() for topic in [*topics, chance.randbytes(32)]],
            "data": "0x" + abi_encode(["bytes", "uint8"], [legs, 2]).hex(), "logIndex": "0x7", "blockNumber": "0x1",
            "blockHash": "0x" + "00" * 32, "transactionHash": "0x" + "11" * 32,
        }  # fmt: skip
        event, plain = decode_log(raw), plain_receipt(raw)
        assert isinstance(event, BillPaid)
        assert plain is not None
        assert (plain.bill, plain.payer, plain.legs, plain.state) == (event.bill.number, event.payer, legs, event.state)
        assert receipt_of(raw) == receipt_of_event(event)
        assert plain_receipt(raw | {"data": raw["data"][:-64]}) is None
