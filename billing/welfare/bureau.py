"""The welfare body's desk: decides cases, changes them, works out a month's awards, takes back what was not due.

Nothing leaves it before it was previewed: ``plan`` says who gets what and why, ``Posting`` (post.py) hands it on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import Engine

from billing.accounts import Accounts
from billing.run import Runs
from billing.tariffs import Tariffs
from billing.welfare import subsidy
from billing.welfare.awards import Award, Manner, Recovery, Repayment
from billing.welfare.cases import (
    CompensationCase,
    Revision,
    SubsidyCase,
    case_from_json,
    changed,
    in_force,
    with_months,
)
from billing.welfare.due import dues
from billing.welfare.library import Library
from billing.welfare.months import BilledMonths
from billing.welfare.records import Records, Shelf
from billing.welfare.reference import Covers, OverlappingSheets, Payout, SubsidyRules
from billing.welfare.settling import NOTHING_DUE, Demand, Head, award_for, recovery_for
from billing.welfare.standing import Standing, account_of
from billing.welfare.working import Working
from contracts.client.keyring import KeyRing
from contracts.wire.ids import Period
from ledger.queries import Ledger

DAY_S = 86_400


class NoSuchCase(LookupError):
    """An account has no such case."""

    def __init__(self, account: str, number: str) -> None:
        super().__init__(f"account {account} has no case {number}; `kopeck subsidy cases` names those there are")
        self.account, self.number = account, number


class DebtStands(ValueError):
    """A debt that a court confirmed bars the subsidy."""

    def __init__(self, number: str, debt: subsidy.Debt) -> None:
        super().__init__(
            f"case {number}: a debt that arose on {debt.arisen} is confirmed by {debt.court_act} and not paid; "
            "it bars the subsidy (ЖК РФ, ст. 159 ч. 5) until it is paid or put off by an agreement"
        )
        self.number, self.debt = number, debt


class CasesOverlap(ValueError):
    """A month has a subsidy already."""

    def __init__(self, number: str, other: str, month: Period) -> None:
        super().__init__(f"case {number}: {month} has a subsidy under case {other} already; decide for after its term")
        self.number, self.other, self.month = number, other, month


class WrongPerson(ValueError):
    """A case names a person where the category covers the family, or none where it covers a person."""

    def __init__(self, number: str, category: str, covers: Covers) -> None:
        wanted = "leave `person` empty" if covers is Covers.FAMILY else "give `person` a number within the household"
        super().__init__(f"case {number}: category {category} covers a {covers}; {wanted}")
        self.number, self.category = number, category


@dataclass(frozen=True, slots=True)
class Plan:
    """What a month's batch would be. ``nothing`` and ``problems`` are by case and by account."""

    period: Period
    awards: tuple[Award, ...] = ()
    nothing: Mapping[tuple[str, str], str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """What a recomputation found: month by month what was settled and what is due now, and what is owed back."""

    revision: Revision
    months: tuple[tuple[Period, str, int, int], ...]
    recoveries: tuple[Recovery, ...]


class Bureau:
    """Cases and awards of one town."""

    def __init__(
        self, engine: Engine, register: Accounts, keyring: KeyRing, *, tariffs: Tariffs, ledger: Ledger
    ) -> None:
        self._engine = engine
        self._ledger = ledger
        self.records = Records(engine, register, keyring)
        self.library = Library(engine)
        self._months = BilledMonths(register, Runs(engine, keyring), tariffs, ledger)

    # --- cases ---

    def decide(self, value: Mapping[str, Any]) -> tuple[Revision, Working | None]:
        """Keeps a decision; the same again changes nothing. For a subsidy also what its first month comes to before
        the bill caps it. Raises BadCase, NoSheet, DebtStands, CasesOverlap, WrongPerson, RecordConflict."""
        case, book = case_from_json(value), self.library.book()
        areas = self._months.areas_of(case.account)
        working = None
        if isinstance(case, CompensationCase):
            covers = book.category(case.category, areas, _first_day(case.since))[1].covers
            if (covers is Covers.PERSON) != bool(case.person):
                raise WrongPerson(case.number, case.category, covers)
            since = case.since
        else:
            areas = case.areas + areas
            rules = book.require(SubsidyRules, areas, case.applied)
            debt = subsidy.blocking_debt(case.debts, case.applied, rules[1])
            if debt is not None:
                raise DebtStands(case.number, debt)
            case = with_months(case, subsidy.term(case.applied, rules[1]))
            self._refuse_overlap(case)
            income, since = subsidy.mean_income(case.income_kopecks), case.months[0]
            figures = subsidy.figures_for(book, areas, case.family, income, case.applied)
            working = subsidy.subsidy(case.family, income, figures, rules, None)
        revision = Revision(1, since, case.decided, f"decision {case.number}", case)
        self.records.add_revision(revision)
        return revision, working

    def _refuse_overlap(self, case: SubsidyCase) -> None:
        for shelf in self.records.shelves([case.account]):
            other = shelf.revisions[-1].case
            if isinstance(other, SubsidyCase) and other.number != case.number:
                for month in case.months:
                    if in_force(shelf.revisions, month) is not None:
                        raise CasesOverlap(case.number, other.number, month)

    def shelf(self, account: str, number: str) -> Shelf:
        """Everything recorded of a case. Raises NoSuchCase."""
        for shelf in self.records.shelves([account]):
            if shelf.case == number:
                return shelf
        raise NoSuchCase(account, number)

    def standing(self) -> Standing:
        """What awards come to now."""
        return Standing(self._engine, self._ledger)

    # --- a month's awards ---

    def plan(self, period: Period, *, now: int, on: date, act: str, batch: str = "") -> Plan:
        """What every case is due for a month and has not had; nothing is recorded. ``now`` in seconds UTC."""
        book, stands = self.library.book(), self.standing()
        by_account: dict[str, list[Shelf]] = {}
        for shelf in self.records.shelves():
            if in_force(shelf.revisions, period) is not None:
                by_account.setdefault(shelf.account, []).append(shelf)
        billed = self._months.of(period, list(by_account), book)
        awards: list[Award] = []
        nothing: dict[tuple[str, str], str] = {}
        problems: dict[str, str] = {}
        for account, shelves in by_account.items():
            if account not in billed:
                problems[account] = f"it has no active bill for {period}; bill the period first"
                continue
            month = billed[account]
            try:
                found = dues(month, _in_force(shelves, period), book)
                payout = book.require(Payout, month.areas, month.first_day)[1]
            except (LookupError, OverlappingSheets) as error:
                problems[account] = str(error)
                continue
            head = Head(month, payout, now + payout.grant_valid_days * DAY_S, on, act, batch)
            for shelf in shelves:
                award = award_for(shelf, account_of(shelf, stands), found[shelf.case], head)
                if isinstance(award, Award):
                    awards.append(award)
                else:
                    nothing[account, shelf.case] = award
        return Plan(period, tuple(awards), nothing, problems)

    # --- changes ---

    def recompute(
        self, account: str, number: str, changes: Mapping[str, Any], *, since: Period, on: date, act: str,
        manner: Manner = Manner.WITHHOLD, dry: bool = False,
    ) -> Change:  # fmt: skip
        """Changes inputs of a case from a month on, and works out again every month that was given: what was more
        than due is owed back, under ``act``; what was less comes with the month's next batch.

        Without ``changes`` the months alone are worked out again: a standard or the bill changed. ``dry`` records
        nothing. Raises NoSuchCase, BadCase, NoSheet, NoBound.
        """
        shelf = self.shelf(account, number)
        revision = max(shelf.revisions, key=lambda r: r.number)
        fresh = bool(changes)
        if fresh:
            revision = Revision(revision.number + 1, since, on, act, changed(revision.case, changes))
        shelves = [
            _with(other, revision) if fresh and other.case == number else other
            for other in self.records.shelves([account])
        ]
        months, recoveries = self._again(account, shelves, Demand(on, act, manner))
        if not dry:
            if fresh:
                self.records.add_revision(revision)
            self.records.add_recoveries(recoveries)
        return Change(revision, tuple(months), tuple(recoveries))

    def _again(
        self, account: str, shelves: Sequence[Shelf], demand: Demand
    ) -> tuple[list[tuple[Period, str, int, int]], list[Recovery]]:
        book, stands = self.library.book(), self.standing()
        accounts = {shelf.case: account_of(shelf, stands) for shelf in shelves}
        months: list[tuple[Period, str, int, int]] = []
        recoveries: list[Recovery] = []
        for period in sorted({award.period for shelf in shelves for award in shelf.awards}):
            month = self._months.of(period, [account], book).get(account)
            if month is None:  # its document can't be read any more: what was given for it stays as it is
                continue
            found = dues(month, _in_force(shelves, period), book)
            for shelf in shelves:
                settled = accounts[shelf.case].settled(period)
                due = found.get(shelf.case, NOTHING_DUE)
                if settled or due.amount_kopecks:
                    months.append((period, shelf.case, settled, due.amount_kopecks))
                number = 1 + len(shelf.recoveries) + sum(r.case == shelf.case for r in recoveries)
                owed = recovery_for(shelf, accounts[shelf.case], due, period, number=number, demand=demand)
                if owed is not None:
                    recoveries.append(owed)
        return months, recoveries

    def repay(self, account: str, number: str, recovery: int, amount_kopecks: int, *, act: str, on: date) -> int:
        """Records that the person gave back a part of a recovery; what is left of it. Raises NoSuchCase, ValueError."""
        shelf = self.shelf(account, number)
        left = account_of(shelf, self.standing()).open_kopecks
        if not 0 < amount_kopecks <= left.get(recovery, 0):
            raise ValueError(
                f"recovery {recovery} of case {number} has {left.get(recovery, 0)} kopecks open, "
                f"so {amount_kopecks} can't be given back; see `kopeck subsidy cases`"
            )
        repayment = Repayment(account, number, recovery, amount_kopecks, act, on)
        self.records.add_repayment(repayment, len(shelf.repayments) + 1)
        return left[recovery] - amount_kopecks


def _in_force(shelves: Iterable[Shelf], period: Period) -> list[Revision]:
    found = (in_force(shelf.revisions, period) for shelf in shelves)
    return [revision for revision in found if revision is not None]


def _with(shelf: Shelf, revision: Revision) -> Shelf:
    return Shelf(
        shelf.account, shelf.case, (*shelf.revisions, revision), shelf.awards, shelf.recoveries, shelf.repayments
    )


def _first_day(period: Period) -> date:
    return date(period.year, period.month, 1)
