"""What a whole house will use: each part foreseen from its own past months, so that the flats' rules apply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from billing.domain.house_use import HouseUse
from billing.domain.household import AccountMonth
from billing.domain.usage import Method
from billing.outlook.climate import Climate
from billing.outlook.forecast import Step, foresee
from billing.outlook.past import UsedMonth, days_of, series_of
from contracts.wire.ids import Period, Service

PARTS = ("others", "by_norm", "by_meter", "boiler")
Uses = Mapping[Service, HouseUse]


def foreseen_uses(month: AccountMonth, last: Period, ahead: int, climate: Climate | None) -> tuple[Uses, Uses, Uses]:
    """The use of a house's resources ``ahead`` months after ``last``: the point, and for heating the ends of its
    interval; what is common of the others is a difference of sums, and its interval is not known."""
    point: dict[Service, HouseUse] = {}
    low: dict[Service, HouseUse] = {}
    high: dict[Service, HouseUse] = {}
    for service, use in month.house_use.items():
        known = {Period.from_number(number): past for number, past in use.past.items()}
        told = {period: past.volume for period, past in known.items() if past.volume is not None and period <= last}
        if not told:
            point[service] = low[service] = high[service] = replace(use, unknown={})
            continue
        volume = _foreseen(service, told, last, ahead, climate)
        recent = known[max(told)]
        part = {name: {period: int(getattr(known[period], name)) for period in told} for name in PARTS}
        total = {
            name: _total(_foreseen(service, of, last, ahead, None).point, month.period) for name, of in part.items()
        }
        template = replace(
            use,
            others=total["others"],
            by_norm=total["by_norm"],
            by_meter=total["by_meter"],
            boiler=total["boiler"],
            metered_dm2=recent.metered_dm2,
            unknown={},
        )
        low_end, high_end = (volume.low, volume.high) if service is Service.HEATING else (volume.point, volume.point)
        point[service] = replace(template, volume=_total(volume.point, month.period))
        low[service] = replace(template, volume=_total(low_end, month.period))
        high[service] = replace(template, volume=_total(high_end, month.period))
    return point, low, high


def _foreseen(
    service: Service, totals: Mapping[Period, int], last: Period, ahead: int, climate: Climate | None
) -> Step:
    months = {period: UsedMonth(Method.METER, {"single": total}) for period, total in totals.items()}
    return foresee(series_of(service, months, last, ahead, climate), ahead, f"the house's {service.name.lower()}")[-1]


def _total(per_day: float, period: Period) -> int:
    return int(max(per_day, 0.0) * days_of(period) + 0.5)
