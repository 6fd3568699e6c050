"""The payment code of ГОСТ Р 56042-2014: what we write into the QR symbol of a bill, and what others wrote in theirs.

A payload is ``ST`` + version ``0001`` + the digit of its charset, a separator, and ``Key=Value`` pairs between
separators. The five required fields come first, in the order of the standard. Sums are kopecks.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import segno

from contracts.wire.ids import Period

FORMAT, VERSION = "ST", "0001"
TECH_CODE = "02"
"""Жилищно-коммунальное хозяйство in the standard's table of technical codes."""
SEPARATORS = "|#;:^_~{}!$%&*+<>?@"
"""Tried in this order; the standard names the first as the default. Those after ``}`` are from memory."""
REQUIRED_BYTES = 300
"""Of the required fields together, with the service block."""
REQUIRED: Mapping[str, tuple[int, int]] = {
    "Name": (1, 160),
    "PersonalAcc": (20, 20),
    "BankName": (1, 45),
    "BIC": (9, 9),
    "CorrespAcc": (1, 20),
}
"""Shortest and longest value, in characters; ``CorrespAcc`` is ``0`` where the bank has none."""
OPTIONAL: Mapping[str, int] = {
    "PayeeINN": 12,
    "KPP": 9,
    "PersAcc": 30,
    "LastName": 80,
    "FirstName": 80,
    "MiddleName": 80,
    "PayerAddress": 210,
    "Flat": 20,
    "Purpose": 160,
    "Sum": 18,
    "AddAmount": 18,
    "PaymPeriod": 7,
    "PaymTerm": 10,
    "Category": 30,
    "ServiceName": 210,
    "CounterId": 40,
    "CounterVal": 20,
    "QuittId": 40,
    "UIN": 25,
    "TechCode": 2,
}
"""Longest value in characters, in the order we write them. But for ``Purpose``, ``TechCode`` and ``PaymPeriod`` the
lengths are from memory: the standard leaves most to the parties, and a reader must not depend on them."""
NAMES = {name.casefold(): name for name in (*REQUIRED, *OPTIONAL)}
QUIET_ZONE = 4


class QrError(ValueError):
    """A payload can't be written or read; says which field and why."""


class Charset(Enum):
    """The digit of a charset, and Python's name of it."""

    CP1251 = "1"
    UTF_8 = "2"
    KOI8_R = "3"

    @property
    def codec(self) -> str:
        """Python's name."""
        return {"1": "cp1251", "2": "utf-8", "3": "koi8-r"}[self.value]


@dataclass(frozen=True, slots=True)
class ScannedCode:
    """What a payload says. ``fields`` are under the standard's spelling of their keys where it knows them.

    ``declared`` is the charset that the service block names and ``charset`` the one that the bytes are in: the two
    differ in real codes.
    """

    declared: Charset
    charset: Charset
    separator: str
    fields: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def sum_kopecks(self) -> int | None:
        """The sum, kopecks; None where there is none. Raises QrError."""
        text = self.fields.get("Sum", "").strip()
        if not text:
            return None
        if not (text.isascii() and text.isdigit()):
            raise QrError(f"Sum {text!r} is not whole kopecks; ask the payee for a new code")
        return int(text)

    @property
    def period(self) -> Period | None:
        """The month that is paid; None where there is none. Raises QrError."""
        text = self.fields.get("PaymPeriod", "").strip()
        return parse_period(text) if text else None


def write_code(fields: Mapping[str, str], charset: Charset | None = None) -> bytes:
    """The payload of a code. Empty values are left out. Raises QrError.

    Without ``charset`` it is UTF-8, or windows-1251 where only that keeps the required fields within their 300 bytes.
    """
    given = {name: value for name, value in fields.items() if value}
    _check(given)
    ordered = {name: given[name] for name in (*REQUIRED, *OPTIONAL) if name in given}
    separator = _separator(ordered)
    if charset is not None:
        return _encode(ordered, separator, charset)
    try:
        return _encode(ordered, separator, Charset.UTF_8)
    except QrError:
        return _encode(ordered, separator, Charset.CP1251)


def read_code(payload: bytes) -> ScannedCode:
    """What a payload says, whoever wrote it. Raises QrError where it is no payment code at all."""
    head = payload[: len(FORMAT + VERSION) + 2]
    if len(head) < len(FORMAT + VERSION) + 2 or not head.startswith(FORMAT.encode()):
        raise QrError("this is no payment code: it does not begin with ST and a version; scan another")
    declared = next((charset for charset in Charset if charset.value.encode() == head[6:7]), None)
    if declared is None:
        raise QrError(f"the charset {head[6:7]!r} is none of 1, 2, 3; ask the payee for a new code")
    charset, text = _decode(payload[7:], declared)
    separator, *pairs = text[0], *text[1:].split(text[0])
    warnings = [] if charset is declared else [f"says {declared.codec}, is {charset.codec}"]
    if head[2:6] != VERSION.encode():
        warnings.append(f"version {head[2:6].decode(errors='replace')} is read as {VERSION}")
    fields: dict[str, str] = {}
    for pair in filter(None, pairs):
        key, equals, value = pair.partition("=")
        name = NAMES.get(key.strip().casefold(), key.strip())
        if not equals:
            warnings.append(f"{pair!r} has no value")
        elif name in fields:
            warnings.append(f"{name} comes twice; the first is kept")
        else:
            fields[name] = value
    warnings += [f"{name} is missing" for name in REQUIRED if not fields.get(name, "").strip()]
    return ScannedCode(declared, charset, separator, fields, tuple(warnings))


def parse_period(text: str) -> Period:
    """A month as codes write it: ``MM.YYYY``, ``MMYYYY`` or ``YYYYMM``. Raises QrError.

    The last two can't be confused: no month is above 12, no year of a bill begins with less than 19.
    """
    digits = text.replace(".", "", 1)
    if len(digits) == 6 and digits.isascii() and digits.isdigit():
        for year, month in ((digits[2:], digits[:2]), (digits[:4], digits[4:])):
            if 1 <= int(month) <= 12 and 2000 <= int(year) <= 2199:
                return Period(int(year), int(month))
    raise QrError(f"PaymPeriod {text!r} is not a month; write it MM.YYYY")


def period_text(period: Period) -> str:
    """A month as we write it: ``MM.YYYY``."""
    return f"{period.month:02d}.{period.year:04d}"


def code_svg(payload: bytes) -> str:
    """The symbol as SVG, level M with its quiet zone, one unit a module."""
    out = io.BytesIO()
    segno.make(payload, mode="byte", error="m", boost_error=False).save(
        out, kind="svg", border=QUIET_ZONE, xmldecl=False, svgns=True, omitsize=True
    )
    return out.getvalue().decode()


def _check(given: Mapping[str, str]) -> None:
    for name, value in given.items():
        if name not in REQUIRED and name not in OPTIONAL:
            raise QrError(f"{name} is no field of the standard; leave it out")
        if not value.isprintable():
            raise QrError(f"{name} holds a control character: {value!r}; take it out")
    for name, (shortest, longest) in REQUIRED.items():
        if not shortest <= len(given.get(name, "")) <= longest:
            raise QrError(f"{name} takes {shortest} to {longest} characters, not {len(given.get(name, ''))}")
    for name, longest in OPTIONAL.items():
        if len(given.get(name, "")) > longest:
            raise QrError(f"{name} takes at most {longest} characters, not {len(given[name])}")
    for name in ("Sum", "AddAmount"):
        if name in given and not (given[name].isascii() and given[name].isdigit()):
            raise QrError(f"{name} is whole kopecks, not {given[name]!r}")
    if "PaymPeriod" in given:
        parse_period(given["PaymPeriod"])


def _separator(fields: Mapping[str, str]) -> str:
    taken = set("".join(fields.values()))
    found = next((separator for separator in SEPARATORS if separator not in taken), None)
    if found is None:
        raise QrError(f"the values use every separator of {SEPARATORS}; take one out of them")
    return found


def _encode(fields: Mapping[str, str], separator: str, charset: Charset) -> bytes:
    head = FORMAT + VERSION + charset.value
    required = head + "".join(f"{separator}{name}={value}" for name, value in fields.items() if name in REQUIRED)
    rest = "".join(f"{separator}{name}={value}" for name, value in fields.items() if name not in REQUIRED)
    try:
        first, whole = required.encode(charset.codec), (required + rest).encode(charset.codec)
    except UnicodeEncodeError as error:
        raise QrError(f"{error.object[error.start : error.end]!r} is not in {charset.codec}; use UTF-8") from error
    if len(first) > REQUIRED_BYTES:
        raise QrError(f"the required fields take {len(first)} bytes of {REQUIRED_BYTES}; shorten Name or BankName")
    if charset is not Charset.UTF_8 and _is_utf_8(whole):
        raise QrError(f"a reader would take these bytes for UTF-8, not {charset.codec}; use UTF-8")
    return whole


def _decode(body: bytes, declared: Charset) -> tuple[Charset, str]:
    """The bytes as the text they are: a code that says windows-1251 and is UTF-8 is common, the reverse less so."""
    order = [Charset.UTF_8, declared] if _is_utf_8(body) else [declared]
    for charset in (*order, Charset.CP1251, Charset.KOI8_R):
        try:
            return charset, body.decode(charset.codec)
        except UnicodeDecodeError:
            continue
    raise QrError("the bytes are text in none of the standard's charsets; ask the payee for a new code")


def _is_utf_8(data: bytes) -> bool:
    """Whether bytes beyond ASCII are there and make whole UTF-8 characters."""
    try:
        return not data.decode("utf-8").isascii()
    except UnicodeDecodeError:
        return False
