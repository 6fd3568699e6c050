"""Agreements: kept, breached, completed, ended."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.debt.disputes import Dispute
from billing.debt.instalments import Agreement, BadSchedule, Instalment, Standing
from billing.debt.penalty import Paid
from contracts.wire.ids import Period, Service, SupplierId

SIGNED = date(2026, 5, 4)
SCHEDULE = tuple(Instalment(SIGNED + timedelta(days=days), 10_000) for days in (10, 40, 70))
AGREEMENT = Agreement(SIGNED, (Period(2026, 1),), SCHEDULE, "agreement 1")
FIRST, SECOND, THIRD = (instalment.by for instalment in SCHEDULE)


def standing(at: date, *paid: tuple[date, int]) -> Standing:
    return AGREEMENT.standing([Paid(*one) for one in paid], at)


def test_an_instalment_on_its_own_day_is_in_time_and_a_day_later_is_not() -> None:
    assert standing(FIRST) is Standing.KEPT
    assert standing(FIRST + timedelta(days=1)) is Standing.BREACHED
    assert standing(SECOND, (FIRST, 10_000)) is Standing.KEPT
    assert standing(SECOND, (FIRST + timedelta(days=1), 10_000)) is Standing.BREACHED


def test_what_was_paid_ahead_counts_for_the_next_and_what_came_before_the_signing_does_not() -> None:
    assert standing(THIRD, (SIGNED, 20_000)) is Standing.KEPT
    assert standing(FIRST + timedelta(days=1), (SIGNED - timedelta(days=1), 30_000)) is Standing.BREACHED


def test_it_is_completed_when_all_of_it_came() -> None:
    assert standing(SIGNED, (SIGNED, 30_000)) is Standing.COMPLETED
    assert AGREEMENT.stops_restriction([Paid(SIGNED, 30_000)], THIRD + timedelta(days=100))


def test_one_that_was_taken_back_stops_nothing_from_that_day_on() -> None:
    ended = AGREEMENT.end(SIGNED + timedelta(days=3), "letter")
    assert ended.standing([], SIGNED + timedelta(days=2)) is Standing.KEPT
    assert ended.standing([], SIGNED + timedelta(days=3)) is Standing.ENDED
    assert ended.pause([], THIRD, days_count=False).last == SIGNED + timedelta(days=3)


def test_the_pause_ends_with_the_first_missed_instalment() -> None:
    assert AGREEMENT.pause([], FIRST, days_count=False).last is None
    assert AGREEMENT.pause([], THIRD, days_count=False).last == FIRST
    assert AGREEMENT.pause([Paid(FIRST, 10_000)], THIRD, days_count=False).last == SECOND


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ((), "at least one of each"),
        ((Instalment(SIGNED, 0),), "whole kopecks above zero"),
        ((Instalment(SIGNED, 1), Instalment(SIGNED, 1)), "list each day once"),
        ((Instalment(SIGNED - timedelta(days=1), 1),), "list each day once"),
    ],
)
def test_a_schedule_that_can_t_be_kept_is_refused(schedule: tuple[Instalment, ...], said: str) -> None:
    with pytest.raises(BadSchedule, match=said):
        Agreement(SIGNED, (Period(2026, 1),), schedule, "act")


paid = st.lists(
    st.builds(Paid, st.integers(-5, 100).map(lambda n: SIGNED + timedelta(days=n)), st.integers(1, 20_000)), max_size=6
)


@given(paid, st.integers(0, 150))
def test_once_breached_it_stays_so_and_more_money_in_time_only_helps(payments: list[Paid], days: int) -> None:
    at = SIGNED + timedelta(days=days)
    breach = AGREEMENT.breach(payments, at)
    assert breach is None or AGREEMENT.breach(payments, at + timedelta(days=30)) == breach
    more = AGREEMENT.breach([*payments, Paid(SIGNED, 10_000)], at)
    assert more is None or (breach is not None and breach <= more)


def test_cases_are_written_down_and_read_back() -> None:
    ended = AGREEMENT.end(SECOND, "letter")
    assert Agreement.from_json(ended.to_json()) == ended
    dispute = Dispute(Period(2026, 1), Service.SEWAGE, SupplierId(2), SIGNED, "no pipe", "claim 1")
    decided = dispute.decide(upheld=True, on=SECOND, act="decision")
    for one in (dispute, decided):
        assert Dispute.from_json(one.to_json()) == one
    assert (dispute.pause.last, decided.pause.last) == (None, SECOND)
