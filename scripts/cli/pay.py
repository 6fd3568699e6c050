"""``kopeck pay``: the pooled agent's payments and prepayments, and what became of requests."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

import typer

from billing.inbox import Item, State
from billing.requests import AgentPayment, Prepayment
from contracts.wire.ids import BillKey, SupplierId
from contracts.wire.units import Money
from scripts.cli.books import open_town
from scripts.cli.console import show
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
