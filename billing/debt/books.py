"""Reads what an account owes: the ledger's movements by line, under the services that billing's documents name."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import Engine, select

from billing.accounts import Account, Accounts
from billing.corrections import PENALTY
from billing.debt.balance import Entry, LineDebt, Move, ServiceLine, Turnover, line_debts, statement
from billing.debt.penalty import Pause, PenaltyTable, penalty_table
from billing.debt.penalty_rules import Rules, scale_of
from billing.domain.calendar import local_date
from billing.run import Run, Runs, RunStage, StoredBill
from billing.schema import prepayments
from contracts.wire.ids import BillKey, BillState, Hash, Period, RunId, Service, SupplierId
from contracts.wire.leaf import BillKind
from ledger.queries import Ledger
from ledger.queries.views import BillView, ReceiptKind

MOVES = {
    ReceiptKind.PAYMENT: Move.PAID,
    ReceiptKind.GRANT: Move.GRANTED,
    ReceiptKind.PREPAYMENT: Move.NETTED,
    ReceiptKind.REFUND: Move.REFUNDED,
}
"""A credit that was carried out is no movement of its own: the note took it off when it came into force."""
DISPUTE = "dispute"
"""The purpose of notes that only set a disputed line apart."""

Pauses = Mapping[tuple[Period, Service | None, SupplierId], Sequence[Pause]]
"""Days without penalty of an account's lines: its disputes and its instalments."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A bill or note in force. ``presented`` is the day on which the payer could first see it."""

    key: BillKey
    stored: StoredBill
    view: BillView
    services: tuple[Service | None, ...]
    purpose: str | None
    presented: date


@dataclass(frozen=True, slots=True)
class AccountBook:
    """All that an account was charged and paid. Penalty notes are kept apart from principal."""

    account: str
    leaves: tuple[Leaf, ...]
    entries: tuple[Entry, ...]
    """What moved on principal."""
    penalty_entries: tuple[Entry, ...]
    """What was charged as penalties, and paid of that."""
    debts: tuple[LineDebt, ...]
    advance: Mapping[SupplierId, int] = field(default_factory=dict)
    """Kopecks paid ahead that no bill has netted yet, by supplier."""

    @property
    def principal(self) -> tuple[LineDebt, ...]:
        """Debts that bear penalties."""
        return tuple(debt for debt in self.debts if not debt.is_penalty)


@dataclass(frozen=True, slots=True)
class Overdue:
    """A line's debt with the table of its penalty."""

    debt: LineDebt
    table: PenaltyTable


class DebtBooks:
    """Builds the books of accounts out of the ledger's queries and billing's own register."""

    def __init__(self, engine: Engine, register: Accounts, runs: Runs, ledger: Ledger, rules: Rules) -> None:
        self._engine = engine
        self._register = register
        self.runs = runs
        self.ledger = ledger
        self.rules = rules

    def of_account(self, account: str) -> AccountBook:
        """One account's book. Raises UnknownAccount."""
        return next(self.of_accounts([self._register.account(account)]))

    def of_accounts(self, accounts: Sequence[Account], *, only_open: bool = False) -> Iterator[AccountBook]:
        """Books in the order of ``accounts``; with ``only_open`` bills on which nothing is open are left out."""
        zones = {code: house.zone for code, house in self._register.houses().items()}
        presented = {run.run: run.activatable_at for run in self.ledger.runs()}
        leaves = self.runs.of_accounts([account.account for account in accounts])
        ahead = self._ahead({account.account for account in accounts})
        for account in accounts:
            zone = zones[account.house]
            days = {run: local_date(moment, zone) for run, moment in presented.items()}
            known = self._leaves(leaves.get(account.account, []), days)
            if only_open:
                known = [leaf for leaf in known if leaf.view.open_kopecks or leaf.view.kind is BillKind.CREDIT_NOTE]
            yield self._book(account.account, known, zone, ahead.get(account.account, {}))

    def _leaves(self, rows: Iterable[tuple[BillKey | None, StoredBill, Run]], days: Mapping[RunId, date]) -> list[Leaf]:
        stored = {key: bill for key, bill, run in rows if key is not None and run.stage is RunStage.ACTIVE}
        views = {view.key: view for view in self.ledger.bills(list(stored))}
        found = []
        for key, bill in stored.items():
            view = views.get(key)
            if view is None or view.state is BillState.SUPERSEDED:
                continue
            services, purpose = _of_document(bill, len(view.lines))
            first = _first_presented(key, bill, purpose, days)
            found.append(Leaf(key, bill, view, services, purpose, first))
        return found

    def _book(self, account: str, leaves: Sequence[Leaf], zone: str, advance: Mapping[SupplierId, int]) -> AccountBook:
        entries = [entry for leaf in leaves for entry in self._entries(leaf, leaves, zone)]
        by_key = {leaf.key: leaf for leaf in leaves}
        penalties = {leaf.key for leaf in leaves if leaf.purpose == PENALTY}

        def due_of(key: BillKey) -> date:
            return self.rules.due_date(by_key[key].stored.period, by_key[key].presented)

        debts = line_debts(entries, due_of, penalties)
        apart = tuple(entry for entry in entries if entry.leaf in penalties)
        principal = tuple(entry for entry in entries if entry.leaf not in penalties)
        return AccountBook(account, tuple(leaves), principal, apart, tuple(debts), advance)

    def _entries(self, leaf: Leaf, leaves: Sequence[Leaf], zone: str) -> Iterator[Entry]:
        kind, original = leaf.stored.kind, leaf.stored.original
        if kind is BillKind.CREDIT_NOTE:
            credited = next((other for other in leaves if other.key == original), None)
            if credited is not None:
                yield from _credited(leaf, credited)
            return
        move = Move.CHARGED if kind is BillKind.BILL or leaf.purpose == PENALTY else Move.RECALCULATED
        for line in leaf.view.lines:
            if line.charged_kopecks:
                yield _entry(leaf, line.line, move, leaf.presented, line.charged_kopecks)
        if not leaf.view.has_moved:
            return
        for receipt in self.ledger.receipts(leaf.key):
            if receipt.kind in MOVES:
                day = local_date(receipt.timestamp, zone)
                for leg in receipt.legs:
                    if leg.amount_kopecks:
                        yield _entry(leaf, leg.line, MOVES[receipt.kind], day, leg.amount_kopecks)

    def _ahead(self, accounts: set[str]) -> dict[str, dict[SupplierId, int]]:
        out: defaultdict[str, defaultdict[SupplierId, int]] = defaultdict(lambda: defaultdict(int))
        with self._engine.connect() as connection:
            made = connection.execute(select(prepayments.c.account, prepayments.c.prepayment)).all()
        for row in made:
            view = self.ledger.prepayment(Hash(bytes(row.prepayment))) if row.account in accounts else None
            if view is not None and view.left_kopecks:
                out[row.account][view.supplier] += view.left_kopecks
        return {account: dict(left) for account, left in out.items()}

    # --- penalties ---

    def overdue(self, book: AccountBook, at: date, pauses: Pauses | None = None) -> list[Overdue]:
        """The penalty of every line that was late, counted through ``at``. Raises Missing, PenaltyError."""
        out = []
        for debt in book.principal:
            if debt.due >= at or not debt.principal_kopecks:
                continue
            settled = debt.settled
            terms = self.rules.terms(scale_of(debt.service), debt.due, at if settled is None else min(settled, at))
            mine = (pauses or {}).get((debt.period, debt.service, debt.supplier), ())
            table = penalty_table(debt.debt, terms.with_pauses(mine), at)
            if table.rows:
                out.append(Overdue(debt, table))
        return out

    def statement(self, book: AccountBook, at: date, pauses: Pauses | None = None) -> list[Turnover]:
        """The account's months with what accrued in each. Raises Missing, PenaltyError."""
        return statement(book.entries, accrued_by_month(self.overdue(book, at, pauses)))


def accrued_by_month(overdue: Iterable[Overdue]) -> dict[tuple[ServiceLine, Period], int]:
    """Penalties by the month of their days. A row over several months gives each what it adds to the row's sum so far,
    so that the months add up to the tables."""
    out: defaultdict[tuple[ServiceLine, Period], int] = defaultdict(int)
    for late in overdue:
        service_line = late.debt.service, late.debt.supplier
        for row in late.table.rows:
            for month, amount in row.by_month():
                if amount:
                    out[service_line, month] += amount
    return dict(out)


def _credited(note: Leaf, credited: Leaf) -> Iterator[Entry]:
    for line in note.view.lines:
        if line.charged_kopecks:
            yield _entry(credited, line.line, Move.RECALCULATED, note.presented, -line.charged_kopecks)


def _entry(leaf: Leaf, line: int, move: Move, day: date, amount: int) -> Entry:
    month = leaf.stored.period if move is Move.CHARGED else _month_of(day)
    service_line = leaf.services[line], leaf.view.lines[line].supplier
    return Entry(move, service_line, leaf.key, line, leaf.stored.period, month, day, amount)


def _of_document(stored: StoredBill, lines: int) -> tuple[tuple[Service | None, ...], str | None]:
    """The service of each line and what a note is for, by the document; None of it once that was erased."""
    named, purpose = named_in(stored.document)
    return tuple(named.get(place) for place in range(lines)), purpose


def named_in(document: bytes) -> tuple[dict[int, Service], str | None]:
    """The services that a document names, by line, and what a note is for; nothing of it once it was erased."""
    if not document:
        return {}, None
    value = json.loads(document)
    named: dict[int, Service] = {}
    for row in value["lines"]:
        service = row.get("service") or row.get("penalty_of")
        if service and row["line"] is not None:
            named[row["line"]] = Service[str(service).upper()]
    return named, value.get("purpose")


def _first_presented(key: BillKey, stored: StoredBill, purpose: str | None, days: Mapping[RunId, date]) -> date:
    """A note that only sets a disputed line apart was presented with the bill it is of."""
    if purpose == DISPUTE and stored.original is not None and stored.original.run in days:
        return days[stored.original.run]
    return days[key.run]


def _month_of(day: date) -> Period:
    return Period(day.year, day.month)
