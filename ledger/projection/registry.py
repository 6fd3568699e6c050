"""Registry's and TariffBook's events."""

from __future__ import annotations

from contracts.wire import events as chain
from ledger import models
from ledger.projection.handlers import Handlers
from ledger.projection.known import Known
from ledger.projection.money import TransactionMoney
from ledger.store import FactRows


def _supplier_registered(e: chain.SupplierRegistered, rows: FactRows, known: Known, _: TransactionMoney) -> None:
    place = e.log.block_number, e.log.log_index
    known.wallet_of_supplier[e.supplier] = e.payout
    rows.add(models.suppliers, *place, e.supplier, e.key, e.details)
    rows.add(models.payouts, *place, e.supplier, e.payout)
    rows.add(models.supplier_statuses, *place, e.supplier, 1)


def _payout_changed(e: chain.PayoutChanged, rows: FactRows, known: Known, _: TransactionMoney) -> None:
    known.wallet_of_supplier[e.supplier] = e.payout
    rows.add(models.payouts, e.log.block_number, e.log.log_index, e.supplier, e.payout)


def _status_changed(e: chain.SupplierStatusChanged, rows: FactRows, _k: Known, _: TransactionMoney) -> None:
    rows.add(models.supplier_statuses, e.log.block_number, e.log.log_index, e.supplier, int(e.active))


def _source_registered(e: chain.SourceRegistered, rows: FactRows, _k: Known, _: TransactionMoney) -> None:
    place = e.log.block_number, e.log.log_index
    rows.add(models.sources, *place, e.source, e.key, int(e.class_), e.valid_from)


def _tariff_published(e: chain.TariffPublished, rows: FactRows, _k: Known, _: TransactionMoney) -> None:
    rows.add(
        models.tariffs,
        e.log.block_number,
        e.log.log_index,
        e.version,
        e.document,
        e.act,
        e.effective_from,
        e.effective_to,
        e.publisher,
    )


HANDLERS: Handlers = {
    chain.SupplierRegistered: _supplier_registered,
    chain.PayoutChanged: _payout_changed,
    chain.SupplierStatusChanged: _status_changed,
    chain.SourceRegistered: _source_registered,
    chain.TariffPublished: _tariff_published,
}
