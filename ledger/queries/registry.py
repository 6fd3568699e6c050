"""Suppliers and tariffs."""

from __future__ import annotations

from sqlalchemy import Connection, select

from contracts.wire.ids import Address, Hash, SupplierId
from ledger.models import payouts, supplier_statuses, suppliers, tariffs
from ledger.queries.views import SupplierView, TariffView


def read_suppliers(connection: Connection) -> list[SupplierView]:
    """Suppliers as the last fact on each leaves them. A replaced key is in ``acts``; the one shown is the first."""
    wallets: dict[int, bytes] = {}
    active: dict[int, bool] = {}
    w, s = payouts.c, supplier_statuses.c
    for row in connection.execute(select(payouts).order_by(w.block_number, w.log_index)):
        wallets[row.supplier] = row.wallet
    for row in connection.execute(select(supplier_statuses).order_by(s.block_number, s.log_index)):
        active[row.supplier] = bool(row.active)
    return [
        SupplierView(
            SupplierId(row.supplier),
            Address(row.key),
            Address(wallets[row.supplier]),
            active[row.supplier],
            Hash(row.details),
        )
        for row in connection.execute(select(suppliers).order_by(suppliers.c.supplier))
    ]


def read_tariffs(connection: Connection) -> list[TariffView]:
    """Published versions in order."""
    return [
        TariffView(row.version, Hash(row.document), Hash(row.act), row.effective_from, row.effective_to)
        for row in connection.execute(select(tariffs).order_by(tariffs.c.version))
    ]
