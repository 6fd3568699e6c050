"""ReadingAnchor's events."""

from __future__ import annotations

from contracts.wire import events as chain
from contracts.wire.ids import NO_HASH
from ledger import models
from ledger.projection.handlers import Handlers
from ledger.projection.known import Known
from ledger.projection.money import TransactionMoney
from ledger.store import FactRows


def _anchored(e: chain.Anchored, rows: FactRows, known: Known, _: TransactionMoney) -> None:
    known.follow_chain(e.source, (e.epoch, e.sequence), e.log.block_number)
    rows.add(
        models.batches,
        e.log.block_number,
        e.log.log_index,
        e.source,
        e.epoch,
        e.sequence,
        e.head,
        e.root,
        e.count,
        e.period_start,
        e.period_end,
        e.document,
        e.log.tx_hash,
    )


def _epoch_reset(e: chain.EpochReset, rows: FactRows, known: Known, _: TransactionMoney) -> None:
    known.chain_of_source[e.source] = e.epoch, 0
    rows.add(models.head_jumps, e.log.block_number, e.log.log_index, e.source, e.epoch, 0, e.head, e.reason)


def _carried_over(e: chain.HeadCarriedOver, rows: FactRows, known: Known, _: TransactionMoney) -> None:
    known.chain_of_source[e.source] = e.epoch, e.sequence
    rows.add(models.head_jumps, e.log.block_number, e.log.log_index, e.source, e.epoch, e.sequence, e.head, NO_HASH)


def _acknowledged(e: chain.Acknowledged, rows: FactRows, _k: Known, _: TransactionMoney) -> None:
    rows.add(models.acknowledgements, e.log.block_number, e.log.log_index, e.root, e.holder)


def _equivocation(e: chain.Equivocation, rows: FactRows, _k: Known, _: TransactionMoney) -> None:
    detail = f"source {e.source} signed two headers for epoch {e.epoch}, sequence {e.sequence}"
    rows.add(models.faults, e.log.block_number, e.log.log_index, 0, "equivocation", detail)


HANDLERS: Handlers = {
    chain.Anchored: _anchored,
    chain.EpochReset: _epoch_reset,
    chain.HeadCarriedOver: _carried_over,
    chain.Acknowledged: _acknowledged,
    chain.Equivocation: _equivocation,
}
