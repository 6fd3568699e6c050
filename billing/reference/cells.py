"""Cells as people write them: dates both ways round, decimal commas, Russian words for services and kinds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta

from billing.domain.numbers import NumberError, exact
from billing.domain.tariff import Kind
from billing.reference.faults import BadCell
from contracts.wire.ids import Service

MOST_DECIMALS = 9
"""A tariff has at most six; a cell with more comes of a computation and not of an act."""

_SERVICES = {
    "хвс": Service.COLD_WATER,
    "холодная вода": Service.COLD_WATER,
    "холодное водоснабжение": Service.COLD_WATER,
    "гвс": Service.HOT_WATER,
    "горячая вода": Service.HOT_WATER,
    "горячее водоснабжение": Service.HOT_WATER,
    "водоотведение": Service.SEWAGE,
    "электроэнергия": Service.ELECTRICITY,
    "электроснабжение": Service.ELECTRICITY,
    "газ": Service.GAS,
    "газоснабжение": Service.GAS,
    "отопление": Service.HEATING,
    "тко": Service.SOLID_WASTE,
    "обращение с тко": Service.SOLID_WASTE,
    "капитальный ремонт": Service.CAPITAL_REPAIR,
    "содержание жилого помещения": Service.HOUSING,
}
_KINDS = {"тариф": Kind.TARIFF, "норматив": Kind.NORM, "повышающий коэффициент": Kind.MULTIPLIER}
_YES = {"yes", "true", "1", "да"}
_NO = {"no", "false", "0", "нет"}


def required(row: Mapping[str, str], column: str) -> str:
    """A cell that must not be empty. Raises BadCell."""
    value = row.get(column, "")
    if not value:
        raise BadCell(column, "", "is empty", "fill it in")
    return value


def day(row: Mapping[str, str], column: str) -> date:
    """A date, 2026-10-01 or 01.10.2026. Raises BadCell."""
    text = required(row, column)
    for form in ("%Y-%m-%d", "%d.%m.%Y"):
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007
        except ValueError:
            continue
    raise BadCell(column, text, "is no date", "write it as 2026-10-01 or 01.10.2026")


def ends(row: Mapping[str, str], starts: date) -> date | None:
    """The first day no more: ``effective_to`` itself, or the day after ``last_day``; None where both are empty.
    Raises BadCell."""
    if row.get("effective_to") and row.get("last_day"):
        raise BadCell("last_day", row["last_day"], "says the end a second time", "fill in effective_to or last_day")
    if row.get("effective_to"):
        column, end = "effective_to", day(row, "effective_to")
    elif row.get("last_day"):
        column, end = "last_day", day(row, "last_day") + timedelta(days=1)
    else:
        return None
    if end <= starts:
        raise BadCell(column, row[column], f"is before it begins on {starts}", "give a later day, or leave it empty")
    return end


def decimal(row: Mapping[str, str], column: str) -> str:
    """A decimal from zero as documents write it, with a point. Raises BadCell."""
    text = required(row, column)
    plain = "".join(text.split()).replace("\u00a0", "").replace(",", ".")
    try:
        value = exact(plain)
    except NumberError:
        raise BadCell(column, text, "is no number", "write it like 43.57 or 43,57, without a unit") from None
    if value < 0:
        raise BadCell(column, text, "is below zero", "write a number from zero")
    if len(plain.partition(".")[2]) > MOST_DECIMALS:
        raise BadCell(column, text, f"has more than {MOST_DECIMALS} decimals", "write the number as the act has it")
    return plain


def whole(row: Mapping[str, str], column: str, least: int = 1) -> int:
    """A whole number. Raises BadCell."""
    text = required(row, column)
    if not text.isdecimal() or int(text) < least:
        raise BadCell(column, text, f"is no whole number from {least}", f"write a whole number from {least}")
    return int(text)


def yes(row: Mapping[str, str], column: str) -> bool:
    """Yes or no. Raises BadCell."""
    text = required(row, column).lower()
    if text not in _YES | _NO:
        raise BadCell(column, row[column], "is neither yes nor no", "write yes or no")
    return text in _YES


def names(row: Mapping[str, str], column: str) -> list[str]:
    """Names with commas between them, sorted; none where the cell is empty."""
    return sorted({name.strip() for name in row.get(column, "").split(",")} - {""})


def months(row: Mapping[str, str], column: str) -> list[int]:
    """Months of a season: ``10-12, 1-4``; none where the cell is empty. Raises BadCell."""
    found: set[int] = set()
    for part in names(row, column):
        first, _, last = part.partition("-")
        if not first.strip().isdecimal() or not (last or first).strip().isdecimal():
            raise BadCell(column, row[column], "names no months", "write them like 10-12, 1-4")
        span = range(int(first), int(last or first) + 1)
        if not span or not set(span) <= set(range(1, 13)):
            raise BadCell(column, row[column], "names months that there are not", "write them like 10-12, 1-4")
        found.update(span)
    return sorted(found)


def service(row: Mapping[str, str], column: str) -> Service:
    """A service by its name, its Russian name or its code of ГИС ЖКХ. Raises BadCell."""
    text = required(row, column)
    plain = text.strip().lower()
    if plain in _SERVICES:
        return _SERVICES[plain]
    if plain.isdecimal() and int(plain) in set(Service):
        return Service(int(plain))
    if plain.upper() in Service.__members__:
        return Service[plain.upper()]
    known = ", ".join(service.name.lower() for service in Service)
    raise BadCell(column, text, "is no service", f"write one of {known}")


def kind(row: Mapping[str, str], column: str) -> Kind:
    """What a document fixes. Raises BadCell."""
    text = required(row, column)
    plain = text.strip().lower()
    if plain in _KINDS:
        return _KINDS[plain]
    if plain not in set(Kind):
        raise BadCell(column, text, "is no kind of document", f"write one of {', '.join(Kind)}")
    return Kind(plain)


def hours(row: Mapping[str, str], column: str) -> list[list[int]]:
    """Hours of a zone: ``7-10 17-21``; a pair may run over midnight. Raises BadCell."""
    out = []
    for part in required(row, column).split():
        first, _, end = part.partition("-")
        if not (first.isdecimal() and end.isdecimal() and int(first) < 24 and int(end) <= 24):
            raise BadCell(column, row[column], "names no hours", "write them like 7-10 17-21")
        out.append([int(first), int(end)])
    return out


def spelled_months(found: Iterable[int]) -> str:
    """Months as ``months`` reads them."""
    return ",".join(str(month) for month in sorted(found))
