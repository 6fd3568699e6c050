"""A house's month for those who live in it: sums that the house's balance has, and none that tell of a neighbour."""

from __future__ import annotations

from billing.house_month import HouseMonth
from billing.houses import Entry, EntryKind
from billing.read import BillingRead
from contracts.wire.ids import Period, Service
from tests.billing.scenes import JANUARY, SPAN
from tests.billing.stage import HOUSE, Stage
from tests.billing.test_houses import WATER, open_house, read, run


def month_of(stage: Stage, used: dict[int, int]) -> tuple[BillingRead, HouseMonth]:
    """January: flats use what is said, a shop 2 m³, and the house's meter tells 40 m³."""
    books = open_house(stage, len(used))
    books.enter(HOUSE.code, Entry(JANUARY, WATER, EntryKind.OTHERS, 2000, "report of the supplier", "shop"))
    read(stage, SPAN.start_ts, dict.fromkeys(used, 0), 0)
    read(stage, SPAN.end_ts, used, 40_000)
    run(stage, JANUARY)
    door = BillingRead(stage.office.engine, stage.office.keyring, stage.office.files)
    found = door.house_month(HOUSE.code, None, "1")
    assert found is not None
    return door, found


def test_a_house_tells_its_sums_and_the_askers_own_use(stage: Stage) -> None:
    """40 − 2 − (5 + 6 + 7 + 8 + 4) = 8 m³ for common property; a flat has 6 m³ on average."""
    door, found = month_of(stage, {1: 5000, 2: 6000, 3: 7000, 4: 8000, 5: 4000})
    assert (found.period, found.flats, found.is_small, found.months) == (JANUARY, 5, False, (JANUARY,))
    water = next(row for row in found.resources if row.service is Service.COLD_WATER)
    assert (water.volume, water.flats, water.others, water.common) == (40_000, 30_000, 2_000, 8_000)
    assert (water.own, water.average, water.unit) == (5_000, 6_000, "litre")
    stranger = door.house_month(HOUSE.code, JANUARY, None)
    assert stranger is not None
    assert all(row.own is None for row in stranger.resources)
    assert door.house_month(HOUSE.code, Period(2026, 2), "1") is None
    assert door.house_month("no such house", None, None) is None
    (ahead,) = door.outlook_of("1", 1, stage.office.ledger)
    assert ahead.period == Period(2026, 2)
    assert door.houses() == [HOUSE.code]
    assert door.house_code_of("1") == HOUSE.code
    assert door.house_code_of("none") is None
    assert door.fund_of(HOUSE.code, stage.office.ledger).closing == 0


def test_a_house_of_few_flats_keeps_their_sum_to_itself(stage: Stage) -> None:
    """Of four, three who talk to one another would know the fourth."""
    _, found = month_of(stage, {1: 5000, 2: 6000, 3: 7000, 4: 8000})
    water = next(row for row in found.resources if row.service is Service.COLD_WATER)
    assert found.is_small
    assert (water.volume, water.own) == (40_000, 5_000)
    assert (water.flats, water.common, water.average) == (None, None, None)
