"""``kopeck bill``: runs, corrections, and the bills themselves."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from billing.read import BillingRead
from billing.requests import CorrectionRequest
from contracts.wire.ids import BillKey, Period
from ledger.queries.views import BillView
from scripts.cli.bill_gis import gis
from scripts.cli.bill_print import print_bill
from scripts.cli.bill_runs import add_to as add_runs
from scripts.cli.books import Books, open_town
from scripts.cli.console import out, show, show_json
from scripts.cli.options import AskedByOption, HomeOption, JsonOption, day_of
from scripts.cli.seen import lines_of, show_seen
from scripts.hands import signed
from scripts.home import DEFAULT_HOME

group = typer.Typer(help="Billing runs, corrections and bills.", no_args_is_help=True)
group.command("print")(print_bill)
group.command("gis")(gis)
add_runs(group)
MonthArgument = Annotated[str, typer.Argument(help="The month, YYYY-MM.")]


class NoSuchBill(LookupError):
    """The ledger has no such bill."""

    def __init__(self, key: BillKey) -> None:
        super().__init__(f"no bill {key} in the ledger; `kopeck bill list MONTH` names those there are")


@group.command("correct")
def correct(
    month: MonthArgument,
    accounts: Annotated[list[str], typer.Argument(help="Accounts to work out again.")],
    act: Annotated[str, typer.Option(help="The act behind the correction.")],
    by: AskedByOption = None,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Works out a month again for some accounts, and corrects what differs."""
    period, town = Period.parse(month), open_town(home)
    request = signed(town.home, CorrectionRequest(period, tuple(accounts), act), by)
    key = town.inbox.free_key(CorrectionRequest.kind, f"kopeck bill correct {period} {act}")
    item = town.inbox.put(key, request)
    out.print(f"request {item.id}: {item.state.value}; `kopeck pay requests` shows how it ends")


@group.command("runs")
def runs(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Lists the billing runs."""
    rows = [
        {
            "run": int(view.run),
            "period": str(view.period),
            "state": view.state.value,
            "bills": view.count,
            "tariffs": view.tariff_version,
            "final": view.is_final,
            "root": "0x" + view.root.hex(),
        }
        for view in open_town(home).ledger.runs()
    ]
    show(rows, as_json, "billing runs")


@group.command("list")
def list_bills(month: MonthArgument, home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Lists a month's bills and notes."""
    town = open_town(home)
    period = Period.parse(month)
    rows = [_summary(view) for run in town.ledger.runs(period) for view in town.ledger.bills_of_run(run.run)]
    show(rows, as_json, f"bills of {period}")


@group.command("show")
def show_bill(
    bill: Annotated[str, typer.Argument(help="RUN-INDEX, e.g. 1-17.")],
    on: Annotated[str | None, typer.Option("--on", help="As it was known by the end of this day, YYYY-MM-DD.")] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Shows a bill: its lines, what moved on each, every receipt; or what was known of it on a day."""
    town = open_town(home)
    key = BillKey.parse(bill)
    if on is not None:
        show_seen(town, key, day_of(on), as_json)
        return
    view = town.ledger.bill(key)
    if view is None:
        raise NoSuchBill(key)
    lines = lines_of(view)
    receipts = _receipts(town, key)
    if as_json:
        document = json.loads(view.document) if view.document else None
        show_json({**_summary(view), "lines": lines, "receipts": receipts, "document": document})
        return
    show(lines, False, f"bill {key}: {view.state.name.lower()}, {view.period}")
    show(receipts, False, "where every kopeck went")


@group.command("explain")
def explain(
    bill: Annotated[str, typer.Argument(help="RUN-INDEX, e.g. 1-17.")],
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Shows how each line was worked out: formula, act, inputs, rounding. The JSON is enough to do it again."""
    town = open_town(home)
    key = BillKey.parse(bill)
    found = BillingRead.open(town.home.root).explanation_of(key)
    if found is None:
        raise NoSuchBill(key)
    if as_json:
        show_json(found)
        return
    for line in found["lines"]:
        rows = [
            {
                "formula": part["formula"],
                "inputs": ", ".join(f"{given['symbol']}={given['value']} {given['unit']}" for given in part["inputs"]),
                "days": f"{part['from']}…{part['to']}",
                "kopecks": part["amount_kopecks"],
                "kind": part["kind"],
                "act": part["act"],
            }
            for part in line["parts"]
        ]
        show(rows, False, f"{line['service']}, {line['method']}: {line['amount_kopecks']} kopecks")


def _summary(view: BillView) -> dict[str, object]:
    return {
        "bill": str(view.key),
        "kind": view.kind.name.lower(),
        "state": view.state.name.lower(),
        "charged_kopecks": view.charged_kopecks,
        "open_kopecks": view.open_kopecks,
        "final": view.is_final,
    }


def _receipts(town: Books, key: BillKey) -> list[dict[str, object]]:
    return [
        {
            "kind": receipt.kind.value,
            "line": leg.line,
            "supplier": int(leg.supplier),
            "amount_kopecks": leg.amount_kopecks,
            "block": receipt.block_number,
            "transaction": "0x" + receipt.tx_hash.hex(),
        }
        for receipt in town.ledger.receipts(key)
        for leg in receipt.legs
    ]
