"""The desk that works on debts: what accounts owe, what may be done next, the journal, the claims."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from billing.accounts import Account, Accounts
from billing.debt.balance import Move
from billing.debt.books import AccountBook, DebtBooks
from billing.debt.cases import Case, Cases, debts_covered, pauses_of, payments_on
from billing.debt.claim import Claim, NothingToClaim
from billing.debt.disputes import Dispute
from billing.debt.journal import Journal
from billing.debt.penalty import Pause
from billing.debt.restriction import check_lawful, delivered, norm_charges
from billing.debt.work import (
    Circumstances,
    Done,
    Pauses,
    Planned,
    ServiceDebt,
    Step,
    claimable,
    is_waiting,
    plan,
    service_debts,
)
from billing.debt.work_rules import WorkRules
from billing.domain.household import House
from billing.months import Months
from billing.tariffs import Tariffs
from contracts.wire.ids import Period, Service, SupplierId
from ledger.queries import Ledger

CAN_RESTRICT = "can_restrict_"
"""With a service's name, the feature of a house in which that service can be restricted without being cut off."""


class NoSuchNotice(LookupError):
    """The journal of an account holds no notice of that number."""

    def __init__(self, account: str, number: int) -> None:
        super().__init__(f"account {account} has no notice {number}; `kopeck debt journal {account}` lists the entries")
        self.account, self.number = account, number


class NoSuchDebt(LookupError):
    """An account is not late with a service."""

    def __init__(self, account: str, service: Service, at: date) -> None:
        super().__init__(f"account {account} is not late with {service.name.lower()} on {at}; there is nothing to do")
        self.account, self.service, self.at = account, service, at


@dataclass(frozen=True, slots=True)
class Standing:
    """One service's debt of an account with its next step."""

    account: str
    debt: ServiceDebt
    planned: Planned


@dataclass(frozen=True, slots=True)
class WorkDesk:
    """Works on debts. A service can be restricted technically where its house has the feature ``can_restrict_…``."""

    register: Accounts
    books: DebtBooks
    cases: Cases
    journal: Journal
    months: Months
    tariffs: Tariffs
    ledger: Ledger
    rules: WorkRules

    def standings(self, at: date, accounts: Sequence[str] | None = None) -> Iterator[Standing]:
        """Every late service of the accounts, or of all, with the next step. Raises Missing."""
        wanted = self.register.accounts(accounts)
        names = [account.account for account in wanted]
        journals, cases = self.journal.of_accounts(names), self.cases.of_accounts(names)
        houses = self.register.houses()
        for account, book in zip(wanted, self.books.of_accounts(wanted), strict=True):
            mine = journals.get(account.account, ())
            waits = waits_of(book, cases.get(account.account, []), at)
            debts = service_debts(book.principal, waits, {}, at)
            if not debts and not mine:
                continue
            norms = self._norms(account, at)
            around = self.circumstances(houses[account.house])
            known = [replace(debt, norm_kopecks=norms.get(debt.service)) for debt in debts]
            for debt in (*known, *_paid_off(known, mine, at)):
                yield Standing(account.account, debt, plan(debt, self.rules, mine, at, around))

    def standing(self, account: str, service: Service, at: date) -> Standing:
        """One service of one account, of the supplier who is owed most. Raises UnknownAccount, NoSuchDebt."""
        self.register.account(account)
        found = [s for s in self.standings(at, [account]) if s.debt.service is service]
        if not found:
            raise NoSuchDebt(account, service, at)
        return max(found, key=lambda standing: standing.debt.overdue_kopecks)

    def circumstances(self, house: House) -> Circumstances:
        """What the steps depend on in a house."""
        able = frozenset(s for s in Service if CAN_RESTRICT + s.name.lower() in house.features)
        return Circumstances(self.books.rules.is_working, restrictable=able)

    def take(self, account: str, service: Service, step: Step, entry: Done) -> Done:
        """Writes a step into the journal once it is lawful on its day. Raises NotLawful, NoSuchDebt, KeyDestroyed."""
        standing = self.standing(account, service, entry.day)
        if step is not Step.REMINDER:
            check_lawful(account, step, standing.planned, entry.day)
        debt = standing.debt
        done = replace(entry, step=step, service=service, supplier=debt.supplier, amount_kopecks=debt.overdue_kopecks)
        return self.journal.add(account, done)

    def deliver(self, account: str, number: int, day: date, proof: str) -> Done:
        """Writes that a notice reached the debtor. Raises NoSuchNotice, ValueError."""
        entries = self.journal.of(account)
        notice = next((done for done in entries if done.number == number and done.step is Step.NOTICE), None)
        if notice is None:
            raise NoSuchNotice(account, number)
        return self.journal.add(account, delivered(notice, day, proof))

    # --- claims ---

    def claim(self, account: str, supplier: SupplierId, at: date) -> Claim:
        """A supplier's claim against an account. Raises NothingToClaim, UnknownAccount, Missing, PenaltyError."""
        found = [claim for claim in self._claims(self.register.account(account), at) if claim.supplier == supplier]
        if not found:
            raise NothingToClaim(account, supplier, at)
        return found[0]

    def claims(self, at: date) -> Iterator[Claim]:
        """All claims that may be made on a day, by account and supplier."""
        for account in self.register.accounts():
            yield from self._claims(account, at)

    def file(self, claim: Claim, proof: str) -> Done:
        """Writes that a claim was filed with a court. Raises KeyDestroyed."""
        sum_of = claim.claimed_kopecks
        done = Done(0, Step.CLAIM, claim.at, None, claim.supplier, sum_of, claim.procedure, proof)
        return self.journal.add(claim.account, done)

    def _claims(self, account: Account, at: date) -> Iterator[Claim]:
        book = self.books.of_account(account.account)
        cases = self.cases.of_accounts([account.account]).get(account.account, [])
        waits = waits_of(book, cases, at)
        late = claimable(book.principal, waits, self.rules.rule_on(at), at)
        if not late:
            return
        pauses = pauses_of(book, cases, self.books.rules, at)
        overdue = [one for one in self.books.overdue(book, at, pauses) if not is_waiting(one.debt, waits, at)]
        extract = self.books.statement(book, at, pauses)
        entries = self.journal.of(account.account)
        for supplier in sorted({debt.supplier for debt in late}):
            yield Claim(
                account.account,
                supplier,
                at,
                tuple(debt for debt in late if debt.supplier == supplier),
                tuple(one for one in overdue if one.debt.supplier == supplier),
                tuple(row for row in extract if row.supplier == supplier),
                tuple(done for done in entries if done.supplier == supplier and done.step is not Step.CLAIM),
                self.rules.fees_on(at),
                _paid_of_penalties(book, supplier),
            )

    def _norms(self, account: Account, at: date) -> dict[Service, int]:
        """A month at norm by the tariffs in force on a day."""
        tariffs = self.tariffs.published(self.ledger)
        return norm_charges(next(self.months.of(Period(at.year, at.month), [account], tariffs, ())))


def waits_of(book: AccountBook, cases: Sequence[Case], at: date) -> Pauses:
    """Days on which nothing is done about a line: while it is disputed, and while an agreement on it is kept, whether
    penalties accrue meanwhile or not."""
    out: defaultdict[tuple[Period, Service | None, SupplierId], list[Pause]] = defaultdict(list)
    for case in cases:
        if isinstance(case.matter, Dispute):
            dispute = case.matter
            out[dispute.period, dispute.service, dispute.supplier].append(dispute.pause)
            continue
        covered = debts_covered(book, case.matter)
        pause = case.matter.pause(payments_on(covered), at, days_count=True)
        for debt in covered:
            out[debt.period, debt.service, debt.supplier].append(pause)
    return dict(out)


def _paid_of_penalties(book: AccountBook, supplier: SupplierId) -> int:
    """What came towards a supplier's penalty notes."""
    came = {Move.PAID: 1, Move.GRANTED: 1, Move.NETTED: 1, Move.REFUNDED: -1}
    mine = [entry for entry in book.penalty_entries if entry.service_line[1] == supplier]
    return sum(came.get(entry.move, 0) * entry.amount_kopecks for entry in mine)


def _paid_off(debts: Sequence[ServiceDebt], journal: Sequence[Done], at: date) -> list[ServiceDebt]:
    """Services that were cut off, are not owed for any more, and wait to be resumed."""
    owed = {(debt.service, debt.supplier) for debt in debts}
    last: dict[tuple[Service, SupplierId], Step] = {}
    for done in journal:
        if done.service is not None and done.step in (Step.RESTRICTION, Step.SUSPENSION, Step.RESUMPTION):
            last[done.service, done.supplier] = done.step
    cut = sorted(place for place, step in last.items() if step is not Step.RESUMPTION and place not in owed)
    return [ServiceDebt(service, supplier, 0, at) for service, supplier in cut]
