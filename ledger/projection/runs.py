"""ChargeBook's events."""

from __future__ import annotations

from contracts.wire import events as chain
from contracts.wire.ids import NO_HASH, BillState
from ledger import models
from ledger.models import RunOutcome
from ledger.projection.handlers import Handlers
from ledger.projection.known import Known
from ledger.projection.money import TransactionMoney
from ledger.store import FactRows


def _proposed(e: chain.RunProposed, rows: FactRows, _k: Known, _: TransactionMoney) -> None:
    place = e.log.block_number, e.log.log_index
    p = e.proposal
    rows.add(
        models.runs,
        *place,
        e.run,
        e.biller,
        e.activatable_at,
        p.period.number,
        p.count,
        p.root,
        p.tariff_version,
        p.engine,
        p.superseded,
        e.log.tx_hash,
    )
    for position, s in enumerate(p.suppliers):
        rows.add(models.run_suppliers, *place, position, e.run, s.supplier, s.lines, s.total_kopecks, s.root)
    for position, h in enumerate(p.heads):
        rows.add(models.run_heads, *place, position, e.run, h.source, h.epoch, h.sequence, h.hash)


def _activated(e: chain.RunActivated, rows: FactRows, _k: Known, _: TransactionMoney) -> None:
    rows.add(models.run_outcomes, e.log.block_number, e.log.log_index, e.run, int(RunOutcome.ACTIVE), NO_HASH)


def _vetoed(e: chain.RunVetoed, rows: FactRows, _k: Known, _: TransactionMoney) -> None:
    rows.add(models.run_outcomes, e.log.block_number, e.log.log_index, e.run, int(RunOutcome.VETOED), e.reason)


def _superseded(e: chain.BillSuperseded, rows: FactRows, _k: Known, _: TransactionMoney) -> None:
    place = e.log.block_number, e.log.log_index
    rows.add(models.bill_states, *place, e.bill.run, e.bill.index, int(BillState.SUPERSEDED), e.by_run)


def _state_changed(e: chain.BillStateChanged, rows: FactRows, _k: Known, _: TransactionMoney) -> None:
    rows.add(models.bill_states, e.log.block_number, e.log.log_index, e.bill.run, e.bill.index, int(e.state), None)


HANDLERS: Handlers = {
    chain.RunProposed: _proposed,
    chain.RunActivated: _activated,
    chain.RunVetoed: _vetoed,
    chain.BillSuperseded: _superseded,
    chain.BillStateChanged: _state_changed,
}
