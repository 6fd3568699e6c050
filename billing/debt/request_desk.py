"""Carries out requests about debts: sums for an account, disputes and their decisions, agreements, penalties to charge.

Every step may be taken again after a crash: a case is kept under its request's number, a division of a sum is written
down before the first payment of it is asked for.
"""

from __future__ import annotations

from datetime import date

import structlog
from sqlalchemy import insert, select

from billing.accounts import UnknownAccount
from billing.debt.books import AccountBook
from billing.debt.cases import Case, NoSuchCase, correction_of, debts_covered
from billing.debt.disputes import Dispute
from billing.debt.instalments import Agreement, BadSchedule
from billing.debt.notes import Notes, NothingToDispute
from billing.debt.payment import claims_of, divide_payment
from billing.debt.penalty import PenaltyError
from billing.debt.requests import (
    AccountPayment,
    DisputeDecision,
    DisputeRequest,
    InstalmentEnd,
    InstalmentRequest,
    PenaltyRequest,
)
from billing.debt.rules import Missing, RulesError
from billing.desk import Desk
from billing.domain.calendar import local_date
from billing.inbox import Item, State
from billing.office import Office
from billing.requests import AgentPayment
from billing.schema import account_payments
from contracts.client.keyring import KeyDestroyed
from contracts.wire.ids import BillKey

_log = structlog.get_logger()
_KINDS = tuple(
    request.kind
    for request in (DisputeRequest, PenaltyRequest, DisputeDecision, InstalmentRequest, InstalmentEnd, AccountPayment)
)
_REFUSALS = (NothingToDispute, NoSuchCase, UnknownAccount, KeyDestroyed, BadSchedule, PenaltyError, Missing, RulesError)


class NotOpen(ValueError):
    """A case is over already, or can't begin or end like that; names the case and the remedy."""

    def __init__(self, case: int, reason: str, remedy: str) -> None:
        super().__init__(f"case {case}: {reason}; {remedy}")
        self.case, self.reason, self.remedy = case, reason, remedy


class DebtRequestDesk(Desk):
    """Debts' requests. Runs of notes that begin here are followed by the desk of runs."""

    def __init__(self, office: Office) -> None:
        super().__init__(office)
        self._writes = office.engine.execution_options(writes=True)
        self._notes = Notes(office.register, office.keyring, office.runs, office.ledger)

    def step(self, now: int) -> None:
        """One round; ``now`` is the latest block's time."""
        for item in self.inbox.unsettled_among(_KINDS):
            if item.state is State.ACCEPTED:
                self._try(item, now)
            elif isinstance(item.request, AccountPayment):
                self._follow_payment(item)

    def _try(self, item: Item, now: int) -> None:
        try:
            self._begin(item, now)
        except (*_REFUSALS, NotOpen) as error:
            self.inbox.failed([item.id], "debt-request-refused", str(error))
            _log.info("debt.refused", item=item.id, reason=str(error))

    def _begin(self, item: Item, now: int) -> None:
        request = item.request
        if isinstance(request, DisputeRequest | PenaltyRequest):
            self._begin_notes(item, request)
        elif isinstance(request, DisputeDecision):
            self._decide(item, request)
        elif isinstance(request, InstalmentRequest):
            self._sign(item, request)
        elif isinstance(request, InstalmentEnd):
            self._end(item, request)
        elif isinstance(request, AccountPayment):
            self._divide(item, request, now)

    # --- runs of notes ---

    def _begin_notes(self, item: Item, request: DisputeRequest | PenaltyRequest) -> None:
        office = self.office
        if not office.runs.of_item(item.id):
            books, cases = office.debts(), office.cases()
            if isinstance(request, DisputeRequest):
                run = self._notes.open_dispute(request, item.id, books, cases)
            else:
                run = self._notes.charge_penalties(request, item.id, books, cases)
            if run is None:
                self.inbox.done([item.id], {"bills": 0, "charged_kopecks": 0})
                return
        self.inbox.working([item.id])

    # --- cases ---

    def _decide(self, item: Item, request: DisputeDecision) -> None:
        case = self.office.cases().get(request.case)
        matter = case.matter
        if not isinstance(matter, Dispute):
            raise NotOpen(case.id, "it is an instalment agreement", "name a dispute")
        if request.on < matter.opened:
            raise NotOpen(case.id, f"it was opened on {matter.opened} only", "give a later day")
        decided = matter.decide(upheld=request.upheld, on=request.on, act=request.act, by=request.by)
        if not matter.is_open and matter != decided:
            raise NotOpen(case.id, f"it was decided by {matter.decision!r}", "open another dispute if need be")
        case = Case(case.id, case.item, case.account, decided)
        self.office.cases().put(case)
        result: dict[str, object] = {"case": case.id, "outcome": decided.outcome.value}
        asked = correction_of(case)
        if asked is not None:
            result["correction"] = self.inbox.put(*asked).id
        self.inbox.done([item.id], result)

    def _sign(self, item: Item, request: InstalmentRequest) -> None:
        agreement = Agreement(request.signed, request.periods, request.schedule, request.act)
        account = self.office.register.account(request.account)
        book = self.office.debts().of_account(request.account)
        owed = sum(debt.open_kopecks for debt in debts_covered(book, agreement))
        cases = self.office.cases()
        if cases.of_item(item.id) is None and agreement.total_kopecks > owed:
            raise BadSchedule(
                f"the schedule is for {agreement.total_kopecks} kopecks, and {owed} are owed for these periods",
                "name the periods that it is about, and no more than is owed",
            )
        case = cases.add(item.id, account.account, account.key_id, agreement)
        self.inbox.done([item.id], {"case": case})

    def _end(self, item: Item, request: InstalmentEnd) -> None:
        case = self.office.cases().get(request.case)
        matter = case.matter
        if not isinstance(matter, Agreement):
            raise NotOpen(case.id, "it is a dispute", "name an instalment agreement")
        ended = matter.end(request.on, request.act)
        if matter.ended is not None and matter != ended:
            raise NotOpen(case.id, f"it was ended by {matter.end_act!r}", "sign another agreement if need be")
        self.office.cases().put(Case(case.id, case.item, case.account, ended))
        self.inbox.done([item.id], {"case": case.id})

    # --- sums for an account ---

    def _divide(self, item: Item, request: AccountPayment, now: int) -> None:
        if not self._parts(item):
            books = self.office.debts()
            book = books.of_account(request.account)
            suspended = {view.supplier for view in self.office.ledger.suppliers() if not view.is_active}
            cases = self.office.cases().of_accounts([request.account]).get(request.account, [])
            claims = claims_of(book, cases, books.rules, self._today(book, now), suspended)
            allocation = divide_payment(request, claims)
            if not allocation.shares:
                waits = "; what is in dispute waits" if allocation.waiting else ""
                self.inbox.failed([item.id], "nothing-open", f"nothing is open on account {request.account}{waits}")
                return
            rows = [
                {"item": item.id, "place": place, "bill": share.claim.leaf.number, "maximum": share.amount_kopecks}
                for place, share in enumerate(allocation.shares)
            ]
            with self._writes.begin() as connection:
                connection.execute(insert(account_payments), rows)
        self.inbox.working([item.id])
        self._follow_payment(item)

    def _today(self, book: AccountBook, now: int) -> date:
        house = self.office.register.account(book.account).house
        return local_date(now, self.office.register.houses()[house].zone)

    def _parts(self, item: Item) -> list[AgentPayment]:
        with self.office.engine.connect() as connection:
            here = account_payments.c.item == item.id
            rows = connection.execute(select(account_payments).where(here).order_by(account_payments.c.place)).all()
        return [AgentPayment(BillKey.from_number(row.bill), row.maximum) for row in rows]

    def _follow_payment(self, item: Item) -> None:
        """Asks for each part once, under a name of its own, and tells how all of them ended."""
        request = item.request
        assert isinstance(request, AccountPayment)
        payments = self._parts(item)
        parts = [self.inbox.put(f"account-payment {item.id}/{i}", payment) for i, payment in enumerate(payments)]
        if not all(part.is_over for part in parts):
            if item.state is not State.WORKING:
                self.inbox.working([item.id])
            return
        paid = [int(str((part.result or {}).get("paid_kopecks", 0))) for part in parts]
        final = all(part.is_settled for part in parts)
        told = [
            {
                "item": part.id,
                "bill": str(payment.bill),
                "maximum_kopecks": payment.maximum_kopecks,
                "paid_kopecks": amount,
                **({"reason": part.reason} if part.state is State.FAILED else {}),
            }
            for part, payment, amount in zip(parts, payments, paid, strict=True)
        ]
        if not any(paid):
            if final or item.state is not State.FAILED:
                self.inbox.failed([item.id], "nothing-paid", str(parts[0].reason), final)
        elif final or item.state is not State.DONE:
            result = {"paid_kopecks": sum(paid), "left_kopecks": request.amount_kopecks - sum(paid), "parts": told}
            self.inbox.done([item.id], result, final)
