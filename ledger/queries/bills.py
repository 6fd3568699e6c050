"""Runs and bills: what was charged, what moved, what is open, and the proofs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import ColumnElement, Connection, Table, func, select, true, tuple_

from contracts.client.keyring import UnknownKey
from contracts.wire.ids import Address, BillId, BillKey, BillState, Hash, KeyId, Period, RunId, SourceId, SupplierId
from contracts.wire.leaf import BillKind, decode_bill
from contracts.wire.merkle import Tree
from contracts.wire.sealed import SealError, unseal
from contracts.wire.structs import SupplierTotal, UsedHead
from ledger.leaves import Keys
from ledger.models import (
    ClosedState,
    MovementKind,
    RunOutcome,
    bill_lines,
    bill_states,
    bills,
    closed_leaves,
    event_blocks,
    ingested,
    movements,
    run_heads,
    run_outcomes,
    run_suppliers,
    runs,
)
from ledger.queries.views import BillView, LineView, RunState, RunView
from ledger.store import SqlRow

_CHUNK = 250
_SETTLED = BillState.PAID, BillState.SUPERSEDED
Movements = dict[tuple[BillKey, int], dict[MovementKind, int]]


def read_runs(
    connection: Connection, height: int, *where: ColumnElement[bool], upto: int | None = None
) -> list[RunView]:
    """Runs in the order they were proposed, as the blocks up to ``upto`` leave them; by all blocks without it."""
    found = connection.execute(select(runs).where(*where, _until(runs, upto)).order_by(runs.c.run)).all()
    if not found:
        return []
    numbers = [row.run for row in found]
    suppliers = _by_run(connection, run_suppliers, numbers)
    heads = _by_run(connection, run_heads, numbers)
    outcomes = {r.run: r.outcome for r in connection.execute(select(run_outcomes).where(_until(run_outcomes, upto)))}
    i = ingested.c
    indexed = {(r.block_number, r.log_index) for r in connection.execute(select(ingested).where(i.kind == "bills"))}
    return [
        RunView(
            RunId(row.run),
            _run_state(outcomes.get(row.run)),
            Period.from_number(row.period),
            row.leaves,
            Hash(row.root),
            row.tariff_version,
            Hash(row.engine),
            Hash(row.superseded),
            row.activatable_at,
            Address(row.biller),
            tuple(
                SupplierTotal(SupplierId(s.supplier), s.lines, s.total_kopecks, Hash(s.root))
                for s in suppliers[row.run]
            ),
            tuple(UsedHead(SourceId(h.source), h.epoch, h.sequence, h.hash) for h in heads[row.run]),
            Hash(row.tx_hash),
            row.block_number,
            (row.block_number, row.log_index) in indexed,
            row.block_number <= height,
        )
        for row in found
    ]


def read_bills(
    connection: Connection, height: int, keys: Sequence[BillKey], ring: Keys | None, upto: int | None = None
) -> list[BillView]:
    """Bills by key, in the order of ``keys``, as the blocks up to ``upto`` leave them (all blocks without it); those
    that no indexed run holds are left out."""
    found: dict[BillKey, BillView] = {}
    for start in range(0, len(keys), _CHUNK):
        chunk = keys[start : start + _CHUNK]
        for view in _read_chunk(connection, height, chunk, ring, upto):
            found[view.key] = view
    return [found[key] for key in keys if key in found]


def _read_chunk(
    connection: Connection, height: int, keys: Sequence[BillKey], ring: Keys | None, upto: int | None
) -> Iterator[BillView]:
    rows = connection.execute(select(bills).where(_among(bills, keys), _until(bills, upto))).all()
    if not rows:
        return
    lines: defaultdict[BillKey, list[SqlRow]] = defaultdict(list)
    for row in connection.execute(select(bill_lines).where(_among(bill_lines, keys)).order_by(bill_lines.c.line)):
        lines[_key(row)].append(row)
    moved, last_block = _movements(connection, keys, upto)
    states = _states(connection, keys, last_block, upto)
    of_keys = runs.c.run.in_({key.run for key in keys})
    run_views = {run.run: run for run in read_runs(connection, height, of_keys, upto=upto)}
    originals = [key.number for key in keys]
    notes: defaultdict[int, list[BillKey]] = defaultdict(list)
    for row in connection.execute(
        select(bills.c.run, bills.c.bill_index, bills.c.original).where(
            bills.c.original.in_(originals), _until(bills, upto)
        )
    ):
        notes[row.original].append(_key(row))
    closed = _closed(connection, rows)
    for row in rows:
        key = _key(row)
        run = run_views[key.run]
        state, by_run = states.get(key, (BillState.OPEN, None))
        kind = BillKind(row.kind)
        blob = decode_bill(row.blob)
        secret = _opened(row, ring)
        yield BillView(
            key,
            kind,
            state,
            run.period,
            run.state,
            tuple(_line(line, moved.get((key, line.line), {}), kind, state) for line in lines[key]),
            row.blob,
            Hash(row.leaf),
            blob.credits,
            blob.original,
            tuple(sorted(notes[key.number])),
            by_run,
            None if row.bill_id is None else BillId(row.bill_id),
            None if secret is None else secret[32:64],
            None if secret is None else secret[64:],
            closed.get((row.block_number, row.log_index, row.bill_index)),
            run.is_final and last_block.get(key, 0) <= height,
        )


def bill_tree(connection: Connection, run: RunId) -> Tree | None:
    """The tree of a run's bills; None where its file is not indexed."""
    b = bills.c
    leaves = [Hash(row.leaf) for row in connection.execute(select(b.leaf).where(b.run == run).order_by(b.bill_index))]
    return Tree.of(leaves) if leaves else None


def keys_of_run(connection: Connection, run: RunId) -> list[BillKey]:
    """Keys of a run's bills."""
    b = bills.c
    rows = connection.execute(select(b.run, b.bill_index).where(b.run == run).order_by(b.bill_index))
    return [_key(row) for row in rows]


def keys_of_bill_id(connection: Connection, bill_id: BillId) -> list[BillKey]:
    """Keys under which a bill id stands, lowest first: a vetoed run's bill can stand again in a later run."""
    b = bills.c
    rows = connection.execute(select(b.run, b.bill_index).where(b.bill_id == bill_id))
    return sorted(_key(row) for row in rows)


def blocks_of_bill(connection: Connection, key: BillKey, height: int) -> list[int]:
    """Blocks up to ``height`` whose events are of the bill, or propose or settle its run; ascending."""
    found: set[int] = set()
    for table in (runs, run_outcomes):
        c = table.c
        query = select(c.block_number).where(c.run == int(key.run), c.block_number <= height)
        found.update(connection.execute(query).scalars())
    for table in (movements, bill_states):
        query = select(table.c.block_number).where(_among(table, [key]), table.c.block_number <= height)
        found.update(connection.execute(query).scalars())
    return sorted(found)


def _line(line: SqlRow, moved: dict[MovementKind, int], kind: BillKind, state: BillState) -> LineView:
    amounts = [moved.get(what, 0) for what in MovementKind]
    charged = line.amount_kopecks
    is_closed = state in _SETTLED or kind is BillKind.CREDIT_NOTE
    taken = sum(amounts[:-1])  # what was refunded had been paid or granted before, and is not owed again
    paid, granted, netted, written_off, refunded = amounts
    open_kopecks = 0 if is_closed else charged - taken
    supplier = SupplierId(line.supplier)
    return LineView(line.line, supplier, charged, paid, granted, netted, written_off, refunded, open_kopecks)


def _movements(
    connection: Connection, keys: Sequence[BillKey], upto: int | None
) -> tuple[Movements, dict[BillKey, int]]:
    """Kopecks by bill, line and kind; and the last block in which something moved on each bill."""
    m = movements.c
    moved: Movements = defaultdict(dict)
    last: dict[BillKey, int] = {}
    for row in connection.execute(
        select(
            m.run,
            m.bill_index,
            m.line,
            m.kind,
            func.sum(m.amount_kopecks).label("amount"),
            func.max(m.block_number).label("block"),
        )
        .where(_among(movements, keys), _until(movements, upto))
        .group_by(m.run, m.bill_index, m.line, m.kind)
    ):
        key = _key(row)
        moved[key, row.line][MovementKind(row.kind)] = int(row.amount)
        last[key] = max(row.block, last.get(key, 0))
    return moved, last


def _states(
    connection: Connection, keys: Sequence[BillKey], last: dict[BillKey, int], upto: int | None
) -> dict[BillKey, tuple[BillState, RunId | None]]:
    s = bill_states.c
    found: dict[BillKey, tuple[BillState, RunId | None]] = {}
    for row in connection.execute(
        select(
            s.run,
            s.bill_index,
            func.max(s.state).label("state"),
            func.max(s.by_run).label("by_run"),
            func.max(s.block_number).label("block"),
        )
        .where(_among(bill_states, keys), _until(bill_states, upto))
        .group_by(s.run, s.bill_index)
    ):
        key = _key(row)
        found[key] = BillState(row.state), None if row.by_run is None else RunId(row.by_run)
        last[key] = max(row.block, last.get(key, 0))
    return found


def _closed(connection: Connection, rows: Iterable[SqlRow]) -> dict[tuple[int, int, int], ClosedState]:
    c = closed_leaves.c
    places = sorted({(row.block_number, row.log_index) for row in rows})
    found: dict[tuple[int, int, int], ClosedState] = {}
    for block_number, log_index in places:
        for row in connection.execute(
            select(closed_leaves).where(c.block_number == block_number, c.log_index == log_index)
        ):
            found[block_number, log_index, row.leaf_index] = ClosedState(row.state)
    return found


def _opened(row: SqlRow, ring: Keys | None) -> bytes | None:
    """Bill id ‖ salt ‖ document; None without a key ring, after an erasure, or where the record does not open."""
    if ring is None or row.sealed is None or row.key is None:
        return None
    try:
        secret = ring.secret(KeyId(row.key))
        return None if secret is None else unseal(secret, row.leaf, row.sealed)
    except (SealError, UnknownKey):
        return None


def _among(table: Table, keys: Sequence[BillKey]) -> ColumnElement[bool]:
    return tuple_(table.c.run, table.c.bill_index).in_([(int(key.run), key.index) for key in keys])


def _until(table: Table, upto: int | None) -> ColumnElement[bool]:
    return true() if upto is None else table.c.block_number <= upto


def block_at(connection: Connection, moment: int) -> int:
    """The last block with an event of ours that was made by a moment, seconds UTC; -1 where there is none."""
    query = select(func.max(event_blocks.c.block_number)).where(event_blocks.c.timestamp <= moment)
    found = connection.execute(query).scalar()
    return -1 if found is None else int(found)


def _key(row: SqlRow) -> BillKey:
    return BillKey(RunId(row.run), row.bill_index)


def _by_run(connection: Connection, table: Table, numbers: Sequence[int]) -> defaultdict[int, list[SqlRow]]:
    found: defaultdict[int, list[SqlRow]] = defaultdict(list)
    for row in connection.execute(select(table).where(table.c.run.in_(numbers)).order_by(table.c.position)):
        found[row.run].append(row)
    return found


def _run_state(outcome: int | None) -> RunState:
    if outcome is None:
        return RunState.PROPOSED
    return RunState.ACTIVE if outcome == RunOutcome.ACTIVE else RunState.VETOED
