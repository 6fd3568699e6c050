"""``kopeck pay``: the pooled agent's payments and prepayments, and what became of requests."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

import typer

from billing.debt.allocation import Allocation
from billing.debt.payment import claims_of, divide_payment
from billing.debt.requests import AccountPayment
from billing.inbox import Item, State
from billing.requests import AgentPayment, Prepayment
from contracts.wire.ids import BillKey, Period, SupplierId
from contracts.wire.units import Money
from scripts.cli.balance import Debts
from scripts.cli.books import open_town
from scripts.cli.console import out, show, show_json
from scripts.cli.options import HomeOption, JsonOption
from scripts.home import DEFAULT_HOME

group = typer.Typer(help="Payments through the agent, and what became of requests.", no_args_is_help=True)
KeyOption = Annotated[str, typer.Option("--key", help="Your own name for the payment: the same pays once.")]
SumArgument = Annotated[str, typer.Argument(help="Roubles, e.g. 1234.50.")]


class BadRegister(ValueError):
    """A register of payments has a line that is no payment."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path}, line {line}: {reason}; each line is KEY;BILL;ROUBLES, and none was taken")


@group.command("bill")
def pay_bill(
    bill: Annotated[str, typer.Argument(help="RUN-INDEX, e.g. 1-17.")],
    roubles: SumArgument,
    key: KeyOption,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Pays at most so much of what is open on a bill, from the agent's balance."""
    payment = AgentPayment(BillKey.parse(bill), Money.parse(roubles).kopecks)
    show([_row(open_town(home).inbox.put(key, payment))], as_json)


@group.command("register")
def pay_register(
    path: Annotated[Path, typer.Argument(help="Lines KEY;BILL;ROUBLES.", exists=True, dir_okay=False)],
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Takes an agent's register of payments: all of its lines, or none where one is faulty."""
    payments = [_parse(path, number, row) for number, row in enumerate(_lines(path), start=1)]
    inbox = open_town(home).inbox
    show([_row(inbox.put(key, payment)) for key, payment in payments], as_json, "payments")


@group.command("ahead")
def pay_ahead(
    account: Annotated[str, typer.Argument(help="The account.")],
    supplier: Annotated[int, typer.Argument(help="The supplier's number.")],
    roubles: SumArgument,
    key: KeyOption,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Pays a supplier ahead for an account; a later bill nets it."""
    request = Prepayment(account, SupplierId(supplier), Money.parse(roubles).kopecks)
    show([_row(open_town(home).inbox.put(key, request))], as_json)


@group.command("split")
def pay_split(
    account: Annotated[str, typer.Argument(help="The account.")],
    roubles: SumArgument,
    key: Annotated[str | None, typer.Option("--key", help="Your own name for the payment: the same pays once.")] = None,
    month: Annotated[str | None, typer.Option("--for", help="The month that the payer names, YYYY-MM.")] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Shows what a sum covers, line by line over all bills of an account; with --key the agent then pays it so."""
    period = None if month is None else Period.parse(month)
    request = AccountPayment(account, Money.parse(roubles).kopecks, period)
    debts = Debts(home)
    found = debts.register.account(account)
    suspended = {view.supplier for view in debts.ledger.suppliers() if not view.is_active}
    claims = claims_of(
        debts.books.of_account(account), debts.cases_of(account), debts.books.rules, debts.day(found, None), suspended
    )
    allocation = divide_payment(request, claims)
    item = None if key is None else open_town(home).inbox.put(key, request)
    rows = _shares(allocation)
    if not as_json:
        show(rows, False, f"{roubles} roubles for account {account}")
        out.print(f"{allocation.left_kopecks} kopecks find nothing to pay")
        if item is not None:
            show([_row(item)], False)
        return
    show_json({
        "parts": rows,
        "left_kopecks": allocation.left_kopecks,
        "waiting": [{"bill": str(claim.leaf), "open_kopecks": claim.open_kopecks} for claim in allocation.waiting],
        "request": None if item is None else _row(item),
    })  # fmt: skip


def _shares(allocation: Allocation) -> list[dict[str, object]]:
    return [
        {
            "bill": str(share.claim.leaf),
            "period": str(share.claim.period),
            "for": share.claim.rank.name.lower(),
            "line": part.line.line,
            "service": "erased" if part.line.service is None else part.line.service.name.lower(),
            "supplier": int(part.line.supplier),
            "open_kopecks": part.line.open_kopecks,
            "amount_kopecks": part.amount_kopecks,
        }
        for share in allocation.shares
        for part in share.lines
    ]


@group.command("requests")
def requests(
    state: Annotated[State | None, typer.Option(help="Only those.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 50,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Lists what billing was asked for and what became of it."""
    items = open_town(home).inbox.items(state=state, limit=limit)
    show([_row(item) for item in items], as_json, "requests")


def _row(item: Item) -> dict[str, object]:
    return {
        "id": item.id,
        "kind": item.kind,
        "key": item.client_key,
        "state": item.state.value,
        "reason": item.reason or "",
    }


def _lines(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.reader(lines, delimiter=";"))


def _parse(path: Path, number: int, row: list[str]) -> tuple[str, AgentPayment]:
    if len(row) != 3 or not row[0]:
        raise BadRegister(path, number, f"{len(row)} fields")
    try:
        return row[0], AgentPayment(BillKey.parse(row[1]), Money.parse(row[2]).kopecks)
    except ValueError as error:
        raise BadRegister(path, number, str(error)) from error
