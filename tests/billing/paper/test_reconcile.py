"""Reconciliation: whatever is done to a bank's file, every kopeck of both sides stands in one place."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from billing.paper.bank import BankEntry, BankStatement
from billing.paper.exchange import Movement
from billing.paper.reconcile import MatchedBy, Reconciliation, reconcile
from contracts.wire.ids import Address, Hash
from ledger.queries.supplier_views import ReceiptSource

AGENT, PAYER = Address(b"\x01" * 20), Address(b"\x02" * 20)
NOON = int(datetime(2026, 2, 5, 12, tzinfo=UTC).timestamp())
DAY = 86_400


def moved(number: int, kopecks: int, day: int = 0, source: ReceiptSource = ReceiptSource.PAYER) -> Movement:
    party = AGENT if source is ReceiptSource.AGENT else PAYER
    return Movement(NOON + DAY * day, Hash(number.to_bytes(32, "big")), source, party, kopecks, 1)


def booked(line: int, kopecks: int, day: int = 0, purpose: str = "ЖКУ") -> BankEntry:
    return BankEntry(line, date(2026, 2, 5) + timedelta(days=day), kopecks, purpose=purpose)


def held(entries: list[BankEntry], movements: list[Movement], days: int = 3) -> Reconciliation:
    statement = BankStatement("4" * 20, tuple(entries), (), "utf-8")
    return reconcile(statement, movements, lambda at: datetime.fromtimestamp(at, UTC).date(), days)


def name(movement: Movement) -> str:
    return f"ЖКУ; транзакция 0x{movement.tx_hash.hex()}"


def test_the_named_transaction_wins_over_the_same_sum() -> None:
    first, second = moved(1, 500), moved(2, 500)
    found = held([booked(1, 500, purpose=name(second)), booked(2, 500, purpose=name(first))], [first, second])
    assert found.is_even
    assert {(m.entries[0].line, m.movements[0].tx_hash[-1]) for m in found.matches} == {(1, 2), (2, 1)}


def test_a_kopeck_short_is_a_difference_of_its_transaction() -> None:
    found = held([booked(1, 499, purpose=name(moved(1, 500)))], [moved(1, 500)])
    assert not found.is_even
    assert [(m.by, m.difference_kopecks) for m in found.differing] == [(MatchedBy.TRANSACTION, -1)]


def test_a_day_s_receipts_put_together_are_found() -> None:
    agents = [moved(i, 100 + i, source=ReceiptSource.AGENT) for i in range(5)]
    others = [moved(9, 70), moved(10, 7, day=1)]
    found = held([booked(1, 510, day=1), booked(2, 77, day=1)], agents + others)
    assert [m.by for m in found.matches] == [MatchedBy.DAY_TOTAL]
    assert [e.line for e in found.entries] == [2]  # 70 and 7 are of two days: no guess is made
    assert sorted(m.amount_kopecks for m in found.movements) == [7, 70]


def test_late_booking_is_taken_within_the_days_alone() -> None:
    assert held([booked(1, 5, day=3)], [moved(1, 5)]).is_even
    assert not held([booked(1, 5, day=4)], [moved(1, 5)]).is_even
    assert held([booked(1, 5, day=-1)], [moved(1, 5)]).is_even
    assert not held([booked(1, 5, day=-2)], [moved(1, 5)]).is_even


def test_a_refund_is_never_matched_with_a_receipt() -> None:
    found = held([booked(1, -5)], [moved(1, 5)])
    assert (len(found.entries), len(found.movements)) == (1, 1)


SUMS = st.integers(-3, 6).filter(bool).map(lambda n: n * 100)
SIDES = st.tuples(
    st.lists(st.tuples(SUMS, st.integers(-2, 4), st.booleans()), max_size=8),
    st.lists(st.tuples(SUMS, st.integers(0, 3), st.sampled_from(ReceiptSource)), max_size=8),
)


@given(SIDES, st.integers(0, 3))
def test_every_kopeck_stands_in_one_place(
    sides: tuple[list[tuple[int, int, bool]], list[tuple[int, int, ReceiptSource]]], days: int
) -> None:
    movements = [moved(i, kopecks, day, source) for i, (kopecks, day, source) in enumerate(sides[1])]
    entries = [
        booked(i, kopecks, day, name(movements[i % len(movements)]) if is_named and movements else "")
        for i, (kopecks, day, is_named) in enumerate(sides[0])
    ]
    found = held(entries, movements, days)
    matched_entries = [e for m in found.matches for e in m.entries]
    matched_movements = [x for m in found.matches for x in m.movements]
    assert sorted(e.line for e in [*matched_entries, *found.entries]) == list(range(len(entries)))
    assert sorted(m.tx_hash for m in [*matched_movements, *found.movements]) == [m.tx_hash for m in movements]
    difference = sum(m.difference_kopecks for m in found.matches)
    alone = sum(e.amount_kopecks for e in found.entries) - sum(m.amount_kopecks for m in found.movements)
    assert found.bank_kopecks - found.chain_kopecks == difference + alone
    assert not found.is_even or found.bank_kopecks == found.chain_kopecks
    assert all(not m.difference_kopecks or m.by is MatchedBy.TRANSACTION for m in found.matches)
