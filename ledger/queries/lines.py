"""Lines of many bills at once: what each was charged, and what moved on it, summed where it moved in one block."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Table, exists, func, select, tuple_

from contracts.wire.ids import BillKey, BillState, RunId, SupplierId
from ledger.models import MovementKind, bill_lines, bill_states, event_blocks, movements
from ledger.queries.views import ReceiptKind

_KEYS_AT_ONCE = 500
_KINDS = {
    MovementKind.PAID: ReceiptKind.PAYMENT,
    MovementKind.GRANTED: ReceiptKind.GRANT,
    MovementKind.NETTED: ReceiptKind.PREPAYMENT,
    MovementKind.REFUNDED: ReceiptKind.REFUND,
}
"""What moves money; a write-off moves nobody's."""


@dataclass(frozen=True, slots=True)
class LineOf:
    """A line of a bill that nothing replaced."""

    bill: BillKey
    line: int
    supplier: SupplierId
    charged_kopecks: int


@dataclass(frozen=True, slots=True)
class MovedOn:
    """What moved on a line in one block, by kind; ``timestamp`` is the block's, seconds UTC."""

    bill: BillKey
    line: int
    kind: ReceiptKind
    timestamp: int
    amount_kopecks: int


def read_lines(connection: Connection, keys: Sequence[BillKey], without: Collection[SupplierId]) -> list[LineOf]:
    """Lines of bills but for those of some suppliers; bills that another run replaced are left out."""
    line, state = bill_lines.c, bill_states.c
    replaced = exists().where(
        state.run == line.run, state.bill_index == line.bill_index, state.state == int(BillState.SUPERSEDED)
    )
    return [
        LineOf(BillKey(RunId(row.run), row.bill_index), row.line, SupplierId(row.supplier), row.amount_kopecks)
        for among in _among(bill_lines, keys)
        for row in connection.execute(
            select(bill_lines).where(among, line.supplier.not_in([int(s) for s in without]), ~replaced)
        )
    ]


def read_moved(connection: Connection, keys: Sequence[BillKey], without: Collection[SupplierId]) -> list[MovedOn]:
    """What moved on lines of bills but for those of some suppliers."""
    m = movements.c
    columns = (m.run, m.bill_index, m.line, m.kind, event_blocks.c.timestamp)
    query = (
        select(*columns, func.sum(m.amount_kopecks).label("amount"))
        .join(event_blocks, event_blocks.c.block_number == m.block_number)
        .where(m.supplier.not_in([int(s) for s in without]), m.kind.in_([int(kind) for kind in _KINDS]))
        .group_by(*columns)
    )
    return [
        MovedOn(
            BillKey(RunId(row.run), row.bill_index), row.line, _KINDS[MovementKind(row.kind)], row.timestamp,
            int(row.amount),
        )
        for among in _among(movements, keys)
        for row in connection.execute(query.where(among))
    ]  # fmt: skip


def _among(table: Table, keys: Sequence[BillKey]) -> Iterator[ColumnElement[bool]]:
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        chunk = [(int(key.run), key.index) for key in keys[start : start + _KEYS_AT_ONCE]]
        yield tuple_(table.c.run, table.c.bill_index).in_(chunk)
