"""The ledger on a real chain: what it says equals what the contracts say, and what a rebuild says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.wire.calls import encode_set_supplier_active
from contracts.wire.erasure import sign_erasure
from contracts.wire.files import LeafLine, encode_file, parse_file
from contracts.wire.ids import BillState, Hash, KeyId, MeterId, Reference, SourceClass, SupplierId, Tag
from contracts.wire.leaf import (
    BillKind,
    Credit,
    Decision,
    DecisionReason,
    Profile,
    Quality,
    RegisterReading,
    reading_blob,
)
from contracts.wire.merkle import Tree, leaf_hash, root_of
from contracts.wire.units import Unit
from ledger.models import ClosedState
from ledger.queries.readings import DecisionsOutstanding
from ledger.queries.views import ReceiptKind
from tests.ledger.indexed import Indexed
from tests.ledger.town import Draft, PostedRun, Town, bytes_of, key_of

KEY = KeyId(bytes_of("account", 16))
METER = MeterId(bytes_of("meter", 16))


def register(taken_at: int, value: int, quality: Quality = Quality.MEASURED) -> RegisterReading:
    return RegisterReading(METER, 0, taken_at, value, Unit.LITRE, quality)


def two_suppliers(town: Town) -> None:
    town.add_supplier("water")
    town.add_supplier("heat")


def posted(town: Town, *lines: tuple[tuple[int, int], ...]) -> PostedRun:
    return town.post_run([Draft(f"b{i}", line) for i, line in enumerate(lines)], KEY)


class TestPayments:
    def test_one_bill_paid_at_once_names_every_kopeck(self, indexed: Indexed) -> None:
        town = indexed.town
        two_suppliers(town)
        town.mint("agent", 100_000, "d1")
        run = posted(town, ((1, 12_345), (2, 678)))
        town.pay("agent", run, 0)
        ledger = indexed.sync()
        bill = ledger.bill(run.key(0))
        assert bill is not None
        assert bill.state is BillState.PAID
        assert [(line.charged_kopecks, line.paid_kopecks, line.open_kopecks) for line in bill.lines] == [
            (12_345, 12_345, 0),
            (678, 678, 0),
        ]
        (receipt,) = ledger.receipts(run.key(0))
        assert receipt.kind is ReceiptKind.PAYMENT
        assert receipt.payer == town.account("agent")
        assert [(leg.line, leg.supplier, leg.wallet, leg.amount_kopecks) for leg in receipt.legs] == [
            (0, 1, town.account("water"), 12_345),
            (1, 2, town.account("heat"), 678),
        ]
        assert bill.document == Draft("b0", ()).document
        assert root_of(leaf_hash(bill.blob), 0, ledger.proof(run.key(0)), 1) == run.tree.root
        assert ledger.balance(town.account("agent")) == 100_000 - 13_023
        indexed.assert_right()

    def test_a_batch_of_bills_is_one_transfer_a_supplier_and_a_receipt_a_bill(self, indexed: Indexed) -> None:
        town = indexed.town
        two_suppliers(town)
        town.mint("agent", 10_000_000, "d1")
        run = posted(town, *(((1, 100 + i), (2, 200 + i)) for i in range(9)))
        reference = Reference(bytes_of("batch"))
        town.pay(party="agent", run=run, index=3)
        town.pay_batch(reference, run, {1: 1 << 40, 3: 1 << 40, 7: 150})
        town.pay_batch(reference, run, {1: 1 << 40, 3: 1 << 40, 7: 150})
        ledger = indexed.sync()
        outcome = ledger.batch(town.account("agent"), reference)
        assert outcome is not None
        assert [r.bill for r in outcome.receipts] == [run.key(1), run.key(7)]
        assert outcome.skipped == (run.key(3),)
        assert outcome.total_kopecks == run.bills[1].total_kopecks + 150
        states = [b.state for b in ledger.bills_of_run(run.run)]
        assert states[1] is BillState.PAID
        assert states[7] is BillState.PARTIAL
        assert states[0] is BillState.OPEN
        indexed.assert_right()

    def test_an_order_has_a_receipt_or_a_skip(self, indexed: Indexed) -> None:
        town = indexed.town
        two_suppliers(town)
        town.mint("resident", 50_000, "d1")
        run = posted(town, ((1, 1_000), (2, 2_000)))
        paid = town.pay_order("resident", run, 0, 2_999, nonce=1)
        rest = town.pay_order("resident", run, 0, 2_999, nonce=2)
        late = town.pay_order("resident", run, 0, 2_999, nonce=3)
        ledger = indexed.sync()
        outcomes = [ledger.order(digest) for digest in (paid, rest, late)]
        amounts = [o.receipt.amount_kopecks if o and o.receipt else None for o in outcomes]
        assert amounts == [2_999, 1, None]
        assert ledger.order(Reference(bytes_of("never sent"))) is None
        indexed.assert_right()

    def test_a_suspended_suppliers_leg_stays_open(self, indexed: Indexed) -> None:
        town = indexed.town
        two_suppliers(town)
        town.mint("agent", 50_000, "d1")
        run = posted(town, ((1, 1_000), (2, 2_000)))
        town.send("operator", "Registry", encode_set_supplier_active(SupplierId(2), False))
        town.pay("agent", run, 0)
        ledger = indexed.sync()
        bill = ledger.bill(run.key(0))
        assert bill is not None
        assert bill.state is BillState.PARTIAL
        assert [line.open_kopecks for line in bill.lines] == [0, 2_000]
        assert [s.is_active for s in ledger.suppliers()] == [True, False]
        indexed.assert_right()


class TestBenefits:
    def test_grants_prepayments_credits_and_refunds_sum_up(self, indexed: Indexed) -> None:
        town = indexed.town
        two_suppliers(town)
        town.mint("agent", 1_000_000, "d1")
        town.mint("welfare", 500_000, "d2")
        prepayment = town.prepay("agent", SupplierId(1), 700, Tag(bytes_of("tag")))
        run = town.post_run(
            [
                Draft("a", ((1, 1_000), (2, 5_000)), credits=(Credit(0, 700, prepayment),)),
                Draft("b", ((1, 300), (2, 400))),
            ],
            KEY,
        )
        a = run.order_of(Draft("a", ()).blob.commit)
        b = 1 - a
        batch, blobs = town.post_grants([(run.key(a), 1, 1_500), (run.key(b), 0, 100)], "act")
        town.apply_grant(batch, blobs, 0, run, a)
        town.pay("agent", run, a)
        note = town.post_run([Draft("n", ((1, 0), (2, 2_000)), BillKind.CREDIT_NOTE, original=run.key(a))], KEY)
        town.refund("heat", note.proven(0), run.proven(a), 1, nonce=5)
        ledger = indexed.sync()
        bill = ledger.bill(run.key(a))
        assert bill is not None
        assert bill.state is BillState.PAID
        assert bill.notes == (note.key(0),)
        first, second = bill.lines
        assert (first.netted_kopecks, first.paid_kopecks) == (700, 300)
        assert (second.granted_kopecks, second.paid_kopecks, second.refunded_kopecks) == (1_500, 3_500, 2_000)
        kinds = [receipt.kind for receipt in ledger.receipts(run.key(a))]
        assert set(kinds) == {ReceiptKind.PREPAYMENT, ReceiptKind.GRANT, ReceiptKind.PAYMENT, ReceiptKind.REFUND}
        totals = ledger.totals()
        assert (totals.granted_kopecks, totals.prepaid_kopecks, totals.refunded_kopecks) == (1_500, 700, 2_000)
        assert totals.received_kopecks == totals.paid_kopecks + 1_500 + 700 - 2_000
        used, unused = ledger.grants_of_batch(batch)
        assert (used.used_kopecks, unused.used_kopecks) == (1_500, None)
        left = ledger.prepayment(prepayment)
        assert left is not None
        assert left.left_kopecks == 0
        rows = ledger.statement(SupplierId(2), 0, 1 << 40)
        assert sum(row.amount_kopecks for row in rows) == 1_500 + 3_500 - 2_000
        assert ledger.balance(town.account("heat")) == 3_000
        indexed.assert_right()

    def test_a_correcting_run_supersedes_open_bills(self, indexed: Indexed) -> None:
        town = indexed.town
        two_suppliers(town)
        run = posted(town, ((1, 1_000), (2, 5_000)))
        other = town.post_run([Draft("c", ((1, 900),))], KEY, superseded=[run.key(0)])
        ledger = indexed.sync()
        bill = ledger.bill(run.key(0))
        assert bill is not None
        assert (bill.state, bill.superseded_by, bill.open_kopecks) == (BillState.SUPERSEDED, other.run, 0)
        assert ledger.totals().charged_kopecks == 900
        indexed.assert_right()


class TestClaims:
    def test_a_run_that_claims_other_lines_than_its_bills_have_is_a_fault(self, indexed: Indexed) -> None:
        town = indexed.town
        two_suppliers(town)
        drafts = [Draft("x", ((1, 900), (2, 50)))]
        town.post_run(drafts, KEY, claimed_too_much_kopecks=1)
        (fault,) = indexed.sync().faults()
        assert fault.kind == "run"
        assert "901 kopecks for supplier 1, its bills hold 1 lines and 900 kopecks" in fault.detail


class TestReadings:
    def test_only_what_is_final_and_held_twice_may_be_billed(self, indexed: Indexed) -> None:
        town = indexed.town
        source = town.add_source("c1")
        first = town.anchor("c1", source, [register(100, 5), register(200, 7)], KEY)
        second = town.anchor("c1", source, [register(300, 9)], KEY)
        ledger = indexed.sync()
        assert ledger.registers([METER], 0, 1_000) == []
        town.acknowledge(first)
        town.acknowledge(second, holders=["holder-ledger"])
        indexed.sync()
        assert ledger.registers([METER], 0, 1_000) == []
        town.finalise()
        indexed.sync()
        assert [(r.taken_at, r.value) for r in ledger.registers([METER], 0, 1_000)] == [(100, 5), (200, 7)]
        (head,) = ledger.chain_heads()
        assert head.sequence == 1
        town.acknowledge(second, holders=["holder-archive"])
        town.finalise()
        indexed.sync()
        assert [(h.epoch, h.sequence, h.hash) for h in ledger.chain_heads()] == [town.heads[source]]
        assert [r.value for r in ledger.registers([METER], 150, 300)] == [7]
        indexed.assert_right()

    def test_a_batch_behind_one_that_is_not_kept_is_not_used(self, indexed: Indexed) -> None:
        town = indexed.town
        source = town.add_source("c1")
        roots = [town.anchor("c1", source, [register(100 * i, i)], KEY) for i in (1, 2, 3, 4)]
        town.acknowledge(roots[0], roots[1], roots[3])
        town.finalise()
        ledger = indexed.sync()
        heads = ledger.heads_to_bill()
        assert [(h.source, h.sequence) for h in heads] == [(source, 2)]
        assert [r.value for r in ledger.registers([METER], 0, 1_000)] == [1, 2]
        town.acknowledge(roots[2])
        town.finalise()
        indexed.sync()
        assert [r.value for r in ledger.registers([METER], 0, 1_000, heads)] == [1, 2]
        assert [r.value for r in ledger.registers([METER], 0, 1_000, ledger.heads_to_bill())] == [1, 2, 3, 4]

    def test_a_profile_or_decision_behind_the_heads_is_not_used(self, indexed: Indexed) -> None:
        town = indexed.town
        source, validation = town.add_source("c1"), town.add_source("v", SourceClass.VALIDATION)
        profile = Profile(METER, 1, 1_000, 1_800, Unit.WH, (1,), (Quality.MEASURED,))
        root = town.anchor("c1", source, [profile], KEY)
        town.acknowledge(root)
        town.finalise()
        ledger = indexed.sync()
        before = ledger.heads_to_bill()
        rejection = [Decision(root, 0, Quality.MISSING, DecisionReason.JUMP, None)]
        later = replace(profile, start=2_800)
        town.acknowledge(town.anchor("v", validation, rejection, KEY), town.anchor("c1", source, [later], KEY))
        town.finalise()
        indexed.sync()
        assert [r.start for r in ledger.profiles([METER], 0, 9_000, before)] == [1_000]
        assert [r.start for r in ledger.profiles([METER], 0, 9_000, ledger.heads_to_bill())] == [2_800]

    def test_no_heads_are_given_while_a_final_decision_is_not_kept(self, indexed: Indexed) -> None:
        town = indexed.town
        source, validation = town.add_source("c1"), town.add_source("v", SourceClass.VALIDATION)
        root = town.anchor("c1", source, [register(100, 5)], KEY)
        town.acknowledge(root)
        town.finalise()
        ledger = indexed.sync()
        assert [h.source for h in ledger.heads_to_bill()] == [source]
        rejection = [Decision(root, 0, Quality.MISSING, DecisionReason.JUMP, None)]
        decided = town.anchor("v", validation, rejection, KEY)
        town.acknowledge(decided, holders=["holder-ledger"])
        town.finalise()
        indexed.sync()
        with pytest.raises(
            DecisionsOutstanding, match=rf"^batch 1 \(epoch 0\) of validation source {validation},"
        ) as caught:
            ledger.heads_to_bill()
        assert caught.value.root == decided
        town.acknowledge(decided, holders=["holder-archive"])
        town.finalise()
        indexed.sync()
        assert [h.source for h in ledger.heads_to_bill()] == [source, validation]
        assert ledger.registers([METER], 0, 1_000) == []

    def test_a_decision_replaces_or_rejects_a_leaf_if_the_validation_step_made_it(self, indexed: Indexed) -> None:
        town = indexed.town
        source, validation = town.add_source("c1"), town.add_source("v", SourceClass.VALIDATION)
        root = town.anchor("c1", source, [register(100, 5), register(200, 999), register(300, 4)], KEY)
        instead = register(200, 7, Quality.SUBSTITUTED)
        decided = town.anchor(
            "v",
            validation,
            [
                Decision(root, 1, Quality.SUBSTITUTED, DecisionReason.JUMP, instead),
                Decision(root, 2, Quality.MISSING, DecisionReason.DECREASING, None),
            ],
            KEY,
        )
        stranger = town.anchor("c1", source, [Decision(root, 0, Quality.MISSING, DecisionReason.JUMP, None)], KEY)
        town.acknowledge(root, decided, stranger)
        town.finalise()
        rows = indexed.sync().registers([METER], 0, 1_000)
        assert [(r.value, r.quality) for r in rows] == [(5, Quality.MEASURED), (7, Quality.SUBSTITUTED)]
        assert rows[1].overlaid is not None
        assert (rows[1].overlaid.root, rows[1].overlaid.index) == (root, 1)
        assert rows[1].source_class is SourceClass.VALIDATION
        indexed.assert_right()

    def test_profiles_keep_each_intervals_value_and_quality(self, indexed: Indexed) -> None:
        town = indexed.town
        source = town.add_source("c1")
        values = (1, None, 0, 4_000_000_000)
        qualities = (Quality.MEASURED, Quality.MISSING, Quality.IMPORTED, Quality.NOT_FOR_SETTLEMENT)
        profile = Profile(METER, 1, 1_000, 1_800, Unit.WH, values, qualities)
        town.acknowledge(town.anchor("c1", source, [profile], KEY))
        town.finalise()
        ledger = indexed.sync()
        (row,) = ledger.profiles([METER], 0, 1_001)
        assert (row.values, row.qualities, row.end) == (values, qualities, profile.end)
        assert ledger.profiles([METER], profile.end, 10_000) == []
        indexed.assert_right()


class TestFiles:
    def test_a_missing_file_is_reported_and_taken_when_it_comes(self, indexed: Indexed) -> None:
        town = indexed.town
        source = town.add_source("c1")
        root = town.anchor("c1", source, [register(100, 5)], KEY, is_served=False)
        ledger = indexed.sync()
        (missing,) = ledger.missing_files()
        assert (missing.kind, missing.root) == ("readings", root)
        assert serve_first_batch(town, source) == root
        indexed.sync()
        assert ledger.missing_files() == []
        assert ledger.totals().readings == 1

    def test_a_file_that_leads_to_another_root_is_not_taken(self, indexed: Indexed) -> None:
        town = indexed.town
        source = town.add_source("c1")
        root = town.anchor("c1", source, [register(100, 5), register(101, 6)], KEY)
        data = town.files.get("readings", root)
        assert data is not None
        head, one, two = data.splitlines()
        town.files.put("readings", root, b"\n".join((head, two, one)) + b"\n")
        ledger = indexed.sync()
        (missing,) = ledger.missing_files()
        assert "lead to" in missing.reason

    def test_an_erased_account_counts_as_erased_and_its_bill_still_proves(self, indexed: Indexed) -> None:
        town = indexed.town
        source = town.add_source("c1")
        root = town.anchor("c1", source, [register(100, 5), register(101, 6)], KEY)
        data = town.files.get("readings", root)
        assert data is not None
        head, lines = parse_file(data)
        erasure = sign_erasure(key_of("operator"), lines[1].leaf, KEY, 5, "act 7")
        lines[1] = LeafLine(lines[1].leaf, erased=erasure)
        lines[0] = LeafLine(lines[0].leaf)
        town.files.put("readings", root, encode_file(head, lines))
        ledger = indexed.sync()
        assert ledger.closed_leaves() == {("readings", ClosedState.ERASED): 1, ("readings", ClosedState.MISSING): 1}


def serve_first_batch(town: Town, source: int) -> Hash:
    """Serves the file of the first batch again without anchoring it."""
    lines = town.sealed([reading_blob(bytes_of(f"{source}/0/0/0"), register(100, 5))], KEY)
    root = Tree.of([line.leaf for line in lines]).root
    town.files.put("readings", root, encode_file({"kind": "readings"}, lines))
    return root
