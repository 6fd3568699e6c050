"""Receipts, grants, prepayments, statements and totals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select

from contracts.wire.ids import (
    Address,
    BillKey,
    BillState,
    GrantBatchId,
    Hash,
    Reference,
    RunId,
    SupplierId,
    Tag,
)
from contracts.wire.leaf import BillKind
from ledger.models import (
    EntryKind,
    MovementKind,
    RunOutcome,
    agent_batches,
    batches,
    bill_lines,
    bill_states,
    bills,
    credits,
    entries,
    event_blocks,
    grant_batches,
    grant_reversals,
    grant_uses,
    grants,
    ingested,
    movements,
    nettings,
    payments,
    postings,
    prepayments,
    refunds,
    run_outcomes,
    skips,
)
from ledger.projection.money import ISSUE
from ledger.queries.views import (
    BatchOutcome,
    GrantBatchView,
    GrantView,
    LegView,
    OrderOutcome,
    PrepaymentView,
    ReceiptKind,
    ReceiptView,
    StatementRow,
    SupplierTotals,
    Totals,
)
from ledger.store import SqlRow


class Receipts:
    """Receipts of bills, with what is common to them looked up once."""

    def __init__(self, connection: Connection, height: int) -> None:
        self._connection = connection
        self._height = height

    def of_bill(self, key: BillKey) -> list[ReceiptView]:
        """All that moved on a bill, in chain order."""
        found = self.payments(payments.c.run == int(key.run), payments.c.bill_index == key.index)
        found += self._grants(key) + self._nettings(key) + self._credits(key) + self._refunds(key)
        return sorted(found, key=lambda receipt: (receipt.block_number, receipt.log_index))

    def payments(self, *where: ColumnElement[bool]) -> list[ReceiptView]:
        """Receipts of payments, in chain order."""
        p, m = payments.c, movements.c
        rows = self._connection.execute(select(payments).where(*where).order_by(p.block_number, p.log_index)).all()
        legs: defaultdict[tuple[int, int], list[SqlRow]] = defaultdict(list)
        joined = (m.block_number == p.block_number) & (m.log_index == p.log_index)
        query = select(movements).join(payments, joined).where(*where)
        for leg in self._connection.execute(query.order_by(m.block_number, m.log_index, m.position)):
            legs[leg.block_number, leg.log_index].append(leg)
        return [
            self._receipt(ReceiptKind.PAYMENT, row, row.payer, row.reference, legs[row.block_number, row.log_index])
            for row in rows
        ]

    def _grants(self, key: BillKey) -> list[ReceiptView]:
        g = grant_uses.c
        rows = self._connection.execute(select(grant_uses).where(g.run == int(key.run), g.bill_index == key.index))
        return [self._receipt(ReceiptKind.GRANT, row, row.wallet, None, [row]) for row in rows]

    def _nettings(self, key: BillKey) -> list[ReceiptView]:
        n = nettings.c
        rows = self._connection.execute(select(nettings).where(n.run == int(key.run), n.bill_index == key.index))
        found = []
        for row in rows:
            p = prepayments.c
            payer = self._connection.execute(select(p.payer).where(p.prepayment == row.prepayment)).scalar()
            found.append(self._receipt(ReceiptKind.PREPAYMENT, row, payer, row.prepayment, [row]))
        return found

    def _credits(self, key: BillKey) -> list[ReceiptView]:
        c, b = credits.c, bill_lines.c
        line = (b.run == c.run) & (b.bill_index == c.bill_index) & (b.line == c.line)
        query = (
            select(credits, c.written_off_kopecks.label("amount_kopecks"), b.supplier)
            .outerjoin(bill_lines, line)
            .where(c.run == int(key.run), c.bill_index == key.index, c.written_off_kopecks > 0)
        )
        rows = self._connection.execute(query)
        return [self._receipt(ReceiptKind.CREDIT, row, None, None, [row]) for row in rows]

    def _refunds(self, key: BillKey) -> list[ReceiptView]:
        r = refunds.c
        amount = (r.to_payer_kopecks + r.to_welfare_kopecks).label("amount_kopecks")
        rows = self._connection.execute(select(refunds, amount).where(r.run == int(key.run), r.bill_index == key.index))
        return [self._receipt(ReceiptKind.REFUND, row, row.recipient, None, [row]) for row in rows]

    def _receipt(
        self, kind: ReceiptKind, row: SqlRow, payer: bytes | None, reference: bytes | None, legs: Iterable[SqlRow]
    ) -> ReceiptView:
        place = row.block_number, row.log_index
        wallets = self._supplier_wallets(place)
        e = event_blocks.c
        block = self._connection.execute(select(event_blocks).where(e.block_number == row.block_number)).one()
        return ReceiptView(
            kind,
            BillKey(RunId(row.run), row.bill_index),
            Hash(row.tx_hash),
            row.block_number,
            Hash(block.hash),
            block.timestamp,
            row.log_index,
            None if payer is None else Address(payer),
            Reference(reference) if reference else None,
            tuple(
                LegView(
                    leg.line,
                    SupplierId(leg.supplier or 0),
                    Address(wallets.get(leg.supplier, ISSUE)),
                    leg.amount_kopecks,
                )
                for leg in legs
            ),
            row.block_number <= self._height,
        )

    def _supplier_wallets(self, place: tuple[int, int]) -> dict[int, bytes]:
        """Wallets of the suppliers that an entry's postings name: as they were when the money moved."""
        p = postings.c
        query = select(p.supplier, p.wallet).where(p.block_number == place[0], p.log_index == place[1])
        return {row.supplier: row.wallet for row in self._connection.execute(query) if row.supplier is not None}


def order_outcome(connection: Connection, height: int, digest: Reference) -> OrderOutcome | None:
    """What became of an order; None while it has not been carried out."""
    found = Receipts(connection, height).payments(payments.c.reference == digest)
    if found:
        receipt = found[0]
        return OrderOutcome(digest, receipt.bill, receipt, receipt.tx_hash, receipt.block_number, receipt.is_final)
    s = skips.c
    row = connection.execute(select(skips).where(s.reference == digest).limit(1)).one_or_none()
    if row is None:
        return None
    bill = BillKey(RunId(row.run), row.bill_index)
    return OrderOutcome(digest, bill, None, Hash(row.tx_hash), row.block_number, row.block_number <= height)


def batch_outcome(connection: Connection, height: int, agent: Address, reference: Reference) -> BatchOutcome | None:
    """What became of an agent's batch; None while it has not been carried out."""
    a, s = agent_batches.c, skips.c
    query = select(agent_batches).where(a.agent == agent, a.reference == reference, a.content.is_not(None))
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    # An agent's reference can be another payer's order digest; the transaction tells them apart.
    receipts = Receipts(connection, height).payments(
        payments.c.reference == reference, payments.c.payer == agent, payments.c.tx_hash == row.tx_hash
    )
    skipped = connection.execute(select(skips).where(s.tx_hash == row.tx_hash, s.reference == reference))
    return BatchOutcome(
        agent,
        reference,
        Hash(row.content),
        row.total_kopecks,
        tuple(receipts),
        tuple(BillKey(RunId(x.run), x.bill_index) for x in skipped),
        Hash(row.tx_hash),
        row.block_number,
        row.block_number <= height,
    )


def read_grant_batches(connection: Connection, height: int) -> list[GrantBatchView]:
    """Batches of grants in the order they were posted."""
    g, r, u, i = grant_batches.c, grant_reversals.c, grant_uses.c, ingested.c
    reversed_ = set(connection.execute(select(r.batch).where(r.grant_index.is_(None))).scalars())
    used = {
        row.batch: int(row.amount)
        for row in connection.execute(select(u.batch, func.sum(u.amount_kopecks).label("amount")).group_by(u.batch))
    }
    indexed = {(x.block_number, x.log_index) for x in connection.execute(select(ingested).where(i.kind == "grants"))}
    return [
        GrantBatchView(
            GrantBatchId(row.batch),
            Address(row.wallet),
            Hash(row.root),
            row.leaves,
            row.total_kopecks,
            used.get(row.batch, 0),
            row.batch in reversed_,
            Hash(row.act),
            (row.block_number, row.log_index) in indexed,
            row.block_number <= height,
        )
        for row in connection.execute(select(grant_batches).order_by(g.batch))
    ]


def read_grants(connection: Connection, *where: ColumnElement[bool]) -> list[GrantView]:
    """Grants of indexed batches, by batch and place."""
    g, u, r, b = grants.c, grant_uses.c, grant_reversals.c, grant_batches.c
    query = (
        select(grants, b.wallet, u.amount_kopecks.label("used"))
        .join(grant_batches, b.batch == g.batch)
        .outerjoin(grant_uses, (u.batch == g.batch) & (u.grant_index == g.grant_index))
        .where(*where)
        .order_by(g.batch, g.grant_index)
    )
    ended = {(row.batch, row.grant_index) for row in connection.execute(select(r.batch, r.grant_index))}
    return [
        GrantView(
            GrantBatchId(row.batch),
            row.grant_index,
            BillKey(RunId(row.run), row.bill_index),
            row.line,
            row.maximum_kopecks,
            row.expires_at,
            row.blob,
            Address(row.wallet),
            row.used,
            not ended.isdisjoint({(row.batch, None), (row.batch, row.grant_index)}),
        )
        for row in connection.execute(query)
    ]


def read_prepayments(connection: Connection, height: int, *where: ColumnElement[bool]) -> list[PrepaymentView]:
    """Prepayments in the order they were made."""
    p, n = prepayments.c, nettings.c
    netted = select(n.prepayment, func.sum(n.amount_kopecks).label("amount")).group_by(n.prepayment).subquery()
    query = (
        select(prepayments, netted.c.amount)
        .outerjoin(netted, netted.c.prepayment == p.prepayment)
        .where(*where)
        .order_by(p.block_number, p.log_index)
    )
    return [
        PrepaymentView(
            Hash(row.prepayment),
            Tag(row.tag),
            Address(row.payer),
            SupplierId(row.supplier),
            row.amount_kopecks,
            int(row.amount or 0),
            Hash(row.tx_hash),
            row.block_number <= height,
        )
        for row in connection.execute(query)
    ]


def read_statement(
    connection: Connection, height: int, supplier: SupplierId, first_ts: int, last_ts: int
) -> list[StatementRow]:
    """A supplier's receipts, and its refunds as negative sums, from ``first_ts`` through ``last_ts``."""
    p, e, k = postings.c, entries.c, event_blocks.c
    query = (
        select(postings, e.kind, e.tx_hash, e.other_wallet, k.timestamp)
        .join(entries, (e.block_number == p.block_number) & (e.log_index == p.log_index))
        .join(event_blocks, k.block_number == p.block_number)
        .where(p.supplier == int(supplier), k.timestamp >= first_ts, k.timestamp <= last_ts)
        .order_by(p.block_number, p.log_index, p.position)
    )
    return [
        StatementRow(
            EntryKind(row.kind),
            row.timestamp,
            row.block_number,
            row.log_index,
            Hash(row.tx_hash),
            None if row.run is None else BillKey(RunId(row.run), row.bill_index),
            row.line,
            Address(row.other_wallet),
            row.amount_kopecks,
            row.block_number <= height,
        )
        for row in connection.execute(query)
    ]


def balance(connection: Connection, wallet: Address) -> int:
    """Kopecks of a wallet, by the postings."""
    p = postings.c
    return _sum(connection, select(func.sum(p.amount_kopecks)).where(p.wallet == wallet))


def balances(connection: Connection) -> dict[Address, int]:
    """Kopecks of every wallet that ever held any, the bank's issue left out."""
    p = postings.c
    query = select(p.wallet, func.sum(p.amount_kopecks).label("amount")).where(p.wallet != ISSUE).group_by(p.wallet)
    return {Address(row.wallet): int(row.amount) for row in connection.execute(query)}


def read_totals(connection: Connection) -> Totals:
    """The town in kopecks."""
    m, p, pre = movements.c, postings.c, prepayments.c
    moved = {
        MovementKind(row.kind): int(row.amount)
        for row in connection.execute(select(m.kind, func.sum(m.amount_kopecks).label("amount")).group_by(m.kind))
    }
    received = {
        row.supplier: int(row.amount)
        for row in connection.execute(
            select(p.supplier, func.sum(p.amount_kopecks).label("amount"))
            .where(p.supplier.is_not(None))
            .group_by(p.supplier)
        )
    }
    charged = _charged(connection)
    i = ingested.c
    return Totals(
        charged_kopecks=sum(charged.values()),
        paid_kopecks=moved.get(MovementKind.PAID, 0),
        granted_kopecks=moved.get(MovementKind.GRANTED, 0),
        prepaid_kopecks=_sum(connection, select(func.sum(pre.amount_kopecks))),
        netted_kopecks=moved.get(MovementKind.NETTED, 0),
        written_off_kopecks=moved.get(MovementKind.WRITTEN_OFF, 0),
        refunded_kopecks=moved.get(MovementKind.REFUNDED, 0),
        supply_kopecks=-balance(connection, Address(ISSUE)),
        suppliers=tuple(
            SupplierTotals(SupplierId(s), charged.get(s, 0), received.get(s, 0))
            for s in sorted(charged.keys() | received.keys())
        ),
        readings=_sum(connection, select(func.sum(i.leaves)).where(i.kind == "readings")),
        batches=_sum(connection, select(func.count()).select_from(batches)),
        bills=_sum(connection, select(func.count()).select_from(bills)),
        runs=_sum(connection, select(func.count()).select_from(run_outcomes).where(_is_active())),
    )


def _charged(connection: Connection) -> dict[int, int]:
    """Debits less credits of active runs by supplier, superseded bills left out."""
    b, line, s = bills.c, bill_lines.c, bill_states.c
    superseded = (
        select(1)
        .where(s.run == line.run, s.bill_index == line.bill_index, s.state == int(BillState.SUPERSEDED))
        .exists()
    )
    query = (
        select(line.supplier, b.kind, func.sum(line.amount_kopecks).label("amount"))
        .join(bills, (b.run == line.run) & (b.bill_index == line.bill_index))
        .join(run_outcomes, run_outcomes.c.run == line.run)
        .where(_is_active(), ~superseded)
        .group_by(line.supplier, b.kind)
    )
    charged: defaultdict[int, int] = defaultdict(int)
    for row in connection.execute(query):
        charged[row.supplier] += -int(row.amount) if row.kind == BillKind.CREDIT_NOTE else int(row.amount)
    return dict(charged)


def _is_active() -> ColumnElement[bool]:
    return run_outcomes.c.outcome == int(RunOutcome.ACTIVE)


def _sum(connection: Connection, query: Select[Any]) -> int:
    return int(connection.execute(query).scalar() or 0)
