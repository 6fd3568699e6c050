"""The town's plan: seeded, complete, and true to the shapes it is drawn from."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest

from contracts.wire.ids import MeterId, Period, Service
from contracts.wire.leaf import Profile, RegisterReading, decode_record, encode_record
from scripts.town.plan import Flat, Habit, Town, midnight, plan_town
from scripts.town.readings import house_days
from scripts.town.shapes import _loads, _year, day_shares, season_of

FIRST = Period(2026, 1)


def _records(town: Town) -> list[RegisterReading | Profile]:
    out = []
    for house in town.houses:
        for day in house_days(town, house):
            out += [record for record in day.records if isinstance(record, RegisterReading | Profile)]
    return out


@pytest.fixture(scope="module")
def town() -> Town:
    return plan_town(60, FIRST, 2, seed=7)


@pytest.fixture(scope="module")
def records(town: Town) -> list[RegisterReading | Profile]:
    return _records(town)


def test_same_seed_same_town_and_same_readings(town: Town, records: list[RegisterReading | Profile]) -> None:
    again = plan_town(60, FIRST, 2, seed=7)
    assert again == town
    assert _records(again) == records


def test_another_seed_is_another_town(town: Town) -> None:
    assert plan_town(60, FIRST, 2, seed=8).flats != town.flats


@pytest.mark.parametrize("accounts", [12, 13, 20, 60, 137])
@pytest.mark.parametrize("seed", [1, 7])
def test_every_story_is_in_every_town(accounts: int, seed: int) -> None:
    flats = plan_town(accounts, FIRST, 1, seed).flats
    assert len(flats) == len({flat.account for flat in flats}) == accounts
    habits = Counter(flat.habit for flat in flats)
    assert set(habits) == set(Habit)
    assert any(flat.benefit for flat in flats)
    assert any(flat.overcharged and flat.habit is Habit.AGENT for flat in flats)
    assert any(not flat.metered for flat in flats)
    assert any(flat.gaps for flat in flats)
    assert any(_replaced(flat) for flat in flats)
    assert len({flat.house for flat in flats}) >= 2


def test_a_town_too_small_for_its_stories_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 12 accounts"):
        plan_town(11, FIRST, 1, seed=1)


def test_no_reading_lies_after_the_chain_starts(town: Town, records: list[RegisterReading | Profile]) -> None:
    last = max(r.end if isinstance(r, Profile) else r.taken_at for r in records)
    assert last == midnight(date(2026, 3, 1)) < town.starts_at


def test_registers_never_run_backwards(records: list[RegisterReading | Profile]) -> None:
    seen: dict[tuple[MeterId, int], tuple[int, int]] = {}
    for reading in records:
        if isinstance(reading, RegisterReading):
            taken_at, value = seen.get((reading.meter, reading.register), (0, 0))
            assert reading.taken_at > taken_at
            assert reading.value >= value
            seen[reading.meter, reading.register] = (reading.taken_at, reading.value)
    assert seen


def test_profiles_add_up_to_the_registers_of_a_meter_without_gaps(
    town: Town, records: list[RegisterReading | Profile]
) -> None:
    flat = next(f for f in town.flats if f.metered and not f.gaps and not _replaced(f))
    meter = next(m for m in flat.meters if m.service is Service.ELECTRICITY).meter
    of_meter = [r for r in records if r.meter == meter]
    registers = [r for r in of_meter if isinstance(r, RegisterReading)]
    first = sum(r.value for r in registers if r.taken_at == midnight(date(2026, 1, 1)))
    last = sum(r.value for r in registers if r.taken_at == midnight(date(2026, 3, 1)))
    used = sum(v or 0 for r in of_meter if isinstance(r, Profile) for v in r.values)
    assert last - first == used > 50_000


def test_a_replaced_meter_hands_over_without_a_hole(town: Town, records: list[RegisterReading | Profile]) -> None:
    flat = next(f for f in town.flats if _replaced(f))
    old, new = (m for m in flat.meters if m.service is Service.ELECTRICITY)
    assert old.until == new.since
    days = [r.start for r in records if isinstance(r, Profile) and r.meter in (old.meter, new.meter)]
    assert len(days) == len(set(days)) == len(town.days)


def test_a_house_s_meter_is_read_every_day_and_counts_more_than_its_flats(town: Town) -> None:
    for house in town.houses:
        cold = {m.meter for flat in house.flats for m in flat.meters if m.service is Service.COLD_WATER}
        for day in house_days(town, house):
            taken = [r for r in day.records if isinstance(r, RegisterReading) and r.taken_at == day.end]
            assert cold <= {r.meter for r in taken}
            assert sum(r.meter == house.meter.meter for r in taken) == 1
        last = {r.meter: r.value for r in taken}
        opened = {m.meter: m.opening for flat in house.flats for m in flat.meters}
        used = sum(last[meter] - opened[meter] for meter in cold)
        assert used < last[house.meter.meter] - house.meter.opening < 3 * used


def test_gaps_are_told_apart_from_zero(town: Town, records: list[RegisterReading | Profile]) -> None:
    with_gaps = {m.meter for f in town.flats if f.gaps for m in f.meters}
    for record in records:
        if isinstance(record, Profile) and None in record.values:
            assert record.meter in with_gaps
    assert any(isinstance(r, Profile) and None in r.values for r in records)


def test_every_record_survives_its_own_encoding(records: list[RegisterReading | Profile]) -> None:
    for record in records[::97]:
        assert decode_record(encode_record(record)) == record


def test_a_year_of_the_profile_is_the_thousand_kilowatt_hours_it_is_normed_to() -> None:
    # BDEW norms H0 to 1000 kWh a year; the table holds kW, two half-hours an hour.
    assert _year(2026) / 2 == pytest.approx(1000, rel=0.01)
    assert sum(_loads(date(2026, 1, 14))) / 2 > 1.3 * sum(_loads(date(2026, 7, 15))) / 2


def test_the_evening_of_a_winter_day_is_its_peak_and_the_night_its_trough() -> None:
    shares = day_shares(date(2026, 1, 14))
    assert 34 <= shares.index(max(shares)) <= 42
    assert shares.index(min(shares)) < 10
    assert season_of(date(2026, 9, 15)) == "transition"


def _replaced(flat: Flat) -> bool:
    return any(m.until for m in flat.meters)
