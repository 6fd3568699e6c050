"""Small months for the tests of rules: one account, the tariffs of the demo's data, readings as a source gives them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from billing.domain.calendar import month_span
from billing.domain.events import Event
from billing.domain.house_use import HouseUse
from billing.domain.household import AccountMonth, House, Household
from billing.domain.readings import MeterBinding, MeterKind, MeterMonth, ProfileRow, RegisterRow
from billing.domain.tariff import TariffSet, Version, parse_document
from billing.domain.usage import PastMonth
from contracts.wire.canonical import canonical_json, content_hash
from contracts.wire.ids import Hash, MeterId, Period, Service, SourceClass, SupplierId
from contracts.wire.leaf import Quality, ReadingFlags

DATA = Path(__file__).parents[2] / "billing" / "data"
ZONE = "Asia/Krasnoyarsk"
JANUARY = Period(2026, 1)
ROOT = Hash(b"\x11" * 32)
HOUSE = House("House 1", ZONE, ("krasnoyarsk", "moscow", "amur", "russia"), 562_080, frozenset({"lift"}))
SUPPLIERS = {
    Service.COLD_WATER: SupplierId(1),
    Service.HOT_WATER: SupplierId(2),
    Service.SEWAGE: SupplierId(1),
    Service.ELECTRICITY: SupplierId(3),
    Service.HEATING: SupplierId(2),
    Service.SOLID_WASTE: SupplierId(4),
    Service.CAPITAL_REPAIR: SupplierId(5),
}


def demo_tariffs() -> TariffSet:
    versions = []
    for number, path in enumerate(sorted(DATA.glob("*.json")), start=1):
        value = json.loads(path.read_text(encoding="utf-8"))
        versions.append(Version(number, content_hash(canonical_json(value)), parse_document(value)))
    return TariffSet(versions)


def tariffs_of(*values: Mapping[str, object]) -> TariffSet:
    return TariffSet(
        Version(i, content_hash(canonical_json(dict(v))), parse_document(v)) for i, v in enumerate(values, start=1)
    )


def household(**changes: object) -> Household:
    fields: dict[str, object] = {
        "area_dm2": 5430,
        "rooms": 2,
        "owners": 1,
        "residents": ((date(2020, 1, 1), 2),),
    }
    return Household(**{**fields, **changes})  # type: ignore[arg-type]


def month_of(
    *,
    period: Period = JANUARY,
    flat: Household | None = None,
    meters: Mapping[Service, tuple[MeterMonth, ...]] | None = None,
    history: Mapping[Service, tuple[PastMonth, ...]] | None = None,
    suppliers: Mapping[Service, SupplierId] | None = None,
    house: House = HOUSE,
    tariffs: TariffSet | None = None,
    house_meters: Mapping[Service, tuple[MeterMonth, ...]] | None = None,
    house_use: Mapping[Service, HouseUse] | None = None,
    events: Sequence[Event] = (),
    opened: date | None = None,
    closed: date | None = None,
) -> AccountMonth:
    return AccountMonth(
        "17",
        period,
        month_span(period, house.zone),
        house,
        flat or household(),
        SUPPLIERS if suppliers is None else suppliers,
        tariffs or demo_tariffs(),
        meters or {},
        history or {},
        house_meters or {},
        house_use or {},
        tuple(events),
        opened,
        closed,
    )


def meter_id(number: int) -> MeterId:
    return MeterId(number.to_bytes(16, "big"))


def register(
    taken_at: int, value: int, *, meter: int = 1, name: int = 0, flags: ReadingFlags = ReadingFlags.NONE, leaf: int = 0,
    quality: Quality = Quality.MEASURED,
) -> RegisterRow:  # fmt: skip
    return RegisterRow(meter_id(meter), name, taken_at, value, quality, flags, SourceClass.CONCENTRATOR, ROOT, leaf)


def counters(
    service: Service, rows: Sequence[RegisterRow], *, meter: int = 1, since: int = 0, until: int | None = None,
    zones: Mapping[int, str] | None = None, initial: Mapping[int, int] | None = None,
    final: Mapping[int, int] | None = None, capacity: int | None = None,
) -> MeterMonth:  # fmt: skip
    binding = MeterBinding(
        meter_id(meter), service, MeterKind.REGISTER, since, until, zones or {0: "single"}, initial or {}, final or {},
        capacity,
    )  # fmt: skip
    return MeterMonth(binding, tuple(rows))


def profile(
    start: int, values: Sequence[int | None], *, meter: int = 1, step_s: int = 1800,
    qualities: Sequence[Quality] | None = None, leaf: int = 0,
) -> ProfileRow:  # fmt: skip
    return ProfileRow(
        meter_id(meter), 0, start, step_s, tuple(values), tuple(qualities or [Quality.MEASURED] * len(values)),
        SourceClass.CONCENTRATOR, ROOT, leaf,
    )  # fmt: skip


def intervals(
    service: Service, rows: Sequence[ProfileRow], *, meter: int = 1, since: int = 0, until: int | None = None
) -> MeterMonth:
    return MeterMonth(MeterBinding(meter_id(meter), service, MeterKind.PROFILE, since, until), (), tuple(rows))
