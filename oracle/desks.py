"""The oracle's own sources: the validation step and the self-report desk. Each has a key and a chain of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from contracts.wire.files import LeafLine
from contracts.wire.ids import SourceClass, SourceId
from contracts.wire.leaf import Record, split_reading_blob
from contracts.wire.sealed import unseal
from oracle import store
from oracle.batch import MAX_LEAVES, NO_BATCH, ChainHead, make_header, sign_header
from oracle.intake import Checked, Intake, adopt


@dataclass(frozen=True, slots=True)
class Desk:
    """One of the oracle's own sources: where its leaves wait, and what signs them."""

    source: SourceId
    kind: SourceClass
    private_key: bytes
    table: str
    pending: Callable[[Connection, int], list[store.SealedLeaf]]


def validation_desk(source: SourceId, private_key: bytes) -> Desk:
    """The validation step's desk."""
    return Desk(source, SourceClass.VALIDATION, private_key, "decisions", store.pending_decisions)


def self_report_desk(source: SourceId, private_key: bytes) -> Desk:
    """The desk of readings that people give themselves."""
    return Desk(source, SourceClass.SELF_REPORT, private_key, "manual_readings", store.pending_manual)


def batch_pending(desk: Desk, intake: Intake) -> bool:
    """Signs one batch of what waits at a desk and takes it in; whether there was any.

    A kill leaves nothing half-done: the batch gets its place and its leaves are marked in one commit.
    """
    with intake.engine.begin() as connection:
        waiting = desk.pending(connection, MAX_LEAVES)
        standing = store.chain_of(connection, desk.source)
    if not waiting:
        return False
    on_chain = intake.chain.head_of(desk.source)
    if standing is None or on_chain.epoch > standing.epoch:
        with intake.engine.begin() as connection:
            adopt(connection, desk.source, on_chain)
            standing = store.chain_of(connection, desk.source)
    _sign_and_keep(desk, intake, waiting, standing or NO_BATCH)
    return True


def _sign_and_keep(desk: Desk, intake: Intake, waiting: Sequence[store.SealedLeaf], after: ChainHead) -> None:
    period = (min(leaf.period_start for leaf in waiting), max(leaf.period_end for leaf in waiting))
    header = make_header(desk.source, after, [leaf.leaf for leaf in waiting], period)
    signature = sign_header(header, intake.chain.domain, desk.private_key)
    lines = [LeafLine(leaf.leaf, None, leaf.key, leaf.sealed) for leaf in waiting]
    ids = [leaf.id for leaf in waiting]

    def mark(connection: Connection) -> None:
        store.mark_batched(connection, desk.table, ids, header.head())

    intake.keep(Checked(header, signature, lines, _records(desk, intake, waiting), desk.kind), mark)


def _records(desk: Desk, intake: Intake, waiting: Sequence[store.SealedLeaf]) -> list[Record | None]:
    if desk.kind is SourceClass.VALIDATION:
        return []
    records: list[Record | None] = []
    for leaf in waiting:
        secret = intake.keys.secret(leaf.key)
        records.append(None if secret is None else split_reading_blob(unseal(secret, leaf.leaf, leaf.sealed))[1])
    return records
