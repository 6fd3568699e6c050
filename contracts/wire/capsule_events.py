"""What a capsule's receipts say of its bill: the run as proposed and activated, and every kopeck that moved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from contracts.wire import events as chain
from contracts.wire.capsule import Capsule, CapsuleError, Refusal, Trust
from contracts.wire.ids import NO_HASH, Address, BillKey, BillState, Hash, SupplierId
from contracts.wire.rlp import Item, RlpError, rlp_list, rlp_string
from contracts.wire.structs import Proposal


class Place(Protocol):
    """Where a receipt stands."""

    @property
    def number(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def hash(self) -> Hash: ...


@dataclass(frozen=True, slots=True)
class Payment:
    """One receipt of a payment: when (seconds UTC), by whom, how much, and where it stands on the chain."""

    block_number: int
    transaction: int
    timestamp: int
    payer: Address
    reference: Hash
    amount_kopecks: int


@dataclass(slots=True)
class Moved:
    """What moved on one line, in kopecks, and to whom."""

    paid: int = 0
    granted: int = 0
    netted: int = 0
    written_off: int = 0
    refunded: int = 0
    suppliers: set[SupplierId] = field(default_factory=set)


@dataclass(slots=True)
class Story:
    """A bill's events, in the order of the chain."""

    proposal: Proposal
    is_active: bool = False
    state: BillState = BillState.OPEN
    moved: dict[int, Moved] = field(default_factory=dict)
    payments: tuple[Payment, ...] = ()

    def line(self, line: int, supplier: SupplierId | None = None) -> Moved:
        """The sums of a line."""
        found = self.moved.setdefault(line, Moved())
        if supplier is not None:
            found.suppliers.add(supplier)
        return found


def receipt_logs(data: bytes) -> Iterator[tuple[bytes, list[bytes], bytes]]:
    """(address, topics, data) of each log of a receipt as the trie holds it. Raises RlpError."""
    fields = rlp_list(data[1:] if data[:1] < b"\x80" else data)
    if len(fields) != 4 or isinstance(fields[3], bytes):
        raise RlpError("a receipt has four parts")
    for log in fields[3]:
        if isinstance(log, bytes) or len(log) != 3:
            raise RlpError("a log has three parts")
        yield rlp_string(log[0]), [_topic(topic) for topic in _items(log[1])], rlp_string(log[2])


def is_of_bill(event: chain.Event, key: BillKey) -> bool:
    """Whether an event is of the bill, or of its run's beginning."""
    if isinstance(event, chain.RunProposed | chain.RunActivated):
        return event.run == key.run
    return isinstance(event, _OF_BILLS) and event.bill == key


_OF_BILLS = (
    chain.BillPaid,
    chain.GrantApplied,
    chain.PrepaymentNetted,
    chain.CreditApplied,
    chain.Refunded,
    chain.BillStateChanged,
    chain.BillSuperseded,
)


def events_of_receipt(data: bytes, contracts: dict[bytes, str], place: Place) -> Iterator[chain.Event]:
    """The events of these contracts (names by address) in a receipt. Raises RlpError, LogError."""
    for address, topics, body in receipt_logs(data):
        raw = {
            "topics": ["0x" + topic.hex() for topic in topics],
            "data": "0x" + body.hex(),
            "blockNumber": hex(place.number),
            "blockHash": "0x" + place.hash.hex(),
            "transactionHash": "0x" + NO_HASH.hex(),
            "logIndex": "0x0",
        }
        name = contracts.get(address)
        event = None if name is None else chain.decode_log(raw)
        if event is not None and event.log.contract == name:
            yield event


def read_story(capsule: Capsule, trust: Trust, headers: Sequence[Place], receipts: Sequence[bytes]) -> Story:
    """Reads all events of the bill in all receipts. Raises CapsuleError."""
    contracts = {bytes(trust.settlement): "Settlement", bytes(trust.charge_book): "ChargeBook"}
    story: Story | None = None
    for proven, data in zip(capsule.receipts, receipts, strict=True):
        place = headers[proven.block]
        where = f"block {place.number}, receipt {proven.index}"
        try:
            found = [event for event in events_of_receipt(data, contracts, place) if is_of_bill(event, capsule.key)]
        except (RlpError, chain.LogError) as error:
            raise CapsuleError(Refusal.BAD_EVENT, f"{where}: {error}") from error
        if not found:
            raise CapsuleError(Refusal.BAD_EVENT, f"{where} says nothing of bill {capsule.key}")
        for event in found:
            if isinstance(event, chain.RunProposed) == (story is not None):
                raise CapsuleError(Refusal.BAD_EVENT, f"{where}: a run is proposed once, and before all else")
            if isinstance(event, chain.RunProposed):
                story = Story(event.proposal)
            elif story is not None:
                _take(story, event, place, proven.index)
    if story is None:
        raise CapsuleError(Refusal.BAD_EVENT, "the capsule has no receipts")
    return story


def _take(story: Story, event: chain.Event, place: Place, transaction: int) -> None:
    match event:
        case chain.RunActivated():
            story.is_active = True
        case chain.BillPaid():
            for leg in event.legs:
                story.line(leg.line, leg.supplier).paid += leg.amount_kopecks
            total = sum(leg.amount_kopecks for leg in event.legs)
            paid = Payment(place.number, transaction, place.timestamp, event.payer, Hash(event.ref), total)
            story.payments += (paid,)
        case chain.GrantApplied():
            story.line(event.line, event.supplier).granted += event.amount
        case chain.PrepaymentNetted():
            story.line(event.line, event.supplier).netted += event.amount
        case chain.CreditApplied():
            story.line(event.line).written_off += event.written_off
        case chain.Refunded():
            story.line(event.line, event.supplier).refunded += event.to_payer + event.to_welfare
    if isinstance(event, chain.BillPaid | chain.GrantApplied | chain.BillStateChanged):
        story.state = max(story.state, event.state)
    if isinstance(event, chain.BillSuperseded):
        story.state = BillState.SUPERSEDED


def _items(item: Item) -> list[Item]:
    if isinstance(item, bytes):
        raise RlpError("a string where a list belongs")
    return item


def _topic(item: Item) -> bytes:
    topic = rlp_string(item)
    if len(topic) != 32:
        raise RlpError("a topic has 32 bytes")
    return topic
