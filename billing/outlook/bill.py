"""The bill of a month to come: foreseen quantities put on meters that stand in for the real ones, charged by the rules.

Services without a meter are charged as their rules do without one. What a house used, for heating and for its common
property, is foreseen from the house's own months.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from billing.domain.charge import ChargedLine
from billing.domain.household import AccountMonth
from billing.domain.readings import MeterBinding, MeterKind, MeterMonth, RegisterRow
from billing.domain.services import charge_account
from billing.outlook.house import Uses
from contracts.wire.ids import NO_HASH, MeterId, Service, SourceClass
from contracts.wire.leaf import Quality, ReadingFlags

STAND_IN = MeterId(bytes(16))
"""The meter that foreseen readings are of: no meter of any register."""


@dataclass(frozen=True, slots=True)
class ForeseenBill:
    """The lines of a month at the foreseen use, its sum by the naive baseline, and its sums at the low and the high
    end of every interval together: wider than the interval of the sum, since errors are not known to balance out."""

    lines: tuple[ChargedLine, ...]
    low_kopecks: int
    high_kopecks: int
    naive_kopecks: int

    @property
    def point_kopecks(self) -> int:
        """Sum of the lines."""
        return sum(line.amount_kopecks for line in self.lines)


@dataclass(frozen=True, slots=True)
class Foreseen:
    """The use of one service in one month, base units by zone: the point, the ends of the interval, the baseline.

    ``is_seasonal``: the baseline is the same month a year before, else the last month known.
    """

    point: Mapping[str, int]
    low: Mapping[str, int]
    high: Mapping[str, int]
    naive: Mapping[str, int]
    is_seasonal: bool


def foreseen_bill(month: AccountMonth, use: Mapping[Service, Foreseen], house: tuple[Uses, Uses, Uses]) -> ForeseenBill:
    """The bill of a month at its foreseen use; ``house`` is the house's: point, low and high.

    Raises NoTariff and TariffError, as charging does.
    """
    point, low, high = house
    lines = charge_account(with_use(month, {service: foreseen.point for service, foreseen in use.items()}, point))
    return ForeseenBill(
        tuple(lines),
        _sum(with_use(month, {service: foreseen.low for service, foreseen in use.items()}, low)),
        _sum(with_use(month, {service: foreseen.high for service, foreseen in use.items()}, high)),
        _sum(with_use(month, {service: foreseen.naive for service, foreseen in use.items()}, point)),
    )


def with_use(month: AccountMonth, use: Mapping[Service, Mapping[str, int]], house: Uses) -> AccountMonth:
    """The month as if its meters, and those of its house, had told just this use, base units by zone."""
    own = {service: (_told(month, service, zones),) for service, zones in use.items() if service in month.meters}
    past = {service: months for service, months in month.history.items() if service not in use}
    return replace(month, meters={**month.meters, **own}, history=past, house_meters={}, house_use=house)


def _sum(month: AccountMonth) -> int:
    return sum(line.amount_kopecks for line in charge_account(month))


def _told(month: AccountMonth, service: Service, zones: Mapping[str, int]) -> MeterMonth:
    names = dict(enumerate(zones))
    binding = MeterBinding(STAND_IN, service, MeterKind.REGISTER, 0, zones=names)
    rows = [
        RegisterRow(
            STAND_IN, place, at, value, Quality.ESTIMATED, ReadingFlags.NONE, SourceClass.VALIDATION, NO_HASH, 0
        )
        for place, name in names.items()
        for at, value in ((month.span.start_ts, 0), (month.span.end_ts, zones[name]))
    ]
    return MeterMonth(binding, tuple(rows))
