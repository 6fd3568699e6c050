"""An account's balance on a day, all of it together: what a resident is shown and a claim starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from billing.debt.balance import Age, LineDebt, Turnover, ageing
from billing.debt.books import DebtBooks, Overdue
from billing.debt.cases import Cases, pauses_of
from contracts.wire.ids import SupplierId


@dataclass(frozen=True, slots=True)
class AccountBalance:
    """Months, debts and penalties of an account, seen on ``at``; all sums in kopecks."""

    account: str
    at: date
    months: tuple[Turnover, ...]
    debts: tuple[LineDebt, ...]
    overdue: tuple[Overdue, ...]
    ages: Mapping[Age, int]
    advance: Mapping[SupplierId, int]

    @property
    def open_kopecks(self) -> int:
        """Principal that is still to be paid."""
        return sum(debt.open_kopecks for debt in self.debts if not debt.is_penalty)

    @property
    def owed_back_kopecks(self) -> int:
        """What suppliers owe back."""
        return sum(debt.owed_back_kopecks for debt in self.debts)

    @property
    def penalties_kopecks(self) -> int:
        """Penalties that accrued, charged or not."""
        return sum(late.table.amount_kopecks for late in self.overdue)

    @property
    def penalties_charged_kopecks(self) -> int:
        """Penalties that notes charge and that are still to be paid."""
        return sum(debt.open_kopecks for debt in self.debts if debt.is_penalty)


def balance_of(account: str, at: date, books: DebtBooks, cases: Cases) -> AccountBalance:
    """The balance of an account. Raises UnknownAccount, Missing, PenaltyError."""
    book = books.of_account(account)
    pauses = pauses_of(book, cases.of_accounts([account]).get(account, []), books.rules, at)
    return AccountBalance(
        account,
        at,
        tuple(books.statement(book, at, pauses)),
        book.debts,
        tuple(books.overdue(book, at, pauses)),
        ageing(book.debts, at, books.rules.limitation_years(at)),
        book.advance,
    )
