"""Headers, transactions and receipts put together again from what a node says of them, to be hashed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.wire.ids import Address, Hash
from contracts.wire.keccak import keccak
from contracts.wire.typed_data import recover
from scripts.audit.rlp import Item, encode, number_bytes

_ROOTS = ("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom")
_NUMBERS = ("difficulty", "number", "gasLimit", "gasUsed", "timestamp")
_PLAIN = ("extraData", "mixHash", "nonce")
_FORKS = (
    ("baseFeePerGas", True), ("withdrawalsRoot", False), ("blobGasUsed", True), ("excessBlobGas", True),
    ("parentBeaconBlockRoot", False), ("requestsHash", False),
)  # fmt: skip
"""Fields that later rules added to the header, each a number or bytes: a header has them from the first on."""
_EIP155 = 35


def header_hash(raw: Mapping[str, Any]) -> Hash:
    """keccak-256 of a header put together from its fields. Raises KeyError and ValueError."""
    items: list[Item] = [_bytes(raw[name]) for name in _ROOTS]
    items += [_number(raw[name]) for name in _NUMBERS]
    items += [_bytes(raw[name]) for name in _PLAIN]
    items += [_number(raw[name]) if is_number else _bytes(raw[name]) for name, is_number in _FORKS if name in raw]
    return Hash(keccak(encode(items)))


def receipt_bytes(receipt: Mapping[str, Any]) -> bytes:
    """A receipt as the trie of its block holds it. Raises KeyError and ValueError."""
    logs: list[Item] = [
        [_bytes(log["address"]), [_bytes(topic) for topic in log["topics"]], _bytes(log["data"])]
        for log in receipt["logs"]
    ]
    status, gas = _number(receipt["status"]), _number(receipt["cumulativeGasUsed"])
    return _typed(receipt, encode([status, gas, _bytes(receipt["logsBloom"]), logs]))


def transaction_bytes(raw: Mapping[str, Any]) -> bytes:
    """A transaction as the trie of its block holds it, and as its hash is of. Raises KeyError and ValueError."""
    return _typed(raw, encode([*_fields(raw), _number(_parity(raw)), _number(raw["r"]), _number(raw["s"])]))


def sender_of(raw: Mapping[str, Any]) -> Address:
    """Who signed a transaction. Raises SignatureError, KeyError and ValueError."""
    items = _fields(raw)
    v = int(_parity(raw), 16)
    if int(raw["type"], 16) == 0:
        if v >= _EIP155:
            items = [*items, number_bytes((v - _EIP155) // 2), b"", b""]
        v = (v - _EIP155) % 2 if v >= _EIP155 else v - 27
    signature = b"".join(int(raw[name], 16).to_bytes(32, "big") for name in ("r", "s")) + bytes((27 + v,))
    return recover(keccak(_typed(raw, encode(items))), signature)


def _fields(raw: Mapping[str, Any]) -> list[Item]:
    """What is signed of a transaction of type 0, 1 or 2."""
    kind = int(raw["type"], 16)
    if kind > 2:
        raise ValueError(f"a transaction of type {kind}, of which this audit knows nothing")
    fees = ("maxPriorityFeePerGas", "maxFeePerGas") if kind == 2 else ("gasPrice",)
    items: list[Item] = [] if kind == 0 else [_number(raw["chainId"])]
    items += [_number(raw[name]) for name in ("nonce", *fees, "gas")]
    items += [_bytes(raw["to"] or "0x"), _number(raw["value"]), _bytes(raw["input"])]
    if kind:
        items.append(
            [[_bytes(row["address"]), [_bytes(key) for key in row["storageKeys"]]] for row in raw["accessList"]]
        )
    return items


def _parity(raw: Mapping[str, Any]) -> str:
    return str(raw["v"] if int(raw["type"], 16) == 0 else raw.get("yParity", raw["v"]))


def _typed(raw: Mapping[str, Any], body: bytes) -> bytes:
    kind = int(raw.get("type", "0x0"), 16)
    return bytes((kind,)) + body if kind else body


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def _number(text: str) -> bytes:
    return number_bytes(int(text, 16))
