"""``kopeck bill gis``: a month for ГИС ЖКХ, as messages ready to be signed and sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from api.papers import Documents, Payees
from api.people import People
from api.store import database_url, open_database
from billing.paper.desk import NoDocument, Papers
from billing.paper.epd import PaymentDocument
from billing.paper.gis.message import GisError
from billing.paper.gis.notices import MOST_NOTICES, Notice, notices_of, payment_notices
from billing.paper.gis.payment_documents import MOST_DOCUMENTS, payment_documents
from billing.paper.person import Requisites
from contracts.wire.ids import Period
from contracts.wire.leaf import BillKind
from ledger.queries.views import RunState
from scripts.cli.books import Books, open_town
from scripts.cli.console import out, show
from scripts.cli.options import HomeOption, JsonOption
from scripts.home import DEFAULT_HOME

Item = TypeVar("Item")


def gis(
    month: Annotated[str, typer.Argument(help="The month, YYYY-MM.")],
    folder: Annotated[Path, typer.Option("--out", help="The folder that takes the messages.")],
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Writes a month's payment documents and notices of payments for ГИС ЖКХ, 500 a message."""
    period, town = Period.parse(month), open_town(home)
    engine = open_database(database_url(town.home.root))
    papers, payees = Papers.open(town.home.root, town.ledger), Payees(engine)
    documents = list(_documents(town, period, papers, Documents(papers, People(engine), payees)))
    directory = papers.directory()
    notices = [notice for document in documents for notice in _notices(town, document, payees)]
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        *_written(folder, f"payment-documents-{period}", documents, MOST_DOCUMENTS,
                  lambda some: payment_documents(some, directory)),
        *_written(folder, f"payment-notices-{period}", notices, MOST_NOTICES, payment_notices),
    ]  # fmt: skip
    if not rows:
        out.print(f"nothing is there for {period}: no bill of an active run that can be printed")
        raise typer.Exit(1)
    show(rows, as_json, f"messages of {period}")


def _documents(town: Books, period: Period, papers: Papers, documents: Documents) -> Iterator[PaymentDocument]:
    """The month's documents in force: a superseded one has a successor, and an erased one cannot be told."""
    head = town.ledger.head()
    for run in town.ledger.runs(period):
        for view in town.ledger.bills_of_run(run.run) if run.state is RunState.ACTIVE and head else ():
            account = papers.account_of(view.key) if view.kind is BillKind.BILL else None
            if account is None or head is None:
                continue
            try:
                document = papers.document(view.key, documents.person(account, named=False), head.timestamp)
            except NoDocument:
                continue
            if not document.is_superseded:
                yield document


def _notices(town: Books, document: PaymentDocument, payees: Payees) -> Iterator[Notice]:
    if document.person.gis is None:
        raise GisError(f"account {document.account} has no numbers of ГИС ЖКХ; enter those that the system gave")
    recipients: dict[int, Requisites] = {}
    for row in document.rows:
        found = payees.payee(str(row.supplier))
        if found is not None:
            recipients[row.supplier] = found
    receipts = town.ledger.receipts(document.key)
    return notices_of(receipts, document.period, document.zone, document.person.gis, recipients)


def _written(
    folder: Path, name: str, items: Sequence[Item], most: int, made: Callable[[Sequence[Item]], bytes]
) -> Iterator[dict[str, object]]:
    for number, start in enumerate(range(0, len(items), most), start=1):
        some = items[start : start + most]
        path = folder / f"{name}-{number}.xml"
        path.write_bytes(made(some))
        path.chmod(0o600)
        yield {"file": path.name, "records": len(some), "bytes": path.stat().st_size}
