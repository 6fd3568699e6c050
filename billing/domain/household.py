"""What a rule is given: a house, a household, and an account's month."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from billing.domain.calendar import Span
from billing.domain.readings import MeterMonth
from billing.domain.tariff import TariffSet
from billing.domain.usage import PastMonth
from contracts.wire.ids import Period, Service, SupplierId

DM2_PER_M2 = 100


@dataclass(frozen=True, slots=True)
class House:
    """A house. ``areas`` names whose tariffs hold, the first that has one; areas of floors in hundredths of m²."""

    code: str
    zone: str
    areas: tuple[str, ...]
    area_dm2: int
    features: frozenset[str] = frozenset()


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
    """Everything that the rules read for one account and one period."""

    account: str
    period: Period
    span: Span
    house: House
    household: Household
    suppliers: Mapping[Service, SupplierId]
    tariffs: TariffSet
    meters: Mapping[Service, tuple[MeterMonth, ...]] = field(default_factory=dict)
    history: Mapping[Service, tuple[PastMonth, ...]] = field(default_factory=dict)
    house_heat: tuple[MeterMonth, ...] = ()

    @property
    def features(self) -> frozenset[str]:
        """Features of the house that choose among tariffs and norms."""
        return self.house.features
