"""Where a payer's sum goes."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.debt.allocation import Allocation, Claim, OpenLine, Rank, allocate
from contracts.wire.ids import BillKey, Period, RunId, Service, SupplierId

JANUARY, FEBRUARY, MARCH = Period(2026, 1), Period(2026, 2), Period(2026, 3)


def claim(index: int, period: Period, *opens: int, rank: Rank = Rank.PRINCIPAL, **more: bool) -> Claim:
    lines = tuple(OpenLine(i, Service.COLD_WATER, SupplierId(i + 1), amount) for i, amount in enumerate(opens))
    return Claim(BillKey(RunId(1), index), period, rank, lines, **more)


def said(allocation: Allocation) -> list[tuple[int, list[int]]]:
    return [(share.claim.leaf.index, [part.amount_kopecks for part in share.lines]) for share in allocation.shares]


def test_the_oldest_period_comes_first() -> None:
    got = allocate(150, [claim(2, FEBRUARY, 100), claim(1, JANUARY, 100)])
    assert said(got) == [(1, [100]), (2, [50])]


def test_the_named_period_comes_before_older_ones_and_the_rest_goes_to_the_oldest() -> None:
    got = allocate(150, [claim(1, JANUARY, 100), claim(2, FEBRUARY, 100), claim(3, MARCH, 100)], MARCH)
    assert said(got) == [(3, [100]), (1, [50])]


def test_what_is_past_the_limitation_comes_last_unless_it_is_named() -> None:
    claims = [claim(1, JANUARY, 100, is_expired=True), claim(2, FEBRUARY, 100)]
    assert said(allocate(100, claims)) == [(2, [100])]
    assert said(allocate(100, claims, JANUARY)) == [(1, [100])]


def test_penalties_come_after_all_principal_and_costs_before_it() -> None:
    claims = [
        claim(1, JANUARY, 10, rank=Rank.PENALTY),
        claim(2, MARCH, 20),
        claim(3, MARCH, 5, rank=Rank.COSTS),
        claim(4, MARCH, 7, rank=Rank.INTEREST),
    ]
    assert [index for index, _ in said(allocate(1000, claims, JANUARY))] == [3, 4, 2, 1]
    assert allocate(1000, claims).left_kopecks == 1000 - 42


def test_suppliers_share_pro_rata_and_the_odd_kopeck_goes_by_largest_remainder() -> None:
    """100 kopecks over 30, 30 and 60 of 120: 25, 25, 50; 10 over the same: 2.5, 2.5, 5 gives the first the odd one."""
    assert said(allocate(100, [claim(1, JANUARY, 30, 30, 60)])) == [(1, [25, 25, 50])]
    assert said(allocate(10, [claim(1, JANUARY, 30, 30, 60)])) == [(1, [3, 2, 5])]


def test_a_disputed_claim_waits_and_is_named() -> None:
    got = allocate(500, [claim(1, JANUARY, 100, waits=True), claim(2, FEBRUARY, 100)], JANUARY)
    assert said(got) == [(2, [100])]
    assert got.left_kopecks == 400
    assert [c.leaf.index for c in got.waiting] == [1]


def test_a_negative_sum_is_refused() -> None:
    with pytest.raises(ValueError, match="-1 kopecks"):
        allocate(-1, [])


claims = st.lists(
    st.builds(
        lambda index, month, opens, rank, expired, waits: claim(
            index, Period(2026, month), *opens, rank=rank, is_expired=expired, waits=waits
        ),
        st.integers(0, 50),
        st.integers(1, 12),
        st.lists(st.integers(0, 10**6), min_size=1, max_size=6),
        st.sampled_from(Rank),
        st.booleans(),
        st.booleans(),
    ),
    max_size=8,
    unique_by=lambda c: c.leaf.index,
)
named_periods = st.none() | st.integers(1, 12).map(lambda month: Period(2026, month))


@given(st.integers(0, 10**7), claims, named_periods)
def test_every_kopeck_has_a_place_and_no_line_gets_more_than_is_open(
    amount: int, claims: list[Claim], named: Period | None
) -> None:
    got = allocate(amount, claims, named)
    assert sum(share.amount_kopecks for share in got.shares) + got.left_kopecks == amount
    for share in got.shares:
        assert not share.claim.waits
        for part in share.lines:
            assert 0 <= part.amount_kopecks <= part.line.open_kopecks
            fair = Fraction(share.amount_kopecks * part.line.open_kopecks, share.claim.open_kopecks)
            assert abs(part.amount_kopecks - fair) < 1
    assert got.left_kopecks == 0 or all(
        share.amount_kopecks == share.claim.open_kopecks for share in got.shares
    )  # something is left over only when everything else is covered


@given(st.integers(0, 10**7), claims, named_periods)
def test_nothing_later_is_paid_while_something_earlier_is_open(
    amount: int, claims: list[Claim], named: Period | None
) -> None:
    got = allocate(amount, claims, named)
    paid = {share.claim.leaf: share.amount_kopecks for share in got.shares}
    payable = [c for c in claims if not c.waits and c.open_kopecks]
    for one in payable:
        for other in payable:
            if _before(one, other, named) and paid.get(other.leaf):
                assert paid.get(one.leaf) == one.open_kopecks


def _before(one: Claim, other: Claim, named: Period | None) -> bool:
    """The law's order said once more, in other words."""
    if one.rank != other.rank:
        return one.rank < other.rank
    if (one.period == named) != (other.period == named):
        return one.period == named
    if one.is_expired != other.is_expired:
        return not one.is_expired
    return one.period < other.period


@given(st.integers(0, 10**6), st.integers(0, 10**5), claims, named_periods)
def test_more_money_never_takes_from_a_claim(amount: int, more: int, claims: list[Claim], named: Period | None) -> None:
    less, bigger = allocate(amount, claims, named), allocate(amount + more, claims, named)
    before = {share.claim.leaf: share.amount_kopecks for share in less.shares}
    after = {share.claim.leaf: share.amount_kopecks for share in bigger.shares}
    alone = {c.leaf for c in claims if sum(_same_turn(c, o) for o in claims) == 1}
    assert all(after.get(leaf, 0) >= amount_before for leaf, amount_before in before.items() if leaf in alone)


def _same_turn(one: Claim, other: Claim) -> bool:
    return (one.rank, one.is_expired, one.period) == (other.rank, other.is_expired, other.period)
