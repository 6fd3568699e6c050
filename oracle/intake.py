"""Taking in signed batches: everything is checked and on disk before a receipt is given.

Repeated, late and out-of-order batches end in the same state. What fails is kept in quarantine with its reason.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection, Engine

from contracts.client.files import FileStore
from contracts.wire.files import FileError, LeafLine
from contracts.wire.ids import NO_HASH, Hash, MeterId, SourceClass
from contracts.wire.keccak import keccak
from contracts.wire.leaf import Decision, Record, RegisterReading
from contracts.wire.merkle import leaf_hash
from contracts.wire.sealed import seal
from contracts.wire.typed_data import BatchHeader, SignatureError
from oracle import quarantine, store
from oracle.batch import (
    NO_BATCH,
    ChainHead,
    OpenedBatch,
    SignedBatch,
    batch_to_json,
    describe_signer,
    meter_of,
    open_batch,
    signer_of,
)
from oracle.batch_files import DOCUMENTS, put_batch, put_signature, read_records, seal_leaf, seal_leaves
from oracle.chain import Chain, SourceEntry
from oracle.errors import (
    BadLeaf,
    BrokenChain,
    Equivocation,
    MissingDocument,
    OracleError,
    PeriodInFuture,
    PeriodReversed,
    SourceNotYetValid,
    SourceRevoked,
    StaleSequence,
    TooFarAhead,
    UnknownSource,
    WrongEpoch,
    WrongSignature,
)
from oracle.keys import SealingKeys
from oracle.refusals import NotFound, NotStanding
from oracle.store import BatchState
from oracle.validation import CLOCK_TOLERANCE_S, Finding, decision_blob, meters_of, validate

WAITING_LIMIT = 256
"""How many sequences ahead of its chain a batch may be and wait for those between."""

QUARANTINE_LIMIT_BYTES = 64 << 20
"""What quarantine keeps of one source; of batches that nobody is proven to have sent, of all sources together."""
LOGGED_FINDINGS = 20

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a batch: ``accepted``, ``waiting`` for the batches before it, or ``repeated``."""

    root: Hash
    sequence: int
    state: str
    reason: str | None = None
    findings: tuple[Finding, ...] = ()
    """Readings of the batch that do not stand; those of a batch that waits are found when its turn comes."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A batch that was found signed and whole: its lines as its file holds them, its records to be judged."""

    header: BatchHeader
    signature: bytes
    lines: Sequence[LeafLine]
    records: Sequence[Record | None]
    kind: SourceClass


class Intake:
    """The one writer of batches. Thread-safe; one process a database."""

    def __init__(self, engine: Engine, files: FileStore, keys: SealingKeys, chain: Chain) -> None:
        self.engine = engine
        self.files = files
        self.keys = keys
        self.chain = chain
        self._writing = threading.Lock()
        self._epochs: dict[int, int] = {}  # the epoch in which each source's last batch was placed

    def accept(self, batch: SignedBatch) -> Receipt:
        """Checks a batch and makes it durable. Raises OracleError, after what is kept went to quarantine."""
        try:
            return self._accept(batch)
        except OracleError as error:
            log.warning("batch refused", slug=error.slug, reason=error.what())
            if error.kept:
                error.not_kept = self._quarantine(batch, error)
            raise

    def _accept(self, batch: SignedBatch) -> Receipt:
        header = batch.header
        with self.engine.begin() as connection:
            known = store.find_batch(connection, header.head())
        if known is not None:
            return self._again(known, batch.signature)
        entry = self._check_signed(header, batch.signature)
        opened = open_batch(batch)
        self._check_content(opened, entry)
        meter_keys = self.keys.of_meters(meters_of(opened.records))
        lines = seal_leaves(opened, meter_keys, self.keys.unclaimed())
        return self.keep(Checked(header, batch.signature, lines, opened.records, entry.kind))

    def keep(self, batch: Checked, within: Callable[[Connection], None] = lambda _connection: None) -> Receipt:
        """Makes a checked batch durable and gives it its place: the file first, then the rows in one commit.

        ``within`` runs in that commit.
        """
        header = batch.header
        put_batch(self.files, header, batch.signature, self.chain.deployment_json, batch.lines)
        # Asked outside the transaction, and only where the chain may know more than this intake.
        on_chain = None if self._epochs.get(header.source) == header.epoch else self.chain.head_of(header.source)
        now = self.chain.now()
        with self._writing, self.engine.begin() as connection:
            if on_chain is not None:
                adopt(connection, header.source, on_chain)
            answer = self._place(connection, batch, now)
            within(connection)
        if isinstance(answer, OracleError):
            raise answer
        self._epochs[header.source] = header.epoch
        return answer

    def sign_again(self, source: int, sequence: int, signature: bytes) -> Receipt:
        """Takes a rotated source's new signature of a batch whose leaves are here already."""
        with self.engine.begin() as connection:
            known = store.latest_at(connection, source, sequence)
        if known is None:
            raise NotFound(f"batch {sequence} of source {source}")
        return self._again(known, signature)

    def put_document(self, name: Hash, data: bytes) -> None:
        """Keeps the file or act behind a batch; ``name`` is its keccak-256, checked by the caller."""
        self.files.put(DOCUMENTS, name, data)

    def _again(self, known: store.BatchRow, signature: bytes) -> Receipt:
        header = known.header
        if known.state is BatchState.STALE:
            self._check_signed(header, signature)
            put_signature(self.files, header, signature, self.chain.deployment_json)
            with self._writing, self.engine.begin() as connection:
                store.sign_again(connection, header.head(), signature)
            return Receipt(header.root, header.sequence, "accepted", "taken with its new signature")
        if known.state is BatchState.CONFLICT:
            with self.engine.begin() as connection:
                first = store.batch_in_chain(connection, header.source, header.epoch, header.sequence)
            first_head = bytes(24) if first is None else first.header.head()
            raise Equivocation(header.source, header.epoch, header.sequence, first_head, header.head())
        if known.state in (BatchState.REFUSED, BatchState.BROKEN, BatchState.ABANDONED):
            raise NotStanding(header.source, header.sequence, known.state, known.reason or "no reason kept")
        return Receipt(header.root, header.sequence, "repeated", f"it is {known.state}", self.findings(known))

    def findings(self, batch: store.BatchRow) -> tuple[Finding, ...]:
        """The readings of a batch that do not stand, each with its meter where the record can still be opened."""
        with self.engine.begin() as connection:
            found = store.findings_of(connection, batch.header.head())
        records = self._records_of(batch) if found else ()
        return tuple(Finding(index, _meter_at(records, index), reason) for index, reason in found)

    def _check_signed(self, header: BatchHeader, signature: bytes) -> SourceEntry:
        """The source's entry, whose key signed. What an entry asked a moment ago refuses is judged by a fresh one."""
        try:
            return self._judge(header, signature, self.chain.source(header.source))
        except OracleError:
            return self._judge(header, signature, self.chain.source(header.source, fresh=True))

    def _judge(self, header: BatchHeader, signature: bytes, entry: SourceEntry | None) -> SourceEntry:
        source, sequence = header.source, header.sequence
        if entry is None:
            raise UnknownSource(source, sequence)
        if entry.revoked_at:
            raise SourceRevoked(source, sequence, entry.revoked_at)
        domain = self.chain.domain
        try:
            found = signer_of(header, signature, domain)
        except SignatureError:
            found = None
        if found != entry.key:
            raise WrongSignature(source, sequence, entry.key, describe_signer(header, signature, domain))
        if entry.valid_from > self.chain.now():
            raise SourceNotYetValid(source, sequence, entry.valid_from)
        return entry

    def _check_content(self, batch: OpenedBatch, entry: SourceEntry) -> None:
        header = batch.header
        source, sequence = header.source, header.sequence
        if header.period_end < header.period_start:
            raise PeriodReversed(source, sequence, header.period_start, header.period_end)
        now = self.chain.now()
        if header.period_end > now + CLOCK_TOLERANCE_S:
            raise PeriodInFuture(source, sequence, header.period_end, now)
        for index, record in enumerate(batch.records):
            if isinstance(record, Decision) is not (entry.kind is SourceClass.VALIDATION):
                raise BadLeaf(source, sequence, index, "decisions come from the validation source, and only they do")
        if header.document != NO_HASH and not self.files.has(DOCUMENTS, header.document):
            raise MissingDocument(source, sequence, header.document)

    def _place(self, connection: Connection, batch: Checked, now: int) -> Receipt | OracleError:
        """Gives a batch its place. What is to be committed although it is refused is returned, not raised."""
        header, signature = batch.header, batch.signature
        known = store.find_batch(connection, header.head())
        if known is not None:  # the same batch, sent twice at once
            return Receipt(header.root, header.sequence, "repeated", f"it is {known.state}")
        chain = store.chain_of(connection, header.source) or NO_BATCH
        source, sequence = header.source, header.sequence
        if header.epoch != chain.epoch:
            raise WrongEpoch(source, sequence, chain.epoch, header.epoch)
        if sequence <= chain.sequence:
            return self._conflict(connection, header, signature, chain, now)
        if sequence > chain.sequence + WAITING_LIMIT:
            raise TooFarAhead(source, sequence, chain.sequence + 1, WAITING_LIMIT)
        if sequence > chain.sequence + 1:
            store.add_batch(connection, header, signature, BatchState.WAITING, now)
            return Receipt(header.root, sequence, "waiting", f"batch {chain.sequence + 1} has not come yet")
        if header.previous != chain.head:
            raise BrokenChain(source, sequence, chain.head, header.previous)
        store.add_batch(connection, header, signature, BatchState.ACCEPTED, now)
        findings = self._take(connection, header, batch.records, batch.kind, now)
        self._settle(connection, header.source, batch.kind, now)
        return Receipt(header.root, sequence, "accepted", _reason_of(findings), tuple(findings))

    def _conflict(
        self, connection: Connection, header: BatchHeader, signature: bytes, chain: ChainHead, now: int
    ) -> OracleError:
        first = store.batch_in_chain(connection, header.source, header.epoch, header.sequence)
        if first is None:
            return StaleSequence(header.source, header.sequence, chain.sequence)
        store.add_batch(connection, header, signature, BatchState.CONFLICT, now)
        store.add_equivocation(connection, first.header, header)
        return Equivocation(header.source, header.epoch, header.sequence, first.header.head(), header.head())

    def _take(
        self,
        connection: Connection,
        header: BatchHeader,
        records: Sequence[Record | None],
        kind: SourceClass,
        now: int,
    ) -> list[Finding]:
        """Moves the source's chain to this batch and judges its readings; those that do not stand."""
        store.set_chain(connection, header.source, ChainHead(header.epoch, header.sequence, header.head()))
        if kind is SourceClass.VALIDATION:
            return []
        present = [record for record in records if record is not None]
        keys = self.keys.of_meters(meters_of(present))
        registers = {record.meter for record in present if isinstance(record, RegisterReading)}
        windows = store.load_windows(connection, {meter: keys[meter] for meter in registers if meter in keys})
        kept = frozenset(windows)
        findings = validate(records, keys, windows, now)
        store.save_windows(connection, keys, windows, kept)
        rows: list[dict[str, object]] = []
        for finding in findings:
            blob = decision_blob(header.root, finding)
            key = self.keys.unclaimed() if finding.meter not in keys else keys[finding.meter]
            line = seal_leaf(leaf_hash(blob), blob, key)
            rows.append(
                {
                    "overlaid_head": header.head(),
                    "overlaid_index": finding.index,
                    "reason": finding.reason,
                    "leaf": line.leaf,
                    "key": line.key,
                    "sealed": line.sealed,
                    "period_start": header.period_start,
                    "period_end": header.period_end,
                }
            )
        store.add_decisions(connection, rows)
        _log_findings(header, findings)
        return findings

    def _settle(self, connection: Connection, source: int, kind: SourceClass, now: int) -> None:
        """Takes the batches that waited for the one just taken."""
        while (chain := store.chain_of(connection, source)) is not None:
            candidates = store.waiting_at(connection, source, chain.epoch, chain.sequence + 1)
            following = next((row for row in candidates if row.header.previous == chain.head), None)
            for row in candidates:
                if row is not following:
                    self._drop_waiting(connection, row, following, chain)
            if following is None:
                return
            store.set_state(connection, following.header.head(), BatchState.ACCEPTED)
            self._take(connection, following.header, self._records_of(following), kind, now)

    def _records_of(self, row: store.BatchRow) -> Sequence[Record | None]:
        try:
            return read_records(self.files, row.header.root, self.keys)
        except FileError as error:
            log.error("a batch's records are not there", sequence=row.header.sequence, reason=str(error))
            return []

    def _drop_waiting(
        self, connection: Connection, row: store.BatchRow, following: store.BatchRow | None, chain: ChainHead
    ) -> None:
        header = row.header
        if following is not None and header.previous == chain.head:
            store.set_state(connection, header.head(), BatchState.CONFLICT)
            store.add_equivocation(connection, following.header, header)
            return
        broken = BrokenChain(header.source, header.sequence, chain.head, header.previous)
        store.set_state(connection, header.head(), BatchState.BROKEN, str(broken))

    def _quarantine(self, batch: SignedBatch, error: OracleError) -> str | None:
        """Keeps a batch that failed, as far as the allowance goes; why it is not kept, None where it is."""
        digest = Hash(keccak(batch.header.struct_hash() + keccak(batch.signature) + keccak(b"".join(batch.blobs))))
        _, secret = self.keys.unclaimed()
        kept = quarantine.Quarantined(digest, seal(secret, digest, batch_to_json(batch)), error)
        now = self.chain.now()
        with self._writing, self.engine.begin() as connection:
            held = quarantine.bytes_kept(connection, batch.header.source, error.slug)
            fits = held + len(kept.sealed) <= QUARANTINE_LIMIT_BYTES
            if fits or quarantine.is_kept(connection, digest):
                quarantine.add(connection, kept, batch.header, now)
                return None
        log.warning("quarantine full", source=batch.header.source, slug=error.slug, held_bytes=held)
        return (
            f"it was not kept: quarantine holds {held} of at most {QUARANTINE_LIMIT_BYTES} bytes of such batches; "
            "have the operator look through GET /quarantine and release what is settled"
        )


def _meter_at(records: Sequence[Record | None], index: int) -> MeterId | None:
    record = records[index] if index < len(records) else None
    return None if record is None else meter_of(record)


def _reason_of(findings: Sequence[Finding]) -> str | None:
    return f"{len(findings)} of its readings do not stand, see `findings`" if findings else None


def _log_findings(header: BatchHeader, findings: Sequence[Finding]) -> None:
    """Each of the first, then how many there are."""
    for finding in findings[:LOGGED_FINDINGS]:
        log.warning(
            "reading overlaid",
            source=header.source,
            sequence=header.sequence,
            leaf=finding.index,
            meter=None if finding.meter is None else finding.meter.hex(),
            reason=finding.name,
            remedy=finding.remedy,
        )
    if findings:
        log.warning("readings overlaid", source=header.source, sequence=header.sequence, count=len(findings))


def adopt(connection: Connection, source: int, on_chain: ChainHead) -> None:
    """Takes over what stands on the chain where this intake knows nothing yet, or an older epoch."""
    standing = store.chain_of(connection, source)
    if standing is None or on_chain.epoch > standing.epoch:
        store.set_chain(connection, source, on_chain)
        store.abandon_before(connection, source, on_chain.epoch)
