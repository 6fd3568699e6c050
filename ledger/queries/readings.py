"""Readings that may be billed: final, kept by two holders, with the validation step's decisions applied."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from contracts.wire.ids import Hash, MeterId, SourceClass, SourceId
from contracts.wire.leaf import MISSING_VALUE, DecisionReason, Quality, ReadingFlags
from contracts.wire.structs import UsedHead
from contracts.wire.units import Unit
from ledger.models import acknowledgements, batches, decisions, head_jumps, ingested, profiles, registers, sources
from ledger.queries.views import LeafPlace, ProfileRow, RegisterRow
from ledger.store import SqlRow

HOLDERS_NEEDED = 2
"""Independent holders that must keep a batch's file before it may be billed (docs/protocol.md §9)."""


class DecisionsOutstanding(Exception):
    """A batch of the validation step is final on the chain and can't be used: what it strikes out is not known."""

    def __init__(self, source: SourceId, epoch: int, sequence: int, root: Hash) -> None:
        super().__init__(
            f"batch {sequence} (epoch {epoch}) of validation source {source}, readings/0x{root.hex()}.jsonl, is "
            f"anchored and not yet indexed, nor acknowledged by {HOLDERS_NEEDED} holders with finality: nothing is "
            f"billed until it is. Wait; if it stays so, see that both holders run and that the oracle serves the file"
        )
        self.source, self.epoch, self.sequence, self.root = source, epoch, sequence, root


_CHUNK = 500
"""Names in one IN list: below every database's limit of parameters."""

_QUALITIES = tuple(Quality)
_UNITS = {unit.value: unit for unit in Unit}
_FLAGS = {flags: ReadingFlags(flags) for flags in range(32)}


@dataclass(frozen=True, slots=True)
class _Batch:
    root: Hash
    source: SourceId
    source_class: SourceClass
    link: tuple[int, int]
    """Epoch and sequence: where it stands in its source's chain."""


@dataclass(frozen=True, slots=True)
class _Decision:
    place: LeafPlace
    overlaid: LeafPlace
    quality: Quality
    reason: DecisionReason


class Billable:
    """What may be billed: usable batches up to the given heads, by the place of their event, and their decisions.

    A batch behind one that can't be used yet counts for nothing, since no head of its chain would say so.
    """

    def __init__(self, connection: Connection, height: int, upto: Sequence[UsedHead] | None = None) -> None:
        """``upto`` are heads taken before; without them, those of this moment."""
        self._connection = connection
        heads = chain_heads(connection, height) if upto is None else upto
        last = {head.source: (head.epoch, head.sequence) for head in heads}
        self.batches = {
            place: batch
            for place, batch in _usable_batches(connection, height).items()
            if batch.link <= last.get(batch.source, (0, 0))
        }
        self._winning, self._by_place = self._decisions()

    def on(self, connection: Connection) -> Billable:
        """The same, to be read through another connection."""
        other = copy(self)
        other._connection = connection
        return other

    def registers(self, meters: Sequence[MeterId], start: int, end: int) -> list[RegisterRow]:
        """Registers of ``meters`` taken from ``start`` until before ``end``, by meter and time."""
        t = registers.c
        found: list[RegisterRow] = []
        for chunk in chunks(meters):
            query = select(registers).where(t.meter.in_(chunk), t.taken_at >= start, t.taken_at < end)
            for row, batch, place, decision in self._standing(self._connection.execute(query)):
                found.append(
                    RegisterRow(
                        MeterId(row.meter),
                        row.register,
                        row.taken_at,
                        row.value,
                        _UNITS[row.unit],
                        decision.quality if decision else _QUALITIES[row.quality],
                        _flags(row.flags),
                        batch.source,
                        batch.source_class,
                        place,
                        decision.overlaid if decision else None,
                        decision.reason if decision else None,
                    )
                )
        return sorted(found, key=lambda r: (r.meter, r.register, r.taken_at, r.place.root, r.place.index))

    def profiles(self, meters: Sequence[MeterId], start: int, end: int) -> list[ProfileRow]:
        """Profiles of ``meters`` that overlap the time from ``start`` until before ``end``, by meter and time."""
        t = profiles.c
        found: list[ProfileRow] = []
        for chunk in chunks(meters):
            query = select(profiles).where(t.meter.in_(chunk), t.start < end, t.end > start)
            for row, batch, place, decision in self._standing(self._connection.execute(query)):
                values, qualities = _intervals(row.intervals)
                found.append(
                    ProfileRow(
                        MeterId(row.meter),
                        row.register,
                        row.start,
                        row.end,
                        row.step_s,
                        _UNITS[row.unit],
                        values,
                        qualities,
                        _flags(row.flags),
                        batch.source,
                        batch.source_class,
                        place,
                        decision.overlaid if decision else None,
                        decision.reason if decision else None,
                    )
                )
        return sorted(found, key=lambda r: (r.meter, r.register, r.start, r.place.root, r.place.index))

    @property
    def has_decisions(self) -> bool:
        """Whether any leaf is overlaid at all."""
        return bool(self._winning)

    def is_overlaid(self, place: tuple[int, int], leaf: int) -> bool:
        """Whether a decision stands in the place of a leaf of a usable batch."""
        return LeafPlace(self.batches[place].root, leaf) in self._winning

    def _standing(self, rows: Iterable[SqlRow]) -> Iterator[tuple[SqlRow, _Batch, LeafPlace, _Decision | None]]:
        """Rows that stand: of a usable batch and not overlaid, or put in another's place by the last decision."""
        for row in rows:
            batch = self.batches.get((row.block_number, row.log_index))
            if batch is None:
                continue
            place = LeafPlace(batch.root, row.leaf_index)
            if row.is_instead:
                decision = self._by_place.get(place)
                if decision is not None:
                    yield row, batch, place, decision
            elif place not in self._winning:
                yield row, batch, place, None

    def _decisions(self) -> tuple[set[LeafPlace], dict[LeafPlace, _Decision]]:
        """Leaves that are overlaid, and the last decision on each by its own place. Only the validation step's
        decisions count: any source could otherwise strike out another's readings."""
        last: dict[LeafPlace, _Decision] = {}
        t = decisions.c
        for row in self._connection.execute(select(decisions).order_by(t.block_number, t.log_index, t.leaf_index)):
            batch = self.batches.get((row.block_number, row.log_index))
            if batch is None or batch.source_class is not SourceClass.VALIDATION:
                continue
            overlaid = LeafPlace(Hash(row.overlaid_root), row.overlaid_index)
            place = LeafPlace(batch.root, row.leaf_index)
            last[overlaid] = _Decision(place, overlaid, Quality(row.quality), DecisionReason(row.reason))
        return set(last), {decision.place: decision for decision in last.values()}


def chain_heads(connection: Connection, height: int) -> list[UsedHead]:
    """The latest head of each source up to which every batch of its chain may be billed, by source."""
    usable = _usable_batches(connection, height)
    links: defaultdict[int, list[tuple[int, int, bytes, bool]]] = defaultdict(list)
    b, j = batches.c, head_jumps.c
    roots = {batch.root for batch in usable.values()}
    for row in connection.execute(select(b.source, b.epoch, b.sequence, b.head, b.root, b.block_number)):
        is_usable = row.block_number <= height and row.root in roots
        links[row.source].append((row.epoch, row.sequence, row.head, is_usable))
    jumps = select(j.source, j.epoch, j.sequence, j.head).where(j.block_number <= height)
    for jump in connection.execute(jumps):
        links[jump.source].append((jump.epoch, jump.sequence, jump.head, True))
    heads: list[UsedHead] = []
    for source, chain in sorted(links.items()):
        head: UsedHead | None = None
        for epoch, sequence, word, is_usable in sorted(chain):
            if not is_usable:
                break
            head = UsedHead(SourceId(source), epoch, sequence, word)
        if head is not None:
            heads.append(head)
    return heads


def check_decided(connection: Connection, height: int) -> None:
    """Makes sure that no final word of the validation step is left out. Raises DecisionsOutstanding.

    A decision that is anchored and can't be used yet may strike out a reading that can.
    """
    roots = {batch.root for batch in _usable_batches(connection, height).values()}
    b, s = batches.c, sources.c
    deciding = select(s.source).where(s.source_class == int(SourceClass.VALIDATION))
    query = (
        select(b.source, b.epoch, b.sequence, b.root)
        .where(b.block_number <= height, b.source.in_(deciding))
        .order_by(b.source, b.epoch, b.sequence)
    )
    for row in connection.execute(query):
        if row.root not in roots:
            raise DecisionsOutstanding(SourceId(row.source), row.epoch, row.sequence, Hash(row.root))


def _usable_batches(connection: Connection, height: int) -> dict[tuple[int, int], _Batch]:
    """Batches whose file is indexed, and whose anchor and acknowledgements by enough holders are final, by place."""
    a, b, i = acknowledgements.c, batches.c, ingested.c
    kept = (
        select(a.root)
        .where(a.block_number <= height)
        .group_by(a.root)
        .having(func.count(a.holder.distinct()) >= HOLDERS_NEEDED)
    )
    query = (
        select(b.block_number, b.log_index, b.root, b.source, b.epoch, b.sequence)
        .join(ingested, (i.block_number == b.block_number) & (i.log_index == b.log_index))
        .where(b.block_number <= height, b.root.in_(kept))
    )
    classes = {row.source: SourceClass(row.source_class) for row in connection.execute(select(sources))}
    return {
        (row.block_number, row.log_index): _Batch(
            Hash(row.root), SourceId(row.source), classes[row.source], (row.epoch, row.sequence)
        )
        for row in connection.execute(query)
    }


def _intervals(data: bytes) -> tuple[tuple[int | None, ...], tuple[Quality, ...]]:
    pairs = struct.unpack(">" + "IB" * (len(data) // 5), data)
    values = tuple(None if value == MISSING_VALUE else value for value in pairs[0::2])
    return values, tuple(_QUALITIES[quality] for quality in pairs[1::2])


def _flags(bits: int) -> ReadingFlags:
    return _FLAGS.get(bits) or ReadingFlags(bits)


def chunks(meters: Sequence[MeterId]) -> Iterator[Sequence[MeterId]]:
    """Names for one IN list each."""
    for start in range(0, len(meters), _CHUNK):
        yield meters[start : start + _CHUNK]
