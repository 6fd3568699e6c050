"""Russian words and numbers of documents: sums, volumes, months, and the names of what the books hold as codes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_skeleton
from babel.numbers import format_decimal

from billing.domain.numbers import exact_text, half_up
from contracts.wire.ids import Period

LOCALE = "ru"
PLACES = 6
"""Decimal places of a volume or a rate that has no end: what ГИС ЖКХ takes of a rate."""
SERVICES = {
    "cold_water": "Холодное водоснабжение",
    "hot_water": "Горячее водоснабжение",
    "sewage": "Водоотведение",
    "electricity": "Электроснабжение",
    "gas": "Газоснабжение",
    "heating": "Отопление",
    "solid_waste": "Обращение с ТКО",
    "capital_repair": "Взнос на капитальный ремонт",
    "housing": "Содержание жилого помещения",
}
UNITS = {
    "kWh": "кВт·ч",
    "m3": "м³",
    "Gcal": "Гкал",
    "m2": "м²",
    "person": "чел.",
    "RUB": "₽",
    "1": "",
    "month": "мес.",
    "day": "дн.",
    "h": "ч",
}
METHODS = {
    "meter": "прибор учёта",
    "profile": "прибор учёта",
    "average": "среднее",
    "norm": "норматив",
    "area": "по площади",
}
ZONES = {"single": "", "day": "день", "night": "ночь", "peak": "пик", "half_peak": "полупик"}
QUALITIES = {
    "measured": "измерено",
    "substituted": "замещено",
    "estimated": "расчётное",
    "self_reported": "передано жильцом",
    "inspector": "снято контролёром",
    "imported": "из файла поставщика",
}
BASE_UNITS = {"Wh": (1000, "kWh"), "litre": (1000, "m3"), "ucal": (1_000_000, "Gcal"), "dm2": (100, "m2")}
"""Base unit of the books → how many of it make the unit of tariffs."""
MINUS = "−"


def roubles(kopecks: int) -> str:
    """A sum in roubles with its kopecks."""
    text = str(format_decimal(Decimal(abs(kopecks)).scaleb(-2), "#,##0.00", locale=LOCALE))
    return MINUS + text if kopecks < 0 else text


def number(value: Fraction | int | None, places: int = PLACES) -> str:
    """A number with at most so many decimals, the last one rounded half up; nothing for None."""
    if value is None:
        return ""
    text = plain_number(value, places)
    shown = str(format_decimal(Decimal(text.removeprefix("-")), locale=LOCALE, decimal_quantization=False))
    return MINUS + shown if text.startswith("-") else shown


def exact_number(value: Fraction) -> str:
    """A number without any rounding: a decimal where it ends, a fraction such as 3/31 where it does not."""
    text = exact_text(value)
    return text.replace("-", MINUS) if "/" in text else number(value, len(text.partition(".")[2]))


def plain_number(value: Fraction | int, places: int = PLACES) -> str:
    """The same as machines write it: a point, no grouping, no trailing zeros."""
    scaled = half_up(Fraction(value) * 10**places)
    whole, part = divmod(abs(scaled), 10**places)
    text = f"{whole}.{part:0{places}d}".rstrip("0").rstrip(".") if places else str(whole)
    return "-" + text if scaled < 0 else text


def service(code: str) -> str:
    """The name of a service; a code nobody has named stays as it is."""
    return SERVICES.get(code, code)


def unit(code: str) -> str:
    """A unit, or a quotient of units such as RUB/m3."""
    return "/".join(UNITS.get(part, part) for part in code.split("/")).removesuffix("/")


def month(period: Period) -> str:
    """A period as people say it."""
    text = str(format_skeleton("yMMMM", date(period.year, period.month, 1), locale=LOCALE))
    return text.replace("\u202f", "\u00a0")  # the fonts of paper have no narrow space


def day(value: date) -> str:
    """A date as documents write it."""
    return str(format_date(value, "dd.MM.yyyy", locale=LOCALE))


def days(first: date, end: date) -> str:
    """Days from ``first`` up to, not including, ``end``."""
    return f"{day(first)}–{day(end - timedelta(days=1))}"


def local_day(moment: int, zone: str) -> str:
    """The local date of a moment in seconds UTC."""
    return day(datetime.fromtimestamp(moment, UTC).astimezone(ZoneInfo(zone)).date())
