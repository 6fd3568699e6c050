"""Readers of the two event parameters that are no plain words: a receipt's legs and a proposed run."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.wire.declarations import int_at, uint_at, word_at
from contracts.wire.ids import Period, SourceId, SupplierId
from contracts.wire.structs import Proposal, SupplierTotal, UsedHead

_LEG_BYTES = 8
_TUPLE_BYTES = 128  # a SupplierTotal or a UsedHead: four words each

PROPOSAL_TYPE = (
    "(uint32,uint32,bytes32,uint32,bytes32,bytes32,(uint16,uint32,int64,bytes32)[],(uint32,uint16,uint48,bytes24)[])"
)


@dataclass(frozen=True, slots=True)
class Leg:
    """One line of a receipt that got money."""

    line: int
    supplier: SupplierId
    amount_kopecks: int


def legs_at(data: bytes, at: int) -> tuple[Leg, ...]:
    """A receipt's legs, one for each line of the bill; lines that got nothing are left out. Raises ValueError."""
    start = uint_at(data, at) + 32
    size = uint_at(data, start - 32)
    legs = data[start : start + size]
    if len(legs) != size or size % _LEG_BYTES:
        raise ValueError("the legs are cut short")
    out = []
    for line in range(size // _LEG_BYTES):
        packed = int.from_bytes(legs[_LEG_BYTES * line : _LEG_BYTES * (line + 1)], "big")
        amount = packed & 0xFFFFFFFFFFFF
        if amount:
            out.append(Leg(line, SupplierId(packed >> 48), amount))
    return tuple(out)


def proposal_at(data: bytes, at: int) -> Proposal:
    """A run as proposed. Raises ValueError where it is cut short."""
    start = uint_at(data, at)
    suppliers = start + uint_at(data, start + 192)
    heads = start + uint_at(data, start + 224)
    if heads + 32 + _TUPLE_BYTES * uint_at(data, heads) > len(data):
        raise ValueError("the proposal is cut short")
    return Proposal(
        Period.from_number(uint_at(data, start)),
        uint_at(data, start + 32),
        word_at(data, start + 64),
        uint_at(data, start + 96),
        word_at(data, start + 128),
        word_at(data, start + 160),
        tuple(_supplier_total(data, suppliers + 32 + _TUPLE_BYTES * i) for i in range(uint_at(data, suppliers))),
        tuple(_used_head(data, heads + 32 + _TUPLE_BYTES * i) for i in range(uint_at(data, heads))),
    )


def _supplier_total(data: bytes, at: int) -> SupplierTotal:
    return SupplierTotal(
        SupplierId(uint_at(data, at)), uint_at(data, at + 32), int_at(data, at + 64), word_at(data, at + 96)
    )


def _used_head(data: bytes, at: int) -> UsedHead:
    return UsedHead(
        SourceId(uint_at(data, at)), uint_at(data, at + 32), uint_at(data, at + 64), data[at + 96 : at + 120]
    )
