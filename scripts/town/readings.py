"""What the town's meters send: a half-hourly profile a day for electricity, a register a day for water.

Registers are read at local midnight, when the day is over; every meter's opening is read at the start of its first
day, and electricity's registers when a month or the meter's own time ends. Gaps are half-hours the concentrator never
got: the profile says so, the registers carry on. A house's meter of cold water counts what its flats took, those
without meters too, and what the stairs were cleaned with.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from contracts.wire.ids import MeterId, Service
from contracts.wire.leaf import Profile, Quality, ReadingFlags, Record, RegisterReading
from contracts.wire.units import Unit
from scripts.town.plan import Flat, House, MeterPlan, Town, midnight
from scripts.town.shapes import HALF_HOURS, day_shares

HALF_HOUR_S = 1800
NIGHT = frozenset((*range(0, 14), 46, 47))
"""Half-hours of the night zone, 23:00 to 07:00 local."""
_DAILY_LITRES = {Service.COLD_WATER: 115, Service.HOT_WATER: 75}
_UNMETERED_DAILY_LITRES = 240
"""Cold water of somebody whose flat nobody meters: a little more than the norm."""
_CLEANING_LITRES_PER_M2 = 1
"""A day and square metre of common property."""


@dataclass(slots=True)
class _Counter:
    """A meter's registers as they run: total, or day and night."""

    plan: MeterPlan
    values: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.values = list(self.plan.opening_registers().values())

    def registers(self) -> list[tuple[int, int]]:
        """Register number and value."""
        return list(zip(self.plan.opening_registers(), self.values, strict=True))


@dataclass(frozen=True, slots=True)
class HouseDay:
    """All that one house's concentrator has to send for one local day."""

    house: int
    day: date
    start: int
    end: int
    records: tuple[Record, ...]


def house_days(town: Town, house: House) -> Iterator[HouseDay]:
    """Day by day, in order. The same town gives the same records."""
    counters = {m.meter: _Counter(m) for flat in house.flats for m in flat.meters}
    rngs = {flat.account: Random(f"kopeck readings {town.seed} {flat.account}") for flat in house.flats}
    whole, rng = _Counter(house.meter), Random(f"kopeck readings {town.seed} house {house.number}")
    cold = [m.meter for flat in house.flats for m in flat.meters if m.service is Service.COLD_WATER]
    for day in town.days:
        records: list[Record] = []
        before = sum(counters[meter].values[0] for meter in cold)
        for flat in house.flats:
            records += _flat_day(flat, day, counters, rngs[flat.account])
        metered = sum(counters[meter].values[0] for meter in cold) - before
        records += _house_day(house, day, whole, metered, rng)
        yield HouseDay(house.number, day, midnight(day), midnight(day + timedelta(days=1)), tuple(records))


def _house_day(house: House, day: date, counter: _Counter, metered: int, rng: Random) -> Iterator[Record]:
    """The house's own meter of cold water; ``metered`` is what the meters of its flats counted on the day."""
    if house.meter.since == day:
        yield from _read(counter, midnight(day), ReadingFlags.NONE)
    unmetered = sum(_UNMETERED_DAILY_LITRES * flat.residents for flat in house.flats if not flat.metered)
    cleaning = _CLEANING_LITRES_PER_M2 * house.common_area_dm2 // 100
    counter.values[0] += metered + (unmetered + cleaning) * rng.randrange(90, 111) // 100
    yield from _read(counter, midnight(day + timedelta(days=1)), ReadingFlags.NONE)


def _flat_day(flat: Flat, day: date, counters: dict[MeterId, _Counter], rng: Random) -> Iterator[Record]:
    for meter in flat.meters:
        if meter.since == day:
            swapped = any(m.until == day and m.service is meter.service for m in flat.meters)
            flags = ReadingFlags.METER_REPLACED if swapped else ReadingFlags.NONE
            yield from _read(counters[meter.meter], midnight(day), flags)
    for meter in flat.meters:
        if day < meter.since or (meter.until is not None and day >= meter.until):
            continue
        counter = counters[meter.meter]
        if meter.service is Service.ELECTRICITY:
            yield _electric_day(flat, meter, day, counter, rng)
        else:
            litres = _DAILY_LITRES[meter.service] * flat.residents
            counter.values[0] += litres * rng.randrange(40, 160) // 100
        after = day + timedelta(days=1)
        if meter.service is not Service.ELECTRICITY or after.day == 1 or after == meter.until:
            yield from _read(counter, midnight(after), ReadingFlags.NONE)


def _electric_day(flat: Flat, meter: MeterPlan, day: date, counter: _Counter, rng: Random) -> Profile:
    used = [int(share * flat.annual_wh * (0.4 + 1.2 * rng.random())) for share in day_shares(day)]
    night = sum(wh for i, wh in enumerate(used) if i in NIGHT)
    if meter.zones == 1:
        counter.values[0] += sum(used)
    else:
        counter.values[0] += sum(used) - night
        counter.values[1] += night
    lost = _gap(flat, day, rng)
    return Profile(
        meter=meter.meter,
        register=0,
        start=midnight(day),
        step_s=HALF_HOUR_S,
        unit=Unit.WH,
        values=tuple(None if i in lost else wh for i, wh in enumerate(used)),
        qualities=tuple(Quality.MISSING if i in lost else Quality.MEASURED for i in range(HALF_HOURS)),
    )


def _gap(flat: Flat, day: date, rng: Random) -> range:
    """The half-hours lost on this day: now and then a few hours, in flats whose link is poor."""
    if not flat.gaps or day.day % 9 != 4:
        return range(0)
    first = rng.randrange(0, 40)
    return range(first, first + rng.randrange(2, 9))


def _read(counter: _Counter, taken_at: int, flags: ReadingFlags) -> Iterator[RegisterReading]:
    unit = Unit.WH if counter.plan.service is Service.ELECTRICITY else Unit.LITRE
    for register, value in counter.registers():
        yield RegisterReading(counter.plan.meter, register, taken_at, value, unit, Quality.MEASURED, flags)
