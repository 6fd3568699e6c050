"""SubsidyBook's events. GrantUsed says what GrantApplied says, and is not kept twice."""

from __future__ import annotations

from contracts.wire import events as chain
from ledger import models
from ledger.projection.handlers import Handlers
from ledger.projection.known import Known
from ledger.projection.money import TransactionMoney
from ledger.store import FactRows


def _posted(e: chain.GrantsPosted, rows: FactRows, known: Known, _: TransactionMoney) -> None:
    known.wallet_of_grants[e.batch] = e.wallet
    place = e.log.block_number, e.log.log_index
    rows.add(models.grant_batches, *place, e.batch, e.wallet, e.root, e.count, e.total, e.act, e.log.tx_hash)


def _batch_reversed(e: chain.BatchReversed, rows: FactRows, _k: Known, _: TransactionMoney) -> None:
    rows.add(models.grant_reversals, e.log.block_number, e.log.log_index, e.batch, None, e.act)


def _grant_reversed(e: chain.GrantReversed, rows: FactRows, _k: Known, _: TransactionMoney) -> None:
    rows.add(models.grant_reversals, e.log.block_number, e.log.log_index, e.batch, e.index, e.act)


def _used(_e: chain.GrantUsed, _r: FactRows, _k: Known, _: TransactionMoney) -> None:
    """The money of it stands in GrantApplied, in the same transaction."""


HANDLERS: Handlers = {
    chain.GrantsPosted: _posted,
    chain.BatchReversed: _batch_reversed,
    chain.GrantReversed: _grant_reversed,
    chain.GrantUsed: _used,
}
