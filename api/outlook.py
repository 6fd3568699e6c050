"""The months to come of an account as the HTTP door says them: use and bill, each with an interval, and the naive
figure that a forecast is measured by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from pydantic import Field

from api.models import Kopecks, Model, Month
from api.problems import NoForecast
from billing.read import MonthAhead, NotForeseeable
from contracts.wire.ids import Service
from ledger.queries import Ledger


class UseAhead(Model):
    """What meters of one service will count, in the base unit; four of five months should fall between low and high."""

    service: str
    unit: str
    quantity: int
    low: int
    high: int
    naive: int
    naive_is: Literal["year-before", "last-month"]


class LineAhead(Model):
    """What one service will cost at the foreseen use and the tariffs published for that month."""

    service: str
    amount_kopecks: Kopecks


class BillAhead(Model):
    """A month to come. Low and high take every interval at its end together, so they are the wider for it."""

    period: Month
    bill_kopecks: Kopecks
    low_kopecks: Kopecks
    high_kopecks: Kopecks
    naive_kopecks: Kopecks = Field(description="the bill if each meter counts what it did a year, or a month, before")
    lines: list[LineAhead]
    use: list[UseAhead]


class Ahead(Model):
    """The months to come of an account, the next first."""

    account: str
    months: list[BillAhead]


class Register(Protocol):
    """What of billing's read door (BillingRead) is used here."""

    def outlook_of(self, account: str, months: int, ledger: Ledger) -> Sequence[MonthAhead]:
        """The months after the last that was billed. Raises NotForeseeable."""
        ...


class Outlooks:
    """Forecasts of a running town's accounts."""

    def __init__(self, ledger: Ledger, register: Register) -> None:
        self._ledger, self._register = ledger, register

    def of(self, account: str, months: int) -> Ahead:
        """So many months to come. Raises NoForecast."""
        try:
            found = self._register.outlook_of(account, months, self._ledger)
        except NotForeseeable as error:
            raise NoForecast(str(error)) from error
        return Ahead(account=account, months=[_month(month) for month in found])


def _month(month: MonthAhead) -> BillAhead:
    bill = month.bill
    units = {line.service: line.unit for line in bill.lines}
    return BillAhead(
        period=str(month.period),
        bill_kopecks=bill.point_kopecks,
        low_kopecks=bill.low_kopecks,
        high_kopecks=bill.high_kopecks,
        naive_kopecks=bill.naive_kopecks,
        lines=[LineAhead(service=_name(line.service), amount_kopecks=line.amount_kopecks) for line in bill.lines],
        use=[
            UseAhead(
                service=_name(service),
                unit=units.get(service, ""),
                quantity=sum(use.point.values()),
                low=sum(use.low.values()),
                high=sum(use.high.values()),
                naive=sum(use.naive.values()),
                naive_is="year-before" if use.is_seasonal else "last-month",
            )
            for service, use in month.use.items()
        ],
    )


def _name(service: Service) -> str:
    return service.name.lower()
