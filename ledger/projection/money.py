"""Double entry: what a transaction's receipts say, held against what the token moved.

An entry is a set of postings that sums to zero. Receipts (a payment, a grant, a refund …) claim flows between
wallets; the token's Transfer logs prove them. What the token moved beyond all receipts is a plain transfer with an
entry of its own; a receipt that the token does not cover stops the ledger.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from contracts.wire import events as chain
from contracts.wire.events import LogRef
from contracts.wire.ids import NO_ADDRESS, BillKey, Hash
from ledger import models
from ledger.errors import Unbalanced, Unreconciled
from ledger.models import EntryKind
from ledger.store import FactRows

ISSUE: bytes = NO_ADDRESS
"""The bank's issue, as a wallet: its balance is minus the supply."""
_COLUMNS = models.postings.columns.keys()
_PLACE: Callable[[Any], tuple[int, int]] = itemgetter(*map(_COLUMNS.index, ("block_number", "log_index")))
_AMOUNT: Callable[[Any], int] = itemgetter(_COLUMNS.index("amount_kopecks"))


class Flow(NamedTuple):
    """Kopecks from one wallet to another; ``supplier`` where it is a receipt of theirs, or a refund by them, with
    the bill and line it is for."""

    sender: bytes
    recipient: bytes
    amount_kopecks: int
    supplier: int | None = None
    bill: BillKey | None = None
    line: int | None = None
    is_refund: bool = False


class TransactionMoney:
    """One transaction's receipts and transfers."""

    def __init__(self, tx_hash: Hash) -> None:
        """Nothing yet."""
        self.tx_hash = tx_hash
        self._claimed: defaultdict[tuple[bytes, bytes], int] = defaultdict(int)
        self._transfers: list[chain.Transfer] = []
        self._entries: list[tuple[LogRef, EntryKind, bytes | None, Sequence[Flow]]] = []

    def enter(self, log: LogRef, kind: EntryKind, flows: Sequence[Flow], reference: bytes | None = None) -> None:
        """Notes a receipt and the flows that it claims."""
        claimed = self._claimed
        for flow in flows:
            claimed[flow[:2]] += flow.amount_kopecks
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
        moved: defaultdict[tuple[bytes, bytes], int] = defaultdict(int)
        for transfer in self._transfers:
            moved[transfer.from_, transfer.to] += transfer.value
        for pair, claimed in self._claimed.items():
            if moved[pair] < claimed:
                raise Unreconciled(self.tx_hash, *pair, claimed, moved[pair])
        for log, kind, reference, flows in self._entries:
            _write(rows, log, kind, reference, flows)
        unexplained = {pair: amount - self._claimed.get(pair, 0) for pair, amount in moved.items()}
        for transfer in self._transfers:
            pair = transfer.from_, transfer.to
            rest = min(transfer.value, unexplained[pair])
            if rest:
                unexplained[pair] -= rest
                _write(rows, transfer.log, EntryKind.TRANSFER, None, [Flow(*pair, rest)])


def check_balanced(rows: FactRows) -> None:
    """Sums the postings as they are to be written, entry by entry. Raises Unbalanced where one is not zero."""
    for place, postings in groupby(rows.of(models.postings), _PLACE):
        amount = sum(map(_AMOUNT, postings))
        if amount:
            raise Unbalanced(*place, amount)


def _issue(account: bytes, amount_kopecks: int) -> Flow:
    """A mint, with the account as the other side."""
    return Flow(ISSUE, account, amount_kopecks, is_refund=True)


def _write(rows: FactRows, log: LogRef, kind: EntryKind, reference: bytes | None, flows: Sequence[Flow]) -> None:
    """One entry: a posting for each flow's supplier side, and one for each wallet on the other side."""
    block, _, tx_hash, index, _ = log
    postings = rows.of(models.postings)
    others: dict[bytes, int] = {}
    total = position = 0
    for sender, recipient, amount, supplier, bill, line, is_refund in flows:
        total += amount
        own, other, signed = (sender, recipient, -amount) if is_refund else (recipient, sender, amount)
        others[other] = others.get(other, 0) - signed
        run, bill_index = (None, None) if bill is None else (bill.run, bill.index)
        postings.append((block, index, position, own, supplier, run, bill_index, line, signed))
        position += 1
    for wallet, amount in others.items():
        postings.append((block, index, position, wallet, None, None, None, None, amount))
        position += 1
    rows.add(models.entries, block, index, int(kind), reference, next(iter(others), ISSUE), total, tx_hash)
