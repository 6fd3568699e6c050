"""Batches as files: every leaf's hash in the clear, its blob sealed under the key of the account it belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from contracts.client.files import FileStore
from contracts.wire.canonical import canonical_json
from contracts.wire.files import FileError, LeafLine, encode_file, parse_file
from contracts.wire.ids import Hash, MeterId
from contracts.wire.leaf import Record, split_reading_blob
from contracts.wire.sealed import seal, unseal
from contracts.wire.typed_data import BatchHeader
from oracle.batch import OpenedBatch, header_to_json, meter_of
from oracle.keys import SealingKey, SealingKeys

READINGS = "readings"
DOCUMENTS = "documents"


def seal_leaf(leaf: Hash, blob: bytes, key: SealingKey) -> LeafLine:
    """A leaf's line, its blob sealed."""
    return LeafLine(leaf, None, key[0], seal(key[1], leaf, blob))


def seal_leaves(batch: OpenedBatch, keys: Mapping[MeterId, SealingKey], unclaimed: SealingKey) -> list[LeafLine]:
    """The lines of a batch; leaves of meters without a key are sealed as unclaimed."""
    lines: list[LeafLine] = []
    for leaf, blob, record in zip(batch.leaves, batch.blobs, batch.records, strict=True):
        meter = meter_of(record)
        lines.append(seal_leaf(leaf, blob, unclaimed if meter is None else keys.get(meter, unclaimed)))
    return lines


def put_batch(
    files: FileStore,
    header: BatchHeader,
    signature: bytes,
    deployment: Mapping[str, object],
    lines: Sequence[LeafLine],
) -> None:
    """Makes a batch durable under its root. A file that is there already stays: its leaves are the same."""
    files.put(READINGS, header.root, encode_file(_file_head(header, signature, deployment), lines))


def put_signature(files: FileStore, header: BatchHeader, signature: bytes, deployment: Mapping[str, object]) -> None:
    """Puts a rotated source's new signature in the head of a batch's file; the leaves stay."""
    data = files.get(READINGS, header.root)
    if data is None:
        raise FileError(f"readings/0x{header.root.hex()}.jsonl is missing; restore it from another holder")
    head = canonical_json(_file_head(header, signature, deployment))
    files.put(READINGS, header.root, head + data[data.index(b"\n") :])


def _file_head(header: BatchHeader, signature: bytes, deployment: Mapping[str, object]) -> dict[str, object]:
    return {
        "header": header_to_json(header),
        "signature": "0x" + signature.hex(),
        "deployment": dict(deployment),
    }


def read_records(files: FileStore, root: Hash, keys: SealingKeys) -> list[Record | None]:
    """The records of a batch file, unsealed; None for an erased one. Raises FileError: gone or damaged."""
    data = files.get(READINGS, root)
    if data is None:
        raise FileError(f"readings/0x{root.hex()}.jsonl is missing; restore it from another holder")
    _, lines = parse_file(data, root)
    return [_open_line(line, keys) for line in lines]


def _open_line(line: LeafLine, keys: SealingKeys) -> Record | None:
    secret = None if line.key is None else keys.secret(line.key)
    if secret is None or line.sealed is None:
        return None
    return split_reading_blob(unseal(secret, line.leaf, line.sealed))[1]
