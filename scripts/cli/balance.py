"""``kopeck debt statement``, ``penalty``, ``ageing``, ``charge``: what accounts owe, since when, and what it costs."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from billing.accounts import Account
from billing.debt.balance import Age, Move, ServiceLine, Turnover, age_of
from billing.debt.books import AccountBook, DebtBooks, Overdue
from billing.debt.cases import Case, Cases, pauses_of
from billing.debt.penalty_rules import town_rules
from billing.debt.requests import PenaltyRequest
from billing.debt.table import listing
from billing.domain.calendar import local_date
from billing.run import Runs
from contracts.wire.ids import Period, SupplierId
from scripts.cli.books import open_town
from scripts.cli.console import out, show, show_json
from scripts.cli.options import HomeOption, JsonOption, day_of
from scripts.cli.outlook import billing_of
from scripts.home import DEFAULT_HOME

AccountArgument = Annotated[str, typer.Argument(help="The account.")]
OnOption = Annotated[str | None, typer.Option("--on", help="As of this day, YYYY-MM-DD; the ledger's own by default.")]
KeyOption = Annotated[str | None, typer.Option("--key", help="Your own name for the request: the same asks once.")]


class Debts:
    """A town's debts as a command reads them."""

    def __init__(self, home: Path) -> None:
        engine, self.register, keyring, _, self.ledger = billing_of(home)
        self.books = DebtBooks(engine, self.register, Runs(engine, keyring), self.ledger, town_rules(home))
        self.cases = Cases(engine, keyring)

    def day(self, account: Account, text: str | None) -> date:
        """The day that is meant: the ledger's last by the house's clock, where none is named."""
        if text is not None:
            return day_of(text)
        head = self.ledger.head()
        return local_date(0 if head is None else head.timestamp, self.register.houses()[account.house].zone)

    def cases_of(self, account: str) -> list[Case]:
        """Disputes and agreements of an account."""
        return self.cases.of_accounts([account]).get(account, [])

    def overdue(self, book: AccountBook, at: date) -> list[Overdue]:
        """The account's penalties, row by row."""
        pauses = pauses_of(book, self.cases_of(book.account), self.books.rules, at)
        return self.books.overdue(book, at, pauses)

    def statement(self, book: AccountBook, at: date) -> list[Turnover]:
        """The account's months."""
        return self.books.statement(book, at, pauses_of(book, self.cases_of(book.account), self.books.rules, at))


def add_to(group: typer.Typer) -> None:
    """Adds these commands to ``kopeck debt``."""
    group.command("statement")(statement)
    group.command("penalty")(penalty)
    group.command("ageing")(ageing)
    group.command("charge")(charge)


def statement(
    account: AccountArgument, on: OnOption = None, home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False
) -> None:
    """Shows an account month by month: opening, charged, recalculated, granted, paid, penalties, closing."""
    debts = Debts(home)
    found = debts.register.account(account)
    book, day = debts.books.of_account(account), debts.day(found, on)
    rows = [_turnover(row) for row in debts.statement(book, day)]
    if not as_json:
        show(rows, False, f"account {account} on {day}")
        for supplier, left in book.advance.items():
            out.print(f"paid ahead to supplier {supplier}: {left} kopecks")
        return
    show_json({
        "account": account,
        "at": day.isoformat(),
        "months": rows,
        "advance": [{"supplier": int(supplier), "left_kopecks": left} for supplier, left in book.advance.items()],
        "open_kopecks": sum(debt.open_kopecks for debt in book.principal),
        "owed_back_kopecks": sum(debt.owed_back_kopecks for debt in book.debts),
        "penalties_charged_open_kopecks": sum(debt.open_kopecks for debt in book.debts if debt.is_penalty),
        "penalties_accrued_kopecks": sum(late.table.amount_kopecks for late in debts.overdue(book, day)),
    })  # fmt: skip


def penalty(
    account: AccountArgument, on: OnOption = None, home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False
) -> None:
    """Shows the penalty of each late line, row by row as a court reads it."""
    debts = Debts(home)
    day = debts.day(debts.register.account(account), on)
    late = debts.overdue(debts.books.of_account(account), day)
    if as_json:
        show_json([_overdue(overdue) for overdue in late])
        return
    for overdue in late:
        debt = overdue.debt
        title = f"{debt.period} {_named((debt.service, debt.supplier))}, due {debt.due}: {overdue.table.amount_kopecks}"
        show(listing(overdue.table), False, title)
    out.print(f"account {account} on {day}: {sum(o.table.amount_kopecks for o in late)} kopecks of penalties")


def ageing(on: OnOption = None, home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Lists what is open by age, a row for each account, service and supplier."""
    debts = Debts(home)
    accounts = debts.register.accounts()
    rows = []
    for account, book in zip(accounts, debts.books.of_accounts(accounts, only_open=True), strict=True):
        day = debts.day(account, on)
        years = debts.books.rules.limitation_years(day)
        buckets: dict[ServiceLine, dict[Age, int]] = {}
        for debt in book.debts:
            if debt.open_kopecks:
                found = buckets.setdefault((debt.service, debt.supplier), dict.fromkeys(Age, 0))
                found[age_of(debt.due, day, years)] += debt.open_kopecks
        rows += [_ages(account.account, name, found) for name, found in buckets.items()]
    show(rows, as_json, "open by age, kopecks")


def charge(
    supplier: Annotated[int, typer.Argument(help="The supplier that asks for it.")],
    month: Annotated[str, typer.Argument(help="The month whose debts are meant, YYYY-MM.")],
    on: Annotated[str, typer.Option("--on", help="Counted through this day, YYYY-MM-DD.")],
    act: Annotated[str, typer.Option(help="The supplier's demand.")],
    accounts: Annotated[list[str] | None, typer.Option("--account", help="Only these accounts.")] = None,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Charges penalties on notes of their own, less what was charged for the same debts before."""
    only = None if accounts is None else tuple(accounts)
    request = PenaltyRequest(SupplierId(supplier), Period.parse(month), day_of(on), act, only)
    item = open_town(home).inbox.put(f"kopeck debt charge {supplier} {month} {on} {act}", request)
    out.print(f"request {item.id}: {item.state.value}; `kopeck pay requests` shows how it ends")


def _turnover(row: Turnover) -> dict[str, object]:
    moved = {f"{move.value}_kopecks": row.of(move) for move in Move}
    return {
        "month": str(row.month),
        "service": _named((row.service, row.supplier)),
        "supplier": int(row.supplier),
        "opening_kopecks": row.opening,
        **moved,
        "penalties_kopecks": row.penalties,
        "closing_kopecks": row.closing,
    }


def _overdue(overdue: Overdue) -> dict[str, object]:
    debt = overdue.debt
    return {
        "bill": str(debt.leaf),
        "line": debt.line,
        "period": str(debt.period),
        "service": _named((debt.service, debt.supplier)),
        "supplier": int(debt.supplier),
        "due": debt.due.isoformat(),
        "principal_kopecks": debt.principal_kopecks,
        "open_kopecks": overdue.table.open_kopecks,
        "penalty_kopecks": overdue.table.amount_kopecks,
        "rows": listing(overdue.table),
    }


def _ages(account: str, name: ServiceLine, buckets: dict[Age, int]) -> dict[str, object]:
    return {
        "account": account,
        "service": _named(name),
        "supplier": int(name[1]),
        **{age.value: kopecks for age, kopecks in buckets.items()},
        "open_kopecks": sum(buckets.values()),
    }


def _named(name: ServiceLine) -> str:
    return "erased" if name[0] is None else name[0].name.lower()
