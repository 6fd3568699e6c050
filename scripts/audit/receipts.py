"""Receipts straight from their logs: a million of them are not worth an object each.

What is not of the plain layout is left to the decoder of all events, which says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import unpack
from typing import Any, NamedTuple

from contracts.wire.events import BillPaid, event_layouts

TOPIC = next(topic for topic, (event, _, _) in event_layouts().items() if event is BillPaid)
_TOPICS = 4
_LEGS_AT = f"0x{64:064x}"
"""Where the data says that the legs stand, as a receipt's always does."""
_STATE, _SIZE, _LEGS = 66, 130, 194
"""Where in the text of the data state, size of the legs and legs begin."""
_AMOUNT = (1 << 48) - 1


class Receipt(NamedTuple):
    """A receipt: the bill's number, who paid, the reference, the kopecks in all, and the log's index."""

    bill: int
    payer: bytes
    ref: bytes
    total_kopecks: int
    log: int


class PlainReceipt(NamedTuple):
    """The same with its legs as they are packed, and the state that it says the bill is in."""

    bill: int
    payer: bytes
    legs: bytes
    state: int


def is_receipt(raw: Mapping[str, Any], settlement: str) -> bool:
    """Whether a log is a receipt of the Settlement."""
    return bool(raw["topics"][:1] == [TOPIC] and raw["address"] == settlement)


def plain_receipt(raw: Mapping[str, Any]) -> PlainReceipt | None:
    """A receipt's log, None where it is not of the plain layout."""
    topics, data = raw["topics"], raw["data"]
    if len(topics) != _TOPICS or data[:_STATE] != _LEGS_AT:
        return None
    size = int(data[_SIZE:_LEGS], 16)
    legs = bytes.fromhex(data[_LEGS : _LEGS + 2 * size])
    if len(legs) != size or size % 8:
        return None
    return PlainReceipt(int(topics[1], 16), bytes.fromhex(topics[2][26:]), legs, int(data[_STATE:_SIZE], 16))


def packed_legs(legs: bytes) -> list[tuple[int, int]]:
    """(supplier, kopecks) of each leg."""
    return [(leg >> 48, leg & _AMOUNT) for leg in unpack(f">{len(legs) // 8}Q", legs)]


def receipt_of(raw: Mapping[str, Any]) -> Receipt | None:
    """What a receipt's log comes to, None where it is not of the plain layout."""
    found = plain_receipt(raw)
    if found is None:
        return None
    total = sum([kopecks for _, kopecks in packed_legs(found.legs)])
    return Receipt(found.bill, found.payer, bytes.fromhex(raw["topics"][3][2:]), total, int(raw["logIndex"], 16))


def receipt_of_event(event: BillPaid) -> Receipt:
    """The same of a receipt that was decoded."""
    total = sum(leg.amount_kopecks for leg in event.legs)
    return Receipt(event.bill.number, event.payer, event.ref, total, event.log.log_index)
