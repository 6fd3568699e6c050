"""Half-hours of the Smart Grid Smart City trial: CSV, plain or gzip, with customer_id, reading_datetime, kWh.

The trial's times are wall times rendered as UTC; they are taken as UTC. Half-hours that are not there stay missing.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import PurePath

STEP_S = 1800
DAY_S = 86_400
HALF_HOURS = DAY_S // STEP_S
MAX_TEXT_BYTES = 64 << 20
"""What a file may hold unpacked: some fifty years of half-hours."""
_CHUNK_BYTES = 1 << 20
_COLUMNS = ["customer_id", "reading_datetime", "general_supply_kwh"]


class SgscError(ValueError):
    """A file that is not taken; ``record`` names the row, ``remedy`` what to do."""

    def __init__(self, file: str, record: str, reason: str, remedy: str) -> None:
        super().__init__(f"{file}: {record}: {reason}; {remedy}")
        self.file = file
        self.record = record
        self.reason = reason
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class CustomerDay:
    """A customer's half-hours of one day from ``start`` (seconds UTC), Wh, None where the file has none."""

    customer: str
    start: int
    values: tuple[int | None, ...]


def is_sgsc(data: bytes) -> bool:
    """Whether the bytes look like such a file."""
    if data[:2] == b"\x1f\x8b":
        try:
            data = zlib.decompressobj(wbits=31).decompress(data, 256)
        except zlib.error:
            return False
    return data.startswith(",".join(_COLUMNS).encode())


def read_sgsc(data: bytes, file: str) -> Iterator[CustomerDay]:
    """The file's days, customer by customer in the file's order. Raises SgscError naming the row."""
    name = PurePath(file).name
    days: dict[tuple[str, int], list[int | None]] = {}
    for number, row in enumerate(_rows(data, name), start=2):
        customer, at, amount_wh = _read_row(row, name, number)
        day = days.setdefault((customer, at - at % DAY_S), [None] * HALF_HOURS)
        i = at % DAY_S // STEP_S
        if day[i] is not None:
            raise SgscError(name, f"row {number}", f"{customer} at {row[1]} comes twice", "keep one of the rows")
        day[i] = amount_wh
    for (customer, start), values in days.items():
        yield CustomerDay(customer, start, tuple(values))


def _rows(data: bytes, name: str) -> Iterator[list[str]]:
    try:
        text = (_unpack(data, name) if data[:2] == b"\x1f\x8b" else data).decode("ascii")
    except (EOFError, OSError, zlib.error) as error:
        raise SgscError(name, "gzip", str(error), "the file is cut short or damaged: fetch it again") from error
    except UnicodeDecodeError as error:
        raise SgscError(name, f"byte {error.start}", "not ASCII", "give the CSV as it was published") from error
    rows = csv.reader(io.StringIO(text))
    if next(rows, None) != _COLUMNS:
        raise SgscError(name, "row 1", f"the columns are not {', '.join(_COLUMNS)}", "give the CSV with its header")
    yield from rows


def _unpack(data: bytes, name: str) -> bytes:
    """The text of a gzip file, read no further than a file may go. Raises SgscError, EOFError, OSError, zlib.error."""
    text = bytearray()
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
        while chunk := packed.read(_CHUNK_BYTES):
            text += chunk
            if len(text) > MAX_TEXT_BYTES:
                reason = f"{len(data)} bytes that unpack to more than {MAX_TEXT_BYTES}"
                raise SgscError(name, "gzip", reason, "split the file by customer or by month; nothing of it was taken")
    return bytes(text)


def _read_row(row: list[str], name: str, number: int) -> tuple[str, int, int]:
    record = f"row {number}"
    if len(row) != len(_COLUMNS):
        raise SgscError(name, record, f"{len(row)} columns", "the file is cut short or damaged: fetch it again")
    try:
        at = int(datetime.fromisoformat(row[1]).replace(tzinfo=UTC).timestamp())
        amount_wh = Decimal(row[2]) * 1000
    except (ValueError, InvalidOperation) as error:
        raise SgscError(name, record, f"not a half-hour: {row}", "correct or drop the row") from error
    if at % STEP_S or amount_wh != int(amount_wh) or not 0 <= amount_wh < 1 << 32:
        raise SgscError(name, record, f"not whole Wh on a half-hour: {row}", "correct or drop the row")
    return row[0], at, int(amount_wh)
