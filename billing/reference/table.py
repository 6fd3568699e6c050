"""Tables of files: CSV as Excel and as everybody else writes it, and Excel workbooks themselves.

Cells come as text. A number of a workbook comes as the shortest decimal that the file's own number is, so that 43.57
is 43.57 and no binary neighbour of it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from openpyxl import Workbook, load_workbook
from openpyxl.cell import Cell, WriteOnlyCell
from openpyxl.utils.exceptions import InvalidFileException

from billing.reference.faults import FileRefused

EXCEL = ".xlsx"
MOST_BYTES = 64 * 1024 * 1024
_ENCODINGS = ("utf-8-sig", "cp1251")
_DELIMITERS = ";,\t"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: its number as an editor counts it, and its cells by column."""

    number: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """Columns in their order, by their own names, and the rows under them that are not empty."""

    file: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read_table(path: Path) -> Table:
    """The table of a file. Raises FileRefused."""
    if path.stat().st_size > MOST_BYTES:
        raise FileRefused(path.name, f"is over {MOST_BYTES >> 20} MB; split it")
    lines = _excel_lines(path) if path.suffix.lower() == EXCEL else _csv_lines(path)
    filled = ((number, cells) for number, cells in lines if any(cells))
    header = next(filled, None)
    if header is None:
        raise FileRefused(path.name, "is empty; its first row names the columns")
    columns = [COLUMNS.get(name.lower(), name.lower()) for name in header[1]]
    while columns and not columns[-1]:
        columns.pop()
    if len(set(columns)) != len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        raise FileRefused(path.name, f"the column {twice!r} is there twice; leave one of them out")
    rows = tuple(Row(number, dict(zip(columns, cells, strict=False))) for number, cells in filled)
    return Table(path.name, tuple(columns), rows)


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    """Writes a table as the path's ending says: a workbook, or CSV in UTF-8 with semicolons, as Excel opens it."""
    if path.suffix.lower() == EXCEL:
        book = Workbook(write_only=True)
        sheet = book.create_sheet("kopeck")
        for cells in (list(columns), *([row.get(column, "") for column in columns] for row in rows)):
            sheet.append([_text_cell(sheet, text) for text in cells])
        book.save(path)
        return
    with path.open("w", encoding="utf-8-sig", newline="") as out:
        writer = csv.writer(out, delimiter=";")
        writer.writerow(columns)
        writer.writerows([row.get(column, "") for column in columns] for row in rows)


def _csv_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    text = _decoded(path)
    first = text.lstrip().partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    before = 0
    try:
        for cells in reader:
            yield before + 1, [_clean(cell) for cell in cells]
            before = reader.line_num
    except csv.Error as error:
        raise FileRefused(path.name, f"line {reader.line_num} is no CSV: {error}") from error


def _decoded(path: Path) -> str:
    data = path.read_bytes()
    for encoding in _ENCODINGS:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise FileRefused(path.name, "is neither UTF-8 nor cp1251; save it as UTF-8")


def _excel_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (BadZipFile, InvalidFileException, KeyError, OSError, ValueError) as error:
        raise FileRefused(path.name, f"is no Excel workbook: {error}; save it as .xlsx") from error
    try:
        for number, cells in enumerate(book.worksheets[0].iter_rows(values_only=True), start=1):
            yield number, [_text(cell) for cell in cells]
    finally:
        book.close()


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, float):
        return format(Decimal(repr(cell)).normalize(), "f")
    return _clean(str(cell))


def _text_cell(sheet: Any, text: str) -> Cell:
    """Text stays text: an act that begins with = is no formula, and 01 no number."""
    cell: Cell = WriteOnlyCell(sheet, text)
    cell.data_type = "s"
    return cell


def _clean(cell: str) -> str:
    return cell.replace("\u00a0", " ").strip()


COLUMNS = {
    "наименование": "name",
    "вид": "kind",
    "территория": "area",
    "услуга": "service",
    "акт": "act",
    "действует с": "effective_from",
    "не действует с": "effective_to",
    "действует по": "last_day",
    "единица": "unit",
    "ставка": "rate",
    "значение": "value",
    "комнат": "rooms",
    "человек": "persons",
    "план": "plan",
    "зона": "zone",
    "вариант": "option",
    "признаки": "features",
    "месяцы": "season_months",
    "заменяет": "replaces",
    "с даты": "since",
    "процент": "percent",
    "день": "day",
    "какой день": "day_kind",
    "последний день входит": "to_included",
    "октмо": "oktmo",
    "входит в": "parent",
}
"""Russian names of columns."""
