"""A supplier's books made again from a node alone: every event that names the supplier, and the token's own transfers.

Nothing here comes from our database or our files. What a supplier's lines of a replaced bill came to is not in the
events; it is read from lines that were held against the run's root before.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from contracts.client.rpc import Rpc
from contracts.wire import events as chain
from contracts.wire.events import Event
from contracts.wire.ids import Address, BillKey, GrantBatchId, Hash, Reference, RunId, SupplierId
from contracts.wire.structs import SupplierTotal
from ledger.queries.supplier_views import ChargedRun, Payout, ReceiptSource, ReplacedLine, SupplierReceipt

BLOCKS_AT_ONCE = 500


@dataclass
class NodeBooks:
    """What the events of a chain say of one supplier, from its first block on."""

    supplier: SupplierId
    payouts: list[Payout] = field(default_factory=list)
    proposed: dict[RunId, tuple[chain.RunProposed, SupplierTotal]] = field(default_factory=dict)
    runs: list[ChargedRun] = field(default_factory=list)
    superseded: list[chain.BillSuperseded] = field(default_factory=list)
    receipts: list[SupplierReceipt] = field(default_factory=list)
    transfers: list[chain.Transfer] = field(default_factory=list)
    """To or from a wallet that is, was or will be the supplier's."""
    timestamps: dict[int, int] = field(default_factory=dict)

    @classmethod
    def read(cls, rpc: Rpc, events: Sequence[Event], supplier: SupplierId) -> NodeBooks:
        """The books that events make; blocks' times are asked of the node. Raises NodeError."""
        books = cls(supplier)
        books.timestamps = _timestamps(rpc, sorted({event.log.block_number for event in events}))
        agents = {
            (event.log.tx_hash, event.agent, event.ref) for event in events if isinstance(event, chain.BatchSettled)
        }
        welfare = {event.batch: event.wallet for event in events if isinstance(event, chain.GrantsPosted)}
        payers = {event.prepayment: event.payer for event in events if isinstance(event, chain.Prepaid)}
        for event in events:
            books._take(event)
            books.receipts += books._receipts(event, agents, welfare, payers)
        books.transfers = books.transfers_in(events)
        return books

    @property
    def wallets(self) -> set[Address]:
        """Every wallet the supplier was paid to."""
        return {payout.wallet for payout in self.payouts}

    def replaced(self, lines_of: Callable[[RunId], Iterable[tuple[int, int, int]]], last: int) -> list[ReplacedLine]:
        """Charges taken off by superseding up to a moment, from the (index, line, kopecks) of runs that lost bills."""
        known: dict[RunId, dict[int, list[tuple[int, int]]]] = {}
        found = []
        for event in self.superseded:
            run, at = event.bill.run, self.timestamps[event.log.block_number]
            if at > last:
                continue
            if run not in known:
                known[run] = defaultdict(list)
                for index, line, kopecks in lines_of(run):
                    known[run][index].append((line, kopecks))
            for line, kopecks in known[run].get(event.bill.index, []):
                place = at, event.log.block_number, event.log.log_index
                if kopecks:
                    found.append(ReplacedLine(event.bill, line, event.by_run, *place, kopecks))
        return found

    def _take(self, event: Event) -> None:
        """What is no receipt: wallets and charges."""
        log = event.log
        match event:
            case chain.SupplierRegistered() | chain.PayoutChanged() if event.supplier == self.supplier:
                self.payouts.append(Payout(event.payout, log.block_number, log.log_index))
            case chain.RunProposed():
                own = next((t for t in event.proposal.suppliers if t.supplier == self.supplier), None)
                if own is not None:
                    self.proposed[event.run] = event, own
            case chain.RunActivated() if event.run in self.proposed:
                proposal, own = self.proposed[event.run][0].proposal, self.proposed[event.run][1]
                at = self.timestamps[log.block_number]
                place = at, log.block_number, own.lines, own.total_kopecks, own.root
                self.runs.append(ChargedRun(event.run, proposal.period, *place))
            case chain.BillSuperseded() if event.bill.run in self.proposed:
                self.superseded.append(event)

    def _receipts(
        self,
        event: Event,
        agents: set[tuple[Hash, Address, Reference]],
        welfare: dict[GrantBatchId, Address],
        payers: dict[Hash, Address],
    ) -> list[SupplierReceipt]:
        """The receipts of this supplier that an event states."""
        own = self.supplier
        match event:
            case chain.BillPaid():
                is_agent = (event.log.tx_hash, event.payer, event.ref) in agents
                source = ReceiptSource.AGENT if is_agent else ReceiptSource.PAYER
                return [
                    self._row(event, source, (event.bill, leg.line), event.payer, leg.amount_kopecks)
                    for leg in event.legs
                    if leg.supplier == own
                ]
            case chain.GrantApplied() if event.supplier == own:
                place = event.bill, event.line
                return [self._row(event, ReceiptSource.WELFARE, place, welfare[event.batch], event.amount)]
            case chain.Prepaid() if event.supplier == own:
                return [self._row(event, ReceiptSource.PREPAYMENT, None, event.payer, event.amount)]
            case chain.PrepaymentNetted() if event.supplier == own:
                place = event.bill, event.line
                return [self._row(event, ReceiptSource.NETTED, place, payers[event.prepayment], event.amount)]
            case chain.Refunded() if event.supplier == own:
                amount = -(event.to_payer + event.to_welfare)
                place = event.bill, event.line
                return [self._row(event, ReceiptSource.REFUND, place, event.recipient, amount)]
        return []

    def _row(
        self, event: Event, source: ReceiptSource, place: tuple[BillKey, int] | None, party: Address, kopecks: int
    ) -> SupplierReceipt:
        log = event.log
        bill, line = place if place is not None else (None, None)
        return SupplierReceipt(
            source,
            self.timestamps[log.block_number],
            log.block_number,
            log.block_hash,
            log.log_index,
            log.tx_hash,
            bill,
            line,
            party,
            kopecks,
        )

    # --- the token ---

    def transfers_in(self, events: Iterable[Event]) -> list[chain.Transfer]:
        """The token's transfers among events that touch the supplier's wallets."""
        wallets = self.wallets
        return [e for e in events if isinstance(e, chain.Transfer) and e.value and {e.from_, e.to} & wallets]

    def claimed(self) -> dict[Hash, Counter[bool]]:
        """Kopecks that receipts claim, by transaction and by whether they came (True) or went (False)."""
        found: dict[Hash, Counter[bool]] = defaultdict(Counter)
        for receipt in self.receipts:
            if receipt.source is not ReceiptSource.NETTED:
                found[receipt.tx_hash][receipt.amount_kopecks > 0] += abs(receipt.amount_kopecks)
        return found

    def moved(self) -> dict[Hash, Counter[bool]]:
        """The same by the token's Transfer logs."""
        found: dict[Hash, Counter[bool]] = defaultdict(Counter)
        wallets = self.wallets
        for transfer in self.transfers:
            if transfer.to in wallets:
                found[transfer.log.tx_hash][True] += transfer.value
            if transfer.from_ in wallets:
                found[transfer.log.tx_hash][False] += transfer.value
        return found


def _timestamps(rpc: Rpc, numbers: Sequence[int]) -> dict[int, int]:
    """Times of blocks, seconds UTC."""
    found: dict[int, int] = {}
    for start in range(0, len(numbers), BLOCKS_AT_ONCE):
        part = numbers[start : start + BLOCKS_AT_ONCE]
        raws = rpc.batch([("eth_getBlockByNumber", [hex(number), False]) for number in part])
        found |= {number: int(raw["timestamp"], 16) for number, raw in zip(part, raws, strict=True)}
    return found
