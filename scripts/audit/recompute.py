"""Every bill opened and worked out again: its commitment, its lines, their formulas, readings and tariffs (5)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from sys import intern
from typing import Any

from contracts.wire.ids import BillState, Period, bill_id
from contracts.wire.leaf import BillBlob, BillKind, bill_commit, decode_bill
from scripts.audit.anchors import Anchors
from scripts.audit.case import Case
from scripts.audit.finding import Finding
from scripts.audit.leaves import Row, each_row
from scripts.audit.lines import Fault, Lines, Setting
from scripts.audit.runs import Book, Runs

_REMEDY = "Ask the operator for the inputs of this bill; what was charged wrongly is taken off by a correcting run"


class Recompute:
    """Works out the bills of all runs, one after the other, each from its own document."""

    def __init__(self, case: Case, runs: Runs, anchors: Anchors) -> None:
        self._case = case
        self._runs = runs
        self._lines = Lines(case.files.bundle, case.findings, runs, anchors)
        self._billed: dict[tuple[str, str], str] = {}
        self._zones: dict[str, str] = {}

    def run(self) -> None:
        """All of them."""
        for _, book in sorted(self._runs.books.items()):
            for index, row in each_row(self._case.files.bundle, book.named):
                if index < len(book.blobs) and book.blobs[index] is not None:
                    self._bill(book, index, row)

    def _bill(self, book: Book, index: int, row: Row) -> None:
        _, plain = self._case.files.open(book.named, index, row)
        if plain is None or row.blob is None:
            return
        bill = decode_bill(row.blob)
        commit = bill_commit(plain[:32], plain[32:64], plain[64:])
        if commit != bill.commit:
            found = f"a record of commitment 0x{commit.hex()}"
            self._case.files.tell_leaf(book.named, index, "commit-differs", f"0x{bill.commit.hex()}", found)
            return
        self._case.findings.count("bills worked out again")
        try:
            document = json.loads(plain[64:])
            faults = list(self._faults(book, index, bill, document, (row, plain[:32])))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            faults = [Fault("document-malformed", "its document", "a document of docs/protocol.md", repr(error))]
        for fault in faults:
            self._tell(book, index, fault)

    def _faults(
        self, book: Book, index: int, bill: BillBlob, document: Mapping[str, Any], named: tuple[Row, bytes]
    ) -> Iterator[Fault]:
        yield from self._named(book, index, bill, document, named)
        shown = [(int(line.supplier), line.amount_kopecks) for line in bill.lines]
        told = {
            row["line"]: (row["supplier"], row["amount_kopecks"])
            for row in document["lines"]
            if row["line"] is not None
        }
        for place, due in enumerate(shown):
            if told.get(place) != due:
                yield Fault(
                    "line-differs", f"line {place}", f"{due} as the chain has it", f"{told.get(place)} in its document"
                )
        if len(told) > len(shown):
            yield Fault("line-differs", "its lines", f"{len(shown)} on the chain", f"{len(told)} in its document")
        if document["total_kopecks"] != bill.total_kopecks:
            yield Fault("line-sum", "its total", f"{bill.total_kopecks} kopecks", f"{document['total_kopecks']}")
        setting = Setting(self._zone(document), book.proposal)
        for line in document["lines"]:
            explained = line if "parts" in line else line.get("now")
            if line["line"] is None and line["amount_kopecks"]:
                yield Fault(
                    "line-differs", f"line of {line['service']}", "nothing, off the chain", str(line["amount_kopecks"])
                )
            if explained:
                for fault in self._lines.faults(explained, setting):
                    yield Fault(fault.slug, f"{explained['service']}: {fault.what}", fault.expected, fault.found)
            elif line["amount_kopecks"] and bill.kind is BillKind.BILL:
                yield Fault("no-act", f"line {line['line']}", "a formula behind it", "none")

    def _zone(self, document: Mapping[str, Any]) -> str:
        """The time zone of the bill's house; a note has that of its account's bill, which stands in an earlier run."""
        account, premises = document["account"], document.get("premises")
        if premises:
            self._zones[account] = intern(premises["zone"])
        return self._zones.get(account, "UTC")

    def _named(
        self, book: Book, index: int, bill: BillBlob, document: Mapping[str, Any], named: tuple[Row, bytes]
    ) -> Iterator[Fault]:
        """The bill is its account's, of its run's month, and the only one of it that counts."""
        row, told_id = named
        secret = None if row.key is None else self._case.files.bundle.secret(row.key)
        period = Period.parse(document["period"])
        if secret is not None and bill_id(secret, period, int(document["revision"])) != told_id:
            yield Fault(
                "bill-id", "its id", "the HMAC of month and revision under its account's key", f"0x{told_id.hex()}"
            )
        if (period, document["kind"]) != (book.proposal.period, bill.kind.name.lower()):
            expected = f"{bill.kind.name.lower()} for {book.proposal.period}"
            yield Fault("document-differs", "its document", expected, f"{document['kind']} for {period}")
        if bill.original is not None and document.get("original") != str(bill.original):
            yield Fault("document-differs", "its original", str(bill.original), str(document.get("original")))
        counts = book.activated and book.state(index) is not BillState.SUPERSEDED
        if bill.kind is BillKind.BILL and counts:
            account = document["account"], document["period"]
            first = self._billed.setdefault(account, f"{book.number}-{index}")
            if first != f"{book.number}-{index}":
                yield Fault(
                    "billed-twice", f"its month {period}", "one bill of the account that counts", f"bill {first} too"
                )

    def _tell(self, book: Book, index: int, fault: Fault) -> None:
        record = f"bill {book.number}-{index}: {fault.what}"
        evidence = {"file": book.named.path, "line": index + 2}
        self._case.findings.add(
            Finding("bills", fault.slug, record, fault.expected, fault.found, _REMEDY, book.named.place, 5, evidence)
        )
