"""What calls to the Settlement carry and events do not: signatures of orders, contents of batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from contracts.wire.keccak import keccak

_PROVEN = "(uint32,uint32,bytes,bytes32[])"
_SPLIT = "(address,uint256,uint256,uint256,bytes)"
_PAY_BATCH = ("payBatch", "bytes32", "uint32", "uint256", "bytes", "bytes32[]")
_PAY = ("pay", _PROVEN, "uint256")
_PAY_ORDER = ("payOrder", _PROVEN, _SPLIT)
_PAY_ORDERS = ("payOrders", f"{_PROVEN}[]", f"{_SPLIT}[]")
_REFUND = ("refund", _PROVEN, _PROVEN, "uint8", "address", "address", _SPLIT)


def _selector(name: str, *types: str) -> str:
    return keccak(f"{name}({','.join(types)})".encode())[:4].hex()


_CALLS = {_selector(*call): call for call in (_PAY_BATCH, _PAY, _PAY_ORDER, _PAY_ORDERS, _REFUND)}


class CallError(ValueError):
    """A call's data is not of its function's layout."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A bill as a call shows it."""

    run: int
    index: int
    blob: bytes
    proof: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """A signed order, or a supplier's signed refund, as a call shows it; ``line`` and ``recipient`` are a refund's."""

    action: str
    bill: Shown
    payer: bytes
    maximum: int
    nonce: int
    valid_before: int
    signature: bytes
    line: int = 0
    recipient: bytes = bytes(20)


@dataclass(frozen=True, slots=True)
class AgentBatch:
    """An agent's batch as a call shows it: each bill with its maximum."""

    reference: bytes
    run: int
    content: bytes
    bills: Sequence[tuple[Shown, int]]
    multiproof: Sequence[bytes]


def read_call(data: str) -> AgentBatch | Sequence[Order] | Shown | None:
    """What a call to the Settlement carries; None for a function that carries nothing signed or proved.
    Raises CallError."""
    call = _CALLS.get(data[2:10])
    if call is None:
        return None
    try:
        values: tuple[Any, ...] = decode(call[1:], bytes.fromhex(data[10:]))
    except (DecodingError, ValueError, OverflowError) as error:
        raise CallError(f"a call of {call[0]} that can't be read: {error}") from error
    if call is _PAY_BATCH:
        return _batch(*values)
    if call is _PAY:
        return Shown(*values[0])
    if call is _PAY_ORDER:
        return [_order("pay", values[0], values[1])]
    if call is _PAY_ORDERS:
        return [_order("pay", bill, split) for bill, split in zip(*values, strict=True)]
    note, _, line, recipient, _, split = values
    return [_order("refund", note, split, line, _address(recipient))]


def _batch(reference: bytes, run: int, _count: int, packed: bytes, multiproof: Sequence[bytes]) -> AgentBatch:
    bills, at = [], 0
    while at < len(packed):
        size = int.from_bytes(packed[at + 10 : at + 12], "big")
        blob = packed[at + 12 : at + 12 + size]
        if len(blob) != size:
            raise CallError("a batch whose last bill is cut short")
        index, maximum = int.from_bytes(packed[at : at + 4], "big"), int.from_bytes(packed[at + 4 : at + 10], "big")
        bills.append((Shown(run, index, blob), maximum))
        at += 12 + size
    return AgentBatch(reference, run, keccak(run.to_bytes(4, "big") + packed), bills, multiproof)


def _order(action: str, bill: Any, split: Any, line: int = 0, recipient: bytes = bytes(20)) -> Order:
    payer, maximum, nonce, valid_before, signature = split
    return Order(action, Shown(*bill), _address(payer), maximum, nonce, valid_before, signature, line, recipient)


def _address(text: str) -> bytes:
    return bytes.fromhex(text[2:])
