"""Runs of notes that are no corrections: a disputed line set apart, and penalties that a supplier asks to charge."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from billing.accounts import Account, Accounts
from billing.corrections import PENALTY
from billing.debt.balance import ServiceLine
from billing.debt.books import DISPUTE, AccountBook, DebtBooks, Leaf, Overdue
from billing.debt.cases import Case, Cases, pauses_of
from billing.debt.disputes import Dispute
from billing.debt.requests import DisputeRequest, PenaltyRequest
from billing.debt.table import explain_charged_before, explain_row
from billing.documents import Draft, NoteLine, Title, draft_note
from billing.run import Basis, Runs
from contracts.client.keyring import KeyRing
from contracts.wire.ids import BillKey, Period, Service
from contracts.wire.leaf import BillKind
from ledger.queries import Ledger


class NothingToDispute(LookupError):
    """The account's bill has no such line, or the line is in dispute already."""

    def __init__(self, request: DisputeRequest, reason: str, remedy: str) -> None:
        super().__init__(
            f"account {request.account}, {request.period}, {request.service.name.lower()}: {reason}; {remedy}"
        )
        self.request, self.reason, self.remedy = request, reason, remedy


@dataclass(slots=True)
class _Drafting:
    """Drafts of one account for one period, each with the next revision."""

    title: Title
    drafts: list[Draft] = field(default_factory=list)

    def add(self, kind: BillKind, original: BillKey, act: str, lines: Sequence[NoteLine], purpose: str) -> None:
        self.drafts.append(draft_note(self.title, kind, original, act, lines, purpose=purpose))
        self.title = replace(self.title, revision=self.title.revision + 1)


class Notes:
    """Prepares such runs. What they hold comes of the ledger as it stands."""

    def __init__(self, register: Accounts, keyring: KeyRing, runs: Runs, ledger: Ledger) -> None:
        self._register = register
        self._keyring = keyring
        self._runs = runs
        self._ledger = ledger

    # --- disputes ---

    def open_dispute(self, request: DisputeRequest, item: int, books: DebtBooks, cases: Cases) -> int | None:
        """Keeps a dispute, which stops its line's clock, and prepares the run that sets the line apart: a credit note
        that writes off what is open on it, and a debit note of the same sum. None where nothing is open.

        Raises NothingToDispute, UnknownAccount, KeyDestroyed.
        """
        account = self._register.account(request.account)
        book = books.of_account(request.account)
        case = cases.of_item(item)
        matter = case.matter if case is not None else self._new_dispute(request, book, cases)
        assert isinstance(matter, Dispute)
        if case is None:
            cases.add(item, account.account, account.key_id, matter)
        drafting = self._drafting(account, request.period)
        held = [(leaf, _disputed(leaf, matter)) for leaf in book.leaves if leaf.stored.kind is not BillKind.CREDIT_NOTE]
        held = [(leaf, places) for leaf, places in held if places]
        if drafting is None or not held:
            return None
        moved: list[NoteLine] = []
        for leaf, places in held:
            drafting.add(BillKind.CREDIT_NOTE, leaf.key, matter.act, _taken_off(leaf, places), DISPUTE)
            moved += [_moved(leaf, place, matter) for place in places]
        bill = next(leaf for leaf in book.leaves if _is_bill(leaf, request.period))
        drafting.add(BillKind.DEBIT_NOTE, bill.key, matter.act, moved, DISPUTE)
        return self._store(request.period, DISPUTE, item, drafting.drafts)

    def _new_dispute(self, request: DisputeRequest, book: AccountBook, cases: Cases) -> Dispute:
        place = request.period, request.service
        debts = [debt for debt in book.principal if (debt.period, debt.service) == place]
        if not debts:
            raise NothingToDispute(request, "no line of its bills is for that", "check the period and the service")
        supplier = max(debts, key=lambda debt: debt.open_kopecks).supplier
        mine = cases.of_accounts([request.account]).get(request.account, [])
        for case in mine:
            matter = case.matter
            if isinstance(matter, Dispute) and matter.is_open and _same(matter, request):
                raise NothingToDispute(request, f"dispute {case.id} is open on it", "decide that one first")
        return Dispute(request.period, request.service, supplier, request.since, request.ground, request.act)

    # --- penalties ---

    def charge_penalties(self, request: PenaltyRequest, item: int, books: DebtBooks, cases: Cases) -> int | None:
        """Prepares debit notes that charge a supplier's penalties of a period, less what was charged for it before.

        None where nothing is to be charged. Raises Missing, PenaltyError.
        """
        accounts = self._register.accounts(request.accounts)
        known = cases.of_accounts([account.account for account in accounts])
        drafts: list[Draft] = []
        for account, book in zip(accounts, books.of_accounts(accounts), strict=True):
            drafts += self._penalty_drafts(account, book, request, books, known.get(account.account, []))
        return self._store(request.period, PENALTY, item, drafts) if drafts else None

    def _penalty_drafts(
        self, account: Account, book: AccountBook, request: PenaltyRequest, books: DebtBooks, cases: Sequence[Case]
    ) -> list[Draft]:
        bill = next((leaf for leaf in book.leaves if _is_bill(leaf, request.period)), None)
        drafting = self._drafting(account, request.period)
        if bill is None or drafting is None:
            return []
        late = [
            overdue
            for overdue in books.overdue(book, request.at, pauses_of(book, cases, books.rules, request.at))
            if (overdue.debt.period, overdue.debt.supplier) == (request.period, request.supplier)
        ]
        lines = list(_penalty_lines(late, charged_before(book, request.period), request.at))
        if lines:
            drafting.add(BillKind.DEBIT_NOTE, bill.key, request.act, lines, PENALTY)
        return drafting.drafts

    # --- both ---

    def _drafting(self, account: Account, period: Period) -> _Drafting | None:
        secret = self._keyring.secret(account.key_id)
        if secret is None:
            return None
        revision = self._runs.next_revisions([account.account], period)[account.account]
        return _Drafting(Title(account.account, period, revision, account.key_id, secret))

    def _store(self, period: Period, kind: str, item: int, drafts: Sequence[Draft]) -> int:
        """These runs stand on no reading: they claim no heads."""
        return self._runs.add(Basis(period, kind, item, self._ledger.tariff_version(), ()), drafts)


def charged_before(book: AccountBook, period: Period) -> dict[ServiceLine, int]:
    """Penalties of a period that notes charge already, by service and supplier."""
    out: defaultdict[ServiceLine, int] = defaultdict(int)
    for debt in book.debts:
        if debt.is_penalty and debt.period == period:
            out[debt.service, debt.supplier] += debt.principal_kopecks
    return dict(out)


def _penalty_lines(late: Sequence[Overdue], before: dict[ServiceLine, int], at: date) -> Iterator[NoteLine]:
    by_line: defaultdict[ServiceLine, list[Overdue]] = defaultdict(list)
    for overdue in late:
        by_line[overdue.debt.service, overdue.debt.supplier].append(overdue)
    for (service, supplier), tables in sorted(by_line.items(), key=lambda entry: int(entry[0][0] or 0)):
        total = sum(overdue.table.amount_kopecks for overdue in tables)
        charged = before.get((service, supplier), 0)
        if total > charged:
            parts = [explain_row(row) for overdue in tables for row in overdue.table.rows]
            explanation = {
                "penalty_of": _name(service),
                "through": at.isoformat(),
                "parts": [*parts, explain_charged_before(charged)] if charged else parts,
                "readings": [],
            }
            yield NoteLine(supplier, total - charged, explanation)


def _disputed(leaf: Leaf, matter: Dispute) -> list[int]:
    """The places of a leaf's lines that a dispute is about and on which something is open."""
    if leaf.stored.period != matter.period or leaf.purpose in (PENALTY, DISPUTE):
        return []
    return [
        line.line
        for line in leaf.view.lines
        if line.open_kopecks and (leaf.services[line.line], line.supplier) == (matter.service, matter.supplier)
    ]


def _taken_off(leaf: Leaf, places: Sequence[int]) -> list[NoteLine]:
    """As many lines as the leaf has, with what is open on the disputed ones, and zero elsewhere."""
    return [
        NoteLine(
            line.supplier,
            line.open_kopecks if line.line in places else 0,
            {"service": _name(leaf.services[line.line])},
        )
        for line in leaf.view.lines
    ]


def _moved(leaf: Leaf, place: int, matter: Dispute) -> NoteLine:
    line = leaf.view.lines[place]
    return NoteLine(matter.supplier, line.open_kopecks, {"service": _name(matter.service), "of": f"{leaf.key}/{place}"})


def _is_bill(leaf: Leaf, period: Period) -> bool:
    return leaf.stored.kind is BillKind.BILL and leaf.stored.period == period


def _same(matter: Dispute, request: DisputeRequest) -> bool:
    return (matter.period, matter.service) == (request.period, request.service)


def _name(service: Service | None) -> str | None:
    return None if service is None else service.name.lower()
