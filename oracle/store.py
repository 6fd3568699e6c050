"""The oracle's rows: what happened to each batch, where each source's chain stands, what waits to be decided."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import TypeVar

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update
from sqlalchemy.sql import Select

from contracts.wire.ids import Hash, KeyId, MeterId, SourceId
from contracts.wire.leaf import DecisionReason
from contracts.wire.sealed import SealError, seal, unseal
from contracts.wire.typed_data import BatchHeader
from oracle import schema as t
from oracle.batch import ChainHead
from oracle.keys import SealingKey
from oracle.windows import Window

_IN_CHUNK = 500
_Item = TypeVar("_Item")


class BatchState(StrEnum):
    """Where a batch stands.

    WAITING for the batches before it; ACCEPTED: will be anchored; ANCHORED in a block; FINAL: in a finalised block;
    STALE: signed with a key since rotated, must be signed again; REFUSED: can never be anchored (its source was
    revoked); BROKEN: the batch before it turned out to be another; CONFLICT: another batch of the same sequence
    stands; ABANDONED by an epoch reset.
    """

    WAITING = "waiting"
    ACCEPTED = "accepted"
    ANCHORED = "anchored"
    FINAL = "final"
    STALE = "stale"
    REFUSED = "refused"
    BROKEN = "broken"
    CONFLICT = "conflict"
    ABANDONED = "abandoned"


IN_CHAIN = (BatchState.ACCEPTED, BatchState.ANCHORED, BatchState.FINAL, BatchState.STALE)
"""States of the one batch that holds its place in its source's chain."""


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch as it stands."""

    id: int
    header: BatchHeader
    signature: bytes
    state: BatchState
    reason: str | None
    attempt: int
    anchored_block: int | None


def find_batch(connection: Connection, head: bytes) -> BatchRow | None:
    """The batch whose header has this head."""
    return _one(connection, select(t.batches).where(t.batches.c.head == head))


def batch_in_chain(connection: Connection, source: int, epoch: int, sequence: int) -> BatchRow | None:
    """The batch that holds a place in a chain."""
    query = select(t.batches).where(
        t.batches.c.source == source,
        t.batches.c.epoch == epoch,
        t.batches.c.sequence == sequence,
        t.batches.c.state.in_(IN_CHAIN),
    )
    return _one(connection, query)


def latest_at(connection: Connection, source: int, sequence: int) -> BatchRow | None:
    """What is known of a source's sequence: the one in the chain, otherwise the last that came."""
    query = select(t.batches).where(t.batches.c.source == source, t.batches.c.sequence == sequence)
    rows = [_row(row) for row in connection.execute(query.order_by(t.batches.c.epoch.desc(), t.batches.c.id.desc()))]
    ranked = [row for row in rows if row.state in IN_CHAIN] + rows
    return ranked[0] if ranked else None


def waiting_at(connection: Connection, source: int, epoch: int, sequence: int) -> list[BatchRow]:
    """The batches that wait for one place, in order of arrival."""
    query = select(t.batches).where(
        t.batches.c.source == source,
        t.batches.c.epoch == epoch,
        t.batches.c.sequence == sequence,
        t.batches.c.state == BatchState.WAITING,
    )
    return [_row(row) for row in connection.execute(query.order_by(t.batches.c.id))]


def batches_in(connection: Connection, states: Sequence[BatchState], source: int | None = None) -> list[BatchRow]:
    """Batches in any of these states, in order of arrival."""
    query = select(t.batches).where(t.batches.c.state.in_(states))
    if source is not None:
        query = query.where(t.batches.c.source == source)
    return [_row(row) for row in connection.execute(query.order_by(t.batches.c.id))]


def batches_of_document(connection: Connection, source: int, document: Hash) -> list[BatchRow]:
    """The batches of a source that rest on a document and stand in its chain."""
    query = select(t.batches).where(
        t.batches.c.document == document, t.batches.c.source == source, t.batches.c.state.in_(IN_CHAIN)
    )
    return [_row(row) for row in connection.execute(query.order_by(t.batches.c.sequence))]


def lost_heads(connection: Connection, source: int) -> list[bytes]:
    """Heads of a source's batches that were taken once and will never be anchored, the latest thousand."""
    fallen = (BatchState.ABANDONED, BatchState.BROKEN, BatchState.CONFLICT)
    query = select(t.batches.c.head).where(t.batches.c.source == source, t.batches.c.state.in_(fallen))
    return [bytes(head) for head in connection.scalars(query.order_by(t.batches.c.id.desc()).limit(1000))]


def count_by_state(connection: Connection) -> dict[str, int]:
    """How many batches stand in each state."""
    rows = connection.execute(select(t.batches.c.state, func.count()).group_by(t.batches.c.state))
    return {str(row[0]): int(row[1]) for row in rows}


def add_batch(
    connection: Connection, header: BatchHeader, signature: bytes, state: BatchState, received_at: int
) -> None:
    """Keeps a batch; its file is on disk already."""
    connection.execute(
        insert(t.batches).values(
            head=header.head(),
            source=header.source,
            epoch=header.epoch,
            sequence=header.sequence,
            previous=header.previous,
            root=header.root,
            leaf_count=header.count,
            period_start=header.period_start,
            period_end=header.period_end,
            document=header.document,
            signature=signature,
            state=state,
            received_at=received_at,
        )
    )


def set_state(
    connection: Connection, head: bytes, state: BatchState, reason: str | None = None, block: int | None = None
) -> None:
    """Moves a batch to a state."""
    connection.execute(
        update(t.batches).where(t.batches.c.head == head).values(state=state, reason=reason, anchored_block=block)
    )


def refuse_open(connection: Connection, source: int, reason: str) -> None:
    """A source was ended: what it sent and the chain does not hold never will be anchored."""
    open_states = (BatchState.WAITING, BatchState.ACCEPTED, BatchState.STALE)
    connection.execute(
        update(t.batches)
        .where(t.batches.c.source == source, t.batches.c.state.in_(open_states))
        .values(state=BatchState.REFUSED, reason=reason)
    )


def sign_again(connection: Connection, head: bytes, signature: bytes) -> None:
    """Takes the new signature of a stale batch: it will be anchored with that."""
    connection.execute(
        update(t.batches)
        .where(t.batches.c.head == head)
        .values(signature=signature, state=BatchState.ACCEPTED, reason=None, attempt=t.batches.c.attempt + 1)
    )


def next_attempt(connection: Connection, head: bytes) -> None:
    """Counts an attempt that did not anchor the batch; the next one has an intent of its own."""
    connection.execute(update(t.batches).where(t.batches.c.head == head).values(attempt=t.batches.c.attempt + 1))


def chain_of(connection: Connection, source: int) -> ChainHead | None:
    """Where a source's chain of accepted batches stands; None before the first."""
    row = connection.execute(select(t.chains).where(t.chains.c.source == source)).one_or_none()
    return None if row is None else ChainHead(row.epoch, row.sequence, bytes(row.head))


def set_chain(connection: Connection, source: int, head: ChainHead) -> None:
    """Moves a source's chain."""
    values = {"epoch": head.epoch, "sequence": head.sequence, "head": head.head}
    done = connection.execute(update(t.chains).where(t.chains.c.source == source).values(**values))
    if done.rowcount == 0:
        connection.execute(insert(t.chains).values(source=source, **values))


def abandon_before(connection: Connection, source: int, epoch: int) -> None:
    """An epoch reset was declared: what was not anchored before it never will be."""
    connection.execute(
        update(t.batches)
        .where(
            t.batches.c.source == source,
            t.batches.c.epoch < epoch,
            t.batches.c.state.in_((BatchState.WAITING, BatchState.ACCEPTED, BatchState.STALE)),
        )
        .values(
            state=BatchState.ABANDONED,
            reason=f"epoch {epoch} was declared before it was anchored; send its readings again in that epoch",
        )
    )


def add_equivocation(connection: Connection, first: BatchHeader, second: BatchHeader) -> None:
    """Notes two signed headers of one sequence; both have rows."""
    pair = {"first": first.head(), "second": second.head()}
    known = select(t.equivocations.c.id).where(
        t.equivocations.c.first == pair["first"], t.equivocations.c.second == pair["second"]
    )
    if connection.execute(known).first() is None:
        place = {"source": first.source, "epoch": first.epoch, "sequence": first.sequence}
        connection.execute(insert(t.equivocations).values(**place, **pair, reported=False))


def unreported_equivocations(connection: Connection) -> list[tuple[int, BatchRow, BatchRow]]:
    """Pairs that the chain does not know of yet, with the id of each."""
    rows = connection.execute(select(t.equivocations).where(t.equivocations.c.reported.is_(False))).all()
    pairs = [(row.id, find_batch(connection, row.first), find_batch(connection, row.second)) for row in rows]
    return [(id_, first, second) for id_, first, second in pairs if first is not None and second is not None]


def set_reported(connection: Connection, equivocation: int) -> None:
    """The chain knows of it."""
    connection.execute(update(t.equivocations).where(t.equivocations.c.id == equivocation).values(reported=True))


_WINDOWS = select(t.meter_windows.c.meter, t.meter_windows.c.sealed).where(
    t.meter_windows.c.meter.in_(bindparam("meters", expanding=True))
)


def load_windows(connection: Connection, keys: Mapping[MeterId, SealingKey]) -> dict[MeterId, Window]:
    """The windows of meters. One sealed under another account's key (the meter moved) starts anew."""
    found: dict[MeterId, Window] = {}
    for chunk in _chunks(keys, _IN_CHUNK):
        for row in connection.execute(_WINDOWS, {"meters": chunk}):
            meter = MeterId(bytes(row.meter))
            try:
                found[meter] = Window.unpack(unseal(keys[meter][1], meter, row.sealed))
            except SealError:
                found[meter] = Window()
    return found


def save_windows(
    connection: Connection,
    keys: Mapping[MeterId, SealingKey],
    windows: Mapping[MeterId, Window],
    known: frozenset[MeterId],
) -> None:
    """Keeps windows, sealed; ``known`` are the meters that have a row already."""
    rows = [
        {"m": meter, "key": keys[meter][0], "sealed": seal(keys[meter][1], meter, window.pack())}
        for meter, window in windows.items()
    ]
    old = [row for row in rows if row["m"] in known]
    new = [{"meter": row["m"], "key": row["key"], "sealed": row["sealed"]} for row in rows if row["m"] not in known]
    if old:
        statement = update(t.meter_windows).where(t.meter_windows.c.meter == bindparam("m"))
        connection.execute(statement.values(key=bindparam("key"), sealed=bindparam("sealed")), old)
    if new:
        connection.execute(insert(t.meter_windows), new)


@dataclass(frozen=True, slots=True)
class SealedLeaf:
    """A leaf of one of the oracle's own sources that waits for its batch."""

    id: int
    leaf: Hash
    key: KeyId
    sealed: bytes
    period_start: int
    period_end: int


def add_decisions(connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
    """Keeps decisions until they are batched."""
    if rows:
        connection.execute(insert(t.decisions), [dict(row) for row in rows])


def findings_of(connection: Connection, head: bytes) -> list[tuple[int, DecisionReason]]:
    """Leaves of a batch that were overlaid, and why, in their order."""
    d = t.decisions.c
    query = select(d.overlaid_index, d.reason).where(d.overlaid_head == head).order_by(d.overlaid_index)
    return [(row.overlaid_index, DecisionReason(row.reason)) for row in connection.execute(query)]


def pending_decisions(connection: Connection, limit: int) -> list[SealedLeaf]:
    """Decisions that are in no batch yet, on batches that stand in their chain."""
    query = (
        select(t.decisions)
        .join(t.batches, t.batches.c.head == t.decisions.c.overlaid_head)
        .where(t.decisions.c.batch_head.is_(None), t.batches.c.state.in_(IN_CHAIN))
        .order_by(t.decisions.c.id)
        .limit(limit)
    )
    return [
        SealedLeaf(row.id, Hash(row.leaf), KeyId(row.key), row.sealed, row.period_start, row.period_end)
        for row in connection.execute(query)
    ]


def pending_manual(connection: Connection, limit: int) -> list[SealedLeaf]:
    """Manual readings that are in no batch yet."""
    query = select(t.manual_readings).where(t.manual_readings.c.batch_head.is_(None))
    return [
        SealedLeaf(row.id, Hash(row.leaf), KeyId(row.key), row.sealed, row.taken_at, row.taken_at)
        for row in connection.execute(query.order_by(t.manual_readings.c.id).limit(limit))
    ]


def mark_batched(connection: Connection, table: str, ids: Sequence[int], head: bytes) -> None:
    """These rows of ``decisions`` or ``manual_readings`` are in the batch with this head."""
    rows = t.metadata.tables[table]
    for chunk in _chunks(ids, _IN_CHUNK):
        connection.execute(update(rows).where(rows.c.id.in_(chunk)).values(batch_head=head))


def _chunks(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


def _one(connection: Connection, query: Select[tuple[object, ...]]) -> BatchRow | None:
    row = connection.execute(query).first()
    return None if row is None else _row(row)


def _row(row: Row[tuple[object, ...]]) -> BatchRow:
    header = BatchHeader(
        SourceId(row.source),
        row.epoch,
        row.sequence,
        bytes(row.previous),
        Hash(bytes(row.root)),
        row.leaf_count,
        row.period_start,
        row.period_end,
        Hash(bytes(row.document)),
    )
    return BatchRow(
        row.id, header, bytes(row.signature), BatchState(row.state), row.reason, row.attempt, row.anchored_block
    )
