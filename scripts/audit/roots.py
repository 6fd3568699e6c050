"""Headers, transactions and lists put together again from what a node says of them, to be hashed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from contracts.wire.ids import Address
from contracts.wire.keccak import keccak
from contracts.wire.rlp import Item, encode_rlp, rlp_uint
from contracts.wire.trie import Trie
from contracts.wire.typed_data import recover
from scripts.capsule.blocks import header_spellings

_EIP155 = 35


def is_header_of(raw: Mapping[str, Any], block_hash: str) -> bool:
    """Whether a header put together from its fields has this hash, as any engine that we know hashes it.
    Raises ValueError."""
    return any("0x" + keccak(spelling).hex() == block_hash for spelling in header_spellings(raw))


def root_of_list(values: Sequence[bytes]) -> str:
    """Root of the trie over a block's transactions or receipts, as its header names it."""
    return "0x" + Trie(values).root.hex()


def transaction_bytes(raw: Mapping[str, Any]) -> bytes:
    """A transaction as the trie of its block holds it, and as its hash is of. Raises KeyError and ValueError."""
    return _typed(raw, encode_rlp([*_fields(raw), _number(_parity(raw)), _number(raw["r"]), _number(raw["s"])]))


def sender_of(raw: Mapping[str, Any]) -> Address:
    """Who signed a transaction. Raises SignatureError, KeyError and ValueError."""
    items = _fields(raw)
    v = int(_parity(raw), 16)
    if int(raw["type"], 16) == 0:
        if v >= _EIP155:
            items = [*items, rlp_uint((v - _EIP155) // 2), b"", b""]
        v = (v - _EIP155) % 2 if v >= _EIP155 else v - 27
    signature = b"".join(int(raw[name], 16).to_bytes(32, "big") for name in ("r", "s")) + bytes((27 + v,))
    return recover(keccak(_typed(raw, encode_rlp(items))), signature)


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
    return rlp_uint(int(text, 16))
