"""What stops the ledger: logs that can't be all there are. Each case leaves out or bends one event of a right set."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.wire import events as chain
from contracts.wire.events import LogRef
from contracts.wire.ids import (
    NO_ADDRESS,
    NO_HASH,
    Address,
    BillKey,
    BillState,
    Hash,
    Reference,
    RunId,
    SourceId,
    SupplierId,
)
from contracts.wire.receipts import Leg
from ledger import models
from ledger.errors import SequenceBroken, Unbalanced, UnknownName, Unreconciled
from ledger.models import EntryKind
from ledger.projection import money, project
from ledger.projection.known import Known
from ledger.store import FactRows
from tests.ledger.town import bytes_of

PAYER, PAYOUT, OTHER = (Address(bytes_of(name, 20)) for name in ("payer", "payout", "other"))
BILL = BillKey(RunId(1), 0)


def at(block: int, index: int, tx: str = "tx") -> LogRef:
    return LogRef(block, Hash(bytes_of(f"block{block}")), Hash(bytes_of(tx)), index, "any")


def registered(index: int, supplier: int, payout: Address) -> chain.SupplierRegistered:
    return chain.SupplierRegistered(at(1, index, "registration"), SupplierId(supplier), OTHER, payout, NO_HASH)


def paid(index: int, *legs: tuple[int, int, int]) -> chain.BillPaid:
    parts = tuple(Leg(line, SupplierId(supplier), amount) for line, supplier, amount in legs)
    return chain.BillPaid(at(2, index), BILL, PAYER, Reference(NO_HASH), parts, BillState.PAID)


def moved(index: int, sender: Address, to: Address, amount: int) -> chain.Transfer:
    return chain.Transfer(at(2, index), sender, to, amount)


def entries_of(*events: chain.Event) -> list[tuple[object, ...]]:
    rows = project(events, Known())
    sums: dict[object, int] = {}
    for block, log, _position, *_what, amount in rows.of(models.postings):
        sums[block, log] = sums.get((block, log), 0) + int(str(amount))
    assert set(sums.values()) <= {0}
    return [(kind, amount) for _, _, kind, _, _, amount, _ in rows.of(models.entries)]


class TestMoney:
    def test_a_receipt_and_its_transfers_are_one_entry(self) -> None:
        found = entries_of(registered(0, 1, PAYOUT), paid(0, (0, 1, 70)), moved(1, PAYER, PAYOUT, 70))
        assert found == [(EntryKind.PAYMENT, 70)]

    def test_two_suppliers_with_one_wallet_may_be_paid_by_one_transfer(self) -> None:
        events = (registered(0, 1, PAYOUT), registered(1, 2, PAYOUT), paid(0, (0, 1, 70), (1, 2, 5)))
        assert entries_of(*events, moved(1, PAYER, PAYOUT, 75)) == [(EntryKind.PAYMENT, 75)]

    def test_what_moved_beyond_the_receipts_is_a_plain_transfer(self) -> None:
        events = (
            registered(0, 1, PAYOUT),
            paid(0, (0, 1, 70)),
            moved(1, PAYER, PAYOUT, 100),
            moved(2, PAYER, OTHER, 1),
        )
        assert entries_of(*events) == [
            (EntryKind.PAYMENT, 70),
            (EntryKind.TRANSFER, 30),
            (EntryKind.TRANSFER, 1),
        ]

    def test_a_receipt_without_its_transfer_stops_the_ledger(self) -> None:
        with pytest.raises(Unreconciled, match=r"70 kopecks.*the token moved 0"):
            entries_of(registered(0, 1, PAYOUT), paid(0, (0, 1, 70)))

    def test_a_transfer_one_kopeck_short_stops_the_ledger(self) -> None:
        with pytest.raises(Unreconciled, match=r"70 kopecks.*the token moved 69"):
            entries_of(registered(0, 1, PAYOUT), paid(0, (0, 1, 70)), moved(1, PAYER, PAYOUT, 69))

    def test_a_transfer_to_another_wallet_stops_the_ledger(self) -> None:
        with pytest.raises(Unreconciled):
            entries_of(registered(0, 1, PAYOUT), paid(0, (0, 1, 70)), moved(1, PAYER, OTHER, 70))

    def test_a_transfer_in_another_transaction_does_not_cover_a_receipt(self) -> None:
        elsewhere = chain.Transfer(at(2, 1, "another"), PAYER, PAYOUT, 70)
        with pytest.raises(Unreconciled):
            entries_of(registered(0, 1, PAYOUT), paid(0, (0, 1, 70)), elsewhere)

    def test_a_mint_without_its_transfer_stops_the_ledger(self) -> None:
        mint = chain.Minted(at(2, 0), PAYER, 5, NO_HASH)
        assert entries_of(mint, moved(1, NO_ADDRESS, PAYER, 5)) == [(EntryKind.MINT, 5)]
        with pytest.raises(Unreconciled):
            entries_of(mint)

    @pytest.mark.parametrize("wallet", [PAYER, PAYOUT])
    def test_a_posting_written_one_kopeck_off_stops_the_ledger(
        self, monkeypatch: pytest.MonkeyPatch, wallet: Address
    ) -> None:
        def bent(rows: FactRows, *entry: Any) -> None:
            write(rows, *entry)
            written = rows.of(models.postings)
            written[:] = [(*row[:-1], int(str(row[-1])) + 1) if row[3] == wallet else row for row in written]

        write = money._write
        monkeypatch.setattr(money, "_write", bent)
        with pytest.raises(Unbalanced, match="block 2, log 0 sums to 1 kopecks"):
            project([registered(0, 1, PAYOUT), paid(0, (0, 1, 70)), moved(1, PAYER, PAYOUT, 70)], Known())

    def test_a_changed_payout_counts_from_its_event_on(self) -> None:
        change = chain.PayoutChanged(at(2, 0, "change"), SupplierId(1), OTHER)
        events = (registered(0, 1, PAYOUT), change, paid(1, (0, 1, 70)))
        assert entries_of(*events, moved(2, PAYER, OTHER, 70)) == [(EntryKind.PAYMENT, 70)]
        with pytest.raises(Unreconciled):
            entries_of(*events, moved(2, PAYER, PAYOUT, 70))

    def test_a_receipt_of_an_unknown_supplier_stops_the_ledger(self) -> None:
        with pytest.raises(UnknownName, match="supplier 9"):
            entries_of(paid(0, (0, 9, 70)), moved(1, PAYER, PAYOUT, 70))


class TestChains:
    def anchored(self, epoch: int, sequence: int) -> chain.Anchored:
        log = at(2, sequence, f"anchor{epoch}{sequence}")
        root = Hash(bytes_of("root"))
        return chain.Anchored(log, SourceId(4), root, NO_HASH, epoch, sequence, bytes(24), 1, 0, 0)

    def test_sequences_grow_by_one_within_an_epoch(self) -> None:
        reset = chain.EpochReset(at(2, 3, "reset"), SourceId(4), 1, bytes(24), NO_HASH)
        project([self.anchored(0, 1), self.anchored(0, 2), reset, self.anchored(1, 1)], Known())

    @pytest.mark.parametrize("found", [(0, 3), (0, 1), (1, 2)])
    def test_a_hole_or_a_repeat_stops_the_ledger(self, found: tuple[int, int]) -> None:
        with pytest.raises(SequenceBroken, match=r"source 4: epoch and sequence \(0, 2\) were next"):
            project([self.anchored(0, 1), self.anchored(*found)], Known())

    def test_a_chain_carried_over_goes_on_where_it_stood(self) -> None:
        carried = chain.HeadCarriedOver(at(2, 0, "carry"), SourceId(4), 2, 17, bytes(24))
        project([carried, self.anchored(2, 18)], Known())
