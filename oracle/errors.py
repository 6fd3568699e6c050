"""What can be wrong with a batch: one class a fault, with the record it names and the remedy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, is_dataclass
from typing import ClassVar


class OracleError(Exception, ABC):
    """A refusal. ``slug`` and ``status`` make its RFC 9457 problem; ``kept`` says whether the batch is quarantined."""

    slug: ClassVar[str]
    status: ClassVar[int] = 422
    remedy: ClassVar[str]
    kept: ClassVar[bool] = True
    not_kept: str | None = None
    """Why a batch that should be in quarantine is not; None where it is."""

    @abstractmethod
    def what(self) -> str:
        """The fault, naming the record."""

    def __str__(self) -> str:
        return f"{self.what()}; {self.remedy}"

    def data(self) -> dict[str, object]:
        """The fault's own fields, bytes as hex, for the problem document."""
        if not is_dataclass(self):
            return {}
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: "0x" + v.hex() if isinstance(v, bytes) else v for name, v in named.items()}


@dataclass(eq=False)
class UnknownSource(OracleError):
    """The header names a source that the Registry does not know."""

    source: int
    sequence: int | None = None
    slug = "unknown-source"
    status = 403
    remedy = "have the operator register the concentrator's key (Registry.registerSource), then send the batch again"

    def what(self) -> str:
        batch = "" if self.sequence is None else f" of batch {self.sequence}"
        return f"source {self.source}{batch} is not in the Registry"


@dataclass(eq=False)
class SourceRevoked(OracleError):
    """The source was ended for good."""

    source: int
    sequence: int
    revoked_at: int
    slug = "source-revoked"
    status = 403
    remedy = "have the operator register a new source with a new key and send its readings from there"

    def what(self) -> str:
        return f"source {self.source} of batch {self.sequence} was revoked at {self.revoked_at}"


@dataclass(eq=False)
class SourceNotYetValid(OracleError):
    """The source's key counts from a later moment on."""

    source: int
    sequence: int
    valid_from: int
    slug = "source-not-yet-valid"
    status = 403
    remedy = "send the batch again once that moment has passed on the chain"

    def what(self) -> str:
        return f"the key of source {self.source} (batch {self.sequence}) is valid from {self.valid_from}"


@dataclass(eq=False)
class WrongSignature(OracleError):
    """The header was not signed by the source's key."""

    source: int
    sequence: int
    expected: bytes
    found: str
    slug = "wrong-signature"
    status = 403
    remedy = (
        "sign the header again with the key that the Registry holds for this source, "
        "for this chain and this ReadingAnchor; after a rotation that is the new key"
    )

    def what(self) -> str:
        return (
            f"batch {self.sequence} of source {self.source} is signed by {self.found}, "
            f"not by the source's key 0x{self.expected.hex()}"
        )


@dataclass(eq=False)
class EmptyBatch(OracleError):
    """No leaves."""

    source: int
    sequence: int
    slug = "empty-batch"
    remedy = "send a batch once there is a reading"

    def what(self) -> str:
        return f"batch {self.sequence} of source {self.source} has no leaves"


@dataclass(eq=False)
class CountMismatch(OracleError):
    """The header counts other than what came."""

    source: int
    sequence: int
    signed: int
    found: int
    slug = "count-mismatch"
    remedy = "send all leaves of the batch again, as they were signed"

    def what(self) -> str:
        return f"batch {self.sequence} of source {self.source} came with {self.found} leaves, {self.signed} are signed"


@dataclass(eq=False)
class RootMismatch(OracleError):
    """The leaves do not lead to the signed root."""

    source: int
    sequence: int
    signed: bytes
    found: bytes
    slug = "root-mismatch"
    remedy = "send all leaves of the batch again, as they were signed and in their order"

    def what(self) -> str:
        return (
            f"the leaves of batch {self.sequence} of source {self.source} lead to 0x{self.found.hex()}, "
            f"0x{self.signed.hex()} is signed"
        )


@dataclass(eq=False)
class BadLeaf(OracleError):
    """A leaf is not a reading."""

    source: int
    sequence: int
    index: int
    reason: str
    slug = "bad-leaf"
    remedy = "encode the reading as docs/protocol.md §3 fixes it and sign a new header under the same sequence"

    def what(self) -> str:
        return f"leaf {self.index} of batch {self.sequence} of source {self.source}: {self.reason}"


@dataclass(eq=False)
class PeriodReversed(OracleError):
    """The header's period ends before it starts."""

    source: int
    sequence: int
    period_start: int
    period_end: int
    slug = "period-reversed"
    remedy = "sign a header whose period holds its readings"

    def what(self) -> str:
        return (
            f"the period of batch {self.sequence} of source {self.source} "
            f"ends at {self.period_end}, before it starts at {self.period_start}"
        )


@dataclass(eq=False)
class PeriodInFuture(OracleError):
    """The header's period ends after now, by the chain's clock."""

    source: int
    sequence: int
    period_end: int
    now: int
    slug = "period-in-future"
    remedy = "check the concentrator's clock; a header's period may end 15 minutes after the chain's time at most"

    def what(self) -> str:
        return (
            f"the period of batch {self.sequence} of source {self.source} ends at {self.period_end}, "
            f"the chain's time is {self.now}"
        )


@dataclass(eq=False)
class WrongEpoch(OracleError):
    """The header is of an epoch that is over, or not declared yet."""

    source: int
    sequence: int
    expected: int
    given: int
    slug = "wrong-epoch"
    status = 409
    remedy = "ask GET /sources/{source}/head for the epoch; a new one starts with a reset that the operator signs too"

    def what(self) -> str:
        return (
            f"batch {self.sequence} of source {self.source} is of epoch {self.given}, its chain is in {self.expected}"
        )


@dataclass(eq=False)
class StaleSequence(OracleError):
    """The sequence is behind the head, and this intake does not know what stood there."""

    source: int
    sequence: int
    head_sequence: int
    slug = "stale-sequence"
    status = 409
    remedy = "ask GET /sources/{source}/head and go on after it"

    def what(self) -> str:
        return f"batch {self.sequence} of source {self.source} is behind the head, {self.head_sequence}"


@dataclass(eq=False)
class TooFarAhead(OracleError):
    """A gap too large to wait for."""

    source: int
    sequence: int
    expected: int
    limit: int
    slug = "sequence-gap"
    status = 409
    remedy = "send the batches between first, or declare the gap with an epoch reset"

    def what(self) -> str:
        return (
            f"batch {self.sequence} of source {self.source} leaves a gap after {self.expected - 1}; "
            f"at most {self.limit} batches wait for one"
        )


@dataclass(eq=False)
class BrokenChain(OracleError):
    """The header does not name the head before it."""

    source: int
    sequence: int
    expected: bytes
    given: bytes
    slug = "broken-chain"
    status = 409
    remedy = "ask GET /sources/{source}/head and sign a header that names it as previous"

    def what(self) -> str:
        return (
            f"batch {self.sequence} of source {self.source} follows 0x{self.given.hex()}, "
            f"the head is 0x{self.expected.hex()}"
        )


@dataclass(eq=False)
class Equivocation(OracleError):
    """The source signed two headers with one sequence. Both are kept and reported on the chain."""

    source: int
    epoch: int
    sequence: int
    first: bytes
    second: bytes
    slug = "equivocation"
    status = 409
    remedy = (
        "the first stands and both are reported; after a restored backup ask GET /sources/{source}/head "
        "and send these readings under the next sequence"
    )

    def what(self) -> str:
        return (
            f"source {self.source} signed two batches {self.sequence}: "
            f"0x{self.first.hex()} before and 0x{self.second.hex()} now"
        )


@dataclass(eq=False)
class MissingDocument(OracleError):
    """The header names a document that the oracle does not hold."""

    source: int
    sequence: int
    document: bytes
    slug = "missing-document"
    status = 409
    kept = False
    remedy = "put the document first (PUT /documents/{hash}), then send the batch again"

    def what(self) -> str:
        return f"batch {self.sequence} of source {self.source} rests on document 0x{self.document.hex()}, not held here"


@dataclass(eq=False)
class ChainUnavailable(OracleError):
    """No node answers: nothing can be checked, nothing is taken."""

    reason: str
    slug = "chain-unavailable"
    status = 503
    kept = False
    remedy = "nothing was taken; keep the batch and send it again once the oracle's node is back"

    def what(self) -> str:
        return f"the oracle's node does not answer: {self.reason}"
