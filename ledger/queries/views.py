"""What the ledger's queries answer with: frozen, integers of kopecks, bills by key."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from contracts.wire.ids import (
    Address,
    BillId,
    BillKey,
    BillState,
    GrantBatchId,
    Hash,
    MeterId,
    Period,
    Reference,
    RunId,
    SourceClass,
    SourceId,
    SupplierId,
    Tag,
)
from contracts.wire.leaf import BillKind, Credit, DecisionReason, Quality, ReadingFlags
from contracts.wire.structs import SupplierTotal, UsedHead
from contracts.wire.units import Unit
from ledger.models import ClosedState, EntryKind


@dataclass(frozen=True, slots=True)
class Head:
    """The block that the ledger stands at."""

    number: int
    hash: Hash
    timestamp: int


@dataclass(frozen=True, slots=True)
class LeafPlace:
    """Where a leaf stands: its tree's root and its index."""

    root: Hash
    index: int


@dataclass(frozen=True, slots=True)
class RegisterRow:
    """A counter's value that may be billed. ``place`` is its own leaf; ``overlaid`` the leaf that a decision of the
    validation step replaced by it, with the decision's reason."""

    meter: MeterId
    register: int
    taken_at: int
    value: int
    unit: Unit
    quality: Quality
    flags: ReadingFlags
    source: SourceId
    source_class: SourceClass
    place: LeafPlace
    overlaid: LeafPlace | None = None
    reason: DecisionReason | None = None


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """Consumption over equal intervals that may be billed; a value is None where it is missing."""

    meter: MeterId
    register: int
    start: int
    end: int
    step_s: int
    unit: Unit
    values: tuple[int | None, ...]
    qualities: tuple[Quality, ...]
    flags: ReadingFlags
    source: SourceId
    source_class: SourceClass
    place: LeafPlace
    overlaid: LeafPlace | None = None
    reason: DecisionReason | None = None


@dataclass(frozen=True, slots=True)
class SupplierView:
    """A supplier as the Registry has it now."""

    supplier: SupplierId
    key: Address
    payout: Address
    is_active: bool
    details: Hash


@dataclass(frozen=True, slots=True)
class TariffView:
    """A published version of the tariff book; ``effective_to`` is 0 for open-ended."""

    version: int
    document: Hash
    act: Hash
    effective_from: int
    effective_to: int


class RunState(Enum):
    """Where a billing run stands."""

    PROPOSED = "proposed"
    ACTIVE = "active"
    VETOED = "vetoed"


@dataclass(frozen=True, slots=True)
class RunView:
    """A billing run. ``is_indexed``: its file of bills was fetched and leads to its root."""

    run: RunId
    state: RunState
    period: Period
    count: int
    root: Hash
    tariff_version: int
    engine: Hash
    superseded: Hash
    activatable_at: int
    biller: Address
    suppliers: tuple[SupplierTotal, ...]
    heads: tuple[UsedHead, ...]
    tx_hash: Hash
    block_number: int
    is_indexed: bool
    is_final: bool


@dataclass(frozen=True, slots=True)
class LineView:
    """One line of a bill and what moved on it. Nothing is open on a bill that is paid, superseded or a credit note."""

    line: int
    supplier: SupplierId
    charged_kopecks: int
    paid_kopecks: int
    granted_kopecks: int
    netted_kopecks: int
    written_off_kopecks: int
    refunded_kopecks: int
    open_kopecks: int

    @property
    def has_moved(self) -> bool:
        """Whether any kopeck came, was written off or went back."""
        return bool(
            self.paid_kopecks
            or self.granted_kopecks
            or self.netted_kopecks
            or self.written_off_kopecks
            or self.refunded_kopecks
        )


@dataclass(frozen=True, slots=True)
class BillView:
    """A bill. ``bill_id``, ``salt`` and ``document`` are None where its record is closed to this reader."""

    key: BillKey
    kind: BillKind
    state: BillState
    period: Period
    run_state: RunState
    lines: tuple[LineView, ...]
    blob: bytes
    leaf: Hash
    credits: tuple[Credit, ...]
    original: BillKey | None
    notes: tuple[BillKey, ...]
    superseded_by: RunId | None
    bill_id: BillId | None
    salt: bytes | None
    document: bytes | None
    closed: ClosedState | None
    is_final: bool
    """Whether the run, and all that moved on the bill, is final."""

    @property
    def charged_kopecks(self) -> int:
        """Sum of the lines."""
        return sum(line.charged_kopecks for line in self.lines)

    @property
    def open_kopecks(self) -> int:
        """What is still to be paid."""
        return sum(line.open_kopecks for line in self.lines)

    @property
    def has_moved(self) -> bool:
        """Whether it is no longer as it was posted: not open any more, or something moved on a line."""
        return self.state is not BillState.OPEN or any(line.has_moved for line in self.lines)


class ReceiptKind(Enum):
    """Why something moved on a bill."""

    PAYMENT = "payment"
    GRANT = "grant"
    PREPAYMENT = "prepayment"
    CREDIT = "credit"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class LegView:
    """One part of a receipt: on which line, to (for a refund: from) which supplier and wallet."""

    line: int
    supplier: SupplierId
    wallet: Address
    amount_kopecks: int


@dataclass(frozen=True, slots=True)
class ReceiptView:
    """Where kopecks went, and where that is written. ``payer`` is the welfare wallet of a grant, the recipient of a
    refund, None for a credit; ``reference`` the order's digest, the batch's reference, a prepayment's id, or None."""

    kind: ReceiptKind
    bill: BillKey
    tx_hash: Hash
    block_number: int
    block_hash: Hash
    timestamp: int
    log_index: int
    payer: Address | None
    reference: Reference | None
    legs: tuple[LegView, ...]
    is_final: bool

    @property
    def amount_kopecks(self) -> int:
        """Sum of the legs."""
        return sum(leg.amount_kopecks for leg in self.legs)


@dataclass(frozen=True, slots=True)
class GrantView:
    """A grant of a posted batch. What it did not take when used is void."""

    batch: GrantBatchId
    index: int
    bill: BillKey
    line: int
    maximum_kopecks: int
    expires_at: int
    blob: bytes
    wallet: Address
    used_kopecks: int | None
    is_reversed: bool


@dataclass(frozen=True, slots=True)
class GrantBatchView:
    """A batch of grants."""

    batch: GrantBatchId
    wallet: Address
    root: Hash
    count: int
    total_kopecks: int
    used_kopecks: int
    is_reversed: bool
    act: Hash
    is_indexed: bool
    is_final: bool


@dataclass(frozen=True, slots=True)
class OrderOutcome:
    """What became of an order: its receipt, or None where the bill was closed already and it was skipped."""

    digest: Reference
    bill: BillKey
    receipt: ReceiptView | None
    tx_hash: Hash
    block_number: int
    is_final: bool


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """What became of an agent's batch."""

    agent: Address
    reference: Reference
    content: Hash
    total_kopecks: int
    receipts: tuple[ReceiptView, ...]
    skipped: tuple[BillKey, ...]
    tx_hash: Hash
    block_number: int
    is_final: bool


@dataclass(frozen=True, slots=True)
class PrepaymentView:
    """A prepayment and what bills have netted of it."""

    prepayment: Hash
    tag: Tag
    payer: Address
    supplier: SupplierId
    amount_kopecks: int
    netted_kopecks: int
    tx_hash: Hash
    is_final: bool

    @property
    def left_kopecks(self) -> int:
        """What later bills can still net."""
        return self.amount_kopecks - self.netted_kopecks


@dataclass(frozen=True, slots=True)
class StatementRow:
    """One receipt of a supplier (or, negative, a refund by it)."""

    kind: EntryKind
    timestamp: int
    block_number: int
    log_index: int
    tx_hash: Hash
    bill: BillKey | None
    line: int | None
    counterparty: Address
    amount_kopecks: int
    is_final: bool


@dataclass(frozen=True, slots=True)
class SupplierTotals:
    """A supplier's charges (debits less credits, superseded bills left out) and receipts less refunds."""

    supplier: SupplierId
    charged_kopecks: int
    received_kopecks: int


@dataclass(frozen=True, slots=True)
class Totals:
    """The town in kopecks; received = paid + granted + prepaid − refunded when the books are right."""

    charged_kopecks: int
    paid_kopecks: int
    granted_kopecks: int
    prepaid_kopecks: int
    netted_kopecks: int
    written_off_kopecks: int
    refunded_kopecks: int
    supply_kopecks: int
    suppliers: tuple[SupplierTotals, ...]
    readings: int
    batches: int
    bills: int
    runs: int

    @property
    def received_kopecks(self) -> int:
        """Sum over suppliers."""
        return sum(s.received_kopecks for s in self.suppliers)

    @property
    def is_conserved(self) -> bool:
        """No kopeck came from nowhere or went nowhere."""
        moved = self.paid_kopecks + self.granted_kopecks + self.prepaid_kopecks - self.refunded_kopecks
        return self.received_kopecks == moved


@dataclass(frozen=True, slots=True)
class MissingFile:
    """A file that the chain names and the ledger could not have yet."""

    kind: str
    root: Hash
    attempts: int
    reason: str


@dataclass(frozen=True, slots=True)
class Fault:
    """What the chain or a file says that can't be right."""

    kind: str
    detail: str
    block_number: int
    log_index: int
