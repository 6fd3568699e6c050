"""Billing runs: every bill in its place, every supplier's lines, counts and totals, and what the run stands on."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from contracts.wire import events as chain
from contracts.wire.ids import BillKey, BillState
from contracts.wire.keccak import keccak
from contracts.wire.leaf import BillBlob, BillKind, LeafError, decode_bill
from contracts.wire.merkle import leaf_hash, leaf_hashes, root_of_leaves
from contracts.wire.structs import Proposal, SupplierTotal, supersession_hash
from scripts.audit.anchors import Anchors
from scripts.audit.case import Case, Moment
from scripts.audit.leaves import NamedFile, Read

_VETO = "Veto the run; if it is active, correct it by a run that supersedes its bills"
_LINE = 34
"""Where the lines begin in a bill's blob: after commitment, kind and number of lines."""


@dataclass
class Book:
    """A run with its bills' blobs and states. ``blobs`` has None where the file's leaf is no bill."""

    number: int
    proposal: Proposal
    activatable_at: int
    blobs: list[bytes | None]
    named: NamedFile
    states: bytearray
    activated: bool = False
    vetoed: bool = False
    superseded: list[BillKey] = field(default_factory=list)

    def bill(self, index: int) -> BillBlob | None:
        """A bill of the run, None where the bundle has it not."""
        blob = self.blobs[index] if 0 <= index < len(self.blobs) else None
        return None if blob is None else decode_bill(blob)

    def state(self, index: int) -> BillState:
        """Where a bill stands."""
        return BillState(self.states[index])


@dataclass
class _Own:
    """One supplier's lines of a run so far."""

    blobs: list[bytes] = field(default_factory=list)
    total_kopecks: int = 0


class Runs:
    """The runs as their events and files build them."""

    def __init__(self, case: Case, anchors: Anchors) -> None:
        self._case = case
        self._anchors = anchors
        self.books: dict[int, Book] = {}
        self.tariffs: dict[int, chain.TariffPublished] = {}
        self._activating: Book | None = None

    def take(self, event: chain.Event, at: Moment) -> None:
        """The next event of ChargeBook or TariffBook."""
        if isinstance(event, chain.RunProposed):
            self._proposed(event, at)
        elif isinstance(event, chain.TariffPublished):
            self._published(event, at)
        elif isinstance(event, chain.RunActivated):
            book = self._activating = self.books[event.run]
            if at.timestamp < book.activatable_at or book.vetoed:
                found = "a vetoed run activated" if book.vetoed else f"activation at {at.timestamp}"
                self._wrong(event.run, "activation", f"activation from {book.activatable_at} on", found, event, at)
            book.activated = True
        elif isinstance(event, chain.RunVetoed):
            self.books[event.run].vetoed = True
        elif isinstance(event, chain.BillSuperseded):
            self._superseded(event, at)

    def end_transaction(self, at: Moment) -> None:
        """Holds what an activation superseded against the list that its proposal hashed."""
        book, self._activating = self._activating, None
        if book is not None and supersession_hash(book.superseded) != book.proposal.superseded:
            found = ", ".join(map(str, book.superseded)) or "none"
            expected = f"bills of hash 0x{book.proposal.superseded.hex()}"
            self._wrong(book.number, "superseded-differ", expected, found, None, at)

    def book(self, key: BillKey) -> Book | None:
        """The run of a bill, where the bill can be there."""
        found = self.books.get(key.run)
        return found if found is not None and key.index < found.proposal.count else None

    # --- tariffs ---

    def _published(self, event: chain.TariffPublished, at: Moment) -> None:
        self.tariffs[event.version] = event
        data = self._case.files.bundle.read("tariffs", event.document)
        path = f"tariffs/0x{event.document.hex()}.json"
        if data is None or keccak(data) != event.document:
            slug, found = ("file-missing", "no file") if data is None else ("file-altered", f"0x{keccak(data).hex()}")
            published = self._case.files.bundle.what_became_of("tariffs", event.document, data)
            self._case.tell(
                "tariffs", slug, path, f"the document of hash 0x{event.document.hex()}", found,
                "Fetch the document from another holder: its hash tells the right one", place=at.place(event),
                invariant=5, evidence={"file": path, "published": published},
            )  # fmt: skip
        self._case.findings.count("tariff documents")

    # --- proposals ---

    def _proposed(self, event: chain.RunProposed, at: Moment) -> None:
        proposal, place = event.proposal, at.place(event)
        named = NamedFile("bills", proposal.root, proposal.count, place)
        read = self._case.files.read(named)
        blobs: list[bytes | None] = [None] * proposal.count if read is None else self._bills(named, read)
        book = Book(event.run, proposal, event.activatable_at, blobs, named, bytearray(max(len(blobs), proposal.count)))
        self.books[event.run] = book
        self._case.findings.count("runs")
        self._stands_on(event, at)
        self._suppliers(book, event, at)

    def _bills(self, named: NamedFile, read: Read) -> list[bytes | None]:
        files, blobs, previous = self._case.files, list[bytes | None](), b""
        for index, row in enumerate(read.rows):
            blobs.append(row.blob)
            try:
                if row.blob is None:
                    raise LeafError("its blob is missing")
                decode_bill(row.blob)
            except LeafError as error:
                files.tell_leaf(named, index, "leaf-malformed", "a bill", str(error))
                blobs[-1] = None
                continue
            if row.blob[:32] <= previous:
                files.tell_leaf(
                    named, index, "order", f"a commitment above 0x{previous.hex()}", f"0x{row.blob[:32].hex()}"
                )
            previous = row.blob[:32]
        self._case.findings.count("bills", len(blobs))
        return blobs

    def _stands_on(self, event: chain.RunProposed, at: Moment) -> None:
        proposal = event.proposal
        if proposal.tariff_version > max(self.tariffs, default=0):
            expected = f"a version up to {max(self.tariffs, default=0)}"
            self._wrong(event.run, "tariff-version", expected, str(proposal.tariff_version), event, at)
        for used in proposal.heads:
            wrong = self._anchors.check_head(used.source, used.epoch, used.sequence, used.hash)
            if wrong:
                record = f"a head of source {used.source} that stands and is kept by two holders"
                found = f"{used.epoch}/{used.sequence} 0x{used.hash.hex()}: {wrong}"
                self._wrong(event.run, "readings-not-kept", record, found, event, at)
        self._case.findings.count("heads used by runs", len(proposal.heads))

    def _suppliers(self, book: Book, event: chain.RunProposed, at: Moment) -> None:
        own: defaultdict[int, _Own] = defaultdict(_Own)
        for index, blob in enumerate(book.blobs):
            if blob is None:
                continue
            place, kind = index.to_bytes(4, "big"), blob[32:33]
            for line in range(blob[33]):
                at_line = _LINE + 8 * line
                amount = blob[at_line + 2 : at_line + 8]
                mine = own[int.from_bytes(blob[at_line : at_line + 2], "big")]
                mine.blobs.append(place + bytes((line,)) + kind + amount)
                sign = -1 if blob[32] == BillKind.CREDIT_NOTE else 1
                mine.total_kopecks += sign * int.from_bytes(amount, "big")
        for claim in event.proposal.suppliers:
            self._claimed(book, claim, own.pop(claim.supplier, _Own()), event, at)
        for supplier in sorted(own):
            found = f"{len(own[supplier].blobs)} lines of supplier {supplier}, which the proposal does not name"
            self._wrong(event.run, "supplier-unclaimed", "lines of suppliers that the proposal names", found, event, at)

    def _claimed(self, book: Book, claim: SupplierTotal, own: _Own, event: chain.RunProposed, at: Moment) -> None:
        record = f"supplier {claim.supplier} in run {book.number}"
        whole = None not in book.blobs
        if whole and (claim.lines, claim.total_kopecks) != (len(own.blobs), own.total_kopecks):
            expected = f"{len(own.blobs)} lines of {own.total_kopecks} kopecks, as its bills hold"
            found = f"{claim.lines} lines of {claim.total_kopecks} kopecks claimed"
            self._wrong(book.number, "total-differs", expected, found, event, at, record=record)
        elif whole and own.blobs and root_of_leaves(leaf_hashes(own.blobs)) != claim.root:
            found = f"root 0x{root_of_leaves(leaf_hashes(own.blobs)).hex()}"
            self._wrong(
                book.number, "lines-root-differs", f"root 0x{claim.root.hex()}", found, event, at, record=record
            )
        self._case.findings.count("supplier totals")
        self._lines_file(claim, own, at, event)

    def _lines_file(self, claim: SupplierTotal, own: _Own, at: Moment, event: chain.RunProposed) -> None:
        """The supplier's own file, leaf by leaf against the bills."""
        named = NamedFile("lines", claim.root, claim.lines, at.place(event))
        read = self._case.files.read(named)
        if read is None:
            return
        told = [row.blob for row in read.rows]
        for index, (due, blob) in enumerate(zip(own.blobs, told, strict=False)):
            if due == blob:
                continue
            where = f"0x{due.hex()}, line {due[4]} of bill {event.run}-{int.from_bytes(due[:4], 'big')}"
            found = "nothing" if blob is None else f"0x{blob.hex()}"
            if blob is None or leaf_hash(blob) == read.rows[index].leaf:
                self._case.files.tell_leaf(named, index, "line-differs", where, found)
            break
        total = read.head.get("total_kopecks", claim.total_kopecks)
        if total != claim.total_kopecks:
            record = f"total_kopecks in the head of {named.path}"
            self._wrong(0, "head-differs", str(claim.total_kopecks), str(total), event, at, record=record)

    # --- states ---

    def _superseded(self, event: chain.BillSuperseded, at: Moment) -> None:
        book = self.book(event.bill)
        state = None if book is None else book.state(event.bill.index)
        if book is None or state is not BillState.OPEN:
            found = "no such bill" if state is None else f"a bill that is {state.name.lower()}"
            self._case.tell(
                "runs", "superseded-not-open", f"bill {event.bill}", "an open bill", found, _VETO,
                place=at.place(event), invariant=3,
            )  # fmt: skip
        if book is not None:
            book.states[event.bill.index] = BillState.SUPERSEDED
        if self._activating is not None:
            self._activating.superseded.append(event.bill)

    def _wrong(  # noqa: PLR0917
        self, run: int, slug: str, expected: str, found: str, event: chain.Event | None, at: Moment, *, record: str = ""
    ) -> None:
        where = at.place(event)
        self._case.tell("runs", slug, record or f"run {run}", expected, found, _VETO, place=where, invariant=6)
