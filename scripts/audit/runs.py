"""Billing runs: every bill in its place, every supplier's lines, counts and totals, and what the run stands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts.wire import events as chain
from contracts.wire.ids import BillKey, BillState
from contracts.wire.keccak import keccak
from contracts.wire.leaf import BillBlob, decode_bill
from contracts.wire.structs import Proposal, supersession_hash
from scripts.audit.anchors import Anchors
from scripts.audit.case import Case, Moment
from scripts.audit.leaves import NamedFile
from scripts.audit.run_file import VETO, RunFile


@dataclass
class Book:
    """A run with what its file holds, and its bills' states."""

    number: int
    proposal: Proposal
    activatable_at: int
    file: RunFile
    named: NamedFile
    states: bytearray
    activated: bool = False
    vetoed: bool = False
    superseded: list[BillKey] = field(default_factory=list)

    def blob(self, index: int) -> bytes | None:
        """A bill's blob, None where the bundle has it not."""
        return self.file.blobs[index] if 0 <= index < len(self.file.blobs) else None

    def bill(self, index: int) -> BillBlob | None:
        """A bill of the run, None where the bundle has it not."""
        blob = self.blob(index)
        return None if blob is None else decode_bill(blob)

    def state(self, index: int) -> BillState:
        """Where a bill stands."""
        return BillState(self.states[index])


class Runs:
    """The runs as their events and files build them."""

    def __init__(self, case: Case, anchors: Anchors, files: Mapping[NamedFile, RunFile]) -> None:
        self._case = case
        self._files = files
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
            published = self._case.files.bundle.what_became_of("tariffs", event.document)
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
        file = self._files[named]
        states = bytearray(max(len(file.blobs), proposal.count))
        self.books[event.run] = Book(event.run, proposal, event.activatable_at, file, named, states)
        self._case.findings.count("runs")
        self._stands_on(event, at)
        for supplier in sorted(file.suppliers.keys() - {claim.supplier for claim in proposal.suppliers}):
            found = f"{file.suppliers[supplier]} lines of supplier {supplier}, which the proposal does not name"
            self._wrong(event.run, "supplier-unclaimed", "lines of suppliers that the proposal names", found, event, at)

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

    # --- states ---

    def _superseded(self, event: chain.BillSuperseded, at: Moment) -> None:
        book = self.book(event.bill)
        state = None if book is None else book.state(event.bill.index)
        if book is None or state is not BillState.OPEN:
            found = "no such bill" if state is None else f"a bill that is {state.name.lower()}"
            self._case.tell(
                "runs", "superseded-not-open", f"bill {event.bill}", "an open bill", found, VETO,
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
        self._case.tell("runs", slug, record or f"run {run}", expected, found, VETO, place=where, invariant=6)
