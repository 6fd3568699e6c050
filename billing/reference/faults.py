"""What is wrong with a row of a file, so that whoever made it finds the cell and knows what to write there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class RowFault:
    """One cell that can't be taken. ``row`` is the line of a table, or of an XML file, as an editor counts it."""

    row: int
    column: str
    value: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"row {self.row}, column {self.column!r}: {self.value!r} {self.reason}; {self.remedy}"

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return asdict(self)


class BadCell(ValueError):
    """A cell does not hold what its column is for; becomes a RowFault where its row is known."""

    def __init__(self, column: str, value: str, reason: str, remedy: str) -> None:
        super().__init__(f"column {column!r}: {value!r} {reason}; {remedy}")
        self.column, self.value, self.reason, self.remedy = column, value, reason, remedy

    def at(self, row: int) -> RowFault:
        """The fault of a row."""
        return RowFault(row, self.column, self.value, self.reason, self.remedy)


class FileRefused(ValueError):
    """A file can't be read as any form at all; names the file and the remedy."""

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"{file}: {reason}")
        self.file = file


class RowsRefused(ValueError):
    """A file has rows that can't be taken, and nobody said to go on without them: nothing was imported."""

    def __init__(self, file: str, faults: Sequence[RowFault]) -> None:
        shown = "\n  ".join(str(fault) for fault in faults[:20])
        more = f"\n  and {len(faults) - 20} more" if len(faults) > 20 else ""
        super().__init__(
            f"{file}: {len(faults)} of its rows can't be taken, nothing was imported; "
            f"mend them, or import the rest with --skip-bad\n  {shown}{more}"
        )
        self.file, self.faults = file, tuple(faults)
