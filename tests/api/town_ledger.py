"""The chain's side of the small town: what the ledger's queries would say of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from contracts.wire.ids import (
    Address,
    BillKey,
    BillState,
    GrantBatchId,
    Hash,
    Period,
    Reference,
    RunId,
    SupplierId,
)
from contracts.wire.leaf import BillKind
from contracts.wire.structs import SupplierTotal
from ledger.models import EntryKind
from ledger.queries.supplier_views import Payout, ReceiptSource, SupplierReceipt, SupplierStatement
from ledger.queries.supplier_views import Turnover as SupplierTurnover
from ledger.queries.views import (
    BillView,
    GrantBatchView,
    GrantView,
    Head,
    LegView,
    LineView,
    ReceiptKind,
    ReceiptView,
    RunState,
    RunView,
    StatementRow,
    SupplierView,
)

CHAIN_ID = 31337
NOW = 1_772_300_000
"""28 February 2026, 17:33 UTC."""
AGENT, WELFARE, ROUBLE, SETTLEMENT, CHARGE_BOOK = (Address(bytes([n]) * 20) for n in range(0xA1, 0xA6))
WALLETS = {number: Address(bytes([number]) * 20) for number in (1, 2, 5)}
JANUARY = Period(2026, 1)
MINE, PAID, OTHERS, VETOED = (BillKey(RunId(n), i) for n, i in ((1, 0), (1, 1), (1, 2), (2, 0)))
ACCOUNT, OTHER_ACCOUNT = "10000012", "10000013"


def hash_of(number: int) -> Hash:
    """A hash that is easy to tell from others."""
    return Hash(bytes([number]) * 32)


def line(number: int, supplier: int, charged: int, paid: int = 0, granted: int = 0) -> LineView:
    """A line with what moved on it."""
    return LineView(number, SupplierId(supplier), charged, paid, granted, 0, 0, 0, charged - paid - granted)


def bill(
    key: BillKey, lines: tuple[LineView, ...], state: BillState, run_state: RunState = RunState.ACTIVE
) -> BillView:
    """A bill of January."""
    return BillView(
        key=key,
        kind=BillKind.BILL,
        state=state,
        period=JANUARY,
        run_state=run_state,
        lines=lines,
        blob=hash_of(0xC0 + key.index) + b"\x00",
        leaf=hash_of(0xB0 + key.index),
        credits=(),
        original=None,
        notes=(),
        superseded_by=None,
        bill_id=None,
        salt=None,
        document=None,
        closed=None,
        is_final=True,
    )


def receipt(kind: ReceiptKind, key: BillKey, payer: Address, legs: tuple[tuple[int, int, int], ...]) -> ReceiptView:
    """A receipt; legs are (line, supplier, kopecks)."""
    return ReceiptView(
        kind=kind,
        bill=key,
        tx_hash=hash_of(0xD1),
        block_number=1204,
        block_hash=hash_of(0xD2),
        timestamp=NOW - 600,
        log_index=3,
        payer=payer,
        reference=Reference(hash_of(0xD3)) if kind is ReceiptKind.PAYMENT else None,
        legs=tuple(LegView(at, SupplierId(s), WALLETS[s], amount) for at, s, amount in legs),
        is_final=kind is ReceiptKind.GRANT,
    )


@dataclass
class TownLedger:
    """What the ledger's queries answer."""

    found: dict[BillKey, BillView] = field(default_factory=dict)
    moved: dict[BillKey, list[ReceiptView]] = field(default_factory=dict)
    granted: list[GrantView] = field(default_factory=list)
    head_at: int = NOW
    suspended: set[int] = field(default_factory=set)

    def head(self) -> Head:
        return Head(1210, hash_of(0xE1), self.head_at)

    def finalized_height(self) -> int:
        return 1198

    def tariff_version(self) -> int:
        return 3

    def bills(self, keys: list[BillKey]) -> list[BillView]:
        return [self.found[key] for key in keys if key in self.found]

    def bill(self, key: BillKey) -> BillView | None:
        return self.found.get(key)

    def receipts(self, key: BillKey) -> list[ReceiptView]:
        return self.moved.get(key, [])

    def grants(self, key: BillKey) -> list[GrantView]:
        return [grant for grant in self.granted if grant.bill == key]

    def grant_batches(self) -> list[GrantBatchView]:
        return [
            GrantBatchView(GrantBatchId(1), WELFARE, hash_of(0xF1), 1, 10_000, 10_000, False, hash_of(0xF2), True, True)
        ]

    def suppliers(self) -> list[SupplierView]:
        return [SupplierView(SupplierId(s), w, w, s not in self.suspended, hash_of(s)) for s, w in WALLETS.items()]

    def runs(self) -> list[RunView]:
        return [self._run(RunId(1), RunState.ACTIVE), self._run(RunId(2), RunState.VETOED)]

    def run(self, run: RunId) -> RunView:
        return self.runs()[run - 1]

    def proof(self, _key: BillKey) -> list[Hash]:
        return [hash_of(0x91), hash_of(0x92)]

    def batch(self, _agent: Address, _reference: Reference) -> None:
        return None

    def statement(self, supplier: SupplierId, first_ts: int, last_ts: int) -> list[StatementRow]:
        row = StatementRow(
            EntryKind.PAYMENT, NOW - 600, 1204, 3, hash_of(0xD1), PAID, 0, AGENT, 5_000, supplier == SupplierId(1)
        )
        return [row] if first_ts <= row.timestamp <= last_ts else []

    def supplier_statement(self, supplier: SupplierId, first_ts: int, last_ts: int) -> SupplierStatement:
        place = NOW - 600, 1204, hash_of(0x11), 3, hash_of(0xD1)
        row = SupplierReceipt(ReceiptSource.AGENT, *place, PAID, 0, AGENT, 5_000)
        rows = (row,) if first_ts <= row.timestamp <= last_ts else ()
        before = SupplierTurnover(charged=5_000, agent=0 if rows else 5_000 * (last_ts > row.timestamp))
        turned = SupplierTurnover(agent=sum(row.amount_kopecks for row in rows))
        payout = Payout(WALLETS[int(supplier)], 1, 0)
        return SupplierStatement(
            supplier, first_ts, last_ts, 1204, hash_of(0x12), (payout,), before, turned, (), (), rows
        )

    def receipts_between(self, supplier: SupplierId, after: int, height: int) -> list[SupplierReceipt]:
        rows = self.supplier_statement(supplier, 0, NOW).receipts
        return [row for row in rows if after < row.block_number <= height]

    def balance(self, _wallet: Address) -> int:
        return 777_700

    def _run(self, run: RunId, state: RunState) -> RunView:
        totals = tuple(SupplierTotal(SupplierId(s), 21, 987_654, hash_of(0x60 + s)) for s in WALLETS)
        return RunView(
            run, state, JANUARY, 3, hash_of(0x50), 3, hash_of(0x51), Hash(bytes(32)), NOW - 9000, AGENT, totals, (),
            hash_of(0x52), 1100, True, True,
        )  # fmt: skip


def town_ledger() -> TownLedger:
    """A bill of January partly granted, one paid, one of a neighbour, and one of a run that was vetoed."""
    mine = (line(0, 1, 37_213, granted=10_000), line(1, 2, 60_432), line(2, 5, 12_651))
    paid = (line(0, 1, 5_000, paid=5_000), line(1, 2, 4_000, paid=4_000), line(2, 5, 1_000, paid=1_000))
    return TownLedger(
        found={
            MINE: bill(MINE, mine, BillState.PARTIAL),
            PAID: bill(PAID, paid, BillState.PAID),
            OTHERS: bill(OTHERS, mine, BillState.OPEN),
            VETOED: bill(VETOED, mine, BillState.OPEN, RunState.VETOED),
        },
        moved={
            MINE: [receipt(ReceiptKind.GRANT, MINE, WELFARE, ((0, 1, 10_000),))],
            PAID: [receipt(ReceiptKind.PAYMENT, PAID, AGENT, ((0, 1, 5_000), (1, 2, 4_000), (2, 5, 1_000)))],
        },
        granted=[
            GrantView(GrantBatchId(1), 0, MINE, 0, 10_000, NOW + 86_400, b"", WELFARE, 10_000, False),
            GrantView(GrantBatchId(1), 1, MINE, 1, 5_000, NOW + 86_400, b"", WELFARE, None, False),
        ],
    )
