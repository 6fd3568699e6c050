"""Requests that are refused for what they ask or how: nothing of them is kept."""

from __future__ import annotations

from dataclasses import dataclass

from oracle.errors import OracleError


@dataclass(eq=False)
class MalformedRequest(OracleError):
    """The request is not JSON of the shape that a batch has."""

    reason: str
    slug = "malformed-request"
    status = 400
    kept = False
    remedy = "send the JSON that docs/oracle.md gives"

    def what(self) -> str:
        return f"the request is not a batch: {self.reason}"


@dataclass(eq=False)
class BatchTooLarge(OracleError):
    """More than one request may hold."""

    found: int
    limit: int
    unit: str
    slug = "batch-too-large"
    status = 413
    kept = False
    remedy = "send the readings in several batches"

    def what(self) -> str:
        return f"the batch has {self.found} {self.unit}, at most {self.limit} are taken at once"


@dataclass(eq=False)
class InboxConflict(OracleError):
    """One client key, two contents."""

    client_key: str
    slug = "inbox-conflict"
    status = 409
    kept = False
    remedy = "give the other reading a key of its own"

    def what(self) -> str:
        return f"the key {self.client_key!r} stands for another reading"


@dataclass(eq=False)
class ManualReadingRefused(OracleError):
    """A reading a person gave that cannot be taken."""

    client_key: str
    reason: str
    slug = "manual-reading-refused"
    kept = False
    remedy = "correct the reading and send it under a new key"

    def what(self) -> str:
        return f"reading {self.client_key!r}: {self.reason}"


@dataclass(eq=False)
class NotStanding(OracleError):
    """The same batch came before and fell out of its chain since."""

    source: int
    sequence: int
    state: str
    reason: str
    slug = "not-standing"
    status = 409
    kept = False
    remedy = "ask GET /sources/{source}/head and send its readings again under the next sequence"

    def what(self) -> str:
        return f"batch {self.sequence} of source {self.source} is {self.state}: {self.reason}"


@dataclass(eq=False)
class NotFound(OracleError):
    """Nothing is known under that name."""

    thing: str
    slug = "not-found"
    status = 404
    kept = False
    remedy = "check the name"

    def what(self) -> str:
        return f"no {self.thing} here"


@dataclass(eq=False)
class NotEntitled(OracleError):
    """The request carries no token of an entitled reader."""

    thing: str
    slug = "not-entitled"
    status = 401
    kept = False
    remedy = "send the token of the operator's keys/files.token as a bearer token"

    def what(self) -> str:
        return f"{self.thing} is for entitled readers only"


@dataclass(eq=False)
class DocumentMismatch(OracleError):
    """A document's bytes are not what its name says."""

    named: bytes
    found: bytes
    slug = "document-mismatch"
    kept = False
    remedy = "name a document by the keccak-256 of its bytes and send all of them"

    def what(self) -> str:
        return f"the document's bytes hash to 0x{self.found.hex()}, its name says 0x{self.named.hex()}"
