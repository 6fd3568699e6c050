"""АИИС КУЭ, макет 80020: half-hours of commercial metering points in XML, one file a day.

The file says whole kWh, rounded so that the remainder is carried to the next interval; they become Wh here. Times are
local to the area; its IANA zone is the operator's to say, since the file's own ``timezone`` is a number of a price
zone. On the autumn switch day an hour comes twice, told apart by ``summer``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from zoneinfo import ZoneInfo

from lxml import etree

from contracts.wire.leaf import MISSING_VALUE, Quality
from contracts.wire.units import Unit

STEP_S = 1800
WH_IN_KWH = 1000
MAX_FILE_BYTES = 32 << 20

_SUBSTITUTED = "1114"
_CHANNELS = {
    "01": (0, Unit.WH),
    "02": (18, Unit.WH),
    "03": (19, Unit.VARH),
    "04": (20, Unit.VARH),
}
"""Channel code → register (docs/protocol.md §3) and unit: 01 A+, 02 A−, 03 R+, 04 R−."""


class Maket80020Error(ValueError):
    """A file that is not taken: ``file`` names it, ``record`` the place in it, ``remedy`` what to do."""

    def __init__(self, file: str, record: str, reason: str, remedy: str) -> None:
        super().__init__(f"{file}: {record + ': ' if record else ''}{reason}; {remedy}")
        self.file = file
        self.record = record
        self.reason = reason
        self.remedy = remedy


class NotMaket80020(Maket80020Error):
    """Another format, or a file cut short."""


class WrongEncoding(Maket80020Error):
    """The bytes are not of the encoding that the file declares."""


class NoMeteringPoints(Maket80020Error):
    """A dispatcher's file: delivery groups and flows, no metering points."""


class BadRecord(Maket80020Error):
    """One record of the file cannot be read."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A day of one channel of one metering point. ``values`` are Wh or varh, None where there is none."""

    point: str
    point_name: str
    code: str
    register: int
    unit: Unit
    start: int
    values: tuple[int | None, ...]
    qualities: tuple[Quality, ...]


@dataclass(frozen=True, slots=True)
class _Day:
    """The local day of a file: its text, its zone, and the UTC second at which each of its half-hours starts."""

    file: str
    text: str
    zone: ZoneInfo
    starts: tuple[int, ...]

    def local(self, hhmm: str) -> datetime:
        """A local time of this day. Raises ValueError."""
        return datetime.strptime(self.text + hhmm, "%Y%m%d%H%M").replace(tzinfo=self.zone)


@dataclass(frozen=True, slots=True)
class Maket80020:
    """A whole file. ``start`` and ``end`` bound its local day, seconds UTC."""

    file: str
    sender_inn: str
    number: str
    day: str
    start: int
    end: int
    channels: tuple[Channel, ...]


def read_maket80020(data: bytes, file: str, zone: ZoneInfo) -> Maket80020:
    """The file's channels. Raises Maket80020Error; nothing of a faulty file is taken."""
    name = PurePath(file).name
    root = _parse(data, name)
    if root.tag != "message" or root.get("class") != "80020":
        raise NotMaket80020(name, f"<{root.tag}>", "not a message of class 80020", "give a file of macket 80020")
    if root.find(".//measuringpoint") is None:
        raise NoMeteringPoints(
            name,
            "",
            "it holds no metering points (measuringpoint), only "
            + (", ".join(sorted({str(e.tag) for e in root.iterfind("area/*")} - {"name", "inn"})) or "nothing"),
            "give the file of the commercial metering system (АИИС КУЭ), not the dispatcher's (РДУ)",
        )
    day = _day(_text(root, "datetime/day", name), name, zone)
    channels: dict[tuple[str, str], Channel] = {}
    for area in root.iterfind("area"):
        for point in area.iterfind("measuringpoint"):
            for channel in _channels(point, day):
                _add_once(channels, channel, name)
    return Maket80020(
        name,
        _text(root, "sender/inn", name),
        root.get("number", ""),
        day.text,
        day.starts[0],
        day.starts[-1] + STEP_S,
        tuple(channels.values()),
    )


def _parse(data: bytes, name: str) -> etree._Element:
    if len(data) > MAX_FILE_BYTES:
        raise NotMaket80020(name, "", f"{len(data)} bytes, at most {MAX_FILE_BYTES} are read", "split the file")
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise NotMaket80020(name, "<!DOCTYPE>", "a document type is not taken", "give the file as it was exported")
    _check_encoding(data, name)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True)
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        place = f"line {error.lineno}"
        if "encoding" in str(error).lower() or "utf-8" in str(error).lower():
            raise WrongEncoding(name, place, str(error), _ENCODING_REMEDY) from error
        remedy = "the file is cut short or damaged: export or fetch it again; nothing of it was taken"
        raise NotMaket80020(name, place, str(error), remedy) from error


_ENCODING_REMEDY = "export the file again in the encoding that its first line declares; nothing of it was taken"


def _check_encoding(data: bytes, name: str) -> None:
    declared = re.match(rb"""\s*<\?xml[^>]*encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""", data)
    encoding = declared.group(1).decode().lower() if declared else "utf-8"
    if encoding in ("windows-1251", "cp1251") and not data.isascii() and _is_utf8(data):
        raise WrongEncoding(name, "line 1", f"declares {encoding} but is UTF-8", _ENCODING_REMEDY)
    try:
        data.decode(encoding)
    except LookupError as error:
        raise WrongEncoding(name, "line 1", f"unknown encoding {encoding!r}", _ENCODING_REMEDY) from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        reason = f"byte 0x{data[error.start]:02x} is not {encoding}, which the file declares"
        raise WrongEncoding(name, f"line {line}", reason, _ENCODING_REMEDY) from error


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _text(root: etree._Element, path: str, name: str) -> str:
    text = root.findtext(path)
    if not text or not text.strip():
        raise BadRecord(name, path, "missing", "export the file again")
    return text.strip()


def _day(text: str, name: str, zone: ZoneInfo) -> _Day:
    """48 half-hours, or 46 and 50 where clocks are switched."""
    try:
        midnight = datetime.strptime(text, "%Y%m%d").replace(tzinfo=zone)
    except ValueError as error:
        raise BadRecord(name, "datetime/day", f"{text!r} is not a day", "give it as YYYYMMDD") from error
    following = (midnight.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=zone)
    first, end = int(midnight.timestamp()), int(following.timestamp())
    return _Day(name, text, zone, tuple(range(first, end, STEP_S)))


def _channels(point: etree._Element, day: _Day) -> Iterable[Channel]:
    code = point.get("code", "")
    if not code:
        raise BadRecord(day.file, f"line {point.sourceline}", "a measuringpoint without code", "export it again")
    for element in point.iterfind("measuringchannel"):
        channel = element.get("code", "")
        record = f"point {code}, channel {channel or '?'}"
        if channel not in _CHANNELS:
            known = ", ".join(_CHANNELS)
            raise BadRecord(day.file, record, "unknown channel", f"the channels taken are {known}")
        register, unit = _CHANNELS[channel]
        values, qualities = _intervals(element, record, day)
        yield Channel(code, point.get("name", ""), channel, register, unit, day.starts[0], values, qualities)


def _intervals(channel: etree._Element, record: str, day: _Day) -> tuple[tuple[int | None, ...], tuple[Quality, ...]]:
    place = {start: i for i, start in enumerate(day.starts)}
    values: list[int | None] = [None] * len(day.starts)
    qualities = [Quality.MISSING] * len(day.starts)
    seen: set[int] = set()
    for period in channel.iterfind("period"):
        where = f"{record}, period {period.get('start')}–{period.get('end')}"
        i = place.get(_start(period, where, day), -1)
        if i < 0:
            raise BadRecord(day.file, where, f"no half-hour of {day.text}", "export the file again, or give its zone")
        if i in seen:
            raise BadRecord(day.file, where, "the half-hour comes twice", "export the file again")
        seen.add(i)
        value = period.find("value")
        if value is not None and (value.text or "").strip():
            values[i] = _value(value, day.file, where)
            qualities[i] = _quality(value)
    return tuple(values), tuple(qualities)


def _start(period: etree._Element, where: str, day: _Day) -> int:
    try:
        local, until = day.local(period.get("start", "")), day.local(period.get("end", ""))
    except ValueError as error:
        raise BadRecord(day.file, where, "start and end are not hours and minutes", "give them as HHMM") from error
    if (until.replace(tzinfo=None) - local.replace(tzinfo=None)).seconds != STEP_S:
        raise BadRecord(day.file, where, "not a half-hour", "only files of half-hours are taken")
    second_time = local.replace(fold=1)
    if period.get("summer") != "1" and _doubled(local, second_time):
        local = second_time
    return int(local.astimezone(UTC).timestamp())


def _doubled(earlier: datetime, later: datetime) -> bool:
    """Whether a local time comes twice (autumn), and not never (spring)."""
    return later.astimezone(UTC) > earlier.astimezone(UTC)


def _value(value: etree._Element, name: str, where: str) -> int:
    text = (value.text or "").strip()
    if not text.isascii() or not text.isdigit():
        raise BadRecord(name, where, f"value {text!r} is not a whole number of kWh", "export the file again")
    amount = int(text) * WH_IN_KWH
    if amount >= MISSING_VALUE:
        raise BadRecord(name, where, f"value {text} kWh is more than a half-hour can hold", "check the meter's ratio")
    return amount


def _quality(value: etree._Element) -> Quality:
    """status other than 0: not for settlement; extendedstatus 1114: substituted by the bypass switch's meter."""
    if value.get("status", "0").strip() not in ("", "0"):
        return Quality.NOT_FOR_SETTLEMENT
    if value.get("extendedstatus", "").strip() == _SUBSTITUTED:
        return Quality.SUBSTITUTED
    return Quality.IMPORTED


def _add_once(channels: dict[tuple[str, str], Channel], channel: Channel, name: str) -> None:
    """A point may stand in several areas of a file: the same figures count once, other figures are a fault."""
    place = (channel.point, channel.code)
    known = channels.setdefault(place, channel)
    if (known.values, known.qualities) != (channel.values, channel.qualities):
        record = f"point {channel.point}, channel {channel.code}"
        raise BadRecord(name, record, "comes twice with other values", "ask the sender which area's figures stand")
