"""What a supplier's books answer with: frozen, sums in kopecks, times in seconds UTC.

Two accounts. *Debt* is what consumers owe: charges of active runs (debits less credits, bills that a correction
replaced taken off again) less what came on bills plus what was refunded. *Advances* are prepayments no bill has netted
yet. A netting moves no token: it takes from the advances and covers a debt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from contracts.wire.ids import Address, BillKey, Hash, Period, RunId, SupplierId


class ReceiptSource(Enum):
    """Where a supplier's receipt came from."""

    PAYER = "payer"
    """A resident, directly or by a signed order."""
    AGENT = "agent"
    """A payment agent's batch."""
    WELFARE = "welfare"
    PREPAYMENT = "prepayment"
    """Paid ahead, on no bill yet."""
    NETTED = "netted"
    """A bill took a prepayment that had come before: no token moved."""
    REFUND = "refund"
    """Given back by the supplier; negative."""


@dataclass(frozen=True, slots=True)
class SupplierReceipt:
    """One movement on a supplier's account. ``counterparty`` is the payer, the welfare wallet or who was refunded."""

    source: ReceiptSource
    timestamp: int
    block_number: int
    block_hash: Hash
    log_index: int
    tx_hash: Hash
    bill: BillKey | None
    line: int | None
    counterparty: Address
    amount_kopecks: int


@dataclass(frozen=True, slots=True)
class ChargedRun:
    """A supplier's lines of a run that was activated; count, total (debits less credits) and root are the chain's."""

    run: RunId
    period: Period
    timestamp: int
    block_number: int
    count: int
    total_kopecks: int
    root: Hash


@dataclass(frozen=True, slots=True)
class ReplacedLine:
    """A charge taken off again because a correcting run replaced its bill."""

    bill: BillKey
    line: int
    by_run: RunId
    timestamp: int
    block_number: int
    log_index: int
    amount_kopecks: int


@dataclass(frozen=True, slots=True)
class Turnover:
    """Sums in kopecks, each above zero but ``charged`` where credits outweigh."""

    charged: int = 0
    replaced: int = 0
    payer: int = 0
    agent: int = 0
    welfare: int = 0
    netted: int = 0
    prepaid: int = 0
    refunded: int = 0

    @property
    def debt(self) -> int:
        """How much more consumers owe after it than before."""
        return self.charged - self.replaced - self.payer - self.agent - self.welfare - self.netted + self.refunded

    @property
    def advances(self) -> int:
        """How much more is prepaid after it than before."""
        return self.prepaid - self.netted

    @property
    def money(self) -> int:
        """What came to the payout wallets less what was refunded from them."""
        return self.payer + self.agent + self.welfare + self.prepaid - self.refunded


@dataclass(frozen=True, slots=True)
class Payout:
    """The wallet that a supplier is paid to from a block on."""

    wallet: Address
    block_number: int
    log_index: int


@dataclass(frozen=True, slots=True)
class SupplierStatement:
    """A supplier's books from ``first`` through ``last`` (seconds UTC), as far as ``height`` is final."""

    supplier: SupplierId
    first: int
    last: int
    height: int
    block_hash: Hash
    payouts: tuple[Payout, ...]
    opening: Turnover
    """All that was before ``first``: its ``debt`` and ``advances`` are the opening balances."""
    turnover: Turnover
    runs: tuple[ChargedRun, ...]
    replaced: tuple[ReplacedLine, ...]
    receipts: tuple[SupplierReceipt, ...]

    @property
    def opening_debt_kopecks(self) -> int:
        """What consumers owed before."""
        return self.opening.debt

    @property
    def closing_debt_kopecks(self) -> int:
        """What they owe after."""
        return self.opening.debt + self.turnover.debt

    @property
    def opening_advances_kopecks(self) -> int:
        """What was prepaid before and not netted."""
        return self.opening.advances

    @property
    def closing_advances_kopecks(self) -> int:
        """What is prepaid after and not netted."""
        return self.opening.advances + self.turnover.advances


def turnover_of(
    charged: Iterable[ChargedRun], replaced: Iterable[ReplacedLine], sums: Mapping[ReceiptSource, int]
) -> Turnover:
    """The sums of rows; ``sums`` holds receipts by source, refunds negative."""
    return Turnover(
        charged=sum(run.total_kopecks for run in charged),
        replaced=sum(line.amount_kopecks for line in replaced),
        payer=sums.get(ReceiptSource.PAYER, 0),
        agent=sums.get(ReceiptSource.AGENT, 0),
        welfare=sums.get(ReceiptSource.WELFARE, 0),
        netted=sums.get(ReceiptSource.NETTED, 0),
        prepaid=sums.get(ReceiptSource.PREPAYMENT, 0),
        refunded=-sums.get(ReceiptSource.REFUND, 0),
    )
