"""The register: what it keeps, and that filling it twice changes nothing."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from billing.accounts import Accounts, MeterElsewhere, NewAccount, UnknownAccount
from billing.domain.household import House, Household
from billing.domain.readings import MeterBinding, MeterKind
from billing.store import open_database
from contracts.client.keyring import KeyRing
from contracts.wire.ids import Service, SupplierId
from tests.billing.builders import HOUSE, household, meter_id


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing(tmp_path / "keyring.db")


@pytest.fixture
def register(tmp_path: Path, ring: KeyRing) -> Accounts:
    return Accounts(open_database(f"sqlite:///{tmp_path / 'billing.db'}"), ring)


METER = MeterBinding(
    meter_id(1), Service.ELECTRICITY, MeterKind.REGISTER, 100, None, {1: "day", 2: "night"}, {1: 5, 2: 7}, {}, 10**6
)
FLAT = household(residents=((date(2020, 1, 1), 2),), no_meter_possible=frozenset({Service.GAS}), plan="two")


def fill(register: Accounts) -> None:
    register.add_house(HOUSE)
    register.set_supplier(HOUSE.code, Service.ELECTRICITY, SupplierId(1), date(2020, 1, 1))
    register.set_supplier(HOUSE.code, Service.ELECTRICITY, SupplierId(2), date(2026, 1, 1))
    register.open_accounts([NewAccount("1", HOUSE.code, FLAT), NewAccount("2", HOUSE.code, FLAT)])
    register.bind_meters("1", [METER])


def everything(register: Accounts) -> object:
    return (
        register.accounts(),
        register.houses(),
        register.bindings(0, 10**10),
        register.suppliers(HOUSE.code, date(2026, 1, 1)),
    )


def test_what_goes_in_comes_out(register: Accounts) -> None:
    fill(register)
    assert register.houses() == {HOUSE.code: HOUSE}
    assert register.account("1").household == FLAT
    assert register.bindings(0, 10**10) == ({"1": [METER]}, {})
    assert register.suppliers(HOUSE.code, date(2025, 12, 31)) == {Service.ELECTRICITY: SupplierId(1)}
    assert register.suppliers(HOUSE.code, date(2026, 1, 1)) == {Service.ELECTRICITY: SupplierId(2)}


def test_filling_it_twice_changes_nothing(register: Accounts) -> None:
    fill(register)
    before = everything(register)
    fill(register)
    assert everything(register) == before


def test_each_account_has_a_key_of_its_own_and_its_meters_are_sealed_under_it(
    register: Accounts, ring: KeyRing
) -> None:
    fill(register)
    first, second = register.accounts()
    assert first.key_id != second.key_id
    assert ring.secret(first.key_id) != ring.secret(second.key_id)
    assert ring.key_of_meter(METER.meter) == first.key_id


def test_a_meter_of_another_account_is_refused_and_keeps_its_key(register: Accounts, ring: KeyRing) -> None:
    fill(register)
    with pytest.raises(MeterElsewhere, match="bound to 1"):
        register.bind_meters("2", [METER])
    assert ring.key_of_meter(METER.meter) == register.account("1").key_id


def test_a_removed_meter_keeps_its_last_counters(register: Accounts) -> None:
    fill(register)
    register.end_meter(METER.meter, 500, {1: 50, 2: 70})
    register.end_meter(METER.meter, 500, {1: 50, 2: 70})
    (binding,) = register.bindings(0, 10**10)[0]["1"]
    assert (binding.until, binding.final) == (500, {1: 50, 2: 70})
    assert register.bindings(500, 600)[0] == {}
    with pytest.raises(LookupError, match="bound to nothing"):
        register.end_meter(meter_id(9), 500, {})


def test_residents_change_from_a_day_on(register: Accounts) -> None:
    fill(register)
    register.set_residents("1", date(2026, 1, 10), 3)
    register.set_residents("1", date(2026, 1, 10), 4)
    flat = register.account("1").household
    assert [flat.registered_on(date(2026, 1, day)) for day in (9, 10)] == [2, 4]


def test_unknown_accounts_are_named(register: Accounts) -> None:
    for act in (
        lambda: register.account("404"),
        lambda: register.bind_meters("404", [METER]),
        lambda: register.close_account("404", date(2026, 1, 1)),
        lambda: register.bind_house_meter("404", METER),
    ):
        with pytest.raises(UnknownAccount, match="404"):
            act()


def test_a_house_changes_and_stays_one_house(register: Accounts) -> None:
    fill(register)
    changed = House(HOUSE.code, HOUSE.zone, HOUSE.areas, 1000, frozenset())
    register.add_house(changed)
    assert register.houses() == {HOUSE.code: changed}
    assert isinstance(register.account("1").household, Household)
