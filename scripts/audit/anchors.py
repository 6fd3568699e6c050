"""Batches of readings: signed, numbered, chained, kept by two holders, and whole in the bundle (invariant 4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from contracts.wire import events as chain
from contracts.wire.ids import NO_HASH, Hash, SourceClass, SourceId
from contracts.wire.keccak import keccak
from contracts.wire.typed_data import BatchHeader, SignatureError, anchor_domain, recover
from contracts.wire.typed_data import EpochReset as Reset
from scripts.audit.batch_file import BatchFile
from scripts.audit.case import Case, Moment
from scripts.audit.leaves import NamedFile
from scripts.audit.node import show
from scripts.audit.registry import HOLDER, Registry, Source

_SELECTOR = keccak(b"anchor((uint32,uint16,uint48,bytes24,bytes32,uint32,uint40,uint40,bytes32),bytes)")[:4].hex()
_SIGNATURE_AT = 2 + 8 + 64 * 11
"""Where the signature begins in the call's text: selector, nine words of the header, an offset, a length."""
_SOURCE = "Have the source's owner explain it, revoke its key, and have its readings of that time checked on the spot"
HOLDERS = 2
"""Holders who must have acknowledged a batch before a run may use it, docs/protocol.md §9."""


@dataclass
class Batch:
    """A batch on the chain, with what its file holds."""

    source: int
    class_: SourceClass
    epoch: int
    sequence: int
    head: bytes
    root: Hash
    holders: set[bytes]
    file: BatchFile


class Anchors:
    """The chains of batches as their events and files build them."""

    def __init__(self, case: Case, registry: Registry, files: Mapping[NamedFile, BatchFile]) -> None:
        self._case = case
        self._files = files
        self._registry = registry
        self._domain = anchor_domain(case.deployment.chain_id, case.deployment.addresses["ReadingAnchor"])
        self._heads: dict[int, tuple[int, int, bytes]] = {}
        self.batches: dict[int, list[Batch]] = defaultdict(list)
        self.by_root: dict[Hash, Batch] = {}
        self.overlaid: dict[tuple[Hash, int], Hash] = {}
        """Leaves that a decision stands over, with the batch of the decision."""

    def take(self, event: chain.Event, at: Moment) -> None:
        """The next event of the ReadingAnchor."""
        if isinstance(event, chain.Anchored):
            self._anchored(event, at)
        elif isinstance(event, chain.Acknowledged):
            if event.root in self.by_root and event.holder in self._registry.roles[HOLDER]:
                self.by_root[event.root].holders.add(event.holder)
        elif isinstance(event, chain.EpochReset):
            self._reset(event, at)
        elif isinstance(event, chain.HeadCarriedOver):
            self._heads[event.source] = event.epoch, event.sequence, event.head
        elif isinstance(event, chain.Equivocation):
            record = f"batch {event.sequence} of source {event.source}, epoch {event.epoch}"
            self._case.tell(
                "readings", "equivocation", record, f"head 0x{event.first.hex()}", f"head 0x{event.second.hex()} too",
                _SOURCE, place=at.place(event), invariant=4,
            )  # fmt: skip

    def _reset(self, event: chain.EpochReset, at: Moment) -> None:
        epoch, sequence, head = self._heads.get(event.source, (0, 0, bytes(24)))
        due = Reset(event.source, epoch + 1, head, event.reason)
        if (event.epoch, event.head) != (due.epoch, due.head()):
            self._case.tell(
                "readings", "chain-broken", f"epoch {event.epoch} of source {event.source}",
                f"a reset of head 0x{head.hex()} at {epoch}/{sequence}", f"head 0x{event.head.hex()}", _SOURCE,
                place=at.place(event), invariant=4,
            )  # fmt: skip
        self._heads[event.source] = event.epoch, 0, event.head

    def _anchored(self, event: chain.Anchored, at: Moment) -> None:
        source = self._registry.sources[event.source]
        epoch, sequence, previous = self._heads.get(event.source, (0, 0, bytes(24)))
        header = BatchHeader(
            SourceId(event.source), event.epoch, event.sequence, previous, event.root, event.count,
            event.period_start, event.period_end, event.document,
        )  # fmt: skip
        if (event.epoch, event.sequence) != (epoch, sequence + 1) or header.head() != event.head:
            self._case.tell(
                "readings", "chain-broken", f"batch {event.sequence} of source {event.source}",
                f"batch {sequence + 1} of epoch {epoch} after head 0x{previous.hex()}",
                f"batch {event.sequence} of epoch {event.epoch} with head 0x{event.head.hex()}", _SOURCE,
                place=at.place(event), invariant=4,
            )  # fmt: skip
        self._heads[event.source] = event.epoch, event.sequence, event.head
        named = NamedFile("readings", event.root, event.count, at.place(event))
        file = self._files[named]
        self._signatures(event, header, source, file, at)
        self._document(event, at)
        batch = Batch(
            event.source, source.class_, event.epoch, event.sequence, event.head, event.root, set(), file
        )  # fmt: skip
        self.batches[event.source].append(batch)
        self.by_root.setdefault(event.root, batch)
        self._case.findings.count("batches of readings")
        self._decisions(named, batch)

    # --- signatures ---

    def _signatures(
        self, event: chain.Anchored, header: BatchHeader, source: Source, file: BatchFile, at: Moment
    ) -> None:
        digest = self._domain.digest(header.struct_hash())
        record = f"batch {event.sequence} of source {event.source}"
        called, filed = self._called(at), _filed(file)
        if called is None and filed is None:
            self._wrong(record, "signature-missing", f"a signature by {show(source.key)}", "none", event, at)
        if called is not None and (wrong := _signer(digest, called, {source.key})):
            self._wrong(record, "signature-wrong", f"a signature by {show(source.key)}", wrong, event, at)
        if filed is not None and (wrong := _signer(digest, filed, source.keys)):
            self._wrong(record, "signature-wrong", f"in its file a signature by {show(source.key)}", wrong, event, at)
        self._header(event, header, file, at)
        late = source.revoked_at is not None and source.revoked_at <= at.timestamp
        if late or at.timestamp < source.valid_from:
            self._wrong(record, "source-not-valid", "a source in its time", "one revoked, or not valid yet", event, at)
        self._case.findings.count("signatures of readings", (called is not None) + (filed is not None))

    def _called(self, at: Moment) -> bytes | None:
        """The signature in the call that anchored the batch, where it was made straight to the contract."""
        data, anchor = at.transaction.data, "0x" + self._case.deployment.addresses["ReadingAnchor"].hex()
        if at.transaction.to != anchor or data[2:10] != _SELECTOR:
            return None
        return bytes.fromhex(data[_SIGNATURE_AT : _SIGNATURE_AT + 130])

    def _header(self, event: chain.Anchored, header: BatchHeader, file: BatchFile, at: Moment) -> None:
        """What the file's head says of the batch is what the chain says."""
        told = (file.head or {}).get("header", {})
        due = {
            "source": int(header.source), "epoch": header.epoch, "sequence": header.sequence,
            "previous": "0x" + header.previous.hex(), "root": "0x" + header.root.hex(), "count": header.count,
            "period_start": header.period_start, "period_end": header.period_end,
            "document": "0x" + header.document.hex(),
        }  # fmt: skip
        for name, value in due.items():
            if name in told and told[name] != value:
                record = f"{name} in the head of readings/0x{event.root.hex()}.jsonl"
                self._wrong(record, "head-differs", str(value), str(told[name]), event, at)

    def _wrong(  # noqa: PLR0917
        self, record: str, slug: str, expected: str, found: str, event: chain.Event, at: Moment
    ) -> None:
        self._case.tell("readings", slug, record, expected, found, _SOURCE, place=at.place(event), invariant=4)

    def _document(self, event: chain.Anchored, at: Moment) -> None:
        if event.document == NO_HASH:
            return
        data = self._case.files.bundle.read("documents", event.document)
        path = f"documents/0x{event.document.hex()}"
        if data is None or keccak(data) != event.document:
            slug, found = ("file-missing", "no file") if data is None else ("file-altered", f"0x{keccak(data).hex()}")
            self._case.tell(
                "documents", slug, path, f"the document of hash 0x{event.document.hex()}", found,
                "Fetch the document from another holder, or from whoever issued it", place=at.place(event), invariant=5,
            )  # fmt: skip
        self._case.findings.count("documents behind readings")

    # --- decisions ---

    def _decisions(self, named: NamedFile, batch: Batch) -> None:
        for leaf, overlaid_root, overlaid_leaf in batch.file.decisions:
            if batch.class_ is not SourceClass.VALIDATION:
                self._case.files.tell_leaf(named, leaf, "decision-by-stranger", "a reading", "a decision")
            self.overlaid.setdefault((overlaid_root, overlaid_leaf), batch.root)

    # --- what runs use ---

    def check_head(self, source: int, epoch: int, sequence: int, head: bytes) -> str | None:
        """What is wrong with a head that a run names; None where it is right and its batches are kept."""
        chain_of = self.batches.get(SourceId(source), [])
        used = [b for b in chain_of if (b.epoch, b.sequence) <= (epoch, sequence)]
        if not used or (used[-1].epoch, used[-1].sequence, used[-1].head) != (epoch, sequence, head):
            reset = self._heads.get(source)
            return None if reset == (epoch, sequence, head) else "no batch of that head stands on the chain"
        alone = next((b for b in used if len(b.holders) < HOLDERS), None)
        return None if alone is None else f"batch {alone.sequence} is kept by {len(alone.holders)} holders"


def _filed(file: BatchFile) -> bytes | None:
    told = (file.head or {}).get("signature")
    try:
        return None if told is None else bytes.fromhex(str(told).removeprefix("0x"))
    except ValueError:
        return b""


def _signer(digest: Hash, signature: bytes, allowed: Collection[bytes]) -> str:
    """Who signed, in words, where it is nobody allowed; nothing where it is right."""
    try:
        signer = recover(digest, signature)
    except SignatureError as error:
        return str(error)
    return "" if signer in allowed else f"a signature by {show(signer)}"
