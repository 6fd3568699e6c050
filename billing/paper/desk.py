"""The desk that prints: a bill's payment document out of the books as they stand, as PDF, HTML and ГИС ЖКХ XML."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from billing.accounts import Accounts
from billing.corrections import PENALTY
from billing.debt.books import DISPUTE, AccountBook, DebtBooks, Leaf
from billing.debt.cases import Case, Cases
from billing.debt.instalments import Agreement
from billing.debt.penalty_rules import Missing, Rules, town_rules
from billing.paper import render
from billing.paper.assemble import payment_document
from billing.paper.epd import AgreedPayment, Owed, PaymentDocument, Recalculation
from billing.paper.epd_sheet import payment_sheet
from billing.paper.gis.directory import GisDirectory, read_directory
from billing.paper.gis.payment_documents import payment_documents
from billing.paper.person import Person
from billing.run import Runs
from billing.store import database_url, open_database
from contracts.client.keyring import KeyRing
from contracts.wire.ids import BillKey, Period, Service
from contracts.wire.leaf import BillKind
from ledger.queries import Ledger
from ledger.queries.views import BillView, RunState

DIRECTORY = "gis-directory.json"
NO_SERVICE = ""


class NoDocument(LookupError):
    """Nothing can be printed of a bill; says why."""

    def __init__(self, key: BillKey, reason: str) -> None:
        super().__init__(f"bill {key} can't be printed: {reason}")
        self.key, self.reason = key, reason


class Register(Protocol):
    """What of billing's own books is read: whose a bill is, and its document as its commitment holds it."""

    def account_of(self, bill: BillKey) -> str | None:
        """Whose bill it is."""
        ...

    def document_of(self, bill: BillKey) -> bytes | None:
        """The document; None where there is none, or its key was destroyed."""
        ...


class Books(Protocol):
    """What an account owes (DebtBooks)."""

    @property
    def rules(self) -> Rules:
        """Calendars and rates."""
        ...

    def book_of(self, account: str) -> AccountBook:
        """One account's book."""
        ...

    def cases_of(self, account: str) -> Sequence[Case]:
        """Its disputes and agreements."""
        ...


class BillBooks:
    """The books of a running town as the desk reads them."""

    def __init__(self, runs: Runs, debts: DebtBooks, cases: Cases) -> None:
        self._runs, self._debts, self._cases = runs, debts, cases

    @property
    def rules(self) -> Rules:
        """Calendars and rates."""
        return self._debts.rules

    def account_of(self, bill: BillKey) -> str | None:
        """Whose bill it is."""
        stored = self._runs.bill(bill)
        return None if stored is None else stored.account

    def document_of(self, bill: BillKey) -> bytes | None:
        """A bill's document."""
        stored = self._runs.bill(bill)
        return None if stored is None else stored.document or None

    def book_of(self, account: str) -> AccountBook:
        """One account's book. Raises UnknownAccount."""
        return self._debts.of_account(account)

    def cases_of(self, account: str) -> Sequence[Case]:
        """Its disputes and agreements."""
        return self._cases.of_accounts([account]).get(account, [])


class Papers:
    """Prints bills. Every method raises NoDocument; what it prints depends on the books and the moment alone."""

    def __init__(self, ledger: Ledger, register: Register, books: Books, directory: Callable[[], GisDirectory]) -> None:
        self._ledger, self._register, self._books, self._directory = ledger, register, books, directory

    @classmethod
    def open(cls, home: Path, ledger: Ledger) -> Papers:
        """The desk of a running town."""
        engine, keyring = open_database(database_url(home)), KeyRing(home / "keyring.db")
        runs = Runs(engine, keyring)
        debts = DebtBooks(engine, Accounts(engine, keyring), runs, ledger, town_rules(home))
        books = BillBooks(runs, debts, Cases(engine, keyring))
        return cls(ledger, books, books, lambda: read_directory(home / "billing" / DIRECTORY))

    def account_of(self, bill: BillKey) -> str | None:
        """Whose bill it is."""
        return self._register.account_of(bill)

    def directory(self) -> GisDirectory:
        """What ГИС ЖКХ calls our services and suppliers. Raises GisError."""
        return self._directory()

    def pdf(self, bill: BillKey, person: Person, now: int) -> bytes:
        """The payment document as PDF. ``now`` in seconds UTC. Raises QrError."""
        return render.pdf(payment_sheet(self.document(bill, person, now)), datetime.fromtimestamp(now, UTC))

    def html(self, bill: BillKey, person: Person, now: int) -> str:
        """The payment document as a page. Raises QrError."""
        return render.html(payment_sheet(self.document(bill, person, now)))

    def gis_xml(self, bill: BillKey, person: Person, now: int) -> bytes:
        """The payment document as a message to ГИС ЖКХ. Raises GisError."""
        return payment_documents([self.document(bill, person, now)], self._directory())

    def document(self, bill: BillKey, person: Person, now: int) -> PaymentDocument:
        """The payment document of a bill as the books stand."""
        view, written = self._ledger.bill(bill), self._register.document_of(bill)
        if view is None or view.run_state is not RunState.ACTIVE:
            raise NoDocument(bill, "no active run holds it; `kopeck bill list MONTH` names those there are")
        if written is None:
            raise NoDocument(bill, "its account's key was destroyed, and its record with it")
        if view.kind is not BillKind.BILL:
            raise NoDocument(bill, f"it is a note; print bill {view.original}, or a later one, which lists it")
        value: dict[str, Any] = json.loads(written)
        account, zone = value["account"], value["premises"]["zone"]
        book = self._books.book_of(account)
        today = datetime.fromtimestamp(now, UTC).astimezone(ZoneInfo(zone)).date()
        return payment_document(
            view,
            value,
            person,
            printed_on=today,
            due=self._due(view, book),
            owed=_owed(view, book),
            noted=[again for leaf in _notes_before(view, book) for again in self._noted(leaf)],
            agreed=list(_agreed(self._books.cases_of(account), view.period)),
            advance_kopecks=sum(book.advance.values()),
        )

    def _due(self, view: BillView, book: AccountBook) -> date:
        """The last day to pay, by the day on which the bill could first be seen."""
        presented = next((leaf.presented for leaf in book.leaves if leaf.key == view.key), None)
        try:
            return self._books.rules.due_date(view.period, presented)
        except Missing as error:
            raise NoDocument(view.key, str(error)) from error

    def _noted(self, leaf: Leaf) -> Iterator[Recalculation]:
        """A note's lines as recalculations."""
        document = json.loads(leaf.stored.document) if leaf.stored.document else {}
        sign = -1 if leaf.stored.kind is BillKind.CREDIT_NOTE else 1
        reason = f"к документу {leaf.stored.original}: {document.get('act', 'корректировка')}"
        for line in leaf.view.lines:
            if line.charged_kopecks:
                yield Recalculation(_code(leaf.services[line.line]), reason, sign * line.charged_kopecks)


def _owed(view: BillView, book: AccountBook) -> list[Owed]:
    """What is open besides this bill: of earlier months, and on notes to this one."""
    purposes = {leaf.key: leaf.purpose for leaf in book.leaves}
    # The bill itself, and where it was superseded the one that took its place.
    this = {leaf.key for leaf in _bills(book.leaves) if leaf.stored.period == view.period} | {view.key}
    found: defaultdict[tuple[str, int], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for debt in book.debts:
        if debt.leaf in this or debt.period > view.period or not debt.open_kopecks:
            continue
        kind = "disputed" if purposes.get(debt.leaf) == DISPUTE else "penalties" if debt.is_penalty else "arrears"
        found[_code(debt.service), int(debt.supplier)][f"{kind}_kopecks"] += debt.open_kopecks
    return [Owed(service, supplier, **sums) for (service, supplier), sums in sorted(found.items())]


def _notes_before(view: BillView, book: AccountBook) -> Iterator[Leaf]:
    """Corrections of earlier months that came into force after the last bill and not after this one."""
    earlier = [leaf.key for leaf in _bills(book.leaves) if leaf.stored.period < view.period]
    since = max(earlier, default=None)
    for leaf in book.leaves:
        is_correction = leaf.stored.kind is not BillKind.BILL and leaf.purpose not in (DISPUTE, PENALTY)
        if is_correction and leaf.stored.period < view.period and since is not None and since < leaf.key < view.key:
            yield leaf


def _bills(leaves: Iterable[Leaf]) -> Iterator[Leaf]:
    return (leaf for leaf in leaves if leaf.stored.kind is BillKind.BILL)


def _agreed(cases: Iterable[Case], period: Period) -> Iterator[AgreedPayment]:
    """What agreements ask for in the month after the period: when its bill is paid."""
    month = period.next()
    for case in cases:
        if isinstance(case.matter, Agreement) and case.matter.ended is None:
            for instalment in case.matter.schedule:
                if (instalment.by.year, instalment.by.month) == (month.year, month.month):
                    yield AgreedPayment(instalment.by, instalment.amount_kopecks, case.matter.act)


def _code(service: Service | None) -> str:
    return NO_SERVICE if service is None else service.name.lower()
