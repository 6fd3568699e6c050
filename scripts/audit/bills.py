"""What is open on each bill, line by line, as its receipts move it (invariants 1 and 3)."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.wire import events as chain
from contracts.wire.ids import NO_ADDRESS, Address, BillKey, BillState, Hash
from contracts.wire.leaf import BillBlob, BillKind
from contracts.wire.units import div_half_up, split_largest_remainder
from scripts.audit.case import Case, Moment
from scripts.audit.receipts import PlainReceipt
from scripts.audit.runs import Book, Runs

_REMEDY = "Stop payments, and have operator and suppliers hold the receipt against the bill and the bank"


@dataclass
class LineRecord:
    """What moved on a line: all kopecks. ``granter`` is the wallet whose grant stands on it."""

    paid: int = 0
    granted: int = 0
    netted: int = 0
    written_off: int = 0
    refunded: int = 0
    granter: Address = NO_ADDRESS

    @property
    def covered(self) -> int:
        """What is no longer open."""
        return self.paid + self.granted + self.netted + self.written_off


@dataclass
class Prepayment:
    """A prepayment with what is left of it."""

    supplier: int
    left: int


class Bills:
    """Every bill that something moved on. A bill paid whole at once needs no record: its state says it all."""

    def __init__(self, case: Case, runs: Runs) -> None:
        self._case = case
        self._runs = runs
        self._records: dict[BillKey, list[LineRecord]] = {}
        self._prepayments: dict[Hash, Prepayment] = {}
        self._skipped: dict[BillKey, set[int]] = {}
        self._lines_done: dict[BillKey, set[int]] = {}
        self._due: dict[tuple[BillKey, int], tuple[int, int]] = {}

    def find(self, key: BillKey, event: chain.Event, at: Moment) -> tuple[Book, BillBlob] | None:
        """The bill with its run, of an active run; None where the bundle has it not, which was told already."""
        book = self._runs.book(key)
        if book is None or not book.activated:
            expected = "a bill of an active run"
            self._wrong("no-such-bill", f"bill {key}", expected, "none such", event, at, invariant=5)
            return None
        bill = book.bill(key.index)
        return None if bill is None else (book, bill)

    # --- payments ---

    def skipped_leg(self, event: chain.LegSkipped) -> None:
        """A line whose supplier can't be paid now."""
        self._skipped.setdefault(event.bill, set()).add(event.line)

    def paid_whole(self, receipt: PlainReceipt) -> bool:
        """Books a receipt that pays an untouched bill whole, line by line; False for any other, of which nothing was
        booked: `paid` says what it is."""
        book, index = self._runs.books.get(receipt.bill >> 32), receipt.bill & 0xFFFFFFFF
        blob = None if book is None or not book.activated else book.blob(index)
        if book is None or blob is None or blob[32] != BillKind.BILL or book.states[index] != BillState.OPEN:
            return False
        if receipt.legs != blob[34 : 34 + 8 * blob[33]] or receipt.state != BillState.PAID or self._skipped:
            return False
        if self._records and BillKey.from_number(receipt.bill) in self._records:
            return False
        book.states[index] = BillState.PAID
        self._case.findings.count("receipts")
        return True

    def paid(self, event: chain.BillPaid, at: Moment) -> None:
        """A receipt: its legs are the division of its sum over what is open (docs/protocol.md §7)."""
        self._case.findings.count("receipts")
        skipped = self._skipped.pop(event.bill, set())
        found = self.find(event.bill, event, at)
        if found is None:
            return
        book, bill = found
        before = book.state(event.bill.index)
        record = f"receipt of bill {event.bill}"
        if before >= BillState.PAID or bill.kind is BillKind.CREDIT_NOTE:
            what = f"a bill that is {before.name.lower()}" if before >= BillState.PAID else "a credit note"
            self._wrong("paid-twice", record, "a bill with something open", what, event, at, invariant=3)
            return
        legs = [0] * len(bill.lines)
        for leg in event.legs:
            if leg.line >= len(legs) or bill.lines[leg.line].supplier != leg.supplier:
                expected = "a leg to a line's own supplier"
                self._wrong("wrong-supplier", record, expected, f"line {leg.line}: supplier {leg.supplier}", event, at)
                return
            legs[leg.line] = leg.amount_kopecks
        self._book(book, bill, legs, skipped, event, at)

    def _book(  # noqa: PLR0917  one receipt against one bill
        self, book: Book, bill: BillBlob, legs: list[int], skipped: set[int], event: chain.BillPaid, at: Moment
    ) -> None:
        open_ = self.open_on(event.bill, bill)
        payable = [0 if line in skipped else kopecks for line, kopecks in enumerate(open_)]
        total = sum(legs)
        record = f"receipt of bill {event.bill}"
        if total > sum(payable):
            self._wrong("overpaid", record, f"at most {sum(payable)}", str(total), event, at, invariant=3)
        elif total and split_largest_remainder(total, payable) != legs:
            due = split_largest_remainder(total, payable)
            self._wrong("split-differs", record, f"legs {due}", f"legs {legs}", event, at)
        state = BillState.PAID if total == sum(open_) else BillState.PARTIAL
        if state is not event.state:
            self._wrong("state-differs", record, state.name.lower(), event.state.name.lower(), event, at, invariant=3)
        if not (total == sum(open_) and event.bill not in self._records):
            for line, kopecks in zip(self._lines(event.bill, bill), legs, strict=True):
                line.paid += kopecks
        book.states[event.bill.index] = event.state
        self._case.findings.count("legs", sum(1 for leg in legs if leg))

    def open_on(self, key: BillKey, bill: BillBlob) -> list[int]:
        """Kopecks open on each line of a bill that is open or partial."""
        records = self._records.get(key)
        if records is None:
            return [line.amount_kopecks for line in bill.lines]
        return [line.amount_kopecks - r.covered for line, r in zip(bill.lines, records, strict=True)]

    def _lines(self, key: BillKey, bill: BillBlob) -> list[LineRecord]:
        if key not in self._records:
            self._records[key] = [LineRecord() for _ in bill.lines]
        return self._records[key]

    # --- prepayments ---

    def prepaid(self, event: chain.Prepaid) -> None:
        """A supplier was paid ahead."""
        self._prepayments[event.prepayment] = Prepayment(event.supplier, event.amount)

    def netted(self, event: chain.PrepaymentNetted, at: Moment) -> None:
        """A bill took a prepayment that it names, as much as line and prepayment allow."""
        self._case.findings.count("nettings")
        found = self.find(event.bill, event, at)
        if found is None:
            return
        _, bill = found
        made = self._prepayments.get(event.prepayment)
        credit = next((c for c in bill.credits if (c.line, c.prepayment) == (event.line, event.prepayment)), None)
        due = 0
        if made is not None and credit is not None and made.supplier == bill.lines[event.line].supplier:
            due = min(credit.amount_kopecks, made.left, self.open_on(event.bill, bill)[event.line])
        if event.amount != due:
            record = f"netting on line {event.line} of bill {event.bill}"
            self._wrong("netting-differs", record, f"{due} kopecks", f"{event.amount} kopecks", event, at, invariant=3)
        if made is not None:
            made.left -= event.amount
        if event.line < len(bill.lines):
            self._lines(event.bill, bill)[event.line].netted += event.amount

    # --- grants ---

    def granted(self, event: chain.GrantApplied, wallet: Address, maximum: int, at: Moment) -> None:
        """A grant on a line: no more than is open, and all that the grant has where that is less."""
        found = self.find(event.bill, event, at)
        if found is None or event.line >= len(found[1].lines):
            return
        book, bill = found
        line = self._lines(event.bill, bill)[event.line]
        due = min(self.open_on(event.bill, bill)[event.line], maximum)
        record = f"grant {event.batch}-{event.index} on line {event.line} of bill {event.bill}"
        if event.amount != due or bill.lines[event.line].supplier != event.supplier:
            found_ = f"{event.amount} kopecks to supplier {event.supplier}"
            expected = f"{due} kopecks to supplier {bill.lines[event.line].supplier}"
            self._wrong("grant-differs", record, expected, found_, event, at, invariant=7)
        line.granted += event.amount
        line.granter = wallet
        self._state(book, event.bill, bill, event.state, event, at)

    # --- credits and refunds ---

    def credited(self, event: chain.CreditApplied, at: Moment) -> None:
        """A line of a credit note: first what is open is written off, the rest goes back, once."""
        self._case.findings.count("credits")
        noted, found = self.find(event.note, event, at), self.find(event.bill, event, at)
        if noted is None or found is None:
            return
        (_, note), (book, bill) = noted, found
        done = self._lines_done.setdefault(event.note, set())
        record = f"line {event.line} of credit note {event.note}"
        if note.original != event.bill or note.kind is not BillKind.CREDIT_NOTE or event.line in done:
            expected = f"an unused line of a credit note to bill {event.bill}"
            what = "one that was carried out" if event.line in done else f"{note.kind.name.lower()} to {note.original}"
            self._wrong("credit-twice", record, expected, what, event, at, invariant=3)
            return
        done.add(event.line)
        amount, credit = bill.lines[event.line].amount_kopecks, note.lines[event.line].amount_kopecks
        line, is_paid = self._lines(event.bill, bill)[event.line], book.state(event.bill.index) is BillState.PAID
        open_ = 0 if is_paid else amount - line.covered
        written_off, moved = min(credit, open_), amount - line.written_off - open_
        back = min(credit - written_off, moved - line.refunded)
        before = line.refunded
        welfare = _share(before + back, line.granted, moved) - _share(before, line.granted, moved) if back else 0
        if event.written_off != written_off:
            expected, what = f"{written_off} kopecks written off", f"{event.written_off}"
            self._wrong("write-off-differs", record, expected, what, event, at, invariant=3)
        line.written_off += event.written_off
        line.refunded += back
        if back:
            self._due[event.note, event.line] = back - welfare, welfare

    def refunded(self, event: chain.Refunded, at: Moment) -> None:
        """What a credit gave back is what it had to, divided between payer and welfare."""
        self._case.findings.count("refunds")
        due = self._due.pop((event.note, event.line), (0, 0))
        if due != (event.to_payer, event.to_welfare) and self._runs.book(event.note) is not None:
            record = f"refund by line {event.line} of credit note {event.note}"
            found = f"{event.to_payer} to the payer, {event.to_welfare} to welfare"
            self._wrong("refund-differs", record, f"{due[0]} to the payer, {due[1]} to welfare", found, event, at)

    def state_changed(self, event: chain.BillStateChanged, at: Moment) -> None:
        """A state that no receipt carries: after a netting, or of a credit note as its lines are done."""
        found = self.find(event.bill, event, at)
        if found is None:
            return
        book, bill = found
        if bill.kind is BillKind.CREDIT_NOTE:
            left = {line for line, row in enumerate(bill.lines) if row.amount_kopecks}
            left -= self._lines_done.get(event.bill, set())
            self._set(book, event.bill, BillState.PARTIAL if left else BillState.PAID, event.state, event, at)
        else:
            self._state(book, event.bill, bill, event.state, event, at)

    def end_transaction(self, at: Moment) -> None:
        """No refund that was due may be left out."""
        for (note, line), (payer, welfare) in self._due.items():
            record = f"refund by line {line} of credit note {note}"
            self._wrong("refund-missing", record, f"{payer} to the payer, {welfare} to welfare", "nothing", None, at)
        self._due.clear()
        self._skipped.clear()

    def _state(  # noqa: PLR0917
        self, book: Book, key: BillKey, bill: BillBlob, told: BillState, event: chain.Event, at: Moment
    ) -> None:
        due = BillState.PARTIAL if any(self.open_on(key, bill)) else BillState.PAID
        self._set(book, key, due, told, event, at)

    def _set(  # noqa: PLR0917
        self, book: Book, key: BillKey, due: BillState, told: BillState, event: chain.Event, at: Moment
    ) -> None:
        if due is not told:
            self._wrong("state-differs", f"bill {key}", due.name.lower(), told.name.lower(), event, at, invariant=3)
        book.states[key.index] = told

    def _wrong(  # noqa: PLR0917
        self, slug: str, record: str, expected: str, found: str, event: chain.Event | None, at: Moment,
        *, invariant: int = 1,
    ) -> None:  # fmt: skip
        self._case.tell("money", slug, record, expected, found, _REMEDY, place=at.place(event), invariant=invariant)


def _share(amount: int, part: int, whole: int) -> int:
    return div_half_up(amount * part, whole) if whole else 0
