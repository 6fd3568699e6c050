"""Real files of metering systems, anchored by the importer's source, charged by zone: against pandas and lxml."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pandas as pd
import pytest
from lxml import etree

from billing.accounts import NewAccount
from billing.domain.calendar import local_date, midnight
from billing.domain.household import House, Household
from billing.domain.readings import MeterBinding, MeterKind
from billing.inbox import State
from billing.requests import RunRequest
from contracts.wire.ids import MeterId, Period, Service, SourceClass
from contracts.wire.leaf import Profile
from oracle.importer import meter_of_point, read_import
from tests.billing.builders import DATA as TARIFFS
from tests.billing.stage import READINGS_KEY, Stage

DATA = Path(__file__).parents[3] / "shared" / "data"
SGSC = DATA / "electricity_sgsc10" / "sgsc_6households_halfhourly.csv.gz"
MAKET = DATA / "maket80020" / "80020_7704181109_20130310_6811_1300001300.xml"
SECRET = b"\x05" * 32
DAY_RATE, NIGHT_RATE = Decimal("3.76"), Decimal("1.95")
FLAT = Household(5000, 2, 1, ((date(2010, 1, 1), 2),), plan="two")

pytestmark = pytest.mark.skipif(not DATA.exists(), reason=f"no real data at {DATA.name}: it lies beside the repository")


def charge(stage: Stage, zone: str, period: Period, meters: dict[str, MeterBinding], profiles: Iterable[Profile]) -> (
    dict[str, dict[str, tuple[int, int]]]
):  # fmt: skip
    """Anchors the profiles, bills the period, and gives (Wh, kopecks) of each account's zones."""
    tariff = json.loads((TARIFFS / "krasnoyarsk-electricity-2022-12.json").read_text(encoding="utf-8"))
    rates = {"day": str(DAY_RATE), "night": str(NIGHT_RATE), "single": "3.25"}
    tariff |= {"name": "test-electricity", "effective_from": "2010-01-01", "rates": rates}
    name = stage.office.tariffs.add(tariff)
    stage.town.send("operator", "TariffBook", stage.office.tariffs.publish_call(name))
    register = stage.office.register
    register.add_house(House("works", zone, ("krasnoyarsk",), 10_000))
    register.set_supplier("works", Service.ELECTRICITY, stage.town.add_supplier("energy"), date(2010, 1, 1))
    opened = {account: max(date(2010, 1, 1), local_date(meter.since, zone)) for account, meter in meters.items()}
    register.open_accounts([NewAccount(account, "works", FLAT, opened[account]) for account in meters])
    for account, meter in meters.items():
        if meter.until is not None:
            register.close_account(account, local_date(meter.until, zone))
    register.bind_many({account: [binding] for account, binding in meters.items()})
    source = stage.town.add_source("importer", SourceClass.IMPORTER)
    root = stage.town.anchor("importer", source, list(profiles), READINGS_KEY)
    stage.town.acknowledge(root)
    stage.settle()
    (item,) = stage.work(stage.ask("run", RunRequest(period)))
    assert item.state is State.DONE, item.reason
    out: dict[str, dict[str, tuple[int, int]]] = {}
    for account in meters:
        leaves = stage.office.runs.of_account(account, period)
        (line,) = json.loads(leaves[0][1].document)["lines"] if leaves else [{"parts": []}]
        assert line.get("method", "profile") == "profile"
        assert {r["source"] for r in line.get("readings", [])} <= {"importer"}
        parts = [(p["zone"], p["inputs"][0]["value"], p["amount_kopecks"]) for p in line["parts"]]
        out[account] = {zone: (int(Decimal(kwh) * 1000), kopecks) for zone, kwh, kopecks in parts if kopecks}
    return out


def priced(wh: int, rate: Decimal) -> tuple[int, int]:
    return wh, int((Decimal(wh) / 1000 * rate * 100).quantize(Decimal(1), ROUND_HALF_UP))


def expected(day_wh: int, night_wh: int) -> dict[str, tuple[int, int]]:
    """What a zone used and costs; a zone of nothing has no part."""
    zones = {"day": priced(day_wh, DAY_RATE), "night": priced(night_wh, NIGHT_RATE)}
    return {zone: both for zone, both in zones.items() if both[0]}


def binding(meter: MeterId, since: int, until: int | None = None) -> MeterBinding:
    return MeterBinding(meter, Service.ELECTRICITY, MeterKind.PROFILE, since, until)


def test_half_hours_of_the_trial_over_a_change_of_the_clock(stage: Stage) -> None:
    """April 2013 in Sydney, in which the clock goes back: zones are the local clock's, hours by pandas."""
    period, zone, customers = Period(2013, 4), "Australia/Sydney", ["10006414", "10017936"]
    frame = pd.read_csv(SGSC, parse_dates=["reading_datetime"], dtype={"customer_id": str})
    local = frame["reading_datetime"].dt.tz_localize("UTC").dt.tz_convert(zone)
    frame = frame.assign(wh=(frame["general_supply_kwh"] * 1000).round().astype(int), local=local)
    frame = frame[(local.dt.year == 2013) & (local.dt.month == 4)]
    by_day = frame["local"].dt.hour.between(7, 22)
    wanted = {}
    for customer in customers:
        mine = frame["customer_id"] == customer
        wanted[customer] = expected(int(frame[mine & by_day]["wh"].sum()), int(frame[mine & ~by_day]["wh"].sum()))
        assert mine.sum() == 30 * 48 + 2
    meters = {customer: meter_of_point(SECRET, "sgsc", customer) for customer in customers}
    first, last = midnight(date(2013, 3, 30), zone), midnight(date(2013, 5, 2), zone)
    records = [
        record
        for record in read_import(SGSC, SECRET).records
        if record.meter in meters.values() and first <= record.start < last
    ]
    found = charge(stage, zone, period, {c: binding(meter, 0) for c, meter in meters.items()}, records)
    assert found == wanted


def test_a_day_of_a_power_station_s_points_by_zone(stage: Stage) -> None:
    """Each point is on an account for the file's day alone; active intake (channel 01) by the hours of lxml's walk."""
    zone, day = "Europe/Moscow", date(2013, 3, 10)
    wanted: dict[str, dict[str, tuple[int, int]]] = {}
    for point in etree.parse(str(MAKET)).getroot().iter("measuringpoint"):
        for channel in point.iterfind("measuringchannel[@code='01']"):
            wh = {True: 0, False: 0}
            for interval in channel.iterfind("period"):
                by_day = "0700" <= str(interval.get("start")) < "2300"
                wh[by_day] += 1000 * sum(int(value.text or 0) for value in interval.iterfind("value"))
            wanted[str(point.get("code"))] = expected(wh[True], wh[False])
    assert any(wanted.values())
    first, after = midnight(day, zone), midnight(date(2013, 3, 11), zone)
    meters = {code: binding(meter_of_point(SECRET, "maket80020", code), first, after) for code in wanted}
    found = charge(stage, zone, Period(2013, 3), meters, read_import(MAKET, SECRET).records)
    assert {code: zones for code, zones in found.items() if zones} == {c: z for c, z in wanted.items() if z}
    assert sum(kopecks for zones in found.values() for _, kopecks in zones.values()) > 0
