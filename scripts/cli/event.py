"""``kopeck event``: what befell an account, each with the act behind it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

import typer

from billing.domain.calendar import zone_of
from billing.domain.events import KINDS, event_value, parse_event
from billing.events import EventBook, UnknownEvent
from billing.read import BillingRead
from billing.store import database_url, open_database
from scripts.cli.books import open_town
from scripts.cli.console import out, show
from scripts.cli.options import HomeOption, JsonOption
from scripts.home import DEFAULT_HOME

group = typer.Typer(
    help="Absences, interruptions, poor quality, tampering, refused inspections, broken meters, ownership.",
    no_args_is_help=True,
)
AccountArgument = Annotated[str, typer.Argument(help="The account.")]
NameArgument = Annotated[str, typer.Argument(help="Your own name for the event: the same again changes nothing.")]
ActOption = Annotated[str, typer.Option(help="The act, or the application, behind it.")]


@group.command("put")
def put(
    account: AccountArgument,
    name: NameArgument,
    kind: Annotated[str, typer.Argument(help=f"One of {', '.join(KINDS)}.")],
    fields: Annotated[list[str], typer.Argument(help="FIELD=VALUE; days YYYY-MM-DD, moments YYYY-MM-DDTHH:MM.")],
    act: ActOption,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Enters an event; what it changes in months already billed, `kopeck bill correct` works out."""
    book = _book(home)
    zone = BillingRead.open(home).zone_of(account)
    if zone is None:
        raise UnknownEvent(account)
    value: dict[str, Any] = {"kind": kind, "act": act}
    for given in fields:
        field, equals, text = given.partition("=")
        if not equals:
            raise typer.BadParameter(f"{given!r} is not FIELD=VALUE")
        value[field] = _value(text, zone)
    fresh = book.put(account, name, parse_event(value))
    out.print(f"event {name!r} of account {account}: " + ("entered" if fresh else "it stood there already"))


@group.command("withdraw")
def withdraw(account: AccountArgument, name: NameArgument, act: ActOption, home: HomeOption = DEFAULT_HOME) -> None:
    """Says by which act an event no longer counts; it stays in the book."""
    fresh = _book(home).withdraw(account, name, act)
    out.print(f"event {name!r} of account {account}: " + ("withdrawn" if fresh else "it was withdrawn already"))


@group.command("list")
def list_events(account: AccountArgument, home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Lists an account's events, those withdrawn among them."""
    if BillingRead.open(home).zone_of(account) is None:
        raise UnknownEvent(account)
    rows = [
        {"name": entry.name, "withdrawn": entry.withdrawn, **event_value(entry.event)}
        for entry in _book(home).entries(account)
    ]
    told = ("name", "withdrawn", "kind", "act")
    flat = [
        {
            **{name: row[name] for name in told},
            "fields": ", ".join(f"{name}={row[name]}" for name in row if name not in told),
        }
        for row in rows
    ]
    show(rows if as_json else flat, as_json, f"events of account {account}")


def _book(home: Any) -> EventBook:
    town = open_town(home)
    return EventBook(open_database(database_url(town.home.root)), town.keyring)


def _value(text: str, zone: str) -> object:
    """Whole numbers and true or false as they are, a local moment as seconds UTC, all else as text."""
    if "T" in text and text[:1].isdigit():
        return int(datetime.fromisoformat(text).replace(tzinfo=zone_of(zone)).timestamp())
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return text
    return value if isinstance(value, int) else text
