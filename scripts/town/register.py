"""What the operator tells billing before the first bill: houses, supply contracts, accounts, meters on them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from importlib.resources import files
from typing import Any

from billing.accounts import Accounts, NewAccount
from billing.domain.household import House as HouseEntry
from billing.domain.household import Household, HouseTerms, Management
from billing.domain.readings import MeterBinding, MeterKind
from billing.tariffs import demo_documents
from contracts.wire.ids import Hash, MeterId
from contracts.wire.leaf import RegisterReading
from scripts.town import welfare
from scripts.town.plan import ZONE, Flat, House, MeterPlan, Town, midnight
from scripts.town.readings import house_days
from scripts.town.setup import passport_of

AREAS = (welfare.AREA, "krasnoyarsk", "moscow", "amur", "russia")
"""The town's own area, and those whose published tariffs it borrows: the first that has one."""
PROFILE_REGISTER = 0
TERMS_ACT = "протокол общего собрания собственников № 1"
_ZONES = {1: "day", 2: "night"}


def documents_of_town() -> Iterator[dict[str, Any]]:
    """What the town publishes: all that ships, and how common cold water is charged under direct management. Of other
    resources common use is not charged: nobody meters what a house takes of them."""
    yield from demo_documents()
    shared = files("billing") / "data" / "common" / "russia-cold-water-common-direct.json"
    yield json.loads(shared.read_text(encoding="utf-8"))


def house_code(number: int) -> str:
    """A house's name in billing."""
    return f"house-{number}"


def open_books(town: Town, accounts: Accounts, secret: bytes) -> None:
    """Registers the whole town; the same again changes nothing. ``secret`` salts the meters' passports."""
    since = date(town.months[0].year, town.months[0].month, 1)
    finals = _finals(town)
    for house in town.houses:
        code = house_code(house.number)
        accounts.add_house(HouseEntry(code, str(ZONE), AREAS, house.area_dm2, frozenset({"lift"})))
        accounts.set_terms(code, HouseTerms(since, Management.DIRECT, house.common_area_dm2, TERMS_ACT))
        for supplier in town.suppliers:
            for service in supplier.services:
                accounts.set_supplier(code, service, supplier.number, since)
    accounts.open_accounts([_account(flat, since) for flat in town.flats])
    accounts.bind_many(
        {
            flat.account: [_binding(meter, finals, passport_of(secret, meter.meter)) for meter in flat.meters]
            for flat in town.flats
            if flat.meters
        }
    )
    for house in town.houses:
        binding = _binding(house.meter, finals, passport_of(secret, house.meter.meter))
        accounts.bind_house_meter(house_code(house.number), binding)


def _account(flat: Flat, since: date) -> NewAccount:
    household = Household(
        area_dm2=flat.area_dm2,
        rooms=flat.rooms,
        owners=1,
        residents=((since, flat.registered),),
        plan="two" if flat.two_zones else "single",
    )
    return NewAccount(flat.account, house_code(flat.house), household, since)


def _binding(meter: MeterPlan, finals: dict[MeterId, dict[int, int]], passport: Hash) -> MeterBinding:
    names = {0: "single"} if meter.zones == 1 else _ZONES
    zones = {PROFILE_REGISTER: "single"} if meter.by_profile else names
    return MeterBinding(
        meter=meter.meter,
        service=meter.service,
        kind=MeterKind.PROFILE if meter.by_profile else MeterKind.REGISTER,
        since=midnight(meter.since),
        until=None if meter.until is None else midnight(meter.until),
        zones=zones,
        initial=meter.opening_registers(),
        final=finals.get(meter.meter, {}),
        passport=passport,
    )


def _finals(town: Town) -> dict[MeterId, dict[int, int]]:
    """Counters in the acts of removal: what a removed meter showed last."""
    removed = {meter.meter for flat in town.flats for meter in flat.meters if meter.until}
    out: dict[MeterId, dict[int, int]] = {}
    for house in town.houses:
        if removed & _meters_of(house):
            for day in house_days(town, house):
                for record in day.records:
                    if isinstance(record, RegisterReading) and record.meter in removed:
                        out.setdefault(record.meter, {})[record.register] = record.value
    return out


def _meters_of(house: House) -> set[MeterId]:
    return {meter.meter for flat in house.flats for meter in flat.meters}
