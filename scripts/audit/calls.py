"""What calls to the Settlement carry and events do not: signatures of orders, contents of batches.

Read by their fixed layouts; eth-abi is the judge in the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from contracts.wire.keccak import keccak

_WORD = 32
_PROVEN = "(uint32,uint32,bytes,bytes32[])"
_SPLIT = "(address,uint256,uint256,uint256,bytes)"


class CallError(ValueError):
    """A call's data is not of its function's layout."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A bill as a call shows it; ``proof`` is its siblings one after another."""

    run: int
    index: int
    blob: bytes
    proof: bytes = b""


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
    """An agent's batch as a call shows it; ``multiproof`` is its words one after another."""

    reference: bytes
    run: int
    content: bytes
    bills: Sequence[Shown]
    multiproof: bytes


Call = AgentBatch | Sequence[Order] | Shown


def read_call(data: bytes) -> Call | None:
    """What a call to the Settlement carries; None for a function that carries nothing signed or proved.
    Raises CallError."""
    call = _CALLS.get(data[:4])
    if call is None:
        return None
    name, read = call
    try:
        return read(data[4:])
    except CallError as error:
        raise CallError(f"a call of {name} that can't be read: {error}") from error


# --- functions ---


def _pay_batch(data: bytes) -> AgentBatch:
    reference, run = data[:_WORD], _uint(data, _WORD, 4)
    packed, multiproof = _bytes(data, _uint(data, 3 * _WORD)), _words(data, _uint(data, 4 * _WORD))
    bills, at = [], 0
    while at < len(packed):
        size = int.from_bytes(packed[at + 10 : at + 12], "big")
        blob = packed[at + 12 : at + 12 + size]
        if len(blob) != size:
            raise CallError("a batch whose last bill is cut short")
        bills.append(Shown(run, int.from_bytes(packed[at : at + 4], "big"), blob))
        at += 12 + size
    return AgentBatch(reference, run, keccak(run.to_bytes(4, "big") + packed), bills, multiproof)


def _pay(data: bytes) -> Shown:
    return _proven(data, _uint(data, 0))


def _pay_order(data: bytes) -> Sequence[Order]:
    return [_order("pay", _proven(data, _uint(data, 0)), data, _uint(data, _WORD))]


def _pay_orders(data: bytes) -> Sequence[Order]:
    bills, splits = _tuples(data, _uint(data, 0)), _tuples(data, _uint(data, _WORD))
    if len(bills) != len(splits):
        raise CallError(f"{len(bills)} bills with {len(splits)} orders")
    return [_order("pay", _proven(data, bill), data, split) for bill, split in zip(bills, splits, strict=True)]


def _refund(data: bytes) -> Sequence[Order]:
    note, split = _proven(data, _uint(data, 0)), _uint(data, 5 * _WORD)
    return [_order("refund", note, data, split, _uint(data, 2 * _WORD, 1), _address(data, 3 * _WORD))]


_CALLS: dict[bytes, tuple[str, Callable[[bytes], Call]]] = {
    keccak(f"{name}({types})".encode())[:4]: (name, read)
    for name, types, read in (
        ("payBatch", "bytes32,uint32,uint256,bytes,bytes32[]", _pay_batch),
        ("pay", f"{_PROVEN},uint256", _pay),
        ("payOrder", f"{_PROVEN},{_SPLIT}", _pay_order),
        ("payOrders", f"{_PROVEN}[],{_SPLIT}[]", _pay_orders),
        ("refund", f"{_PROVEN},{_PROVEN},uint8,address,address,{_SPLIT}", _refund),
    )
}


# --- parts ---


def _proven(data: bytes, at: int) -> Shown:
    blob = _bytes(data, at + _uint(data, at + 2 * _WORD))
    return Shown(_uint(data, at, 4), _uint(data, at + _WORD, 4), blob, _words(data, at + _uint(data, at + 3 * _WORD)))


def _order(  # noqa: PLR0917  a bill, where its split stands, and what a refund has besides
    action: str, bill: Shown, data: bytes, at: int, line: int = 0, recipient: bytes = bytes(20)
) -> Order:
    maximum, nonce, valid_before = (_uint(data, at + place * _WORD) for place in (1, 2, 3))
    signature = _bytes(data, at + _uint(data, at + 4 * _WORD))
    return Order(action, bill, _address(data, at), maximum, nonce, valid_before, signature, line, recipient)


def _tuples(data: bytes, at: int) -> list[int]:
    """Where the elements of an array of dynamic tuples stand."""
    count = _uint(data, at)
    first = at + _WORD
    if first + count * _WORD > len(data):
        raise CallError("an array is cut short")
    return [first + _uint(data, first + place * _WORD) for place in range(count)]


def _words(data: bytes, at: int) -> bytes:
    size = _uint(data, at) * _WORD
    return _exactly(data, at + _WORD, size)


def _bytes(data: bytes, at: int) -> bytes:
    return _exactly(data, at + _WORD, _uint(data, at))


def _address(data: bytes, at: int) -> bytes:
    return _uint(data, at, 20).to_bytes(20, "big")


def _uint(data: bytes, at: int, size: int = _WORD) -> int:
    value = int.from_bytes(_exactly(data, at, _WORD), "big")
    if value >> 8 * size:
        raise CallError(f"a number of more than {size} bytes")
    return value


def _exactly(data: bytes, at: int, size: int) -> bytes:
    found = data[at : at + size]
    if len(found) != size:
        raise CallError("it is cut short")
    return found
