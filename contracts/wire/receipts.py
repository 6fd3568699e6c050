"""Readers of the two event parameters that are no plain words: a receipt's legs and a proposed run."""

from __future__ import annotations

from struct import unpack
from typing import Any, NamedTuple

from contracts.wire.declarations import bytes_at, uint_at
from contracts.wire.ids import Period, SupplierId
from contracts.wire.structs import Proposal, SupplierTotal, UsedHead
from contracts.wire.words import OFFSET, Words

_LEG_BYTES = 8
PROPOSAL_TYPE = (
    "(uint32,uint32,bytes32,uint32,bytes32,bytes32,(uint16,uint32,int64,bytes32)[],(uint32,uint16,uint48,bytes24)[])"
)
_PROPOSAL = Words(["uint32", "uint32", "bytes32", "uint32", "bytes32", "bytes32", OFFSET, OFFSET])
_SUPPLIER = Words(["uint16", "uint32", "int64", "bytes32"])
_HEAD = Words(["uint32", "uint16", "uint48", "bytes24"])


class Leg(NamedTuple):
    """One line of a receipt that got money."""

    line: int
    supplier: SupplierId
    amount_kopecks: int


def legs_at(data: bytes, at: int) -> tuple[Leg, ...]:
    """A receipt's legs, one for each line of the bill; lines that got nothing are left out. Raises ValueError."""
    legs = bytes_at(data, at)
    if len(legs) % _LEG_BYTES:
        raise ValueError("the legs are cut short")
    return tuple(
        [
            Leg(line, packed >> 48, amount)
            for line, packed in enumerate(unpack(f">{len(legs) // _LEG_BYTES}Q", legs))
            if (amount := packed & 0xFFFFFFFFFFFF)
        ]
    )


def proposal_at(data: bytes, at: int) -> Proposal:
    """A run as proposed. Raises ValueError where it is cut short, or a value is beyond its type."""
    start = uint_at(data, at)
    period, count, root, tariff, engine, superseded, suppliers_at, heads_at = _PROPOSAL.cut(data, start)
    suppliers = _array_at(data, start, suppliers_at, _SUPPLIER)
    heads = _array_at(data, start, heads_at, _HEAD)
    return Proposal(
        Period.from_number(period),
        count,
        root,
        tariff,
        engine,
        superseded,
        tuple([SupplierTotal(*values) for values in suppliers]),
        tuple([UsedHead(*values) for values in heads]),
    )


def _array_at(data: bytes, start: int, offset: int, words: Words) -> list[tuple[Any, ...]]:
    """The elements of an array that a struct at ``start`` names by its offset."""
    at = start + offset
    if offset < _PROPOSAL.size or at >= len(data):
        raise ValueError("an offset leads to no place behind the heads")
    return [words.cut(data, at + 32 + words.size * i) for i in range(_checked_count(data, at, words.size))]


def _checked_count(data: bytes, at: int, size: int) -> int:
    count = uint_at(data, at)
    if at + 32 + size * count > len(data):
        raise ValueError("the proposal is cut short")
    return count
