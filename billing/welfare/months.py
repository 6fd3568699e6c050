"""A household's month as help sees it: the bill in force by its own document, the norms that bound compensation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction

from billing.accounts import Account, Accounts
from billing.domain.calendar import month_span
from billing.domain.household import AccountMonth, House
from billing.domain.norms import persons_norm
from billing.domain.tariff import NoTariff, TariffSet
from billing.run import Runs, RunStage, StoredBill
from billing.tariffs import Tariffs
from billing.welfare.compensation import BilledLine, Bounds, Dwelling, VolumeNorm
from billing.welfare.due import BilledMonth
from billing.welfare.reference import AreaNorm, Book, NoSheet
from contracts.wire.ids import Period, Service
from contracts.wire.leaf import BillKind
from ledger.queries import Ledger

BASE_UNITS = 1000
"""Litres in a cubic metre, watt-hours in a kilowatt-hour."""
BY_PERSON = (Service.COLD_WATER, Service.HOT_WATER, Service.SEWAGE, Service.ELECTRICITY, Service.GAS)
"""Services whose norms are laid down by the person."""


class BilledMonths:
    """Builds the months of accounts out of the bills in force and the tariffs published."""

    def __init__(self, register: Accounts, runs: Runs, tariffs: Tariffs, ledger: Ledger) -> None:
        self._register = register
        self._runs = runs
        self._tariffs = tariffs
        self._ledger = ledger

    def of(self, period: Period, accounts: Sequence[str], book: Book) -> dict[str, BilledMonth]:
        """By account; those without a readable bill in force are left out."""
        tariffs = self._tariffs.published(self._ledger)
        houses = self._register.houses()
        leaves = self._runs.of_accounts(accounts, period)
        standing = {}
        for name, own in leaves.items():
            bills = [
                (key, stored)
                for key, stored, run in own
                if key is not None and run.stage is RunStage.ACTIVE and stored.kind is BillKind.BILL
            ]
            if bills and bills[-1][1].document:
                standing[name] = bills[-1]
        views = {view.key: view for view in self._ledger.bills([key for key, _ in standing.values()])}
        out = {}
        for account in self._register.accounts(list(standing)):
            key, stored = standing[account.account]
            places = {Service[name.upper()]: place for name, place in stored.services.items()}
            view = views.get(key)
            left = {s: 0 if view is None else view.lines[place].open_kopecks for s, place in places.items()}
            out[account.account] = billed_month(
                account, houses[account.house], period, stored, book=book, tariffs=tariffs, still_open=left
            )
        return out

    def areas_of(self, account: str) -> tuple[str, ...]:
        """Areas of an account's house. Raises UnknownAccount."""
        return self._register.houses()[self._register.account(account).house].areas


def billed_month(
    account: Account, house: House, period: Period, bill: StoredBill, *, book: Book, tariffs: TariffSet,
    still_open: Mapping[Service, int],
) -> BilledMonth:  # fmt: skip
    """A month as its bill charges it."""
    flat, day = account.household, date(period.year, period.month, 1)
    shown = bill.services
    lines = tuple(
        _line(row, shown[row["service"]])
        for row in json.loads(bill.document)["lines"]
        if row.get("service") in shown and row["line"] == shown[row["service"]]
    )
    month = AccountMonth(account.account, period, month_span(period, house.zone), house, flat, {}, tariffs)
    try:
        area = book.require(AreaNorm, house.areas, day)
    except NoSheet:
        area = None
    dwelling = Dwelling(flat.area_m2, max(1, flat.persons_on(day)))
    return BilledMonth(
        account.account, period, house.areas, lines, dwelling, Bounds(area, _norms(month, day)), still_open
    )


def _line(row: Mapping[str, object], place: int) -> BilledLine:
    parts = row["parts"]
    surcharge = sum(int(part.get("surcharge_kopecks", 0)) for part in parts) if isinstance(parts, list) else 0
    return BilledLine(
        Service[str(row["service"]).upper()],
        place,
        int(str(row["amount_kopecks"])),
        surcharge,
        Fraction(int(str(row["quantity"])), BASE_UNITS),
    )


def _norms(month: AccountMonth, day: date) -> dict[Service, VolumeNorm]:
    out = {}
    for service in BY_PERSON:
        try:
            norm = persons_norm(month, service, day)
        except NoTariff:
            continue
        document = norm.version.document
        out[service] = VolumeNorm(norm.per_person, document.unit, document.act)
    if Service.SEWAGE not in out and {Service.COLD_WATER, Service.HOT_WATER} <= set(out):
        cold, hot = out[Service.COLD_WATER], out[Service.HOT_WATER]
        # Sewage is what came in, cold and hot (ПП 354); so is its norm where a region sets none of its own.
        act = cold.act if cold.act == hot.act else f"{cold.act}; {hot.act}"
        out[Service.SEWAGE] = VolumeNorm(cold.per_person + hot.per_person, cold.unit, act)
    return out
