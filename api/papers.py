"""Documents of a bill for whoever may see it: billing prints, the people store says for whom and whom it pays."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy import Engine, delete, insert, select

from api.people import People
from api.problems import NotPrintable
from api.tables import gis_accounts, payees
from billing.paper.desk import NoDocument
from billing.paper.gis.message import GisError
from billing.paper.person import GisNumbers, Person, Requisites
from billing.paper.qr import QrError
from contracts.wire.ids import BillKey

AGENT = "agent"
"""The payee whose requisites a QR code carries: docs/decisions/0012."""


class Payees:
    """The directory of payees, and of the accounts' names in ГИС ЖКХ."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def set_payee(self, party: str, requisites: Requisites) -> None:
        """Enters a payee's requisites, replacing what was there."""
        row = {name: getattr(requisites, name) for name in payees.c.keys() if name != "party"}  # noqa: SIM118
        with self._engine.begin() as connection:
            connection.execute(delete(payees).where(payees.c.party == party))
            connection.execute(insert(payees).values(party=party, **row))

    def payee(self, party: str) -> Requisites | None:
        """A payee's requisites. Raises BadRequisites where somebody entered wrong ones past this class."""
        with self._engine.connect() as connection:
            row = connection.execute(select(payees).where(payees.c.party == party)).mappings().first()
        return None if row is None else Requisites(**{name: value for name, value in row.items() if name != "party"})

    def set_gis_numbers(self, account: str, numbers: GisNumbers) -> None:
        """Enters how ГИС ЖКХ knows an account, replacing what was there."""
        row = {
            "account": account,
            "guid": numbers.account_guid,
            "unified_account": numbers.unified_account,
            "service_id": numbers.service_id,
        }
        with self._engine.begin() as connection:
            connection.execute(delete(gis_accounts).where(gis_accounts.c.account == account))
            connection.execute(insert(gis_accounts).values(row))

    def gis_numbers(self, account: str) -> GisNumbers | None:
        """How ГИС ЖКХ knows an account."""
        with self._engine.connect() as connection:
            row = connection.execute(select(gis_accounts).where(gis_accounts.c.account == account)).first()
        return None if row is None else GisNumbers(row.guid, row.unified_account, row.service_id)


class Printer(Protocol):
    """What of billing's desk (Papers) is used here. Each raises NoDocument."""

    def pdf(self, bill: BillKey, person: Person, now: int) -> bytes:
        """The payment document as PDF."""
        ...

    def html(self, bill: BillKey, person: Person, now: int) -> str:
        """The payment document as a page."""
        ...

    def gis_xml(self, bill: BillKey, person: Person, now: int) -> bytes:
        """The payment document as a message to ГИС ЖКХ."""
        ...


class Documents:
    """Joins the desk with the directory. ``named``: the caller lives there, so name and address are printed."""

    def __init__(self, printer: Printer, people: People, payees: Payees) -> None:
        self._printer, self._people, self._payees = printer, people, payees

    def pdf(self, bill: BillKey, account: str, now: int, *, named: bool) -> bytes:
        """The payment document as PDF. Raises NotPrintable."""
        try:
            return self._printer.pdf(bill, self.person(account, named=named), now)
        except (NoDocument, QrError) as error:
            raise NotPrintable(str(error)) from error

    def html(self, bill: BillKey, account: str, now: int, *, named: bool) -> str:
        """The payment document as a page. Raises NotPrintable."""
        try:
            return self._printer.html(bill, self.person(account, named=named), now)
        except (NoDocument, QrError) as error:
            raise NotPrintable(str(error)) from error

    def gis_xml(self, bill: BillKey, account: str, now: int) -> bytes:
        """The payment document as a message to ГИС ЖКХ; it holds no name. Raises NotPrintable."""
        try:
            return self._printer.gis_xml(bill, self.person(account, named=False), now)
        except (NoDocument, GisError) as error:
            raise NotPrintable(str(error)) from error

    def person(self, account: str, *, named: bool) -> Person:
        """Whom a document is for and whom it pays; name and address only where ``named``. Raises NotPrintable."""
        payee = self._payees.payee(AGENT)
        if payee is None:
            raise NotPrintable(f"the directory of payees has no {AGENT}, whom the document would ask to pay")
        contact = self._people.contact(account) if named else None
        holder, address = (contact.holder, contact.address) if contact else ("", "")
        return Person(holder, address, payee, self._people.supplier_names(), self._payees.gis_numbers(account))
