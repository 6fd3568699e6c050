"""An account's balance on a day, all of it together: what a resident is shown and a claim starts from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from billing.debt.balance import Age, LineDebt, Turnover, ageing
from billing.debt.books import AccountBook, DebtBooks, Overdue
from billing.debt.cases import Case, Cases, debts_covered, pauses_of, payments_on
from billing.debt.instalments import Agreement, Standing
from billing.debt.waiting import disputed_lines
from contracts.wire.ids import SupplierId


@dataclass(frozen=True, slots=True)
class AccountBalance:
    """Months, debts and penalties of an account, seen on ``at``; all sums in kopecks. ``standings`` tell by case how
    each agreement to pay by instalments is kept."""

    account: str
    at: date
    months: tuple[Turnover, ...]
    debts: tuple[LineDebt, ...]
    overdue: tuple[Overdue, ...]
    ages: Mapping[Age, int]
    advance: Mapping[SupplierId, int]
    cases: tuple[Case, ...] = ()
    standings: Mapping[int, Standing] = field(default_factory=dict)

    @property
    def open_kopecks(self) -> int:
        """Principal that is still to be paid."""
        return sum(debt.open_kopecks for debt in self.debts if not debt.is_penalty)

    @property
    def debts_in_dispute(self) -> tuple[LineDebt, ...]:
        """Principal that an open dispute is about."""
        places = disputed_lines(self.cases)
        return tuple(
            debt for debt in self.debts if not debt.is_penalty and (debt.period, debt.service, debt.supplier) in places
        )

    @property
    def disputed_kopecks(self) -> int:
        """What of the open principal waits for the decision of a dispute."""
        return sum(debt.open_kopecks for debt in self.debts_in_dispute)

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
    known = cases.of_accounts([account]).get(account, [])
    pauses = pauses_of(book, known, books.rules, at)
    return AccountBalance(
        account,
        at,
        tuple(books.statement(book, at, pauses)),
        book.debts,
        tuple(books.overdue(book, at, pauses)),
        ageing(book.debts, at, books.rules.limitation_years(at)),
        book.advance,
        tuple(known),
        _standings(book, known, at),
    )


def _standings(book: AccountBook, cases: Sequence[Case], at: date) -> dict[int, Standing]:
    agreements = ((case.id, case.matter) for case in cases if isinstance(case.matter, Agreement))
    return {case: matter.standing(payments_on(debts_covered(book, matter)), at) for case, matter in agreements}
