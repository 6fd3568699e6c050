"""Grants: posted whole, used once, on their own line, before they end, never above what the wallet allowed (7)."""

from __future__ import annotations

from dataclasses import dataclass, field

from contracts.wire import events as chain
from contracts.wire.ids import Address, Hash
from contracts.wire.keccak import keccak
from contracts.wire.leaf import Grant, LeafError, decode_grant, grant_commit
from scripts.audit.case import Case, Moment
from scripts.audit.leaves import Files, NamedFile, Row

_REMEDY = "Have the welfare body end the batch, and claim back what was paid against its decision"


@dataclass
class Batch:
    """A batch of grants. ``grants`` has None where the file's leaf is none."""

    number: int
    wallet: Address
    total: int
    named: NamedFile
    grants: list[Grant | None]
    used: dict[int, int] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)
    reversed: bool = False


class Grants:
    """The batches as their events and files build them."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self.batches: dict[int, Batch] = {}
        self._pending: dict[tuple[int, int], chain.GrantUsed] = {}

    def take(self, event: chain.Event, at: Moment) -> None:
        """The next event of the SubsidyBook."""
        if isinstance(event, chain.GrantsPosted):
            self._posted(event, at)
        elif isinstance(event, chain.BatchReversed):
            self.batches[event.batch].reversed = True
        elif isinstance(event, chain.GrantReversed):
            batch = self.batches[event.batch]
            if event.index in batch.used:
                self._wrong(batch, event.index, "reversed-after-use", "an unused grant", "a used one", event, at)
            batch.ended.add(event.index)
        elif isinstance(event, chain.GrantUsed):
            self._pending[event.batch, event.index] = event

    def applied(self, event: chain.GrantApplied, at: Moment) -> tuple[Address, int] | None:
        """Wallet of a grant that is applied, and how much it may pay; None where its batch is unknown."""
        self._case.findings.count("grants applied")
        batch = self.batches.get(event.batch)
        if batch is None:
            return None
        booked = self._pending.pop((event.batch, event.index), None)
        if booked is None or (booked.bill, booked.line, booked.amount) != (event.bill, event.line, event.amount):
            found = "nothing" if booked is None else f"{booked.amount} on line {booked.line} of bill {booked.bill}"
            expected = f"{event.amount} on line {event.line} of bill {event.bill} booked as used"
            self._wrong(batch, event.index, "use-differs", expected, found, event, at)
        left = batch.total - sum(batch.used.values())
        if event.index in batch.used or event.index in batch.ended or batch.reversed:
            self._wrong(batch, event.index, "grant-spent", "a grant that stands", "one used up or ended", event, at)
        batch.used[event.index] = event.amount
        grant = batch.grants[event.index] if event.index < len(batch.grants) else None
        if grant is None:
            return batch.wallet, event.amount
        if (grant.bill, grant.line) != (event.bill, event.line):
            found = f"line {event.line} of bill {event.bill}"
            self._wrong(batch, event.index, "wrong-line", f"line {grant.line} of bill {grant.bill}", found, event, at)
        if at.timestamp >= grant.expires_at:
            found = f"use at {at.timestamp}"
            self._wrong(batch, event.index, "expired", f"use before {grant.expires_at}", found, event, at)
        if event.amount > min(grant.maximum_kopecks, left):
            expected = f"at most {min(grant.maximum_kopecks, left)} kopecks"
            self._wrong(batch, event.index, "above-maximum", expected, f"{event.amount} kopecks", event, at)
        return batch.wallet, min(grant.maximum_kopecks, left)

    def end_transaction(self, at: Moment) -> None:
        """No grant is used up without money moving."""
        for (batch, index), event in self._pending.items():
            self._wrong(self.batches[batch], index, "used-unmoved", "money moved", "a grant used up", event, at)
        self._pending.clear()

    def _posted(self, event: chain.GrantsPosted, at: Moment) -> None:
        named = NamedFile("grants", event.root, event.count, at.place(event))
        grants = self._grants(named, event.count)
        batch = Batch(event.batch, event.wallet, event.total, named, grants)
        self.batches[event.batch] = batch
        self._case.findings.count("batches of grants")
        maxima = sum(grant.maximum_kopecks for grant in grants if grant is not None)
        if None not in grants and maxima != event.total:
            self._case.tell(
                "grants", "total-differs", f"batch {event.batch} of grants", f"{maxima} kopecks, as its grants hold",
                f"{event.total} kopecks posted", _REMEDY, place=at.place(event), invariant=7,
            )  # fmt: skip

    def _grants(self, named: NamedFile, count: int) -> list[Grant | None]:
        out: list[Grant | None] = []
        aside = self._case.files.aside()
        if self._case.files.read(named, lambda index, row: out.append(_grant(aside, named, index, row))) is None:
            return [None] * count
        self._case.findings.merge(aside.findings)
        self._case.findings.count("grants", len(out))
        return out

    def _wrong(  # noqa: PLR0917
        self, batch: Batch, index: int, slug: str, expected: str, found: str, event: chain.Event, at: Moment
    ) -> None:
        record = f"grant {batch.number}-{index}"
        self._case.tell("grants", slug, record, expected, found, _REMEDY, place=at.place(event), invariant=7)


def _grant(files: Files, named: NamedFile, index: int, row: Row) -> Grant | None:
    try:
        grant = decode_grant(row.blob or b"")
    except LeafError as error:
        files.tell_leaf(named, index, "leaf-malformed", "a grant", str(error))
        return None
    if row.key is None and row.sealed is None and row.erased is None:
        return grant  # without a sealed decision: the welfare body keeps it itself
    _, plain = files.open(named, index, row)
    if plain is not None and grant_commit(plain[:32], Hash(keccak(plain[32:]))) != grant.commit:
        found = f"a decision of commitment 0x{grant_commit(plain[:32], Hash(keccak(plain[32:]))).hex()}"
        files.tell_leaf(named, index, "commit-differs", f"0x{grant.commit.hex()}", found)
    return grant
