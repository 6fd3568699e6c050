"""Macket 80020: real files against sums made by other code, and every kind of bad file."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest

from contracts.wire.leaf import Quality
from contracts.wire.units import Unit
from oracle.sources.maket80020 import (
    BadRecord,
    Maket80020Error,
    NoMeteringPoints,
    NotMaket80020,
    WrongEncoding,
    read_maket80020,
)
from tests.oracle.conftest import DATA

FOLDER = DATA / "maket80020"
COMMERCIAL = ("80020_5257072937_20130414_4218_1300000300.xml", "80020_7704181109_20130310_6811_1300001300.xml")
DISPATCHER = ("80020_600004_20080227_810.xml", "80020_600004_20080228_811.xml")
MOSCOW = ZoneInfo("Europe/Moscow")

real = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no {FOLDER}: the real 80020 files are not on this machine")


def sums_by_other_code(path: Path) -> dict[tuple[str, str], int]:
    """kWh a point and channel, by the standard library's parser; a point in two areas counts once."""
    seen: dict[tuple[str, str], int] = {}
    for point in ElementTree.parse(path).getroot().iter("measuringpoint"):
        for channel in point.iter("measuringchannel"):
            seen[str(point.get("code")), str(channel.get("code"))] = sum(
                int(v.text or 0) for v in channel.iter("value")
            )
    return seen


@real
@pytest.mark.parametrize("name", COMMERCIAL)
def test_real_files_say_what_other_code_reads_in_them(name: str) -> None:
    maket = read_maket80020((FOLDER / name).read_bytes(), name, MOSCOW)
    found = {(c.point, c.code): sum(v for v in c.values if v is not None) for c in maket.channels}
    expected = {place: kwh * 1000 for place, kwh in sums_by_other_code(FOLDER / name).items()}
    assert found == expected
    assert sum(found.values()) > 0
    assert all(len(c.values) == 48 and set(c.qualities) == {Quality.IMPORTED} for c in maket.channels)
    assert {c.register for c in maket.channels} == {
        {"01": 0, "02": 18, "03": 19, "04": 20}[code] for _, code in expected
    }
    assert all(c.unit is (Unit.WH if c.code in ("01", "02") else Unit.VARH) for c in maket.channels)
    # In 2013 Moscow was at UTC+4 all year: the day starts at 20:00 UTC of the day before.
    assert datetime.fromtimestamp(maket.start, UTC).strftime("%H:%M") == "20:00"
    assert maket.end - maket.start == 86_400


@real
@pytest.mark.parametrize("name", DISPATCHER)
def test_the_dispatchers_files_are_refused_by_name(name: str) -> None:
    with pytest.raises(NoMeteringPoints) as caught:
        read_maket80020((FOLDER / name).read_bytes(), name, MOSCOW)
    assert name in str(caught.value)
    assert "no metering points" in str(caught.value)
    assert "deliverygroup, peretok" in str(caught.value)


@real
def test_a_file_cut_short_anywhere_is_refused_whole() -> None:
    data = (FOLDER / COMMERCIAL[1]).read_bytes().rstrip()
    for cut in range(1, len(data), len(data) // 40):
        with pytest.raises(Maket80020Error) as caught:
            read_maket80020(data[:cut], "cut.xml", MOSCOW)
        assert "cut.xml" in str(caught.value)
    with pytest.raises(NotMaket80020, match=r"line \d+.*cut short"):
        read_maket80020(data[: len(data) // 2], "cut.xml", MOSCOW)


@real
def test_a_file_in_another_encoding_than_it_says_is_refused() -> None:
    data = (FOLDER / COMMERCIAL[0]).read_bytes()
    as_utf8 = data.decode("cp1251").encode()
    with pytest.raises(WrongEncoding, match="declares windows-1251 but is UTF-8"):
        read_maket80020(as_utf8, "a.xml", MOSCOW)
    with pytest.raises(WrongEncoding, match=r"line \d+: byte 0x.* is not utf-8"):
        read_maket80020(data.replace(b"windows-1251", b"utf-8"), "a.xml", MOSCOW)
    with pytest.raises(WrongEncoding, match="unknown encoding"):
        read_maket80020(data.replace(b"windows-1251", b"windows-9999"), "a.xml", MOSCOW)
    right = as_utf8.replace(b"windows-1251", b"utf-8")
    assert read_maket80020(right, "a.xml", MOSCOW).channels == read_maket80020(data, "a.xml", MOSCOW).channels


def make_file(periods: str, day: str = "20260115", channel: str = "01", points: int = 1) -> bytes:
    body = f'<measuringchannel code="{channel}" desc="x">{periods}</measuringchannel>'
    point = f'<measuringpoint code="131150001113003" name="Ввод 1">{body}</measuringpoint>'
    text = (
        '<?xml version="1.0" encoding="windows-1251"?><message class="80020" version="2" number="1">'
        f"<datetime><timestamp>{day}030800</timestamp><daylightsavingtime>0</daylightsavingtime><day>{day}</day>"
        f"</datetime><sender><name>Сбыт</name><inn>1300000000</inn></sender><area><name>а</name>{point * points}"
        "</area></message>"
    )
    return text.encode("cp1251")


def period(start: str, end: str, value: str = "1", attributes: str = "", summer: str = "") -> str:
    mark = f' summer="{summer}"' if summer else ""
    return f'<period start="{start}" end="{end}"{mark}><value{attributes}>{value}</value></period>'


def half_hours(first: int = 0, last: int = 48) -> list[tuple[str, str]]:
    times = [f"{i // 2 % 24:02}{i % 2 * 30:02}" for i in range(49)]
    return [(times[i], times[i + 1]) for i in range(first, last)]


@pytest.mark.parametrize(
    ("attributes", "quality"),
    [
        ("", Quality.IMPORTED),
        (' status="0"', Quality.IMPORTED),
        (' status="1"', Quality.NOT_FOR_SETTLEMENT),
        (' status="1" extendedstatus="1114" param1="7"', Quality.NOT_FOR_SETTLEMENT),
        (' status="0" extendedstatus="1114" param1="7"', Quality.SUBSTITUTED),
    ],
)
def test_status_becomes_quality(attributes: str, quality: Quality) -> None:
    periods = "".join(period(*hours, "5", attributes) for hours in half_hours())
    (channel,) = read_maket80020(make_file(periods), "f.xml", MOSCOW).channels
    assert set(channel.qualities) == {quality}
    assert sum(v or 0 for v in channel.values) == 48 * 5000


def test_missing_half_hours_are_missing_not_zero() -> None:
    periods = "".join(period(*hours) for hours in half_hours(4, 46)) + '<period start="2300" end="2330"/>'
    (channel,) = read_maket80020(make_file(periods), "f.xml", MOSCOW).channels
    assert [i for i, value in enumerate(channel.values) if value is None] == [0, 1, 2, 3, 46, 47]
    assert channel.qualities[0] is Quality.MISSING


def test_the_autumn_day_has_an_hour_twice() -> None:
    """Berlin, 25 October 2026: 02:00 to 03:00 comes in summer time, then in winter time."""
    twice = half_hours(4, 6)
    periods = "".join(
        [period(*hours, "1") for hours in half_hours(0, 4)]
        + [period(*hours, "10", summer="1") for hours in twice]
        + [period(*hours, "20", summer="0") for hours in twice]
        + [period(*hours, "1") for hours in half_hours(6, 48)]
    )
    (channel,) = read_maket80020(make_file(periods, "20261025"), "f.xml", ZoneInfo("Europe/Berlin")).channels
    assert len(channel.values) == 50
    assert [v for v in channel.values[2:10] if v is not None] == [1000, 1000, 10000, 10000, 20000, 20000, 1000, 1000]
    sums: dict[str, int] = defaultdict(int)
    for i, value in enumerate(channel.values):
        sums[datetime.fromtimestamp(channel.start + 1800 * i, UTC).strftime("%H")] += value or 0
    assert (sums["00"], sums["01"]) == (20000, 40000)  # 02:00 CEST is 00:00 UTC, 02:00 CET is 01:00 UTC


def test_the_spring_day_lacks_an_hour() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    periods = "".join(period(*hours) for hours in half_hours(0, 4) + half_hours(6, 48))
    (channel,) = read_maket80020(make_file(periods, "20260329"), "f.xml", berlin).channels
    assert len(channel.values) == 46
    assert None not in channel.values


@pytest.mark.parametrize(
    ("data", "error", "names"),
    [
        (make_file(period("0000", "0030", "1.5")), BadRecord, "period 0000–0030: value '1.5'"),
        (make_file(period("0000", "0030", "-1")), BadRecord, "value '-1'"),
        (make_file(period("0000", "0030", "9999999")), BadRecord, "more than a half-hour can hold"),
        (make_file(period("0000", "0100")), BadRecord, "not a half-hour"),
        (make_file(period("2500", "2530")), BadRecord, "not hours and minutes"),
        (make_file(period("0010", "0040")), BadRecord, "no half-hour of 20260115"),
        (make_file(period("0000", "0030") * 2), BadRecord, "comes twice"),
        (make_file(period("0000", "0030"), channel="09"), BadRecord, "channel 09: unknown channel"),
        (make_file(period("0000", "0030"), day="20261332"), BadRecord, "'20261332' is not a day"),
        (b"<message class='80030'/>", NotMaket80020, "not a message of class 80020"),
        (b'<!DOCTYPE m [<!ENTITY x SYSTEM "file:///etc/passwd">]><message>&x;</message>', NotMaket80020, "DOCTYPE"),
        (b"", NotMaket80020, "f.xml"),
        (b"\x00" * 100, NotMaket80020, "f.xml"),
    ],
)
def test_faulty_records_are_named(data: bytes, error: type[Maket80020Error], names: str) -> None:
    with pytest.raises(error) as caught:
        read_maket80020(data, "/somewhere/f.xml", MOSCOW)
    assert names in str(caught.value)
    assert str(caught.value).startswith("f.xml")
    assert caught.value.remedy


def test_a_point_in_two_areas_counts_once_and_must_agree() -> None:
    once = "".join(period(*hours) for hours in half_hours())
    assert len(read_maket80020(make_file(once, points=2), "f.xml", MOSCOW).channels) == 1
    other = make_file(once, points=2).replace(
        b">1</value></period></measuringchannel></measuringpoint></area>",
        b">2</value></period></measuringchannel></measuringpoint></area>",
    )
    with pytest.raises(BadRecord, match="comes twice with other values"):
        read_maket80020(other, "f.xml", MOSCOW)
