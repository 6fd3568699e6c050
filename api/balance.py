"""An account's balance as the HTTP door says it: month by month, by age, and each penalty row by row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import groupby
from typing import Protocol

from pydantic import Field

from api import cases
from api.models import AccountDivision, AccountShare, BillName, Kopecks, Model, Month
from api.parties import Names
from api.people import People
from billing.read import AccountBalance, Allocation, Case, DisputeCase, LineDebt, Move, Overdue, PenaltyRow, Turnover
from contracts.wire.ids import BillKey
from ledger.queries import Ledger


class BalanceMonth(Model):
    """A month of one service of one supplier: the closing is the opening, raised and lowered by what moved."""

    month: Month
    service: str | None
    supplier: int
    supplier_name: str
    opening_kopecks: Kopecks
    charged_kopecks: Kopecks
    recalculated_kopecks: Kopecks
    granted_kopecks: Kopecks
    paid_kopecks: Kopecks
    netted_kopecks: Kopecks = Field(description="covered by what was paid ahead")
    refunded_kopecks: Kopecks
    penalties_kopecks: Kopecks = Field(description="accrued in the month; no part of the balance")
    closing_kopecks: Kopecks


class MonthTotal(Model):
    """A month of the whole account, services in which nothing moved included."""

    month: Month
    opening_kopecks: Kopecks
    charged_kopecks: Kopecks
    recalculated_kopecks: Kopecks
    granted_kopecks: Kopecks
    paid_kopecks: Kopecks
    netted_kopecks: Kopecks
    refunded_kopecks: Kopecks
    penalties_kopecks: Kopecks
    closing_kopecks: Kopecks


class PenaltyRowModel(Model):
    """Days of one penalty on which nothing changed. The sum is half-up of balance · days · rate · fraction."""

    first: date
    last: date
    days: int
    balance_kopecks: Kopecks
    rate: str = Field(description="share of the balance a year, num/den")
    fraction: str = Field(description="share of the rate a day, num/den; 0 where nothing accrues")
    pause: str | None
    act: str
    amount_kopecks: Kopecks


class Penalty(Model):
    """The penalty of one late line."""

    bill: BillName
    period: Month
    service: str | None
    supplier: int
    supplier_name: str
    due: date
    open_kopecks: Kopecks
    penalty_kopecks: Kopecks
    rows: list[PenaltyRowModel]


class Aged(Model):
    """What is open of one age."""

    age: str
    open_kopecks: Kopecks


class Advance(Model):
    """What was paid ahead to a supplier and no bill has taken yet."""

    supplier: int
    supplier_name: str
    left_kopecks: Kopecks


class Balance(Model):
    """An account's balance on a day of its house."""

    account: str
    at: date
    open_kopecks: Kopecks
    disputed_kopecks: Kopecks = Field(description="of what is open: not asked for until a dispute is decided")
    owed_back_kopecks: Kopecks
    penalties_kopecks: Kopecks = Field(description="accrued, charged or not")
    penalties_charged_kopecks: Kopecks = Field(description="charged on notes and still open")
    totals: list[MonthTotal] = Field(description="newest month first")
    months: list[BalanceMonth]
    ages: list[Aged]
    advance: list[Advance]
    penalties: list[Penalty]
    bills: list[cases.BillDue]
    disputes: list[cases.DisputeState]
    instalments: list[cases.InstalmentState]


class Register(Protocol):
    """What of billing's read door (BillingRead) is used here."""

    def balance_of(self, account: str, ledger: Ledger) -> AccountBalance | None:
        """An account's balance on the ledger's own day; None where there is no such account."""
        ...

    def debts_of(self, account: str, ledger: Ledger) -> tuple[Sequence[LineDebt], Sequence[Case]]:
        """What an account was charged, line by line; its disputes and agreements."""
        ...

    def disputes(self, ledger: Ledger, *, is_open: bool) -> Sequence[DisputeCase]:
        """Disputes that wait for a decision, or those that were decided; the newest first."""
        ...

    def dispute(self, case: int, ledger: Ledger) -> DisputeCase | None:
        """One dispute."""
        ...

    def division_of(self, account: str, amount_kopecks: int | None, ledger: Ledger) -> Allocation:
        """Where a sum for an account would go now."""
        ...


class Balances:
    """Balances of a running town's accounts."""

    def __init__(self, ledger: Ledger, register: Register, people: People) -> None:
        self._ledger = ledger
        self._register = register
        self._people = people

    def of(self, account: str) -> Balance | None:
        """An account's balance; None where there is no such account."""
        found = self._register.balance_of(account, self._ledger)
        return None if found is None else _balance(found, Names(self._ledger, self._people))

    def division(self, account: str, amount_kopecks: int | None) -> AccountDivision:
        """Where a sum for an account would go, by default all that can be paid on it."""
        found = self._register.division_of(account, amount_kopecks, self._ledger)
        return AccountDivision(
            account=account,
            amount_kopecks=sum(share.amount_kopecks for share in found.shares),
            parts=[
                AccountShare(
                    bill=str(share.claim.leaf), period=str(share.claim.period), amount_kopecks=share.amount_kopecks
                )
                for share in found.shares
            ],
            waiting_kopecks=sum(claim.open_kopecks for claim in found.waiting),
        )

    def disputes(self, *, is_open: bool) -> list[cases.StaffDispute]:
        """Disputes of all accounts that wait for a decision, or that were decided; the newest first."""
        names = Names(self._ledger, self._people)
        found = self._register.disputes(self._ledger, is_open=is_open)
        return [cases.staff_dispute(case, names, self._people) for case in found]

    def dispute(self, case: int) -> cases.StaffDispute | None:
        """One dispute; None where there is none."""
        found = self._register.dispute(case, self._ledger)
        names = Names(self._ledger, self._people)
        return None if found is None else cases.staff_dispute(found, names, self._people)

    def standing(self, bill: BillKey, account: str) -> cases.BillStanding:
        """When a bill of an account is due, and what of it is in dispute."""
        debts, known = self._register.debts_of(account, self._ledger)
        return cases.standing(bill, debts, known, Names(self._ledger, self._people))


def _balance(found: AccountBalance, names: Names) -> Balance:
    return Balance(
        account=found.account,
        at=found.at,
        open_kopecks=found.open_kopecks,
        disputed_kopecks=found.disputed_kopecks,
        owed_back_kopecks=found.owed_back_kopecks,
        penalties_kopecks=found.penalties_kopecks,
        penalties_charged_kopecks=found.penalties_charged_kopecks,
        totals=totals(found.months),
        months=[_month(row, names) for row in sorted(found.months, key=_newest_first)],
        ages=[Aged(age=age.value, open_kopecks=kopecks) for age, kopecks in found.ages.items()],
        advance=[
            Advance(supplier=int(supplier), supplier_name=names.supplier(supplier), left_kopecks=left)
            for supplier, left in found.advance.items()
        ],
        penalties=[_penalty(late, names) for late in found.overdue if late.table.amount_kopecks],
        bills=cases.dues(found.debts, found.debts_in_dispute),
        disputes=cases.disputes(found.cases, names),
        instalments=cases.instalments(found.cases, found.standings),
    )


def totals(rows: Iterable[Turnover]) -> list[MonthTotal]:
    """The months of the whole account, the newest first. ``rows``: as billing gives them, the oldest first; a service
    that is left out of a month keeps its balance."""
    out: list[MonthTotal] = []
    opening = 0
    for month, of_month in groupby(rows, key=lambda row: row.month):
        together = list(of_month)
        moved = {f"{move.value}_kopecks": sum(row.of(move) for row in together) for move in Move}
        closing = opening + sum(row.closing - row.opening for row in together)
        out.append(
            MonthTotal(
                month=str(month),
                opening_kopecks=opening,
                penalties_kopecks=sum(row.penalties for row in together),
                closing_kopecks=closing,
                **moved,
            )
        )
        opening = closing
    return out[::-1]


def _newest_first(row: Turnover) -> int:
    return -row.month.number


def _month(row: Turnover, names: Names) -> BalanceMonth:
    moved = {f"{move.value}_kopecks": amount for move, amount in row.all_moved().items()}
    return BalanceMonth(
        month=str(row.month),
        service=None if row.service is None else row.service.name.lower(),
        supplier=int(row.supplier),
        supplier_name=names.supplier(row.supplier),
        opening_kopecks=row.opening,
        penalties_kopecks=row.penalties,
        closing_kopecks=row.closing,
        **moved,
    )


def _penalty(late: Overdue, names: Names) -> Penalty:
    debt = late.debt
    return Penalty(
        bill=str(debt.leaf),
        period=str(debt.period),
        service=None if debt.service is None else debt.service.name.lower(),
        supplier=int(debt.supplier),
        supplier_name=names.supplier(debt.supplier),
        due=debt.due,
        open_kopecks=late.table.open_kopecks,
        penalty_kopecks=late.table.amount_kopecks,
        rows=list(_rows(late.table.rows)),
    )


def _rows(rows: Iterable[PenaltyRow]) -> Iterable[PenaltyRowModel]:
    for row in rows:
        yield PenaltyRowModel(
            first=row.first,
            last=row.last,
            days=row.days,
            balance_kopecks=row.balance_kopecks,
            rate=str(row.rate),
            fraction=str(row.fraction),
            pause=None if row.pause is None else row.pause.kind.value,
            act=row.rate_act if row.pause is None else row.pause.act,
            amount_kopecks=row.amount_kopecks,
        )
