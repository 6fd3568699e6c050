"""What a correction adds and takes off, for any history of notes: it comes to what is due, and never below zero."""

from __future__ import annotations

import json
from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.corrections import Difference, Leaf, Standing, differences
from billing.domain.calendar import month_span
from billing.domain.charge import ChargedLine, Part
from billing.domain.usage import Method
from billing.run import StoredBill
from contracts.wire.ids import BillKey, BillState, Hash, KeyId, Period, RunId, Service, SupplierId
from contracts.wire.leaf import BillBlob, BillKind, BillLine, encode_bill
from ledger.queries.views import BillView, LineView, RunState
from tests.billing.builders import ZONE

JANUARY = Period(2026, 1)
SERVICES = [Service.COLD_WATER, Service.HOT_WATER, Service.ELECTRICITY, Service.SOLID_WASTE]
Charges = dict[Service, int]


def leaf(number: int, kind: BillKind, lines: list[tuple[Service, int]], moved: bool, original: BillKey | None) -> Leaf:
    key = BillKey(RunId(number), 0)
    bill_lines = tuple(BillLine(SupplierId(int(service)), amount) for service, amount in lines)
    document = {"lines": [{"line": i, "service": service.name.lower()} for i, (service, _) in enumerate(lines)]}
    blob = encode_bill(BillBlob(Hash(bytes([number]) * 32), kind, bill_lines, (), original))
    data = json.dumps(document).encode()
    stored = StoredBill(
        number, 0, "1", JANUARY, number, kind, blob, KeyId(bytes(16)), b"", data, original
    )  # fmt: skip
    views = tuple(
        LineView(i, line.supplier, line.amount_kopecks, int(moved), 0, 0, 0, 0, line.amount_kopecks - int(moved))
        for i, line in enumerate(bill_lines)
    )
    state = BillState.PARTIAL if moved else BillState.OPEN
    view = BillView(
        key, kind, state, JANUARY, RunState.ACTIVE, views, blob, Hash(bytes(32)),
        (), original, (), None, None, None, None, None, True,
    )  # fmt: skip
    return Leaf(key, stored, view, tuple(service.name.lower() for service, _ in lines))


def charged(service: Service, amount: int) -> ChargedLine:
    part = Part("P", "", (), (), month_span(JANUARY, ZONE), amount)
    return ChargedLine(service, SupplierId(int(service)), Method.AREA, 0, "m2", (part,))


def due(leaves: list[Leaf]) -> Charges:
    """Debits less credits of leaves, by service."""
    out: defaultdict[Service, int] = defaultdict(int)
    for one in leaves:
        sign = -1 if one.stored.kind is BillKind.CREDIT_NOTE else 1
        for line in one.view.lines:
            out[Service(line.supplier)] += sign * line.charged_kopecks
    return dict(out)


def apply(standing: Standing, difference: Difference, next_number: int, moved: bool) -> Standing:
    """The standing once the notes are posted (and, if ``moved``, a kopeck moved on each)."""
    notes = [note for note in standing.notes if note.key not in difference.superseded]
    for kind, original, lines in difference.notes:
        pairs = [(Service(int(line.supplier)), line.amount_kopecks) for line in lines]
        notes.append(leaf(next_number, kind, pairs, moved, original))
        next_number += 1
    return Standing(standing.original, tuple(notes))


amounts = st.lists(st.one_of(st.just(0), st.integers(1, 100_000)), min_size=len(SERVICES), max_size=len(SERVICES))


@settings(max_examples=200, deadline=None)
@given(first=amounts, wanted=st.lists(st.tuples(amounts, st.booleans()), min_size=1, max_size=5))
def test_any_history_of_corrections_comes_to_what_is_due(
    first: list[int], wanted: list[tuple[list[int], bool]]
) -> None:
    lines = [(service, amount) for service, amount in zip(SERVICES, first, strict=True) if amount]
    standing = Standing(leaf(1, BillKind.BILL, lines or [(SERVICES[0], 1)], True, None), ())
    number = 2
    for amounts_now, moved in wanted:
        now = {service: amount for service, amount in zip(SERVICES, amounts_now, strict=True) if amount}
        difference = differences(standing, [charged(service, amount) for service, amount in now.items()])
        _check_layout(standing, difference)
        standing = apply(standing, difference, number, moved)
        number += len(difference.notes)
        left = due([standing.original, *standing.notes])
        assert {service: amount for service, amount in left.items() if amount} == now
        again = differences(standing, [charged(service, amount) for service, amount in now.items()])
        assert again == Difference((), ())


def _check_layout(standing: Standing, difference: Difference) -> None:
    """A credit note mirrors its original and takes no line below nothing."""
    leaves = {one.key: one for one in (standing.original, *standing.notes)}
    taken: defaultdict[tuple[BillKey, int], int] = defaultdict(int)
    for note in standing.notes:
        if note.stored.kind is BillKind.CREDIT_NOTE and note.key not in difference.superseded:
            assert note.stored.original is not None
            for place, line in enumerate(note.view.lines):
                taken[note.stored.original, place] += line.charged_kopecks
    for kind, original, lines in difference.notes:
        if kind is BillKind.CREDIT_NOTE:
            bill = leaves[original]
            assert original not in difference.superseded
            assert [line.supplier for line in lines] == [line.supplier for line in bill.view.lines]
            for place, line in enumerate(lines):
                assert 0 <= line.amount_kopecks <= bill.view.lines[place].charged_kopecks - taken[original, place]
        else:
            assert all(line.amount_kopecks > 0 for line in lines)


def test_an_open_note_is_worked_out_anew() -> None:
    bill = leaf(1, BillKind.BILL, [(Service.COLD_WATER, 100)], True, None)
    note = leaf(2, BillKind.DEBIT_NOTE, [(Service.COLD_WATER, 30)], False, bill.key)
    difference = differences(Standing(bill, (note,)), [charged(Service.COLD_WATER, 120)])
    assert difference.superseded == (note.key,)
    ((kind, original, (line,)),) = difference.notes
    assert (kind, original, line.amount_kopecks) == (BillKind.DEBIT_NOTE, bill.key, 20)
