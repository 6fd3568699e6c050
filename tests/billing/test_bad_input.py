"""What a run can't bill: every account is named with its remedy, nothing is posted by halves, and the rest goes on when
somebody says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import update

from billing.domain.readings import MeterBinding, MeterKind
from billing.inbox import Item, State
from billing.policy import Policies, Policy
from billing.prepare import MonthNotOver, Preparer
from billing.requests import RunRequest
from billing.schema import accounts, houses
from contracts.wire.calls import encode_register_meters
from contracts.wire.ids import Hash, MeterId, Period, Service
from tests.billing.builders import meter_id
from tests.billing.scenes import FEBRUARY, JANUARY, SPAN, billed
from tests.billing.stage import HOUSE, Stage
from tests.ledger.town import bytes_of


def ready(stage: Stage, number: int = 4) -> None:
    """A town that could be billed for January."""
    stage.open(number)
    stage.read_water({i: 1000 * i for i in range(1, number + 1)}, SPAN.start_ts)
    stage.read_water({i: 1000 * i + 3000 for i in range(1, number + 1)}, SPAN.end_ts)


def ask(stage: Stage, key: str, request: RunRequest) -> Item:
    (item,) = stage.work(stage.ask(key, request))
    return item


def problems(item: Item) -> dict[str, str]:
    found = (item.result or {}).get("problems")
    assert isinstance(found, dict)
    return found


def set_account(stage: Stage, account: str, **values: object) -> None:
    with stage.office.engine.begin() as connection:
        connection.execute(update(accounts).where(accounts.c.account == account).values(**values))


def no_area(stage: Stage) -> None:
    set_account(stage, "2", area_dm2=0)


def nobody(stage: Stage) -> None:
    stage.office.register.set_residents("2", date(2026, 1, 10), 0)
    set_account(stage, "2", owners=0)


def falling(stage: Stage) -> None:
    stage.read_water({2: 10}, SPAN.end_ts - 3600)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [(no_area, "set the flat's area"), (nobody, "set the residents or the owners"), (falling, "record a rollover")],
)
def test_one_account_stops_the_run_by_name_and_is_left_out_on_demand(
    spoil: Callable[[Stage], None], words: str, stage: Stage
) -> None:
    ready(stage)
    spoil(stage)
    refused = ask(stage, "run", RunRequest(JANUARY))
    assert (refused.state, refused.slug) == (State.FAILED, "accounts-with-problems")
    assert list(problems(refused)) == ["2"]
    assert words in problems(refused)["2"]
    assert "2" in (refused.reason or "")
    assert stage.office.ledger.runs(JANUARY) == []
    assert stage.office.runs.billed(JANUARY) == set()
    done = ask(stage, "run the rest", RunRequest(JANUARY, leaves_out_problems=True))
    assert done.state is State.DONE, done.reason
    assert (done.result or {})["bills"] == 3
    assert list(problems(done)) == ["2"]
    assert stage.office.runs.billed(JANUARY) == {"1", "3", "4"}


def test_the_owners_count_where_nobody_is_registered(stage: Stage) -> None:
    ready(stage)
    stage.office.register.set_residents("2", date(2026, 1, 1), 0)
    assert ask(stage, "run", RunRequest(JANUARY)).state is State.DONE


def test_a_house_without_an_area_stops_its_accounts_with_all_that_is_wrong(stage: Stage) -> None:
    ready(stage)
    with stage.office.engine.begin() as connection:
        connection.execute(update(houses).values(area_dm2=0))
    no_area(stage)
    found = problems(ask(stage, "run", RunRequest(JANUARY)))
    assert set(found) == {"1", "2", "3", "4"}
    assert all(f"house {HOUSE.code} has no area" in why for why in found.values())
    assert "set the flat's area" in found["2"]


def test_a_missing_tariff_names_every_account_the_area_and_the_day(stage: Stage) -> None:
    ready(stage, 2)
    stage.office.register.set_supplier(HOUSE.code, Service.GAS, stage.suppliers["fund"], date(2026, 1, 1))
    stage.office.register.add_house(replace(HOUSE, areas=("krasnoyarsk", "amur", "russia")))
    found = problems(ask(stage, "run", RunRequest(JANUARY)))
    assert set(found) == {"1", "2"}
    assert all("no tariff for" in why and "krasnoyarsk" in why and "publish one" in why for why in found.values())


def test_an_account_is_told_all_that_it_lacks_at_once(stage: Stage) -> None:
    """No area, a water meter that fell, gas without a price, and a house whose areas know no heat or waste of water."""
    ready(stage)
    no_area(stage)
    falling(stage)
    stage.office.register.set_supplier(HOUSE.code, Service.GAS, stage.suppliers["fund"], date(2026, 1, 1))
    stage.office.register.add_house(replace(HOUSE, areas=("krasnoyarsk", "russia")))
    found = problems(ask(stage, "run", RunRequest(JANUARY)))
    assert set(found) == {"1", "2", "3", "4"}
    lacks = [f"no {what} in krasnoyarsk, russia" for what in (
        "tariff for cold_water", "tariff for hot_water", "norm for hot_water", "tariff for sewage", "tariff for gas",
        "norm for gas", "tariff for heating", "norm for heating",
    )]  # fmt: skip
    for name, why in found.items():
        assert [one for one in lacks if one not in why] == [], name
        assert all(why.count(one) == 1 for one in lacks)
        assert "stand-in" not in why
        assert ("set the flat's area" in why) is ("record a rollover" in why) is (name == "2")
    assert "norm for cold_water" not in found["1"]  # it has a meter that can be read


def publish(stage: Stage, **changes: object) -> None:
    value = {
        "format": 1, "name": "moscow-cold-water-again", "kind": "tariff", "area": "moscow", "service": "cold_water",
        "act": "act 2", "unit": "m3", "effective_from": "2026-01-15", "effective_to": None, "rates": {"single": "50"},
        **changes,
    }  # fmt: skip
    name = stage.office.tariffs.add(value)
    stage.town.send("operator", "TariffBook", stage.office.tariffs.publish_call(name))
    stage.settle()


def test_a_missing_norm_is_named_as_one(stage: Stage) -> None:
    ready(stage, 2)
    for service, unit in (("cold_water", "m3"), ("hot_water", "m3"), ("sewage", "m3"), ("heating", "Gcal")):
        publish(
            stage,
            name=f"elsewhere-{service}",
            area="elsewhere",
            service=service,
            unit=unit,
            effective_from="2026-01-01",
        )
    stage.office.register.add_house(replace(HOUSE, areas=("elsewhere", "krasnoyarsk", "amur", "russia")))
    found = problems(ask(stage, "run", RunRequest(JANUARY)))
    assert set(found) == {"1", "2"}
    assert all("no norm for hot_water in elsewhere" in why and "publish one" in why for why in found.values())


def test_overlapping_versions_stop_the_run_and_one_that_replaces_does_not(stage: Stage) -> None:
    ready(stage, 2)
    publish(stage)
    found = problems(ask(stage, "run", RunRequest(JANUARY)))
    assert set(found) == {"1", "2"}
    for why in found.values():
        assert "moscow-cold-water-2021-07 (version" in why
        assert "moscow-cold-water-again (version" in why
        assert "2026-01-15" in why
    publish(
        stage, name="moscow-cold-water-third", effective_from="2026-01-15", rates={"single": "51"},
        replaces=["moscow-cold-water-2021-07", "moscow-cold-water-again"],
    )  # fmt: skip
    done = ask(stage, "run again", RunRequest(JANUARY))
    assert done.state is State.DONE, done.reason


def test_a_period_already_posted_names_the_accounts_that_were_asked_for(stage: Stage) -> None:
    billed(stage, 3)
    again = ask(stage, "again", RunRequest(JANUARY, ("1", "99")))
    assert (again.state, again.slug) == (State.FAILED, "accounts-with-problems")
    assert problems(again) == {
        "1": "it has a bill for 2026-01 already; correct that one",
        "99": "no such account; open it first",
    }
    assert len(stage.office.ledger.runs(JANUARY)) == 1


def test_a_month_billed_whole_says_so_and_names_the_accounts(stage: Stage) -> None:
    billed(stage, 2)
    again = ask(stage, "again", RunRequest(JANUARY))
    assert (again.state, again.slug) == (State.FAILED, "already-billed")
    assert "2026-01 already" in (again.reason or "")
    assert "1, 2;" in (again.reason or "")
    assert "kopeck bill correct" in (again.reason or "")
    assert len(stage.office.ledger.runs(JANUARY)) == 1


def test_a_month_that_has_not_begun_is_refused_by_name_with_the_day(stage: Stage) -> None:
    ready(stage, 2)
    head = stage.office.ledger.head()
    assert head is not None
    here = datetime.fromtimestamp(head.timestamp, ZoneInfo(HOUSE.zone))
    now = Period(here.year, here.month)
    later = ask(stage, "later", RunRequest(now.next(), leaves_out_problems=True))
    assert (later.state, later.slug) == (State.FAILED, "month-not-begun")
    assert f"{now.next()} has not begun" in (later.reason or "")
    assert f"{now.next()}-01" in (later.reason or "")
    assert stage.office.runs.billed(now.next()) == set()


def test_a_month_that_is_not_over_is_billed_only_if_asked_for_before_its_end(stage: Stage) -> None:
    ready(stage, 2)
    head = stage.office.ledger.head()
    assert head is not None
    here = datetime.fromtimestamp(head.timestamp, ZoneInfo(HOUSE.zone))
    now = Period(here.year, here.month)
    stage.turn()
    early = ask(stage, "early", RunRequest(now, leaves_out_problems=True))
    assert (early.state, early.slug) == (State.FAILED, "month-not-over")
    assert f"{now} is not over by the clock of {HOUSE.zone}" in (early.reason or "")
    assert f"from {now.next()}-01 on" in (early.reason or "")
    assert "--before-end" in (early.reason or "")
    assert stage.office.runs.billed(now) == set()
    meant = ask(stage, "meant", RunRequest(now, before_end=True))
    assert meant.state is State.DONE, meant.reason


def test_a_month_is_over_with_the_second_that_begins_the_next(stage: Stage) -> None:
    """By the houses' clock and no other: January ends in Krasnoyarsk seven hours before it ends by UTC."""
    ready(stage, 1)
    head = stage.office.ledger.head()
    assert head is not None
    here = datetime.fromtimestamp(head.timestamp, ZoneInfo(HOUSE.zone))
    now = Period(here.year, here.month)
    end = int(datetime(now.next().year, now.next().month, 1, tzinfo=ZoneInfo(HOUSE.zone)).timestamp())
    stage.town.rpc.call("evm_setNextBlockTimestamp", end - 1)
    stage.town.mine(1)
    stage.indexed.sync()
    preparer = Preparer(
        stage.office.engine, stage.office.register, stage.office.keyring, stage.office.tariffs, stage.office.ledger
    )
    item = stage.ask("at the end", RunRequest(now)).id
    with pytest.raises(MonthNotOver, match=f"{now} is not over"):
        preparer.bill_period(RunRequest(now), item)
    stage.town.rpc.call("evm_setNextBlockTimestamp", end)
    stage.town.mine(1)
    stage.indexed.sync()
    assert preparer.bill_period(RunRequest(now), item)


def test_a_meter_needs_a_passport_where_the_policy_asks_for_one(stage: Stage) -> None:
    ready(stage, 3)
    Policies(stage.office.engine).set(Policy({}, needs_passports=True))
    commitment, unknown = Hash(bytes_of("passport 1")), Hash(bytes_of("passport 2"))
    data = encode_register_meters([commitment], Service.COLD_WATER, SPAN.start_ts, SPAN.end_ts)
    stage.town.send("operator", "Registry", data)
    stage.settle()
    for number, passport in ((1, commitment), (2, unknown)):
        binding = MeterBinding(MeterId(meter_id(number)), Service.COLD_WATER, MeterKind.REGISTER, 0, passport=passport)
        stage.office.register.bind_meters(str(number), [binding])
    found = problems(ask(stage, "run", RunRequest(JANUARY)))
    assert set(found) == {"2", "3"}
    assert "register it" in found["2"]
    assert "has no passport" in found["3"]


def test_erased_accounts_stop_nobody(stage: Stage) -> None:
    ready(stage, 2)
    stage.town.keys.destroy(stage.office.register.account("2").key_id, at=SPAN.end_ts, act="act")
    done = ask(stage, "run", RunRequest(JANUARY))
    assert done.state is State.DONE, done.reason
    assert stage.office.runs.billed(JANUARY) == {"1"}
    assert stage.office.runs.billed(FEBRUARY) == set()
