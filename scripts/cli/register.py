"""``kopeck register``: registers that banks and payees exchange, in the columns that a profile names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from api.papers import AGENT, Documents, Payees
from api.people import People
from api.store import database_url, open_database
from billing.paper.desk import NoDocument, Papers
from billing.paper.registers import (
    Profile,
    RegisterError,
    Row,
    debts_file_name,
    parse_profile,
    read_register,
    shipped_profiles,
    write_register,
)
from contracts.wire.ids import Period
from contracts.wire.leaf import BillKind
from ledger.queries.views import RunState
from scripts.cli.books import Books, open_town
from scripts.cli.console import out, show, show_json
from scripts.cli.options import HomeOption, JsonOption
from scripts.home import DEFAULT_HOME

group = typer.Typer(help="Registers of payments and debts, as banks exchange them.", no_args_is_help=True)
ProfileOption = Annotated[str, typer.Option("--profile", help="A profile's name, or the file of one of your own.")]


@group.command("profiles")
def profiles(as_json: JsonOption = False) -> None:
    """Lists the layouts that ship with kopeck."""
    rows = [
        {"profile": p.name, "kind": p.kind, "encoding": p.encoding, "columns": p.delimiter.join(p.columns)}
        for p in shipped_profiles().values()
    ]
    show(rows, as_json, "profiles of registers")


@group.command("read")
def read(
    path: Annotated[Path, typer.Argument(help="The bank's file.", exists=True, dir_okay=False)],
    profile: ProfileOption = "sberbank-payments",
    as_json: JsonOption = False,
) -> None:
    """Reads a register: its good rows, and what is wrong with the rest. Exit code 1 where anything is."""
    found = read_register(path.read_bytes(), profile_of(profile))
    rows = [_told(row) for row in found.rows]
    problems = [{"line": p.line, "reason": p.reason} for p in found.problems]
    if as_json:
        total = {"count": len(rows), "amount_kopecks": found.amount_kopecks}
        show_json({"encoding": found.encoding, **total, "rows": rows, "problems": problems})
    else:
        show(rows, False, f"{path.name}: {len(rows)} rows, {found.amount_kopecks} kopecks, {found.encoding}")
        show(problems, False, "what is wrong")
    if problems:
        raise typer.Exit(1)


@group.command("debts")
def debts(
    month: Annotated[str, typer.Argument(help="The month, YYYY-MM.")],
    folder: Annotated[Path, typer.Option("--out", help="The folder that takes the file.")],
    number: Annotated[int, typer.Option(help="Number of the register.", min=1, max=999)] = 1,
    profile: ProfileOption = "sberbank-debts",
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Writes what every account has to pay by its document of a month, for a bank's terminals."""
    period, layout, town = Period.parse(month), profile_of(profile), open_town(home)
    payee = Payees(open_database(database_url(town.home.root))).payee(AGENT)
    if payee is None:
        raise RegisterError(f"the directory of payees has no {AGENT}; enter its requisites")
    rows = list(_debts(town, period))
    path = folder / debts_file_name(payee.inn, payee.account, number, period)
    path.write_bytes(write_register(rows, layout))
    path.chmod(0o600)
    out.print(f"{path}: {len(rows)} rows, {sum(row.amount_kopecks for row in rows)} kopecks")


def profile_of(name: str) -> Profile:
    """A shipped profile by its name, or the one in a file. Raises RegisterError."""
    known = shipped_profiles()
    if name in known:
        return known[name]
    path = Path(name)
    if not path.is_file():
        raise RegisterError(f"no profile and no file {name!r}; there are {', '.join(known)}")
    return parse_profile(json.loads(path.read_text(encoding="utf-8")))


def _debts(town: Books, period: Period) -> Iterator[Row]:
    """Each account's document of the month on which anything is left to pay."""
    engine, head = open_database(database_url(town.home.root)), town.ledger.head()
    people, papers = People(engine), Papers.open(town.home.root, town.ledger)
    documents = Documents(papers, people, Payees(engine))
    for run in town.ledger.runs(period):
        if run.state is not RunState.ACTIVE or head is None:
            continue
        for view in town.ledger.bills_of_run(run.run):
            account = papers.account_of(view.key) if view.kind is BillKind.BILL else None
            if account is None:
                continue
            try:
                document = papers.document(view.key, documents.person(account, named=True), head.timestamp)
            except NoDocument:
                continue  # erased: nobody is left to be asked
            if not document.is_superseded and document.overall_kopecks > 0:
                holder = document.person.holder
                yield Row(account, document.overall_kopecks, period=period, texts={"holder": holder})


def _told(row: Row) -> dict[str, object]:
    return {
        "line": row.line,
        "account": row.account,
        "amount_kopecks": row.amount_kopecks,
        "paid_on": row.paid_on.isoformat() if row.paid_on else None,
        "period": str(row.period) if row.period else None,
        "operation": row.operation,
        "fee_kopecks": row.fee_kopecks,
    }
