"""Double entry: what a transaction's receipts say, held against what the token moved.

An entry is a set of postings that sums to zero. Receipts (a payment, a grant, a refund …) claim flows between
wallets; the token's Transfer logs prove them. What the token moved beyond all receipts is a plain transfer with an
entry of its own; a receipt that the token does not cover stops the ledger.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from contracts.wire import events as chain
from contracts.wire.events import LogRef
from contracts.wire.ids import NO_ADDRESS, BillKey, Hash
from ledger import models
from ledger.errors import Unbalanced, Unreconciled
from ledger.models import EntryKind
from ledger.store import FactRows

ISSUE: bytes = NO_ADDRESS
"""The bank's issue, as a wallet: its balance is minus the supply."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Kopecks from one wallet to another; ``supplier`` where it is a receipt of theirs, or a refund by them, with
    the bill and line it is for."""

    sender: bytes
    recipient: bytes
    amount_kopecks: int
    supplier: int | None = None
    bill: BillKey | None = None
    line: int | None = None
    is_refund: bool = False


@dataclass
class TransactionMoney:
    """One transaction's receipts and transfers."""

    tx_hash: Hash
    _claimed: Counter[tuple[bytes, bytes]] = field(default_factory=Counter)
    _transfers: list[chain.Transfer] = field(default_factory=list)
    _entries: list[tuple[LogRef, EntryKind, bytes | None, Sequence[Flow]]] = field(default_factory=list)

    def enter(self, log: LogRef, kind: EntryKind, flows: Sequence[Flow], reference: bytes | None = None) -> None:
        """Notes a receipt and the flows that it claims."""
        for flow in flows:
            self._claimed[flow.sender, flow.recipient] += flow.amount_kopecks
        self._entries.append((log, kind, reference, flows))

    def token(self, event: chain.Transfer | chain.Minted | chain.Redeemed | chain.Seized) -> None:
        """Notes an event of the token."""
        if isinstance(event, chain.Transfer):
            if event.value:
                self._transfers.append(event)
        elif isinstance(event, chain.Minted):
            self.enter(event.log, EntryKind.MINT, [_issue(event.account, event.amount)], event.deposit)
        elif isinstance(event, chain.Redeemed):
            self.enter(event.log, EntryKind.REDEMPTION, [Flow(event.account, ISSUE, event.amount)], event.redemption)
        else:
            self.enter(event.log, EntryKind.SEIZURE, [Flow(event.from_, event.to, event.amount)], event.act)

    def settle(self, rows: FactRows) -> None:
        """Holds claims against transfers and writes the entries. Raises Unreconciled."""
        if not (self._claimed or self._transfers):
            return
        moved: Counter[tuple[bytes, bytes]] = Counter()
        for transfer in self._transfers:
            moved[transfer.from_, transfer.to] += transfer.value
        for pair, claimed in self._claimed.items():
            if moved[pair] < claimed:
                raise Unreconciled(self.tx_hash, *pair, claimed, moved[pair])
        for log, kind, reference, flows in self._entries:
            _write(rows, log, kind, reference, flows)
        unexplained = moved - self._claimed
        for transfer in self._transfers:
            pair = transfer.from_, transfer.to
            rest = min(transfer.value, unexplained[pair])
            if rest:
                unexplained[pair] -= rest
                _write(rows, transfer.log, EntryKind.TRANSFER, None, [Flow(*pair, rest)])


def check_balanced(rows: FactRows) -> None:
    """Sums the postings as they are to be written, entry by entry. Raises Unbalanced where one is not zero."""
    postings: Counter[tuple[int, int]] = Counter()
    where = [models.postings.columns.keys().index(name) for name in ("block_number", "log_index", "amount_kopecks")]
    for row in rows.of(models.postings):
        block_number, log_index, amount = (int(str(row[column])) for column in where)
        postings[block_number, log_index] += amount
    for place, amount in postings.items():
        if amount:
            raise Unbalanced(*place, amount)


def _issue(account: bytes, amount_kopecks: int) -> Flow:
    """A mint, with the account as the other side."""
    return Flow(ISSUE, account, amount_kopecks, is_refund=True)


def _write(rows: FactRows, log: LogRef, kind: EntryKind, reference: bytes | None, flows: Sequence[Flow]) -> None:
    """One entry: a posting for each flow's supplier side, and one for each wallet on the other side."""
    place = log.block_number, log.log_index
    others: Counter[bytes] = Counter()
    total = position = 0
    for flow in flows:
        total += flow.amount_kopecks
        sign, own, other = (-1, flow.sender, flow.recipient) if flow.is_refund else (1, flow.recipient, flow.sender)
        others[other] -= sign * flow.amount_kopecks
        run, index = (None, None) if flow.bill is None else (flow.bill.run, flow.bill.index)
        what = flow.supplier, run, index, flow.line, sign * flow.amount_kopecks
        rows.add(models.postings, *place, position, own, *what)
        position += 1
    for wallet, amount in others.items():
        rows.add(models.postings, *place, position, wallet, None, None, None, None, amount)
        position += 1
    other_wallet = next(iter(others), ISSUE)
    rows.add(models.entries, *place, int(kind), reference, other_wallet, total, log.tx_hash)
