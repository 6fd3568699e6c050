"""Every bill opened and worked out again: its commitment, its lines, their formulas, readings and tariffs (5)."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import takewhile
from sys import intern
from typing import Any

import numpy as np
from pydantic_core import from_json

from contracts.wire.ids import BillKey, BillState, Period, bill_id
from contracts.wire.leaf import BillBlob, BillKind, bill_commit, decode_bill
from scripts.audit.anchors import Anchors
from scripts.audit.case import Case
from scripts.audit.crew import Crew
from scripts.audit.finding import Finding, Findings
from scripts.audit.leaves import STRETCH, Row, rows_from
from scripts.audit.lines import Documents, Fault, Lines, Setting, used_by
from scripts.audit.runs import Book, Runs

_REMEDY = "Ask the operator for the inputs of this bill; what was charged wrongly is taken off by a correcting run"


_AT_ONCE = 16 * STRETCH
_NAME_SIZE = 16


@dataclass
class Billed:
    """Bills that count, each with the hash of its account and month: 24 bytes a bill."""

    runs: array[int] = field(default_factory=lambda: array("I"))
    indices: array[int] = field(default_factory=lambda: array("I"))
    names: bytearray = field(default_factory=bytearray)

    def append(self, bill: tuple[int, int, bytes]) -> None:
        """One more: run, index, hash."""
        self.runs.append(bill[0])
        self.indices.append(bill[1])
        self.names += bill[2]


@dataclass
class Worked:
    """What a stretch of bills comes to."""

    findings: Findings = field(default_factory=Findings)
    billed: Billed = field(default_factory=Billed)


class Recompute:
    """Works out the bills of all runs, stretch by stretch, each from its own document."""

    def __init__(self, case: Case, runs: Runs, anchors: Anchors) -> None:
        self._case = case
        self._files = case.files
        self._runs = runs
        self._anchors = anchors
        self._documents: Documents = {}
        self._worked = Worked()
        self._used: dict[int, Mapping[int, tuple[int, int]]] = {}

    def run(self, crew: Crew) -> None:
        """All of them, where records are opened at all."""
        if not self._files.bundle.is_open:
            return
        tasks = [
            (number, first)
            for number, book in sorted(self._runs.books.items())
            for first in range(0, STRETCH * len(book.file.starts), _AT_ONCE)
        ]
        with crew.at(self._stretch, tasks) as running:
            done = list(running.results())
        for part in done:
            self._case.findings.merge(part.findings)
        self._tell_twice_billed([part.billed for part in done])

    def _stretch(self, task: tuple[int, int]) -> Worked:
        number, first = task
        book = self._runs.books[number]
        self._files, self._worked = self._case.files.aside(), Worked()
        self._worked.findings = self._files.findings
        self._lines = Lines(self._files, self._runs, self._anchors, self._documents)
        rows = rows_from(self._files.bundle, book.named, first, book.file.starts)
        for index, row in takewhile(lambda found: found[0] < first + _AT_ONCE, rows):
            if book.blob(index) is not None:
                self._bill(book, index, row)
        return self._worked

    def _bill(self, book: Book, index: int, row: Row) -> None:
        _, plain = self._files.open(book.named, index, row)
        if plain is None or row.blob is None:
            return
        bill = decode_bill(row.blob)
        commit = bill_commit(plain[:32], plain[32:64], plain[64:])
        if commit != bill.commit:
            found = f"a record of commitment 0x{commit.hex()}"
            self._files.tell_leaf(book.named, index, "commit-differs", f"0x{bill.commit.hex()}", found)
            return
        self._files.findings.count("bills worked out again")
        try:
            document = from_json(plain[64:])
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
        setting = Setting(self._zone(bill, document), book.proposal, self._used_by(book))
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

    def _used_by(self, book: Book) -> Mapping[int, tuple[int, int]]:
        if book.number not in self._used:
            self._used[book.number] = used_by(book.proposal)
        return self._used[book.number]

    def _zone(self, bill: BillBlob, document: Mapping[str, Any]) -> str:
        """The time zone of the bill's house; a note has that of the bill that it is to."""
        premises = document.get("premises")
        if premises:
            return intern(premises["zone"])
        original = None if bill.original is None else self._opened(bill.original)
        return "UTC" if original is None else self._zone(*original)

    def _opened(self, key: BillKey) -> tuple[BillBlob, Mapping[str, Any]] | None:
        """Another bill with its document, where it opens: what is wrong with it is told in its own place."""
        book = self._runs.book(key)
        if book is None or book.blob(key.index) is None:
            return None
        rows = rows_from(self._files.bundle, book.named, key.index, book.file.starts)
        index, row = next(rows, (-1, None))
        if index != key.index or row is None or row.blob is None:
            return None
        _, plain = self._case.files.aside().open(book.named, index, row)
        return None if plain is None else (decode_bill(row.blob), from_json(plain[64:]))

    def _named(
        self, book: Book, index: int, bill: BillBlob, document: Mapping[str, Any], named: tuple[Row, bytes]
    ) -> Iterator[Fault]:
        """The bill is its account's, of its run's month, and the only one of it that counts."""
        row, told_id = named
        secret = None if row.key is None else self._files.bundle.secret(row.key)
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
            name = f"{document['account']}\0{document['period']}".encode()
            self._worked.billed.append((book.number, index, blake2b(name, digest_size=_NAME_SIZE).digest()))

    def _tell_twice_billed(self, parts: Sequence[Billed]) -> None:
        """Names every bill of an account and a month after the first that counts."""
        names = np.frombuffer(b"".join(part.names for part in parts), dtype=f"V{_NAME_SIZE}")
        places = [(part, at) for part in parts for at in range(len(part.indices))] if _has_twice(names) else []
        first: dict[bytes, str] = {}
        for part, at in places:
            name = bytes(part.names[_NAME_SIZE * at : _NAME_SIZE * (at + 1)])
            book, bill = self._runs.books[part.runs[at]], f"{part.runs[at]}-{part.indices[at]}"
            if first.setdefault(name, bill) != bill:
                what, expected = f"its month {book.proposal.period}", "one bill of the account that counts"
                self._files = self._case.files
                self._tell(book, part.indices[at], Fault("billed-twice", what, expected, f"bill {first[name]} too"))

    def _tell(self, book: Book, index: int, fault: Fault) -> None:
        record = f"bill {book.number}-{index}: {fault.what}"
        evidence = {"file": book.named.path, "line": index + 2}
        self._files.findings.add(
            Finding("bills", fault.slug, record, fault.expected, fault.found, _REMEDY, book.named.place, 5, evidence)
        )


def _has_twice(names: np.ndarray[Any, Any]) -> bool:
    return len(np.unique(names)) < len(names)
