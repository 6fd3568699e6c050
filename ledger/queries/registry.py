"""Suppliers and tariffs."""

from __future__ import annotations

import json

from sqlalchemy import Connection, select

from contracts.wire.events import MeterRegistered, MeterRetired
from contracts.wire.ids import Address, Hash, SupplierId
from ledger.models import acts, payouts, supplier_statuses, suppliers, tariffs
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


def read_passports(connection: Connection, height: int) -> frozenset[Hash]:
    """Commitments of meters' passports, those of retired meters left out, by the facts up to a height."""
    a = acts.c
    query = select(a.name, a.arguments).where(
        a.block_number <= height, a.name.in_((MeterRegistered.__name__, MeterRetired.__name__))
    )
    found: dict[str, set[Hash]] = {MeterRegistered.__name__: set(), MeterRetired.__name__: set()}
    for row in connection.execute(query):
        found[row.name].add(Hash(bytes.fromhex(json.loads(row.arguments)["commitment"].removeprefix("0x"))))
    return frozenset(found[MeterRegistered.__name__] - found[MeterRetired.__name__])
