"""A signed batch of readings as it travels: header, signature, leaves; and its JSON form."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.wire.ids import NO_HASH, Hash, MeterId, SourceId
from contracts.wire.leaf import Decision, LeafError, Record, split_reading_blob
from contracts.wire.merkle import Tree, leaf_hash
from contracts.wire.typed_data import BatchHeader, Domain, SignatureError, recover, sign_digest
from oracle.errors import BadLeaf, CountMismatch, EmptyBatch, RootMismatch
from oracle.refusals import BatchTooLarge, MalformedRequest

MAX_NESTING = 16
_BRACKETS = re.compile(rb"[\[\]{}]")
MAX_LEAVES = 20_000
MAX_BODY_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class ChainHead:
    """Where a source's chain stands; ``sequence`` 0 with 24 zero bytes before its first batch."""

    epoch: int
    sequence: int
    head: bytes


NO_BATCH = ChainHead(0, 0, bytes(24))


@dataclass(frozen=True, slots=True)
class SignedBatch:
    """What a source sends: ``blobs[i]`` is salt ‖ record of leaf *i*."""

    header: BatchHeader
    signature: bytes
    blobs: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class OpenedBatch:
    """A batch whose leaves were checked against its root, with what they say."""

    header: BatchHeader
    signature: bytes
    blobs: tuple[bytes, ...]
    leaves: tuple[Hash, ...]
    records: tuple[Record, ...]


def make_header(
    source: SourceId, after: ChainHead, leaves: Sequence[Hash], period: tuple[int, int], document: Hash = NO_HASH
) -> BatchHeader:
    """The header over ``leaves`` that follows ``after``; ``period`` is its first and last second, UTC."""
    root = Tree.of(leaves).root
    return BatchHeader(
        source, after.epoch, after.sequence + 1, after.head, root, len(leaves), period[0], period[1], document
    )


def sign_header(header: BatchHeader, domain: Domain, private_key: bytes) -> bytes:
    """The source's signature of a header."""
    return sign_digest(private_key, domain.digest(header.struct_hash()))


def signer_of(header: BatchHeader, signature: bytes, domain: Domain) -> bytes:
    """Who signed a header. Raises SignatureError."""
    return recover(domain.digest(header.struct_hash()), signature)


def describe_signer(header: BatchHeader, signature: bytes, domain: Domain) -> str:
    """Who signed, in words, for the error that names them."""
    try:
        return "0x" + signer_of(header, signature, domain).hex()
    except SignatureError as error:
        return f"nobody ({error})"


def open_batch(batch: SignedBatch) -> OpenedBatch:
    """Leaf hashes and records of a batch, checked against its header.

    Raises EmptyBatch, BatchTooLarge, CountMismatch, RootMismatch, BadLeaf.
    """
    header = batch.header
    count = len(batch.blobs)
    if count == 0:
        raise EmptyBatch(header.source, header.sequence)
    if count > MAX_LEAVES:
        raise BatchTooLarge(count, MAX_LEAVES, "leaves")
    if count != header.count:
        raise CountMismatch(header.source, header.sequence, header.count, count)
    leaves = tuple(map(leaf_hash, batch.blobs))
    root = Tree.of(leaves).root
    if root != header.root:
        raise RootMismatch(header.source, header.sequence, header.root, root)
    return OpenedBatch(header, batch.signature, batch.blobs, leaves, _records(batch))


def _records(batch: SignedBatch) -> tuple[Record, ...]:
    records: list[Record] = []
    for index, blob in enumerate(batch.blobs):
        try:
            records.append(split_reading_blob(blob)[1])
        except LeafError as error:
            raise BadLeaf(batch.header.source, batch.header.sequence, index, str(error)) from error
    return tuple(records)


def meter_of(record: Record) -> MeterId | None:
    """The meter a record speaks of; None for a rejection, which names only the leaf it overlays."""
    if isinstance(record, Decision):
        return None if record.instead is None else record.instead.meter
    return record.meter


def header_to_json(header: BatchHeader) -> dict[str, object]:
    """A header as JSON: numbers as numbers, bytes as 0x hex."""
    return {
        "source": int(header.source),
        "epoch": header.epoch,
        "sequence": header.sequence,
        "previous": "0x" + header.previous.hex(),
        "root": "0x" + header.root.hex(),
        "count": header.count,
        "period_start": header.period_start,
        "period_end": header.period_end,
        "document": "0x" + header.document.hex(),
    }


_LIMITS = {"source": 32, "epoch": 16, "sequence": 48, "count": 32, "period_start": 40, "period_end": 40}


def header_from_json(value: Mapping[str, Any]) -> BatchHeader:
    """The header in JSON. Raises MalformedRequest naming the field."""
    numbers = {name: _number(value, name, bits) for name, bits in _LIMITS.items()}
    return BatchHeader(
        SourceId(numbers["source"]),
        numbers["epoch"],
        numbers["sequence"],
        _hex(value, "previous", 24),
        Hash(_hex(value, "root", 32)),
        numbers["count"],
        numbers["period_start"],
        numbers["period_end"],
        Hash(_hex(value, "document", 32)),
    )


def batch_to_json(batch: SignedBatch) -> bytes:
    """The body of POST /batches."""
    leaves = [base64.b64encode(blob).decode() for blob in batch.blobs]
    signature = "0x" + batch.signature.hex()
    return json.dumps({"header": header_to_json(batch.header), "signature": signature, "leaves": leaves}).encode()


def batch_from_json(body: bytes) -> SignedBatch:
    """The batch in the body of POST /batches. Raises MalformedRequest or BatchTooLarge."""
    value = json_of(body)
    if not isinstance(value, dict) or not isinstance(value.get("header"), dict):
        raise MalformedRequest("no object `header`")
    header = header_from_json(value["header"])
    signature = signature_from_json(value)
    leaves = value.get("leaves")
    if not isinstance(leaves, list):
        raise MalformedRequest("no list `leaves`")
    if len(leaves) > MAX_LEAVES:
        raise BatchTooLarge(len(leaves), MAX_LEAVES, "leaves")
    return SignedBatch(header, signature, tuple(_blob(leaf, index) for index, leaf in enumerate(leaves)))


def json_of(body: bytes) -> Any:
    """The value in a request's body. Raises MalformedRequest.

    The depth is bounded before it is parsed: where a library has raised Python's recursion limit, deep nesting would
    not raise but end the process.
    """
    depth = 0
    for bracket in _BRACKETS.finditer(body):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > MAX_NESTING:
            raise MalformedRequest("JSON nested too deeply")
    try:
        return json.loads(body)
    except ValueError as error:
        raise MalformedRequest(f"not JSON ({error})") from error


def signature_from_json(value: Mapping[str, Any]) -> bytes:
    """The field ``signature``: hex of any length, for whoever checks it to judge. Raises MalformedRequest."""
    text = value.get("signature")
    try:
        return bytes.fromhex(text.removeprefix("0x"))  # type: ignore[union-attr]
    except (AttributeError, ValueError) as error:
        raise MalformedRequest("`signature` is not hex") from error


def _blob(leaf: object, index: int) -> bytes:
    try:
        return binascii.a2b_base64(leaf, strict_mode=True)  # type: ignore[arg-type]
    except (ValueError, TypeError) as error:
        raise MalformedRequest(f"leaf {index} is not base64") from error


def _number(value: Mapping[str, Any], name: str, bits: int) -> int:
    number = value.get(name)
    if type(number) is not int or not 0 <= number < 1 << bits:
        raise MalformedRequest(f"header.{name} is not a whole number below 2^{bits}")
    return number


def _hex(value: Mapping[str, Any], name: str, size: int) -> bytes:
    text = value.get(name)
    try:
        data = bytes.fromhex(text.removeprefix("0x"))  # type: ignore[union-attr]
    except (AttributeError, ValueError) as error:
        raise MalformedRequest(f"header.{name} is not hex") from error
    if len(data) != size:
        raise MalformedRequest(f"header.{name} has {len(data)} bytes, not {size}")
    return data
