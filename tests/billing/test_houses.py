"""Whole houses through the run, on a real chain: common use on the bills, balances kept, corrections over all flats."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from billing.domain.household import HouseTerms, Management
from billing.domain.readings import MeterBinding, MeterKind
from billing.houses import Entry, EntryKind, Houses, NotAFuel, UnknownHouse, balance_row
from billing.inbox import State
from billing.requests import CorrectionRequest, RunRequest
from billing.schema import house_months
from contracts.wire.ids import Period, Service
from contracts.wire.leaf import RegisterReading
from contracts.wire.units import Unit
from scripts.cli import house as cli_house
from tests.billing.builders import meter_id
from tests.billing.independent_recompute import line_faults
from tests.billing.recompute import recompute
from tests.billing.scenes import FEBRUARY, JANUARY, SECOND, SPAN
from tests.billing.stage import HOUSE, OPENED, Stage

WATER, HOUSE_METER = Service.COLD_WATER, 900
TERMS = HouseTerms(OPENED, Management.DIRECT, 3000, "minutes of the owners' meeting")
RULE = {
    "name": "test-common-rule", "kind": "common_rule", "area": "russia", "act": "of the test", "unit": "1",
    "effective_from": "2020-01-01", "service": "cold_water", "features": ["direct"],
    "options": {"negative": "carry", "cap": "none"},
}  # fmt: skip
NORM = {**RULE, "name": "test-common-norm", "kind": "common_norm", "options": {}, "features": [],
        "unit": "m3/m2", "rates": {"single": "0.03"}}  # fmt: skip


def open_house(stage: Stage, accounts: int = 3) -> Houses:
    """A house under direct management with a meter of its own: its flats hold 123 of 200 m²."""
    stage.open(accounts)
    register = stage.office.register
    register.set_terms(HOUSE.code, TERMS)
    register.bind_house_meter(HOUSE.code, MeterBinding(meter_id(HOUSE_METER), WATER, MeterKind.REGISTER, 0))
    for document in (RULE, NORM):
        name = stage.office.tariffs.add(document)
        stage.town.send("operator", "TariffBook", stage.office.tariffs.publish_call(name))
    stage.settle()
    return houses_of(stage)


def houses_of(stage: Stage) -> Houses:
    return Houses(stage.office.engine, stage.office.keyring)


def read(stage: Stage, at: int, flats: Mapping[int, int], house: int | None) -> None:
    records = [RegisterReading(meter_id(i), 0, at, litres, Unit.LITRE) for i, litres in flats.items()]
    if house is not None:
        records.append(RegisterReading(meter_id(HOUSE_METER), 0, at, house, Unit.LITRE))
    stage.read(records)


def run(stage: Stage, period: Period, **request: Any) -> None:
    stage.wait_for(period)
    (item,) = stage.work(stage.ask(f"run {period}", RunRequest(period, **request)))
    assert item.state is State.DONE, item.reason


def water_of(stage: Stage, account: str, period: Period) -> dict[str, Any]:
    document = json.loads(stage.bill(account, period).document or b"{}")
    (line,) = [line for line in document["lines"] if line["service"] == "cold_water"]
    return dict(line)


def january(stage: Stage, house: int = 30_000) -> Houses:
    """Flats use 5, 6 and 7 m³, a shop 2; the house's meter says ``house`` litres."""
    books = open_house(stage)
    books.enter(HOUSE.code, Entry(JANUARY, WATER, EntryKind.OTHERS, 2000, "report of the supplier", "shop"))
    read(stage, SPAN.start_ts, {1: 0, 2: 0, 3: 0}, 0)
    read(stage, SPAN.end_ts, {1: 5000, 2: 6000, 3: 7000}, house)
    run(stage, JANUARY)
    return books


def test_common_use_stands_in_the_suppliers_own_line(stage: Stage) -> None:
    """30 − 2 − 18 = 10 m³ over 200 m²: flat 1 of 41 m² has 2.05 m³ more at 43.57, 89.32 ₽."""
    books = january(stage)
    line = water_of(stage, "1", JANUARY)
    own, common = line["parts"]
    assert (own["amount_kopecks"], common["amount_kopecks"]) == (21785, 8932)
    assert line["amount_kopecks"] == 30717
    assert common["scope"] == "common"
    assert [recompute(part) for part in line["parts"]] == [21785, 8932]
    assert not list(line_faults(line))  # type: ignore[no-untyped-call]
    given = next(i for i in common["inputs"] if i["symbol"] == "V_house")
    first, end = given["readings"]
    assert [reading["value"] for reading in line["readings"][first:end]] == [0, 30_000]
    (balance,) = [balance_row(use) for use in books.of_month(HOUSE.code, JANUARY).values() if use.volume is not None]
    told = {name: balance[name] for name in ("others", "by_meter", "by_norm", "common", "common_percent", "norm")}
    assert told == {
        "others": 2000, "by_meter": 18_000, "by_norm": 0, "common": 10_000, "common_percent": "33.3", "norm": 900,
    }  # fmt: skip
    assert (balance["above_norm"], balance["flag"]) == (9100, "above_norm")


def test_a_correction_of_one_flat_counts_all_of_them(stage: Stage) -> None:
    books = january(stage)
    books.enter(HOUSE.code, Entry(JANUARY, WATER, EntryKind.OTHERS, 2500, "a later report", "shop"))
    (item,) = stage.work(stage.ask("correct", CorrectionRequest(JANUARY, ("1",), "a later report of the shop")))
    assert item.state is State.DONE, item.reason
    assert water_of(stage, "1", JANUARY)["parts"][1]["amount_kopecks"] == 8485  # 9.5 m³ · 41 / 200 · 43.57


def test_below_nothing_goes_on_to_the_next_month(stage: Stage) -> None:
    books = january(stage, house=17_000)
    assert books.of_month(HOUSE.code, JANUARY)[WATER].common == -3000
    assert water_of(stage, "1", JANUARY)["parts"][1]["amount_kopecks"] == 0
    read(stage, SECOND.end_ts, {1: 10_000, 2: 12_000, 3: 14_000}, 40_000)
    run(stage, FEBRUARY)
    use = books.of_month(HOUSE.code, FEBRUARY)[WATER]
    assert (use.carried, use.common) == (-3000, 2000)
    assert water_of(stage, "1", FEBRUARY)["parts"][1]["amount_kopecks"] == 1786  # 2 m³ · 41 / 200 · 43.57


def test_a_house_with_a_fallen_meter_is_named_and_waits_for_a_choice(stage: Stage) -> None:
    books = open_house(stage)
    read(stage, SPAN.start_ts, {1: 0, 2: 9000, 3: 0}, 0)
    read(stage, SPAN.end_ts, {1: 5000, 2: 6000, 3: 7000}, 30_000)
    (item,) = stage.work(stage.ask("run", RunRequest(JANUARY)))
    assert item.state is State.FAILED
    assert f"house {HOUSE.code}" in (item.reason or "")
    run(stage, JANUARY, leaves_out_problems=True)
    line = water_of(stage, "1", JANUARY)
    assert (len(line["parts"]), line["amount_kopecks"]) == (1, 21785)
    (balance,) = [balance_row(use) for use in books.of_month(HOUSE.code, JANUARY).values() if use.unknown]
    assert (balance["flag"], balance["unknown"], balance["common"]) == ("not_known", ["2"], None)


def test_what_a_house_used_is_sealed_under_its_key(stage: Stage) -> None:
    january(stage)
    with stage.office.engine.connect() as connection:
        rows = [row for row in connection.execute(select(house_months)) if row.service == int(WATER)]
    assert rows
    assert all(b"18000" not in bytes(row.sealed) and b"volume" not in bytes(row.sealed) for row in rows)


def test_an_erased_flat_counts_in_old_months_as_it_was(stage: Stage) -> None:
    books = january(stage)
    stage.office.keyring.destroy(stage.office.register.account("3").key_id, SPAN.end_ts, "act")
    (item,) = stage.work(stage.ask("correct", CorrectionRequest(JANUARY, ("1",), "the same again")))
    assert (item.state, (item.result or {})["bills"]) == (State.DONE, 0)
    assert books.of_month(HOUSE.code, JANUARY)[WATER].by_meter == 18_000


def test_entries_take_the_last_word_and_need_a_house(stage: Stage) -> None:
    books = houses_of(stage)
    with pytest.raises(UnknownHouse, match="nowhere"):
        books.enter("nowhere", Entry(JANUARY, WATER, EntryKind.OTHERS, 1, "act"))
    with pytest.raises(UnknownHouse, match="nowhere"):
        books.of_month("nowhere", JANUARY)
    stage.office.register.add_house(HOUSE)
    with pytest.raises(NotAFuel, match="a boiler takes no sewage; enter what it took of gas, electricity"):
        books.enter(HOUSE.code, Entry(JANUARY, Service.SEWAGE, EntryKind.BOILER_HOT_WATER, 1, "act"))
    entries = [
        Entry(JANUARY, WATER, EntryKind.OTHERS, 100, "first", "shop"),
        Entry(JANUARY, WATER, EntryKind.OTHERS, 150, "second", "shop"),
        Entry(JANUARY, WATER, EntryKind.OTHERS, 30, "act", "chemist"),
        Entry(FEBRUARY, WATER, EntryKind.OTHERS, 7, "act", "shop"),
        Entry(JANUARY, Service.GAS, EntryKind.BOILER_HEATING, 900, "act"),
        Entry(JANUARY, Service.GAS, EntryKind.BOILER_HOT_WATER, 400, "act"),
        Entry(Period(2025, 12), Service.HEATING, EntryKind.LAST_YEAR, 5, "act"),
    ]
    for entry in entries:
        books.enter(HOUSE.code, entry)
    found = books.entries([HOUSE.code], JANUARY)[HOUSE.code]
    assert found[WATER].others == 180
    assert (found[Service.GAS].boiler, found[Service.HEATING].last_year) == (1300, 5)
    assert (found[Service.HEATING].fuels, found[Service.HOT_WATER].fuels) == ({Service.GAS: 900}, {Service.GAS: 400})
    assert books.entries([HOUSE.code], FEBRUARY)[HOUSE.code][WATER].others == 7


def test_the_command_line_enters_sets_and_shows(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.office.register.add_house(HOUSE)
    monkeypatch.setattr(cli_house, "open_town", lambda _: stage.office)
    monkeypatch.setattr(cli_house, "open_database", lambda _: stage.office.engine)

    def kopeck(*arguments: str) -> str:
        result = CliRunner().invoke(cli_house.group, list(arguments))
        if result.exception is not None:
            raise result.exception
        return result.stdout

    terms = [HOUSE.code, "company", "3000", "--since", "2026-01-01", "--act", "minutes 1", "--over-cap-to-owners"]
    kopeck("terms", *terms)
    kopeck("enter", HOUSE.code, "2026-01", "cold_water", "others", "2500", "--act", "report 7", "--name", "shop")
    (row,) = json.loads(kopeck("list", "--json"))
    assert (row["management"], row["common_area_dm2"], row["over_cap_to_owners"]) == ("company", 3000, True)
    assert houses_of(stage).entries([HOUSE.code], JANUARY)[HOUSE.code][WATER].others == 2500
    assert json.loads(kopeck("balance", HOUSE.code, "2026-01", "--json")) == []
    with pytest.raises(UnknownHouse, match="nowhere"):
        kopeck("balance", "nowhere", "2026-01")


def test_terms_hold_from_their_month_on(stage: Stage) -> None:
    register = stage.office.register
    register.add_house(HOUSE)
    later = replace(TERMS, since=date(2026, 3, 1), management=Management.COMPANY, over_cap_to_owners=True)
    for terms in (later, TERMS, TERMS):
        register.set_terms(HOUSE.code, terms)
    house = register.houses()[HOUSE.code]
    assert house.terms == (TERMS, later)
    assert [house.terms_on(day) for day in (date(2025, 12, 31), date(2026, 2, 28), date(2026, 3, 1))] == [
        None, TERMS, later,
    ]  # fmt: skip
    with pytest.raises(ValueError, match="first day of a month"):
        replace(TERMS, since=date(2026, 3, 2))
