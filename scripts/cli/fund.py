"""``kopeck fund``: the capital-repair funds of houses: balances, works, statements to owners."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from billing.debt.books import DebtBooks
from billing.debt.penalty_rules import town_rules
from billing.domain.calendar import local_date
from billing.fund import FundEntry, FundKind, FundMonth, Funds, month_json, statement_json
from billing.paper.fund_sheet import fund_sheet
from billing.paper.render import pdf
from billing.run import Runs
from contracts.wire.ids import Period
from contracts.wire.units import Money
from scripts.cli.console import out, show, show_json
from scripts.cli.options import HomeOption, JsonOption, day_of
from scripts.cli.outlook import billing_of
from scripts.cli.people import read_person
from scripts.home import DEFAULT_HOME

group = typer.Typer(help="Capital-repair funds of houses.", no_args_is_help=True)
HouseArgument = Annotated[str, typer.Argument(help="The house's code.")]
FromOption = Annotated[str | None, typer.Option("--from", help="First month, YYYY-MM; a year before the last one.")]
ToOption = Annotated[str | None, typer.Option("--to", help="Last month, YYYY-MM; the ledger's own month.")]


class NoPerson(ValueError):
    """A paper is asked for without whom it is for."""

    def __init__(self) -> None:
        super().__init__("a statement on paper is for an owner: give --account and --person beside --out")


@group.command("statement")
def statement(
    house: HouseArgument,
    first: FromOption = None,
    last: ToOption = None,
    account: Annotated[str | None, typer.Option(help="The owner's account: its own share is shown.")] = None,
    person: Annotated[Path | None, typer.Option(help="JSON file of the owner; nothing keeps it.")] = None,
    paper: Annotated[Path | None, typer.Option("--out", help="A PDF for the owner.")] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Shows a house's fund by months: contributions, penalties, interest, works, what is left."""
    funds, now = funds_of(home)
    upto = _month(last, now, funds.zone_of(house))
    since = Period.parse(first) if first else _year_before(upto)
    found = funds.statement(house, since, upto)
    value = statement_json(found, account)
    if paper is not None:
        if account is None or person is None:
            raise NoPerson
        after = upto.next()
        moment = datetime(after.year, after.month, 1, 12, tzinfo=UTC)
        paper.write_bytes(pdf(fund_sheet(found, account, read_person(person)), moment))
    if as_json:
        show_json(value)
        return
    show([_row(month) for month in found.months], False, f"fund of house {house}")
    out.print(f"left: {Money(found.closing)} roubles; owed to contractors: {Money(found.owed_to_contractors)}")


@group.command("list")
def list_funds(last: ToOption = None, home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Lists every house with what its owners were charged and paid, and what is left."""
    funds, now = funds_of(home)
    rows = []
    for house in funds.houses():
        upto = _month(last, now, funds.zone_of(house))
        found = funds.statement(house, upto, upto)
        rows.append(
            {
                "house": house,
                "month": str(upto),
                "charged_kopecks": found.charged,
                "received_kopecks": found.received,
                "left_kopecks": found.closing,
                "owed_to_contractors_kopecks": found.owed_to_contractors,
            }
        )
    show(rows, as_json, "capital-repair funds at the end of a month")


@group.command("enter")
def enter(
    house: HouseArgument,
    kind: Annotated[FundKind, typer.Option(help="opening, interest, accepted (works by an act) or spent.")],
    amount: Annotated[str, typer.Option(help="Roubles, for example 1250000.00; below zero takes an entry back.")],
    document: Annotated[str, typer.Option(help="The act or payment order, once a house.")],
    what: Annotated[str, typer.Option(help="What it is for.")],
    on: Annotated[str, typer.Option("--on", help="The day, YYYY-MM-DD.")],
    contractor: Annotated[str, typer.Option(help="Who did the works.")] = "",
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Enters a movement of a fund with its document; the same again changes nothing."""
    funds, _ = funds_of(home)
    sum_of = Money.parse(amount).kopecks
    funds.enter(FundEntry(house, kind, day_of(on), sum_of, document, what, contractor))
    out.print(f"entered {amount} roubles of house {house} under {document}")


def funds_of(home: Path) -> tuple[Funds, int]:
    """The funds of the town in a home, and the time that its ledger stands at. Raises NoTown."""
    engine, accounts, keyring, _, ledger = billing_of(home)
    books = DebtBooks(engine, accounts, Runs(engine, keyring), ledger, town_rules(home))
    head = ledger.head()
    return Funds(engine, accounts, books), int(datetime.now(UTC).timestamp()) if head is None else head.timestamp


def _month(text: str | None, moment: int, zone: str) -> Period:
    """The month that is meant: the one in which the moment lies by the house's clock, where none is named."""
    if text is not None:
        return Period.parse(text)
    day = local_date(moment, zone)
    return Period(day.year, day.month)


def _row(month: FundMonth) -> dict[str, object]:
    return {name.removesuffix("_kopecks"): held for name, held in month_json(month).items()}


def _year_before(period: Period) -> Period:
    return Period(period.year - 1, period.month).next()
