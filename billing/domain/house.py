"""The house pass: what a house used of each resource, out of the months of all its accounts.

Linear in the accounts and pure. An account whose use cannot be worked out is named in the result; the sums of that
resource are then not to be charged by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from billing.domain.common import UNITS, carried_on, rule_of
from billing.domain.house_heat import own_heat
from billing.domain.house_use import HouseUse
from billing.domain.household import AccountMonth
from billing.domain.norms import Consumption, metered_or_estimated
from billing.domain.parts import spans_of, tariff_on
from billing.domain.tariff import NoTariff, TariffError, zone_plan
from billing.domain.usage import DecreasingRegister, Method, Usage, metered_usage
from billing.domain.zones import SINGLE, Buckets
from contracts.wire.ids import Service


@dataclass(frozen=True, slots=True)
class HouseEntries:
    """What a house's books say of one resource and month besides meters, base units: see ``HouseUse``."""

    others: int = 0
    boiler: int = 0
    fuels: Mapping[Service, int] = field(default_factory=dict)
    past: Mapping[int, HouseUse] = field(default_factory=dict)
    last_year: int | None = None


def house_uses(
    months: Sequence[AccountMonth], entries: Mapping[Service, HouseEntries] | None = None
) -> dict[Service, HouseUse]:
    """The use of a house by resource; ``months`` are those of all its accounts, one at least, for one period.

    A resource is there where the house has a meter of it, common property, or a boiler that makes it.
    """
    first = months[0]
    found = entries or {}
    common = first.terms is not None and first.terms.common_area_dm2 > 0
    wanted = {*first.house_meters, *found, *(UNITS if common else ())}
    return {service: _house_use(months, service, found.get(service, HouseEntries())) for service in sorted(wanted)}


def individual_use(month: AccountMonth, service: Service) -> Consumption:
    """What one account used of a resource, as its own line charges it. Raises DecreasingRegister and NoTariff."""
    spans = spans_of(month, service)
    plan = SINGLE
    if service is Service.ELECTRICITY and month.meters.get(service):
        plan = zone_plan(tariff_on(month, service, spans[0].first).document, month.household.plan)
    return metered_or_estimated(month, service, spans, plan)


def _house_use(months: Sequence[AccountMonth], service: Service, entries: HouseEntries) -> HouseUse:
    first = months[0]
    use = HouseUse(
        service,
        first.house.area_dm2,
        0 if first.terms is None else first.terms.common_area_dm2,
        others=entries.others,
        boiler=entries.boiler,
        carried=_carried(first, service, entries.past),
        dwellings_dm2=sum(month.household.area_dm2 for month in months),
        persons=sum(month.household.persons_on(month.span.first) for month in months),
        fuels=entries.fuels,
        past=entries.past if service is Service.HEATING else {},
        last_year=entries.last_year,
    )
    unknown: dict[str, str] = {}
    try:
        metered = _house_volume(first, service)
    except DecreasingRegister as error:
        return replace(use, unknown={month.account: str(error) for month in months})
    if metered is not None:
        use = replace(use, volume=metered.total, readings=metered.readings)
    if metered is None and not entries.fuels:
        return use  # by norms: nothing has to be known of the premises
    by_norm = by_meter = metered_dm2 = 0
    for month in months:
        try:
            used = own_heat(month) if service is Service.HEATING else individual_use(month, service)
        except (DecreasingRegister, NoTariff, TariffError) as error:
            unknown[month.account] = str(error)
            continue
        if used is None:
            continue  # heated by area: what it counts with follows from the others
        if used.method is Method.NORM:
            by_norm += used.total
        else:
            by_meter += used.total
            metered_dm2 += month.household.area_dm2
    return replace(use, by_norm=by_norm, by_meter=by_meter, metered_dm2=metered_dm2, unknown=unknown)


def _carried(month: AccountMonth, service: Service, past: Mapping[int, HouseUse]) -> int:
    """What the month before left below nothing, where the rule carries it on."""
    before = past.get(month.period.previous().number)
    return 0 if before is None or service not in UNITS else carried_on(before, rule_of(month, service))


def _house_volume(month: AccountMonth, service: Service) -> Usage | None:
    meters = month.house_meters.get(service, ())
    return metered_usage(meters, Buckets((month.span,), SINGLE, month.house.zone)) if meters else None
