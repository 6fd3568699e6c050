"""A printed document as sections of facts and tables, in words ready to print: what the PDF and the page both show.

Everything here is plain text. The templates put it in its place and never read it as markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. ``weight`` is its share of the width; numbers stand to the right."""

    title: str
    weight: int = 1
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a caption; the first cell of each row names the row. ``total`` is the row that closes it."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    total: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for row in (*self.rows, *([self.total] if self.total else [])):
            if len(row) != len(self.columns):
                raise ValueError(f"table {self.caption!r}: a row of {len(row)} cells in {len(self.columns)} columns")


@dataclass(frozen=True, slots=True)
class Section:
    """A section: labelled facts, then paragraphs, then tables."""

    title: str
    facts: tuple[tuple[str, str], ...] = ()
    paragraphs: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True, slots=True)
class Code:
    """A QR symbol: its payload, and what it is in words."""

    payload: bytes
    caption: str
    description: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """A document. ``lead`` are the facts that stand beside the code, the sum to pay first."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]
    lead: tuple[tuple[str, str], ...] = ()
    code: Code | None = None
    footer: str = ""
    is_landscape: bool = True


def facts(pairs: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The pairs that say something."""
    return tuple((label, value) for label, value in pairs if value.strip())


def columns(*given: str | tuple[str, int]) -> tuple[Column, ...]:
    """Columns by title; a pair gives the weight; a title that begins with # holds numbers."""
    out = []
    for entry in given:
        title, weight = entry if isinstance(entry, tuple) else (entry, 1)
        out.append(Column(title.removeprefix("#"), weight, title.startswith("#")))
    return tuple(out)
