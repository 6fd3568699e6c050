"""Registers of many meters at once, as plain rows: what a city's run reads, where an object a reading is too slow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from contracts.wire.ids import Hash, MeterId, SourceClass
from contracts.wire.structs import UsedHead
from ledger.models import registers
from ledger.queries.readings import Billable, chunks

PlainRegister = tuple[MeterId, int, int, int, int, int, int, int]
"""Meter, register, taken at, value, quality, flags, number of the batch, index of the leaf."""


_SELECT = (
    "SELECT meter, register, taken_at, value, quality, flags, block_number, log_index, leaf_index, is_instead "
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
        self._is_decided = self._billable.has_decisions
        self._numbers = {place: number for number, place in enumerate(self._billable.batches)}
        self.batches = [BatchOf(batch.root, batch.source_class) for batch in self._billable.batches.values()]
        """Batches by the number that rows name them by."""

    def registers(self, meters: Iterable[MeterId], start: int, end: int) -> tuple[list[PlainRegister], set[MeterId]]:
        """Registers taken from ``start`` until before ``end`` in no order, and the meters of which a decision of the
        validation step changes some row: those are to be read one by one, by ``Ledger.registers``."""
        rows: list[PlainRegister] = []
        decided: set[MeterId] = set()
        numbers = self._numbers
        for chunk in chunks(sorted(meters)):
            # Past SQLAlchemy's rows, of which there are several a meter: they cost more than the query.
            marks = ", ".join([self._mark] * len(chunk))
            query = f"{_SELECT} WHERE meter IN ({marks}) AND taken_at >= {self._mark} AND taken_at < {self._mark}"
            found: Sequence[Any] = self._connection.exec_driver_sql(query, (*chunk, start, end)).cursor.fetchall()
            for meter, register, taken_at, value, quality, flags, block, log, leaf, is_instead in found:
                number = numbers.get((block, log))
                if number is None:
                    continue
                if is_instead or (self._is_decided and self._billable.is_overlaid((block, log), leaf)):
                    decided.add(MeterId(meter))
                rows.append((meter, register, taken_at, value, quality, flags, number, leaf))
        return rows, decided
