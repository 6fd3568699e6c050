"""A supplier's books over a span of time: what stood, what was charged, what came and from whom, what went back.

All rows are final: a statement is nothing that a reorganisation may take back.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, case, func, literal, select, union_all
from sqlalchemy.sql.selectable import CompoundSelect, Subquery

from contracts.wire.ids import Address, BillKey, BillState, Hash, Period, RunId, SupplierId
from contracts.wire.leaf import BillKind, SupplierLine, encode_supplier_line
from ledger.models import (
    MovementKind,
    RunOutcome,
    agent_batches,
    bill_lines,
    bill_states,
    bills,
    event_blocks,
    grant_uses,
    ingested,
    movements,
    nettings,
    payments,
    payouts,
    prepayments,
    refunds,
    run_outcomes,
    run_suppliers,
    runs,
)
from ledger.queries.supplier_views import (
    ChargedRun,
    Payout,
    ReceiptSource,
    ReplacedLine,
    SupplierReceipt,
    SupplierStatement,
    turnover_of,
)


class RunFileMissing(LookupError):
    """A charge can't be told without the file of a run that the ledger does not hold."""

    def __init__(self, run: RunId) -> None:
        super().__init__(
            f"the file of run {run} is not indexed, so a statement could leave charges out; wait for the ledger, or "
            "have billing serve the file again"
        )
        self.run = run


def read_supplier_statement(
    connection: Connection, final: tuple[int, Hash], supplier: SupplierId, first: int, last: int
) -> SupplierStatement:
    """The statement as far as the block of ``final`` (height, hash). Raises RunFileMissing."""
    height, block_hash = final
    charged = _runs(connection, height, supplier, last)
    _check_files(connection, charged)
    replaced = _replaced(connection, height, supplier, last)
    at = event_blocks.c.timestamp
    found = _receipts(connection, height, supplier, at >= first, at <= last)
    now_runs = tuple(run for run in charged if run.timestamp >= first)
    now_replaced = tuple(line for line in replaced if line.timestamp >= first)
    before = turnover_of(
        (run for run in charged if run.timestamp < first),
        (line for line in replaced if line.timestamp < first),
        _sums(connection, height, supplier, first),
    )
    now: dict[ReceiptSource, int] = {}
    for receipt in found:
        now[receipt.source] = now.get(receipt.source, 0) + receipt.amount_kopecks
    return SupplierStatement(
        supplier,
        first,
        last,
        height,
        block_hash,
        _payouts(connection, height, supplier),
        before,
        turnover_of(now_runs, now_replaced, now),
        now_runs,
        now_replaced,
        tuple(found),
    )


def read_supplier_lines(connection: Connection, run: RunId, supplier: SupplierId) -> list[bytes]:
    """Blobs of a supplier's own tree of a run, in the tree's order."""
    line, b = bill_lines.c, bills.c
    query = (
        select(line.bill_index, line.line, b.kind, line.amount_kopecks)
        .join(bills, (b.run == line.run) & (b.bill_index == line.bill_index))
        .where(line.run == int(run), line.supplier == int(supplier))
        .order_by(line.bill_index, line.line)
    )
    return [
        encode_supplier_line(SupplierLine(row.bill_index, row.line, BillKind(row.kind), row.amount_kopecks))
        for row in connection.execute(query)
    ]


# --- charges ---


def _runs(connection: Connection, height: int, supplier: SupplierId, last: int) -> list[ChargedRun]:
    o, r, s, k = run_outcomes.c, runs.c, run_suppliers.c, event_blocks.c
    query = (
        select(s.run, r.period, k.timestamp, o.block_number, s.lines, s.total_kopecks, s.root)
        .join(runs, r.run == s.run)
        .join(run_outcomes, o.run == s.run)
        .join(event_blocks, k.block_number == o.block_number)
        .where(
            s.supplier == int(supplier),
            o.outcome == int(RunOutcome.ACTIVE),
            o.block_number <= height,
            k.timestamp <= last,
        )
        .order_by(o.block_number, o.log_index)
    )
    return [
        ChargedRun(
            RunId(row.run),
            Period.from_number(row.period),
            row.timestamp,
            row.block_number,
            row.lines,
            row.total_kopecks,
            Hash(row.root),
        )
        for row in connection.execute(query)
    ]


def _check_files(connection: Connection, charged: Iterable[ChargedRun]) -> None:
    i, r = ingested.c, runs.c
    held = select(i.root).where(i.kind == "bills")
    lacking = set(connection.execute(select(r.run).where(r.root.not_in(held))).scalars())
    for run in charged:
        if run.run in lacking:
            raise RunFileMissing(run.run)


def _replaced(connection: Connection, height: int, supplier: SupplierId, last: int) -> list[ReplacedLine]:
    s, line, k = bill_states.c, bill_lines.c, event_blocks.c
    query = (
        select(bill_states, line.line, line.amount_kopecks, k.timestamp)
        .join(bill_lines, (line.run == s.run) & (line.bill_index == s.bill_index))
        .join(event_blocks, k.block_number == s.block_number)
        .where(
            line.supplier == int(supplier),
            line.amount_kopecks > 0,
            s.state == int(BillState.SUPERSEDED),
            s.by_run.is_not(None),
            s.block_number <= height,
            k.timestamp <= last,
        )
        .order_by(s.block_number, s.log_index, line.line)
    )
    return [
        ReplacedLine(
            BillKey(RunId(row.run), row.bill_index),
            row.line,
            RunId(row.by_run),
            row.timestamp,
            row.block_number,
            row.log_index,
            row.amount_kopecks,
        )
        for row in connection.execute(query)
    ]


# --- receipts ---


def _payouts(connection: Connection, height: int, supplier: SupplierId) -> tuple[Payout, ...]:
    p = payouts.c
    query = select(payouts).where(p.supplier == int(supplier), p.block_number <= height)
    rows = connection.execute(query.order_by(p.block_number, p.log_index))
    return tuple(Payout(Address(row.wallet), row.block_number, row.log_index) for row in rows)


def read_receipts_between(
    connection: Connection, supplier: SupplierId, after: int, height: int
) -> list[SupplierReceipt]:
    """Receipts in the blocks above ``after`` up to ``height``, in chain order."""
    return _receipts(connection, height, supplier, event_blocks.c.block_number > after)


def _receipts(
    connection: Connection, height: int, supplier: SupplierId, *where: ColumnElement[bool]
) -> list[SupplierReceipt]:
    moved, k = _moved(supplier), event_blocks.c
    query = (
        select(moved, k.timestamp, k.hash)
        .join(event_blocks, k.block_number == moved.c.block_number)
        .where(moved.c.block_number <= height, *where)
        .order_by(moved.c.block_number, moved.c.log_index, moved.c.line)
    )
    return [
        SupplierReceipt(
            ReceiptSource(row.source),
            row.timestamp,
            row.block_number,
            Hash(row.hash),
            row.log_index,
            Hash(row.tx_hash),
            None if row.run is None else BillKey(RunId(row.run), row.bill_index),
            row.line,
            Address(row.counterparty),
            row.amount_kopecks,
        )
        for row in connection.execute(query)
    ]


def _sums(connection: Connection, height: int, supplier: SupplierId, before: int) -> dict[ReceiptSource, int]:
    """Receipts before a moment, by source."""
    moved, k = _moved(supplier), event_blocks.c
    query = (
        select(moved.c.source, func.sum(moved.c.amount_kopecks).label("amount"))
        .join(event_blocks, k.block_number == moved.c.block_number)
        .where(moved.c.block_number <= height, k.timestamp < before)
        .group_by(moved.c.source)
    )
    return {ReceiptSource(row.source): int(row.amount) for row in connection.execute(query)}


def _moved(supplier: SupplierId) -> Subquery:
    """All movements of a supplier in one shape."""
    p, m, a = payments.c, movements.c, agent_batches.c
    by_agent = (
        select(literal(1))
        .where(a.tx_hash == p.tx_hash, a.agent == p.payer, a.reference == p.reference, a.content.is_not(None))
        .exists()
    )
    source = case((by_agent, literal(ReceiptSource.AGENT.value)), else_=literal(ReceiptSource.PAYER.value))
    place = (m.block_number == p.block_number) & (m.log_index == p.log_index)
    paid = (
        select(
            source.label("source"),
            p.block_number,
            p.log_index,
            p.tx_hash,
            m.run,
            m.bill_index,
            m.line,
            p.payer.label("counterparty"),
            m.amount_kopecks,
        )
        .join(movements, place)
        .where(m.supplier == int(supplier), m.kind == int(MovementKind.PAID))
    )
    return _with_others(paid, supplier).subquery("moved")


def _with_others(paid: object, supplier: SupplierId) -> CompoundSelect[tuple[object, ...]]:
    g, pre, n, r = grant_uses.c, prepayments.c, nettings.c, refunds.c
    welfare = select(
        literal(ReceiptSource.WELFARE.value), g.block_number, g.log_index, g.tx_hash, g.run, g.bill_index, g.line,
        g.wallet, g.amount_kopecks,
    ).where(g.supplier == int(supplier))  # fmt: skip
    ahead = select(
        literal(ReceiptSource.PREPAYMENT.value), pre.block_number, pre.log_index, pre.tx_hash, literal(None),
        literal(None), literal(None), pre.payer, pre.amount_kopecks,
    ).where(pre.supplier == int(supplier))  # fmt: skip
    netted = select(
        literal(ReceiptSource.NETTED.value), n.block_number, n.log_index, n.tx_hash, n.run, n.bill_index, n.line,
        pre.payer, n.amount_kopecks,
    ).join(prepayments, pre.prepayment == n.prepayment).where(n.supplier == int(supplier))  # fmt: skip
    back = select(
        literal(ReceiptSource.REFUND.value), r.block_number, r.log_index, r.tx_hash, r.run, r.bill_index, r.line,
        r.recipient, -(r.to_payer_kopecks + r.to_welfare_kopecks),
    ).where(r.supplier == int(supplier))  # fmt: skip
    return union_all(paid, welfare, ahead, netted, back)  # type: ignore[call-overload, no-any-return]
