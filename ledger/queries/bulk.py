"""Registers of many meters at once, by columns: what a city's run reads, where an object a reading is too slow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from contracts.wire.ids import Hash, MeterId, SourceClass
from contracts.wire.structs import UsedHead
from ledger.models import registers
from ledger.queries.readings import Billable, chunks

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PlainRegisters:
    """Rows of registers by columns; ``batch`` numbers the batch, ``leaf`` the leaf in it."""

    meter: list[MeterId]
    register: Ints
    taken_at: Ints
    value: Ints
    quality: Ints
    batch: Ints
    leaf: Ints

    def and_those(self, other: PlainRegisters) -> PlainRegisters:
        """These and others."""
        mine, others = ((r.register, r.taken_at, r.value, r.quality, r.batch, r.leaf) for r in (self, other))
        return PlainRegisters(
            self.meter + other.meter, *(np.concatenate(both) for both in zip(mine, others, strict=True))
        )


_NONE: Ints = np.zeros(0, np.int64)
NO_REGISTERS = PlainRegisters([], _NONE, _NONE, _NONE, _NONE, _NONE, _NONE)
_LOG_BITS = 24
"""Room for the number of an event in its block."""
_SELECT = (
    "SELECT meter, register, taken_at, value, quality, block_number, log_index, leaf_index, is_instead "
    f"FROM {registers.name}"
)


@dataclass(frozen=True, slots=True)
class BatchOf:
    """Of which file a row is, and of what class of source."""

    root: Hash
    source_class: SourceClass


class BulkReadings:
    """Rows that may be billed, up to the heads that a run claims; of one moment, as long as the connection lives."""

    def __init__(self, connection: Connection, height: int, upto: Sequence[UsedHead]) -> None:
        self._connection = connection
        self._billable = Billable(connection, height, upto)
        self._mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
        places = np.array([(b << _LOG_BITS) | log for b, log in self._billable.batches], dtype=np.int64)
        self._order = np.argsort(places)
        self._places = places[self._order]
        self.batches = [BatchOf(batch.root, batch.source_class) for batch in self._billable.batches.values()]
        """Batches by the number that rows name them by."""

    def registers(self, meters: Iterable[MeterId], start: int, end: int) -> tuple[PlainRegisters, set[MeterId]]:
        """Registers taken from ``start`` until before ``end`` in no order, and the meters of which a decision of the
        validation step changes some row: those are to be read one by one, by ``Ledger.registers``."""
        rows: list[Any] = []
        for chunk in chunks(sorted(meters)):
            # Past SQLAlchemy's rows, of which there are several a meter: they cost more than the query.
            marks = ", ".join([self._mark] * len(chunk))
            query = f"{_SELECT} WHERE meter IN ({marks}) AND taken_at >= {self._mark} AND taken_at < {self._mark}"
            rows += self._connection.exec_driver_sql(query, (*chunk, start, end)).cursor.fetchall()
        meter, *columns = zip(*rows, strict=True) if rows else ((),) * 9
        register, taken_at, value, quality, block, log, leaf, is_instead = (
            np.array(column, dtype=np.int64) for column in columns
        )
        batch = self._number(block, log)
        usable = batch >= 0
        found = PlainRegisters(
            [name for name, is_usable in zip(meter, usable.tolist(), strict=True) if is_usable],
            *(column[usable] for column in (register, taken_at, value, quality, batch, leaf)),
        )
        return found, self._decided(found, is_instead[usable])

    def _number(self, block: Ints, log: Ints) -> Ints:
        """The number of the batch of each row, -1 where it may not be billed."""
        if not len(self._places):
            return np.full(len(block), -1, np.int64)
        place = (block << _LOG_BITS) | log
        number = np.minimum(np.searchsorted(self._places, place), len(self._places) - 1)
        return np.where(self._places[number] == place, self._order[number], -1)

    def _decided(self, found: PlainRegisters, is_instead: Ints) -> set[MeterId]:
        out = {found.meter[row] for row in np.flatnonzero(is_instead).tolist()}
        if self._billable.has_decisions:
            at = list(self._billable.batches)
            for meter, batch, leaf in zip(found.meter, found.batch.tolist(), found.leaf.tolist(), strict=True):
                if self._billable.is_overlaid(at[batch], leaf):
                    out.add(meter)
        return out
