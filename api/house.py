"""A house as the HTTP door says it: what it used, and its capital-repair fund; of flats only the asker's own."""

from __future__ import annotations

from datetime import date
from typing import Protocol

from pydantic import Field

from api.models import Kopecks, Model, Month
from api.problems import NotFound
from billing.read import FundStatement, HouseMonth
from contracts.wire.ids import Period
from ledger.queries import Ledger


class Resource(Model):
    """A month of one resource, whole base units. ``flats``, ``common`` and ``average`` are null where the flats are
    too few, or the use of one is not known."""

    service: str
    unit: str
    volume: int | None = Field(description="what the house's meter told")
    estimated: bool = Field(description="the volume is the mean of earlier months")
    flats: int | None = Field(description="what all flats used by themselves")
    others: int = Field(description="premises that are no dwellings")
    boiler: int = Field(description="what the house's own boiler took")
    common: int | None = Field(description="what is left for common property; below nothing it is carried on")
    norm: int | None = Field(description="what common property may use")
    own: int | None = Field(description="the asking account's own use")
    average: int | None = Field(description="a flat's mean, half up")


class Work(Model):
    """Works paid out of the fund: accepted by an act, or paid for."""

    kind: str = Field(description="accepted or spent")
    day: date
    amount_kopecks: Kopecks
    document: str
    what: str
    contractor: str


class Fund(Model):
    """A house's capital-repair fund; charged and received are of all time."""

    month: Month
    charged_kopecks: Kopecks
    received_kopecks: Kopecks
    closing_kopecks: Kopecks = Field(description="what is left")
    owed_to_contractors_kopecks: Kopecks
    works: list[Work]


class House(Model):
    """A month of a house."""

    house: str
    period: Month | None = Field(description="null where nothing was billed yet")
    flats: int = Field(description="how many were billed")
    small: bool = Field(description="its flats are too few to tell their sum")
    resources: list[Resource]
    months: list[Month] = Field(description="all that were billed, newest first")
    fund: Fund


class HouseNames(Model):
    """Codes of houses."""

    houses: list[str]


class Register(Protocol):
    """What of billing's read door (BillingRead) is used here."""

    def houses(self) -> list[str]:
        """Codes of all houses."""
        ...

    def house_code_of(self, account: str) -> str | None:
        """The house of an account."""
        ...

    def house_month(self, house: str, period: Period | None, own: str | None) -> HouseMonth | None:
        """A month of a house; None where it was not billed then."""
        ...

    def fund_of(self, house: str, ledger: Ledger) -> FundStatement:
        """A house's fund."""
        ...


class HousePages:
    """Houses of a running town."""

    def __init__(self, ledger: Ledger, register: Register) -> None:
        self._ledger, self._register = ledger, register

    def names(self) -> list[str]:
        """Codes of all houses."""
        return self._register.houses()

    def of_account(self, account: str, period: Period | None) -> House:
        """The house of an account, with the account's own use beside it. Raises NotFound."""
        return self._of(self._register.house_code_of(account), period, account)

    def of(self, house: str, period: Period | None) -> House:
        """A house for whoever sees all. Raises NotFound."""
        return self._of(house if house in self._register.houses() else None, period, None)

    def _of(self, house: str | None, period: Period | None, own: str | None) -> House:
        if house is None:
            raise NotFound("there is no such house among yours")
        found = self._register.house_month(house, period, own)
        if found is None and period is not None:
            raise NotFound(f"house {house} was not billed for {period}")
        fund = _fund(self._register.fund_of(house, self._ledger))
        if found is None:
            return House(house=house, period=None, flats=0, small=True, resources=[], months=[], fund=fund)
        return House(
            house=house,
            period=str(found.period),
            flats=found.flats,
            small=found.is_small,
            resources=_resources(found),
            months=[str(month) for month in found.months],
            fund=fund,
        )


def _resources(found: HouseMonth) -> list[Resource]:
    return [
        Resource(
            service=row.service.name.lower(),
            unit=row.unit,
            volume=row.volume,
            estimated=row.is_estimated,
            flats=row.flats,
            others=row.others,
            boiler=row.boiler,
            common=row.common,
            norm=row.norm,
            own=row.own,
            average=row.average,
        )
        for row in found.resources
    ]


def _fund(found: FundStatement) -> Fund:
    return Fund(
        month=str(found.last),
        charged_kopecks=found.charged,
        received_kopecks=found.received,
        closing_kopecks=found.closing,
        owed_to_contractors_kopecks=found.owed_to_contractors,
        works=[
            Work(
                kind=work.kind.value,
                day=work.day,
                amount_kopecks=work.amount_kopecks,
                document=work.document,
                what=work.what,
                contractor=work.contractor,
            )
            for work in found.works
        ],
    )
