"""However often inputs change, a month ends with what is due: no line above its charge, nothing taken back twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.welfare.awards import Award, Manner, Recovery
from billing.welfare.cases import CompensationCase, Revision
from billing.welfare.due import Due
from billing.welfare.records import Shelf
from billing.welfare.reference import Effect, Payout
from billing.welfare.settling import Demand, Head, award_for, recovery_for
from billing.welfare.standing import Account, Given, account_of
from contracts.wire.ids import Service
from tests.billing.welfare.test_due import JANUARY, SERVICES, month_of

DAY = date(2026, 2, 1)
CHARGED = 1000
CASE = CompensationCase("17", "K", DAY, "family", "", JANUARY)
EMPTY = Shelf("17", "K", (Revision(1, JANUARY, DAY, "decision", CASE),), (), (), ())


class AsGiven:
    """A chain that applied every grant in full."""

    def of(self, awards: Iterable[Award]) -> list[Given]:
        return [Given(a, {line.service: line.amount_kopecks for line in a.lines}, a.withheld) for a in awards]


def sums(shelf: Shelf) -> Account:
    return account_of(shelf, AsGiven())  # type: ignore[arg-type]


def on_lines(shelf: Shelf, service: Service) -> int:
    return sum(line.amount_kopecks for award in shelf.awards for line in award.lines if line.service is service)


def award(shelf: Shelf, due: Due, effect: Effect) -> Award | str:
    still_open = {service: CHARGED - on_lines(shelf, service) for service in SERVICES}
    month = replace(month_of([CHARGED] * len(SERVICES)), open_kopecks=still_open)
    return award_for(shelf, sums(shelf), due, Head(month, Payout(effect, effect, 180), 1, DAY, "order", "batch"))


def with_award(shelf: Shelf, due: Due, effect: Effect) -> Shelf:
    made = award(shelf, due, effect)
    return replace(shelf, awards=(*shelf.awards, made)) if isinstance(made, Award) else shelf


def with_recovery(shelf: Shelf, due: Due, manner: Manner) -> tuple[Shelf, Recovery | None]:
    demand = Demand(DAY, "act", manner)
    made = recovery_for(shelf, sums(shelf), due, JANUARY, number=len(shelf.recoveries) + 1, demand=demand)
    return (shelf if made is None else replace(shelf, recoveries=(*shelf.recoveries, made))), made


def due_of(kopecks: list[int]) -> Due:
    lines = {service: amount for service, amount in zip(SERVICES, kopecks, strict=True) if amount}
    return Due("benefit", lines, (), 1, 4 * CHARGED, "" if lines else "nothing")


lines_due = st.lists(st.integers(0, CHARGED), min_size=len(SERVICES), max_size=len(SERVICES)).map(due_of)


@given(steps=st.lists(st.tuples(lines_due, st.sampled_from(Manner)), min_size=1, max_size=6))
def test_paid_to_the_person_a_month_always_ends_with_what_is_due(steps: list[tuple[Due, Manner]]) -> None:
    shelf = EMPTY
    for due, manner in steps:
        before = sums(shelf).settled(JANUARY)
        shelf, owed = with_recovery(shelf, due, manner)
        assert (owed is None) == (before <= due.amount_kopecks)
        shelf = with_award(shelf, due, Effect.PERSON)
        account = sums(shelf)
        assert account.settled(JANUARY) == due.amount_kopecks
        assert min(account.open_kopecks.values(), default=0) >= 0
        # In money: what went out is what is due, and what is owed back still.
        paid = sum(award.net_kopecks for award in shelf.awards)
        assert paid == due.amount_kopecks + sum(account.open_kopecks.values())


@given(steps=st.lists(st.tuples(lines_due, st.sampled_from(Manner)), min_size=1, max_size=6))
def test_on_the_bill_no_line_ever_gets_more_than_its_charge(steps: list[tuple[Due, Manner]]) -> None:
    shelf = EMPTY
    for due, manner in steps:
        shelf, _ = with_recovery(shelf, due, manner)
        shelf = with_award(shelf, due, Effect.BILL)
        account = sums(shelf)
        assert all(0 <= on_lines(shelf, service) <= CHARGED for service in SERVICES)
        assert account.settled(JANUARY) <= due.amount_kopecks
        assert min(account.open_kopecks.values(), default=0) >= 0


def test_what_was_given_too_much_is_said_until_an_act_takes_it_back() -> None:
    first, less = due_of([0, 500, 0, 0]), due_of([0, 200, 0, 0])
    shelf = with_award(EMPTY, first, Effect.BILL)
    told = award(shelf, less, Effect.BILL)
    assert isinstance(told, str)
    assert "300 kopecks more than due" in told
    shelf, owed = with_recovery(shelf, less, Manner.WITHHOLD)
    assert owed is not None
    assert (owed.owed_kopecks, owed.lines) == (300, {Service.ELECTRICITY: 300})
    assert award(shelf, less, Effect.BILL) == "what is due was given already"
    # Due once more in full: what is owed back is set off first, and no money moves.
    shelf = with_award(shelf, first, Effect.BILL)
    assert [a.net_kopecks for a in shelf.awards] == [500, 0]
    assert sums(shelf).open_kopecks == {1: 0}


@pytest.mark.parametrize(("effect", "says"), [(Effect.BILL, "pay it to the person"), (Effect.PERSON, "")])
def test_a_closed_line_takes_nothing_while_the_person_can(effect: Effect, says: str) -> None:
    due = due_of([0, 500, 0, 0])
    month = replace(month_of([CHARGED] * 4), open_kopecks=dict.fromkeys(SERVICES, 0))
    head = Head(month, Payout(effect, effect, 180), 1, DAY, "order", "batch")
    found = award_for(EMPTY, sums(EMPTY), due, head)
    assert isinstance(found, str) == bool(says)
    assert not says or says in str(found)
