"""The read door for the API: which account has which bills, their documents, and the register behind them.

Sums are the ledger's to tell; here is what billing alone knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from billing.accounts import Account, Accounts
from billing.as_seen import Seen, as_seen
from billing.debt.allocation import Allocation
from billing.debt.balance import LineDebt, Move, Turnover
from billing.debt.books import DebtBooks, Overdue
from billing.debt.cases import Case, Cases, NoSuchCase
from billing.debt.disputes import Dispute
from billing.debt.instalments import Agreement
from billing.debt.instalments import Standing as AgreementStanding
from billing.debt.payment import claims_of, divide_payment
from billing.debt.penalty import Row as PenaltyRow
from billing.debt.penalty_rules import Rules, shipped_rules, town_rules
from billing.debt.requests import AccountPayment
from billing.debt.summary import AccountBalance, balance_of
from billing.debt.waiting import DisputeCase, dispute_cases, disputed_kopecks, disputed_lines
from billing.domain.calendar import local_date
from billing.domain.household import House
from billing.domain.tariff import NoTariff, TariffError
from billing.domain.usage import DecreasingRegister
from billing.explanation import explain_bill
from billing.fund import Funds, FundStatement
from billing.house_month import HouseMonth, HouseMonths
from billing.inbox import Inbox
from billing.office import open_inbox
from billing.outlook.forecast import NoHistory
from billing.outlook.outlook import MonthAhead, Outlook
from billing.run import Run, Runs, RunStage
from billing.store import database_url, open_database
from billing.tariffs import Tariffs
from billing.welfare.overview import CaseSummary, summaries
from billing.welfare.records import Records
from billing.welfare.standing import Standing
from contracts.client.deployments import Deployment
from contracts.client.files import FileStore
from contracts.client.keyring import KeyRing
from contracts.wire.ids import BillKey, Hash, Period, RunId
from ledger.queries import Ledger

__all__ = [
    "AccountBalance",
    "Agreement",
    "AgreementStanding",
    "Allocation",
    "BillingRead",
    "Case",
    "CaseSummary",
    "Dispute",
    "DisputeCase",
    "FundStatement",
    "HouseMonth",
    "LineDebt",
    "MonthAhead",
    "Move",
    "NotForeseeable",
    "Overdue",
    "PenaltyRow",
    "Turnover",
    "inbox_of",
]


class NotForeseeable(LookupError):
    """An account's months to come can't be worked out; says why, and what would mend it."""


class BillingRead:
    """Reads of billing's books. Opens the same database as the collector, in another process."""

    def __init__(
        self, engine: Engine, keyring: KeyRing, files: FileStore, rules: Callable[[], Rules] = shipped_rules
    ) -> None:
        self._accounts = Accounts(engine, keyring)
        self._runs = Runs(engine, keyring)
        self._records = Records(engine, self._accounts, keyring)
        self._engine = engine
        self._cases = Cases(engine, keyring)
        self._rules = rules
        self._keyring = keyring
        self.files = files

    @classmethod
    def open(cls, home: Path) -> BillingRead:
        """The read door of a running town."""
        engine = open_database(database_url(home))
        files = FileStore(home / "billing" / "files")
        return cls(engine, KeyRing(home / "keyring.db"), files, partial(town_rules, home))

    # --- accounts ---

    def accounts(self) -> list[Account]:
        """All accounts."""
        return self._accounts.accounts()

    def account(self, account: str) -> Account | None:
        """One account."""
        found = self._accounts.accounts([account])
        return found[0] if found else None

    def house_code_of(self, account: str) -> str | None:
        """Code of the house of an account; None where there is no such account."""
        found = self.account(account)
        return None if found is None else found.house

    def house_of(self, account: str) -> House | None:
        """The house of an account."""
        code = self.house_code_of(account)
        return None if code is None else self._accounts.houses([code]).get(code)

    def zone_of(self, account: str) -> str | None:
        """IANA zone of the account's house; None where there is no such account."""
        house = self.house_of(account)
        return None if house is None else house.zone

    # --- bills ---

    def bills_of(self, account: str) -> Sequence[BillKey]:
        """Keys of an account's bills and notes in active runs, the oldest first."""
        return [
            key for key, _, run in self._runs.of_account(account) if key is not None and run.stage is RunStage.ACTIVE
        ]

    def account_of(self, bill: BillKey) -> str | None:
        """Whose bill it is."""
        stored = self._runs.bill(bill)
        return None if stored is None else stored.account

    def document_of(self, bill: BillKey) -> bytes | None:
        """A bill's document, the very bytes that its commitment holds; None where it was erased."""
        stored = self._runs.bill(bill)
        return None if stored is None else stored.document or None

    def explanation_of(self, bill: BillKey) -> dict[str, Any] | None:
        """A bill's working, line by line, out of its document; None where it was erased, or was never there."""
        document = self.document_of(bill)
        return None if document is None else explain_bill(bill, document)

    def as_seen(self, bill: BillKey, day: date, ledger: Ledger) -> Seen:
        """What was known of a bill by the end of a local day: the revision in force, what had moved, which notes there
        were. Raises NeverPosted."""
        return as_seen(bill, day, self._runs, self._accounts, ledger)

    # --- debts ---

    def balance_of(self, account: str, ledger: Ledger) -> AccountBalance | None:
        """An account's balance on the ledger's own day, by the house's clock; None where there is no such account.
        Raises Missing, RulesError."""
        zone, head = self.zone_of(account), ledger.head()
        if zone is None:
            return None
        at = local_date(0 if head is None else head.timestamp, zone)
        return balance_of(account, at, self._books(ledger), self._cases)

    def debts_of(self, account: str, ledger: Ledger) -> tuple[Sequence[LineDebt], Sequence[Case]]:
        """What an account was charged, line by line, with the day each is due; its disputes and agreements. Raises
        UnknownAccount."""
        book = self._books(ledger).of_account(account)
        return book.debts, self._cases.of_accounts([account]).get(account, [])

    def disputed_of(self, account: str, ledger: Ledger) -> Mapping[BillKey, int]:
        """What of an account's open bills and notes waits for the decision of a dispute, in kopecks; bills without any
        are left out. Raises UnknownAccount."""
        disputed = disputed_lines(self._cases.of_accounts([account]).get(account, []))
        leaves = self._books(ledger).of_account(account).leaves if disputed else ()
        held = ((leaf.key, disputed_kopecks(leaf, disputed)) for leaf in leaves)
        return {key: kopecks for key, kopecks in held if kopecks}

    def disputes(self, ledger: Ledger, *, is_open: bool) -> list[DisputeCase]:
        """Disputes that wait for a decision, or those that were decided; the newest first."""
        cases = [case for found in self._cases.of_accounts().values() for case in found]
        asked = [case for case in cases if isinstance(case.matter, Dispute) and case.matter.is_open == is_open]
        return self._with_bills(sorted(asked, key=lambda case: -case.id), ledger)

    def dispute(self, case: int, ledger: Ledger) -> DisputeCase | None:
        """One dispute; None where there is none, or its account's key was destroyed."""
        try:
            found = self._with_bills([self._cases.get(case)], ledger)
        except NoSuchCase:
            return None
        return found[0] if found else None

    def _with_bills(self, cases: Sequence[Case], ledger: Ledger) -> list[DisputeCase]:
        accounts = self._accounts.accounts(sorted({case.account for case in cases})) if cases else []
        books = {book.account: book for book in self._books(ledger).of_accounts(accounts)}
        return dispute_cases(cases, books)

    def division_of(self, account: str, amount_kopecks: int | None, ledger: Ledger) -> Allocation:
        """Where a sum for an account would go now, by default all that can be paid on it. Raises UnknownAccount,
        Missing."""
        books, head, zone = self._books(ledger), ledger.head(), self.zone_of(account)
        at = local_date(0 if head is None else head.timestamp, zone or "UTC")
        suspended = {view.supplier for view in ledger.suppliers() if not view.is_active}
        cases = self._cases.of_accounts([account]).get(account, [])
        claims = claims_of(books.of_account(account), cases, books.rules, at, suspended)
        payable = sum(claim.open_kopecks for claim in claims if not claim.waits)
        return divide_payment(AccountPayment(account, payable if amount_kopecks is None else amount_kopecks), claims)

    def _books(self, ledger: Ledger) -> DebtBooks:
        return DebtBooks(self._engine, self._accounts, self._runs, ledger, self._rules())

    # --- months to come ---

    def outlook_of(self, account: str, months: int, ledger: Ledger) -> list[MonthAhead]:
        """The ``months`` after the last that was billed, 1 to 12. Raises UnknownAccount, NotForeseeable."""
        tariffs = Tariffs(self._engine, self.files)
        try:
            return Outlook(self._engine, self._accounts, self._keyring, tariffs, ledger).of(account, months)
        except (NoHistory, NoTariff, TariffError, DecreasingRegister) as error:
            raise NotForeseeable(str(error)) from error

    # --- houses ---

    def houses(self) -> list[str]:
        """Codes of all houses."""
        return sorted(self._accounts.houses())

    def house_month(self, house: str, period: Period | None, own: str | None) -> HouseMonth | None:
        """A house's month, by default the last that was billed; ``own`` is the account that asks. None where the house
        was not billed then."""
        return HouseMonths(self._engine, self._keyring).of(house, period, own)

    def fund_of(self, house: str, ledger: Ledger) -> FundStatement:
        """A house's capital-repair fund in the ledger's own month. Raises NoSuchHouse."""
        funds, head = Funds(self._engine, self._accounts, self._books(ledger)), ledger.head()
        day = local_date(0 if head is None else head.timestamp, funds.zone_of(house))
        month = Period(day.year, day.month)
        return funds.statement(house, month, month)

    # --- help ---

    def welfare_cases(self, ledger: Ledger) -> list[CaseSummary]:
        """Every case of help in sums; what it was decided by stays sealed."""
        return summaries(self._records.shelves(), Standing(self._engine, ledger))

    # --- runs ---

    def run(self, run: RunId) -> Run | None:
        """A run by its number on the chain, with the accounts that it could not bill and why."""
        return self._runs.of_chain(run)

    def lines_file(self, root: Hash) -> bytes | None:
        """A supplier's own lines of a run, by their root."""
        return self.files.get("lines", root)

    def tariff_document(self, name: Hash) -> bytes | None:
        """A tariff document by its hash; anyone may have it."""
        return self.files.get("tariffs", name)


def inbox_of(home: Path) -> Inbox:
    """The inbox of a running town, for whoever puts requests in from another process."""
    return open_inbox(open_database(database_url(home)), Deployment.load(home / "deployment.json"))
