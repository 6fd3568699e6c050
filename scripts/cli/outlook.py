"""``kopeck outlook`` and ``kopeck tariff whatif``: the months to come, and what another tariff would have cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Engine

from billing.accounts import Accounts
from billing.outlook.bill import Foreseen
from billing.outlook.outlook import MonthAhead, Outlook
from billing.outlook.score import score
from billing.outlook.whatif import WhatIf, WhatIfs
from billing.reference.faults import RowsRefused
from billing.reference.importing import read_import
from billing.store import database_url, open_database
from billing.tariffs import Tariffs
from contracts.client.files import FileStore
from contracts.client.keyring import KeyRing
from contracts.wire.ids import Period
from contracts.wire.units import Money
from ledger.queries import Ledger
from scripts.bench.households import households
from scripts.cli.books import open_town
from scripts.cli.console import out, show, show_json
from scripts.cli.options import HomeOption, JsonOption
from scripts.home import DEFAULT_HOME

Billing = tuple[Engine, Accounts, KeyRing, Tariffs, Ledger]
group = typer.Typer(help="Forecasts of use and of bills.", no_args_is_help=True)
HOUSEHOLDS = Path("../shared/data")


FORMS = (".csv", ".xlsx", ".xml")


class NotADocument(ValueError):
    """A file does not hold one tariff document; names the file."""

    def __init__(self, path: Path, found: int = 0) -> None:
        told = f"holds {found} tariff documents" if found else "is no tariff document"
        super().__init__(
            f"{path} {told}; give one, in the form of `kopeck tariff template tariffs` or as a JSON object, like those "
            "in billing/data"
        )
        self.path, self.found = path, found


def billing_of(home: Path) -> Billing:
    """Billing's books of the town in a home, as its queries take them. Raises NoTown."""
    town = open_town(home)
    engine = open_database(database_url(town.home.root))
    tariffs = Tariffs(engine, FileStore(town.home.root / "billing" / "files"))
    return engine, Accounts(engine, town.keyring), town.keyring, tariffs, town.ledger


@group.command("show")
def show_outlook(
    account: Annotated[str, typer.Argument(help="The account's number.")],
    months: Annotated[int, typer.Option(help="Months ahead, 1 to 12.")] = 3,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Foresees an account's next months: use with its interval, and the bill, beside seasonal-naive."""
    ahead = Outlook(*billing_of(home)).of(account, months)
    if as_json:
        show_json([_month(month) for month in ahead])
        return
    for month in ahead:
        rows = [{"service": name, **use} for name, use in _uses(month).items()]
        show(rows, False, f"{month.period}: {Money(month.bill.point_kopecks)} roubles foreseen")
        out.print(
            f"bill {Money(month.bill.low_kopecks)} to {Money(month.bill.high_kopecks)}; "
            f"naive {Money(month.bill.naive_kopecks)}"
        )


@group.command("score")
def score_households(
    data: Annotated[Path, typer.Option(help="Folder of the public sets of households.")] = HOUSEHOLDS,
    as_json: JsonOption = False,
) -> None:
    """Measures the forecast on real households, beside seasonal-naive: errors in shares of each meter's mean."""
    found = [one for name, meters in households(data).items() for one in score(name, meters)]
    rows = [
        {key: round(value, 4) if isinstance(value, float) else value for key, value in asdict(one).items()}
        for one in found
    ]
    show(rows, as_json, "median error by meter, one to three steps ahead")


def what_if(
    file: Annotated[Path, typer.Argument(help="The proposed tariff: CSV, .xlsx, JSON.", exists=True, dir_okay=False)],
    first: Annotated[str, typer.Option("--from", help="First month, YYYY-MM.")],
    last: Annotated[str, typer.Option("--to", help="Last month, YYYY-MM.")],
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Charges past months again with a proposed tariff: old and new sums by account and service. Stores nothing."""
    proposed = _proposed(file)
    found = WhatIfs(*billing_of(home)).compare(proposed, Period.parse(first), Period.parse(last))
    if as_json:
        show_json(_comparison(found))
        return
    show(_rows(found.by_account(), "account"), False, f"{found.document}, {first} to {last}, by account")
    show(_rows({service.name.lower(): sums for service, sums in found.by_service().items()}, "service"), False)
    for account, why in found.problems.items():
        out.print(f"not charged: {account}: {why}")


def _proposed(file: Path) -> Mapping[str, object]:
    """The one document of a file: of a form, or of JSON. Raises RowsRefused and NotADocument."""
    if file.suffix.lower() in FORMS:
        found = read_import(file, [])
        if found.faults:
            raise RowsRefused(found.file, found.faults)
        if len(found.documents) != 1:
            raise NotADocument(file, len(found.documents))
        return found.documents[0].value
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise NotADocument(file)
    return value


def _month(month: MonthAhead) -> dict[str, object]:
    bill = month.bill
    return {
        "period": str(month.period),
        "use": _uses(month),
        "lines": [
            {"service": line.service.name.lower(), "method": line.method.value, "amount_kopecks": line.amount_kopecks}
            for line in bill.lines
        ],
        "bill_kopecks": bill.point_kopecks,
        "low_kopecks": bill.low_kopecks,
        "high_kopecks": bill.high_kopecks,
        "naive_kopecks": bill.naive_kopecks,
    }


def _uses(month: MonthAhead) -> dict[str, dict[str, object]]:
    units = {line.service: line.unit for line in month.bill.lines}
    return {service.name.lower(): _use(use, units.get(service, "")) for service, use in month.use.items()}


def _use(use: Foreseen, unit: str) -> dict[str, object]:
    return {
        "unit": unit,
        "quantity": sum(use.point.values()),
        "low": sum(use.low.values()),
        "high": sum(use.high.values()),
        "naive": sum(use.naive.values()),
        "naive_is": "the month a year before" if use.is_seasonal else "the last month",
    }


def _comparison(found: WhatIf) -> dict[str, object]:
    old, new = found.total()
    return {
        "document": found.document,
        "accounts": _rows(found.by_account(), "account"),
        "services": _rows({service.name.lower(): sums for service, sums in found.by_service().items()}, "service"),
        "rows": [
            {
                "account": row.account,
                "period": str(row.period),
                "service": row.service.name.lower(),
                "old_kopecks": row.old_kopecks,
                "new_kopecks": row.new_kopecks,
            }
            for row in found.differences
        ],
        "old_kopecks": old,
        "new_kopecks": new,
        "problems": dict(found.problems),
    }


def _rows(sums: dict[str, tuple[int, int]], name: str) -> list[dict[str, object]]:
    return [
        {name: key, "old_kopecks": old, "new_kopecks": new, "difference_kopecks": new - old}
        for key, (old, new) in sums.items()
    ]
