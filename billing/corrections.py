"""What a correction does to an account's bills as the ledger has them: replace, add to, or take off."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from billing.documents import NoteLine
from billing.domain.charge import ChargedLine, explain
from billing.run import Run, RunStage, StoredBill
from contracts.wire.ids import BillKey, BillState, SupplierId
from contracts.wire.leaf import BillKind, Credit, decode_bill
from ledger.queries import Ledger
from ledger.queries.views import BillView

Service = str
"""A service as documents name it."""
PENALTY = "penalty"
"""The purpose of notes that charge penalties: no correction of a month's charges touches them."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A bill or a note in force, as billing stored it and as the ledger has it. ``services`` names each line's."""

    key: BillKey
    stored: StoredBill
    view: BillView
    services: tuple[Service | None, ...]

    @property
    def amounts(self) -> tuple[int, ...]:
        """Kopecks of each line."""
        return tuple(line.charged_kopecks for line in self.view.lines)


@dataclass(frozen=True, slots=True)
class Standing:
    """An account's bill for a period with its notes, those superseded left out."""

    original: Leaf
    notes: tuple[Leaf, ...]

    @property
    def has_moved(self) -> bool:
        """Whether the bill can't be replaced any more."""
        return self.original.view.has_moved or bool(self.notes)

    @property
    def credits(self) -> tuple[Credit, ...]:
        """Prepayments that the bill names, each with the supplier in the place of its line."""
        blob = decode_bill(self.original.stored.blob)
        return tuple(Credit(int(blob.lines[c.line].supplier), c.amount_kopecks, c.prepayment) for c in blob.credits)

    def says(self, lines: Sequence[ChargedLine]) -> bool:
        """Whether the bill charges exactly these lines already."""
        now = {(line.service.name.lower(), int(line.supplier)): line.amount_kopecks for line in lines}
        return _nonzero(now) == _nonzero(_charged(self.original))


@dataclass(frozen=True, slots=True)
class Difference:
    """Notes to be made, and open notes that they replace."""

    notes: tuple[tuple[BillKind, BillKey, tuple[NoteLine, ...]], ...]
    superseded: tuple[BillKey, ...]


def standing_of(ledger: Ledger, leaves: Sequence[tuple[BillKey | None, StoredBill, Run]]) -> Standing | None:
    """The bill in force and its notes, those for penalties left out; None where no active run has a bill."""
    found = []
    for key, stored, run in leaves:
        if key is None or run.stage is not RunStage.ACTIVE:
            continue
        view = ledger.bill(key)
        if view is not None and view.state is not BillState.SUPERSEDED:
            found.append(Leaf(key, stored, view, _services(stored)))
    originals = [leaf for leaf in found if leaf.stored.kind is BillKind.BILL]
    if not originals:
        return None
    notes = tuple(leaf for leaf in found if leaf.stored.kind is not BillKind.BILL and leaf.stored.purpose != PENALTY)
    return Standing(originals[-1], notes)


def differences(standing: Standing, lines: Sequence[ChargedLine]) -> Difference:
    """Debit and credit notes that bring what is charged to ``lines``, line by line of service and supplier.

    Notes on which nothing has moved are replaced by what is worked out anew. A credit takes off the bill's own line
    first, and what debit notes added after that.
    """
    due = {(line.service.name.lower(), int(line.supplier)): line.amount_kopecks for line in lines}
    if _nonzero(due) == _nonzero(_net([standing.original, *standing.notes])):
        return Difference((), ())
    kept = [note for note in standing.notes if note.view.has_moved]
    superseded = tuple(sorted(note.key for note in standing.notes if not note.view.has_moved))
    debits = [leaf for leaf in (standing.original, *kept) if leaf.stored.kind is not BillKind.CREDIT_NOTE]
    left = {leaf.key: list(leaf.amounts) for leaf in debits}
    for note in kept:
        if note.stored.kind is BillKind.CREDIT_NOTE and note.stored.original in left:
            for place, amount in enumerate(note.amounts):
                left[note.stored.original][place] -= amount
    charged: defaultdict[tuple[Service, int], int] = defaultdict(int)
    for leaf in debits:
        for place, service in enumerate(leaf.services):
            charged[str(service), int(leaf.view.lines[place].supplier)] += left[leaf.key][place]
    wanted = {(line.service.name.lower(), int(line.supplier)): line for line in lines}
    more: list[NoteLine] = []
    off: dict[BillKey, list[int]] = {leaf.key: [0] * len(leaf.amounts) for leaf in debits}
    for name in sorted({*charged, *wanted}):
        line = wanted.get(name)
        change = (line.amount_kopecks if line else 0) - charged.get(name, 0)
        if change > 0 and line is not None:
            more.append(NoteLine(SupplierId(name[1]), change, {"service": name[0], "now": explain(line)}))
        elif change < 0:
            _take_off(debits, left, off, name, -change)
    notes: list[tuple[BillKind, BillKey, tuple[NoteLine, ...]]] = []
    if more:
        notes.append((BillKind.DEBIT_NOTE, standing.original.key, tuple(more)))
    notes += [
        (BillKind.CREDIT_NOTE, leaf.key, _credit_lines(leaf, off[leaf.key], wanted))
        for leaf in debits
        if any(off[leaf.key])
    ]
    return Difference(tuple(notes), superseded)


def _take_off(
    debits: Sequence[Leaf],
    left: dict[BillKey, list[int]],
    off: dict[BillKey, list[int]],
    name: tuple[Service, int],
    amount: int,
) -> None:
    for leaf in debits:
        for place, service in enumerate(leaf.services):
            if (service, int(leaf.view.lines[place].supplier)) == name:
                part = min(amount, left[leaf.key][place])
                off[leaf.key][place] += part
                left[leaf.key][place] -= part
                amount -= part


def _credit_lines(
    leaf: Leaf, off: Sequence[int], wanted: dict[tuple[Service, int], ChargedLine]
) -> tuple[NoteLine, ...]:
    """As many lines as the original has, with the same suppliers, and zero where nothing is taken off."""
    out = []
    for place, line in enumerate(leaf.view.lines):
        service = leaf.services[place]
        now = wanted.get((str(service), int(line.supplier)))
        explanation: dict[str, object] = {"service": service}
        if off[place]:
            explanation["now"] = explain(now) if now else None
        out.append(NoteLine(line.supplier, off[place], explanation))
    return tuple(out)


def _services(stored: StoredBill) -> tuple[Service | None, ...]:
    """The service of each line that the chain sees, out of the document."""
    by_line = {line: service for service, line in stored.services.items()}
    return tuple(by_line.get(place) for place in range(len(decode_bill(stored.blob).lines)))


def _net(leaves: Sequence[Leaf]) -> dict[tuple[Service, int], int]:
    """Debits less credits, line by line of service and supplier."""
    out: defaultdict[tuple[Service, int], int] = defaultdict(int)
    for leaf in leaves:
        sign = -1 if leaf.stored.kind is BillKind.CREDIT_NOTE else 1
        for name, amount in _charged(leaf).items():
            out[name] += sign * amount
    return dict(out)


def _charged(leaf: Leaf) -> dict[tuple[Service, int], int]:
    return {
        (str(service), int(leaf.view.lines[place].supplier)): leaf.amounts[place]
        for place, service in enumerate(leaf.services)
    }


def _nonzero(amounts: dict[tuple[Service, int], int]) -> dict[tuple[Service, int], int]:
    return {name: amount for name, amount in amounts.items() if amount}
