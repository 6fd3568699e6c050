"""Every number, sum and date on a page, in the reader's language. Nothing else formats."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime, format_skeleton
from babel.numbers import format_decimal

SCALES = {"Wh": (3, "kWh"), "litre": (3, "m3"), "ucal": (6, "Gcal"), "dm2": (2, "m2")}
"""Base unit → decimal places to the unit people use, and that unit."""
NO_BREAK_SPACE = "\u00a0"
MINUS = "\u2212"


class Formatter:
    """Formats for one language and one zone, the IANA zone of the house."""

    def __init__(self, language: str, zone: str = "UTC") -> None:
        self._locale = Locale(language)
        self._zone = ZoneInfo(zone)

    def within(self, zone: str) -> Formatter:
        """The same language in another zone."""
        return Formatter(self._locale.language, zone)

    def money(self, kopecks: int) -> str:
        """Roubles with two decimals and the sign; the kopecks are whole, so nothing is rounded."""
        return self.roubles(kopecks) + NO_BREAK_SPACE + "₽"

    def roubles(self, kopecks: int) -> str:
        """The same without the sign of the currency; what is taken off has a minus, not a hyphen."""
        return str(format_decimal(Decimal(kopecks).scaleb(-2), "#,##0.00", locale=self._locale)).replace("-", MINUS)

    def plain_roubles(self, kopecks: int) -> str:
        """Roubles as a form field holds them: no grouping, the language's decimal mark."""
        return str(format_decimal(Decimal(kopecks).scaleb(-2), "0.00", locale=self._locale))

    def number(self, value: int | str) -> str:
        """A number with grouping; text that is no number is left as it is."""
        text = str(value)
        mark = "≈" if text.startswith("≈") else ""
        try:
            number = Decimal(text.removeprefix("≈"))
        except ArithmeticError:
            return text
        return mark + str(format_decimal(number, locale=self._locale, decimal_quantization=False))

    def quantity(self, count: int, unit: str) -> str:
        """A whole number of a base unit, in the unit people use; the unit itself is `common_unit`."""
        places, _ = SCALES.get(unit, (0, unit))
        scaled = Decimal(count).scaleb(-places)
        return self.number(f"{scaled.normalize():f}" if scaled else "0")

    def rounded(self, count: int, unit: str) -> str:
        """A quantity that is only foreseen, to a tenth of the unit people use, half up."""
        places, _ = SCALES.get(unit, (0, unit))
        scaled = Decimal(count).scaleb(-places).quantize(Decimal("0.1"), ROUND_HALF_UP)
        return str(format_decimal(scaled, "#,##0.#", locale=self._locale))

    def common_unit(self, unit: str) -> str:
        """The unit in which `quantity` shows a base unit."""
        return SCALES.get(unit, (0, unit))[1]

    def month(self, period: str) -> str:
        """A billing period, given as YYYY-MM."""
        year, _, month = period.partition("-")
        return str(format_skeleton("yMMMM", date(int(year), int(month), 1), locale=self._locale))

    def moment(self, at: str) -> str:
        """An instant, given in ISO 8601, in the local time of the house."""
        return str(format_datetime(self._local(at), "medium", locale=self._locale))

    def day(self, at: str) -> str:
        """The local date of an instant."""
        return str(format_date(self._local(at).date(), "long", locale=self._locale))

    def days(self, first: str, end: str) -> str:
        """Days from ``first`` up to ``end``, which is no longer one of them; both as YYYY-MM-DD."""
        last = date.fromisoformat(end) - timedelta(days=1)
        return f"{self.calendar_day(first)} — {self.calendar_day(last.isoformat())}"

    def calendar_day(self, day: str) -> str:
        """A date, given as YYYY-MM-DD."""
        return str(format_date(date.fromisoformat(day), "medium", locale=self._locale))

    def short_hash(self, text: str) -> str:
        """Both ends of a long hash; the page holds the whole of it elsewhere."""
        return text if len(text) <= 20 else f"{text[:10]}…{text[-6:]}"

    def plural(self, count: int) -> str:
        """The plural form of ``count``: one, few, many or other."""
        return str(self._locale.plural_form(count))

    def _local(self, at: str) -> datetime:
        moment = datetime.fromisoformat(at)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(self._zone)


def parse_roubles(text: str) -> int | None:
    """Kopecks of a sum as people write it: 1 234,50 or 1234.5; None where it is no sum or has parts of a kopeck."""
    body = "".join(text.replace("₽", "").split()).replace(",", ".")
    whole, _, part = body.partition(".")
    if not (whole.isascii() and whole.isdigit()) or len(part) > 2 or (part and not (part.isascii() and part.isdigit())):
        return None
    return int(whole) * 100 + int(part.ljust(2, "0") or "0")
