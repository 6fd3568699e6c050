"""``kopeck house``: what holds for a house, what its books say, and its balance of each resource."""

from __future__ import annotations

from typing import Annotated

import typer

from billing.accounts import Accounts
from billing.domain.household import HouseTerms, Management
from billing.houses import Entry, EntryKind, Houses, UnknownHouse, balance_row
from billing.store import database_url, open_database
from contracts.wire.ids import Period, Service
from scripts.cli.books import open_town
from scripts.cli.console import out, show
from scripts.cli.options import HomeOption, JsonOption, day_of
from scripts.home import DEFAULT_HOME

group = typer.Typer(help="Houses: terms, entries, balances.", no_args_is_help=True)
HouseArgument = Annotated[str, typer.Argument(help="The house's code.")]
MonthArgument = Annotated[str, typer.Argument(help="The month, YYYY-MM.")]


@group.command("balance")
def balance(
    house: HouseArgument, month: MonthArgument, home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False
) -> None:
    """Shows what a house used of each resource, what its premises account for, and what is left for common property."""
    town = open_town(home)
    uses = Houses(open_database(database_url(home)), town.keyring).of_month(house, Period.parse(month))
    show([balance_row(use) for _, use in sorted(uses.items())], as_json, f"{house}, {month}")


@group.command("list")
def list_houses(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Lists the houses with what holds for them."""
    town = open_town(home)
    rows = [
        {
            "house": house.code,
            "area_dm2": house.area_dm2,
            "since": "" if terms is None else terms.since.isoformat(),
            "management": "" if terms is None else terms.management.value,
            "common_area_dm2": 0 if terms is None else terms.common_area_dm2,
            "uniform_heating": terms is not None and terms.uniform_heating,
            "over_cap_to_owners": terms is not None and terms.over_cap_to_owners,
            "act": "" if terms is None else terms.act,
        }
        for house in Accounts(open_database(database_url(home)), town.keyring).houses().values()
        for terms in (house.terms or (None,))
    ]
    show(rows, as_json, "houses")


@group.command("terms")
def set_terms(
    house: HouseArgument,
    management: Annotated[Management, typer.Argument(help="How it is managed.")],
    common_area_dm2: Annotated[int, typer.Argument(help="Area of its common property, dm².", min=0)],
    since: Annotated[str, typer.Option(help="The first day of a month, YYYY-MM-DD.")],
    act: Annotated[str, typer.Option(help="The decision behind it.")],
    uniform_heating: Annotated[bool, typer.Option(help="Heating is paid evenly over the year.")] = False,
    over_cap_to_owners: Annotated[bool, typer.Option(help="Owners pay common use above the norm.")] = False,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Says what holds for a house from a month on."""
    town = open_town(home)
    register = Accounts(open_database(database_url(home)), town.keyring)
    if house not in register.houses():
        raise UnknownHouse(house)
    first = day_of(since)
    register.set_terms(house, HouseTerms(first, management, common_area_dm2, act, uniform_heating, over_cap_to_owners))
    out.print(f"{house}: {management.value} from {first}")


@group.command("enter")
def enter(
    house: HouseArgument,
    month: MonthArgument,
    service: Annotated[str, typer.Argument(help="The resource, e.g. electricity.")],
    kind: Annotated[EntryKind, typer.Argument(help="What the entry tells.")],
    volume: Annotated[int, typer.Argument(help="Base units: Wh, litres, 10⁻⁶ Gcal.", min=0)],
    act: Annotated[str, typer.Option(help="The document behind it.")],
    name: Annotated[str, typer.Option(help="Which premises, where there are several.")] = "",
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Enters into a house's books what no meter of ours tells."""
    town = open_town(home)
    entry = Entry(Period.parse(month), _service(service), kind, volume, act, name)
    Houses(open_database(database_url(home)), town.keyring).enter(house, entry)
    out.print(f"{house}, {month}: {service} {kind.value} {volume}")


def _service(name: str) -> Service:
    try:
        return Service[name.upper()]
    except KeyError as error:
        known = ", ".join(service.name.lower() for service in Service)
        raise typer.BadParameter(f"no service {name!r}; one of {known}") from error
