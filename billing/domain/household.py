"""What a rule is given: a house, a household, and an account's month."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from fractions import Fraction

from billing.domain.calendar import Span
from billing.domain.events import Event
from billing.domain.house_use import HouseUse
from billing.domain.readings import MeterMonth
from billing.domain.tariff import TariffSet
from billing.domain.usage import PastMonth
from contracts.wire.ids import Period, Service, SupplierId

DM2_PER_M2 = 100


class Management(StrEnum):
    """How a house is managed: whether its common needs are utility lines or a housing line (ЖК РФ, ст. 161)."""

    DIRECT = "direct"
    COMPANY = "company"


@dataclass(frozen=True, slots=True)
class HouseTerms:
    """What holds for a house from a month on, and the act behind it.

    ``common_area_dm2`` is the common property's area S^ои, hundredths of m²; ``uniform_heating`` spreads the payment
    for heating over the year; ``over_cap_to_owners``: a meeting decided that owners pay common use above the norm.
    Raises ValueError where they begin within a month, or name no act.
    """

    since: date
    management: Management
    common_area_dm2: int
    act: str
    uniform_heating: bool = False
    over_cap_to_owners: bool = False

    def __post_init__(self) -> None:
        if self.since.day != 1:
            raise ValueError(f"terms of a house hold from the first day of a month, not from {self.since}")
        if self.common_area_dm2 < 0 or not self.act:
            raise ValueError(f"terms of a house from {self.since} need its common area, not negative, and their act")


@dataclass(frozen=True, slots=True)
class House:
    """A house. ``areas`` names whose tariffs hold, the first that has one; areas of floors in hundredths of m².

    ``area_dm2`` is the whole of its dwellings and other premises, S^об; ``terms`` are ascending by their first day.
    """

    code: str
    zone: str
    areas: tuple[str, ...]
    area_dm2: int
    features: frozenset[str] = frozenset()
    terms: tuple[HouseTerms, ...] = ()

    def terms_on(self, day: date) -> HouseTerms | None:
        """What holds on a day, None where nothing was set by then."""
        return next((terms for terms in reversed(self.terms) if terms.since <= day), None)


@dataclass(frozen=True, slots=True)
class Household:
    """A flat and who lives there. ``residents`` are (first day, number), ascending."""

    area_dm2: int
    rooms: int
    owners: int
    residents: tuple[tuple[date, int], ...]
    no_meter_possible: frozenset[Service] = frozenset()
    plan: str = "single"

    @property
    def area_m2(self) -> Fraction:
        """Area in m², exact."""
        return Fraction(self.area_dm2, DM2_PER_M2)

    def registered_on(self, day: date) -> int:
        """Residents registered on a day."""
        count = 0
        for since, number in self.residents:
            if since <= day:
                count = number
        return count

    def persons_on(self, day: date) -> int:
        """Persons that a norm counts: the residents, or the owners where nobody is registered (ПП 354, п. 56(2))."""
        return self.registered_on(day) or self.owners


@dataclass(frozen=True, slots=True)
class AccountMonth:
    """Everything that the rules read for one account and one period.

    ``opened`` and ``closed`` are the first day of the account and the first that is no longer its own.
    """

    account: str
    period: Period
    span: Span
    house: House
    household: Household
    suppliers: Mapping[Service, SupplierId]
    tariffs: TariffSet
    meters: Mapping[Service, tuple[MeterMonth, ...]] = field(default_factory=dict)
    history: Mapping[Service, tuple[PastMonth, ...]] = field(default_factory=dict)
    house_meters: Mapping[Service, tuple[MeterMonth, ...]] = field(default_factory=dict)
    house_use: Mapping[Service, HouseUse] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    opened: date | None = None
    closed: date | None = None

    @property
    def terms(self) -> HouseTerms | None:
        """The house's terms: those in force on the month's first day hold for all of it."""
        return self.house.terms_on(self.span.first)

    @property
    def features(self) -> frozenset[str]:
        """Features of the house that choose among tariffs and norms; the form of management is one of them."""
        return self.house.features if self.terms is None else self.house.features | {self.terms.management.value}
