"""A house's month as everybody who lives there may see it: sums of the house, and of flats only the asker's own.

Of a house of few flats a sum tells of the neighbours, so what its flats used is not told there: docs/decisions/0023.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Engine, select

from billing.domain.common import UNITS as COMMON
from billing.domain.house_use import HouseUse
from billing.houses import Houses
from billing.outlook.past import Past, opened_usage
from billing.run import RunStage
from billing.schema import accounts, runs, usage
from contracts.client.keyring import KeyRing
from contracts.wire.ids import Period, Service
from contracts.wire.units import div_half_up

FEWEST_FLATS = 5
"""A house of fewer flats keeps the sum of their use to itself."""
UNITS: Mapping[Service, str] = {
    Service.COLD_WATER: "litre",
    Service.HOT_WATER: "litre",
    Service.ELECTRICITY: "Wh",
    Service.GAS: "litre",
    Service.HEATING: "ucal",
}
"""The resources that a house uses, each with its base unit."""


@dataclass(frozen=True, slots=True)
class ResourceMonth:
    """A house's month of one resource, base units of ``unit``.

    ``volume`` is what the house's meter told, None without one; ``flats`` what all flats were charged for by
    themselves, None where they are too few or one of them is not known; ``common`` what was left for common property,
    ``norm`` what that may use. ``own`` is the asker's flat, ``average`` that of all flats, half up.
    """

    service: Service
    unit: str
    volume: int | None = None
    is_estimated: bool = False
    flats: int | None = None
    others: int = 0
    boiler: int = 0
    common: int | None = None
    norm: int | None = None
    own: int | None = None
    average: int | None = None


@dataclass(frozen=True, slots=True)
class HouseMonth:
    """A month of a house; ``flats`` counts those billed for it, ``months`` are all that were billed, newest first."""

    house: str
    period: Period
    flats: int
    resources: tuple[ResourceMonth, ...]
    months: tuple[Period, ...]

    @property
    def is_small(self) -> bool:
        """Whether its flats are too few to tell their sum."""
        return self.flats < FEWEST_FLATS


class HouseMonths:
    """Months of houses by what active runs charged. Opens the flats' use under their own keys; keeps nothing."""

    def __init__(self, engine: Engine, keyring: KeyRing) -> None:
        self._engine, self._keyring = engine, keyring
        self._houses = Houses(engine, keyring)

    def of(self, house: str, period: Period | None = None, own: str | None = None) -> HouseMonth | None:
        """A month of a house, by default the last that was billed; ``own`` is the asker's account. None where the
        house was not billed then."""
        months = self._billed(house)
        asked = period or (months[0] if months else None)
        if asked is None or asked not in months:
            return None
        flats = {account: _totals(past, asked) for account, past in self._flats(house, asked).items()}
        uses = self._houses.of_month(house, asked)
        found = (
            _resource(service, uses.get(service), flats, own)
            for service in UNITS
            if service in uses or any(used.get(service) is not None for used in flats.values())
        )
        return HouseMonth(house, asked, len(flats), tuple(found), tuple(months))

    def _billed(self, house: str) -> list[Period]:
        query = (
            select(usage.c.period)
            .join(runs, runs.c.id == usage.c.run)
            .join(accounts, accounts.c.account == usage.c.account)
            .where(accounts.c.house == house, runs.c.state == RunStage.ACTIVE.value)
            .distinct()
            .order_by(usage.c.period.desc())
        )
        with self._engine.connect() as connection:
            return [Period.from_number(row.period) for row in connection.execute(query)]

    def _flats(self, house: str, period: Period) -> dict[str, Past]:
        query = (
            select(usage)
            .join(runs, runs.c.id == usage.c.run)
            .join(accounts, accounts.c.account == usage.c.account)
            .where(accounts.c.house == house, usage.c.period == period.number, runs.c.state == RunStage.ACTIVE.value)
            .order_by(usage.c.run)
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return opened_usage(self._keyring, rows)


def _totals(past: Past, period: Period) -> dict[Service, int | None]:
    """What a flat was charged for, None where that says no quantity, as of heat by norm."""
    found = {service: months[period] for service, months in past.items() if service in UNITS}
    return {service: month.total if month.by_zone else None for service, month in found.items()}


def _resource(
    service: Service, use: HouseUse | None, flats: Mapping[str, Mapping[Service, int | None]], own: str | None
) -> ResourceMonth:
    """By the house's own balance where its meter made one, else by what flats were charged for. Heat has no balance:
    what the house's meter tells is divided over its flats whole."""
    charged = [of[service] for of in flats.values() if service in of]
    used = [total for total in charged if total is not None]
    mine = flats.get(own, {}).get(service) if own is not None else None
    told = ResourceMonth(service, UNITS[service], own=mine)
    if use is not None:
        volume, is_estimated = use.volume, use.estimated
        told = replace(told, volume=volume, is_estimated=is_estimated, others=use.others, boiler=use.boiler)
        told = replace(told, norm=use.norm)
    if len(used) < max(FEWEST_FLATS, len(charged)):
        return told
    total = sum(used)
    if use is not None and use.volume is not None and service in COMMON:
        if use.unknown:
            return told
        total = use.by_norm + use.by_meter
        told = replace(told, common=use.common)
    return replace(told, flats=total, average=div_half_up(total, len(used)))
