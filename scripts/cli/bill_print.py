"""``kopeck bill print``: a bill's payment document as PDF, as a page, or as the message to ГИС ЖКХ."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.papers import Documents, Payees
from api.people import People
from api.store import database_url, open_database
from billing.paper.desk import NoDocument, Papers
from contracts.wire.ids import BillKey
from scripts.cli.books import Books, open_town
from scripts.cli.console import out
from scripts.cli.options import HomeOption
from scripts.home import DEFAULT_HOME

FORMS = (".pdf", ".html", ".xml")


class UnknownForm(ValueError):
    """The file's name ends in no form that a bill is printed in."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path.name} ends in none of {', '.join(FORMS)}; give --out a name that does")


def print_bill(
    bill: Annotated[str, typer.Argument(help="RUN-INDEX, e.g. 1-17.")],
    path: Annotated[Path, typer.Option("--out", help="The file; .pdf, .html or .xml (ГИС ЖКХ) says the form.")],
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Prints a bill's payment document, with the name and address of whoever lives there."""
    if path.suffix not in FORMS:
        raise UnknownForm(path)
    made = _made(open_town(home), BillKey.parse(bill), path.suffix)
    path.write_bytes(made)
    path.chmod(0o600)
    out.print(f"{path}: {len(made)} bytes")


def _made(town: Books, key: BillKey, form: str) -> bytes:
    engine = open_database(database_url(town.home.root))
    papers = Papers.open(town.home.root, town.ledger)
    documents = Documents(papers, People(engine), Payees(engine))
    account, head = papers.account_of(key), town.ledger.head()
    if account is None or head is None:
        raise NoDocument(key, "no run of ours holds it; `kopeck bill list MONTH` names those there are")
    if form == ".pdf":
        return documents.pdf(key, account, head.timestamp, named=True)
    if form == ".html":
        return documents.html(key, account, head.timestamp, named=True).encode()
    return documents.gis_xml(key, account, head.timestamp)
