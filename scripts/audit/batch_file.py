"""One batch of readings out of its file: each leaf opened where it may be, held against its hash, and kept as bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts.wire.ids import Hash
from contracts.wire.leaf import Decision, LeafError, Quality, decode_record
from contracts.wire.merkle import leaf_hash
from contracts.wire.units import Unit
from scripts.audit.leaves import Content, Files, NamedFile, Row
from scripts.audit.packed import Packed

_CONTENTS = tuple(Content)
_PLACES = {content: place for place, content in enumerate(_CONTENTS)}
_UNITS, _QUALITIES = frozenset(map(int, Unit)), frozenset(map(int, Quality))
_COUNTER_SIZE, _UNIT_AT, _QUALITY_AT = 35, 31, 32
"""A counter's record, docs/protocol.md §3: its size, and where unit and quality stand."""


@dataclass
class BatchFile:
    """What a batch's file holds. ``head`` is None where there is no such file; ``records`` has none for a leaf that
    stays closed; ``decisions`` are (leaf, root and leaf that it stands over)."""

    head: Mapping[str, Any] | None = None
    records: Packed = field(default_factory=Packed)
    decisions: list[tuple[int, Hash, int]] = field(default_factory=list)
    _contents: bytearray = field(default_factory=bytearray)

    def content(self, leaf: int) -> Content:
        """What became of a leaf."""
        return _CONTENTS[self._contents[leaf]]

    def add(self, content: Content, record: bytes | None) -> None:
        """One more leaf."""
        self._contents.append(_PLACES[content])
        self.records.add(record)

    def add_sealed(self, count: int) -> None:
        """So many more that stay sealed."""
        self._contents += bytes((_PLACES[Content.SEALED],)) * count
        self.records.add_none(count)


def read_batch(files: Files, named: NamedFile) -> BatchFile:
    """Reads a batch's file; what is wrong with it, or with a leaf, is told."""
    found, aside = BatchFile(), files.aside()

    def take(index: int, row: Row) -> None:
        found.add(*_leaf(aside, named, index, row, found))

    def take_sealed(count: int) -> None:
        aside.leave_sealed(count)
        found.add_sealed(count)

    read = files.read(named, take, None if files.bundle.is_open else take_sealed)
    if read is None:
        return BatchFile()
    files.findings.merge(aside.findings)
    found.head = read.head
    return found


def _leaf(aside: Files, named: NamedFile, index: int, row: Row, found: BatchFile) -> tuple[Content, bytes | None]:
    content, blob = (Content.OPENED, row.blob) if row.blob is not None else aside.open(named, index, row)
    if blob is None:
        return content, None
    if leaf_hash(blob) != row.leaf:
        what = f"a record of leaf hash 0x{leaf_hash(blob).hex()}"
        aside.tell_leaf(named, index, "leaf-altered", f"leaf hash 0x{row.leaf.hex()}", what)
        return content, None
    if _is_counter(blob[32:]):
        return content, blob[32:]
    try:
        record = decode_record(blob[32:])
    except LeafError as error:
        aside.tell_leaf(named, index, "leaf-malformed", "a reading", str(error))
        return content, None
    if isinstance(record, Decision):
        found.decisions.append((index, record.overlaid_root, record.overlaid_index))
    return content, blob[32:]


def _is_counter(record: bytes) -> bool:
    """Whether a record is a counter's, by what `decode_record` asks of one."""
    if len(record) != _COUNTER_SIZE or record[0] != 0:
        return False
    return record[_UNIT_AT] in _UNITS and record[_QUALITY_AT] in _QUALITIES
