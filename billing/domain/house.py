"""The house pass: what a house used of each resource, out of the months of all its accounts.

Linear in the accounts and pure. An account whose use cannot be worked out is named in the result; the sums of that
resource are then not to be charged by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from billing.domain.common import UNITS, carried_on, rule_of
from billing.domain.house_heat import own_heat
from billing.domain.house_use import HouseUse
from billing.domain.household import DM2_PER_M2, AccountMonth
from billing.domain.norms import Consumption, metered_or_estimated
from billing.domain.numbers import half_up
from billing.domain.parts import spans_of, tariff_on
from billing.domain.rules import average_limits
from billing.domain.tariff import Kind, NoTariff, TariffError, zone_plan
from billing.domain.usage import DecreasingRegister, Method, Usage, metered_usage
from billing.domain.zones import SINGLE, Buckets
from contracts.wire.ids import Period, Service
from contracts.wire.units import div_half_up


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
        dwellings_dm2=half_up(sum((month.household.area_dm2 * _open(month) for month in months), Fraction(0))),
        persons=half_up(sum((_persons(month) * _open(month) for month in months), Fraction(0))),
        fuels=entries.fuels,
        past=entries.past if service is Service.HEATING else {},
        last_year=entries.last_year,
        norm=_norm(first, service),
    )
    try:
        use = _with_volume(use, first, entries.past)
    except (DecreasingRegister, NoTariff, TariffError) as error:
        return replace(use, unknown={month.account: str(error) for month in months})
    if use.volume is None and not entries.fuels:
        return use  # by norms: nothing has to be known of the premises
    return _with_premises(use, months)


def _with_volume(use: HouseUse, month: AccountMonth, past: Mapping[int, HouseUse]) -> HouseUse:
    """What the house's meters told, or their mean where they told nothing."""
    metered = _house_volume(month, use.service)
    if metered is not None:
        return replace(use, volume=metered.total, readings=metered.readings)
    if month.house_meters.get(use.service):
        mean = _mean(month, use.service, past)
        return replace(use, volume=mean, estimated=mean is not None)
    return use


def _with_premises(use: HouseUse, months: Sequence[AccountMonth]) -> HouseUse:
    """What each account used, by the kind of its count; those that cannot be worked out are named."""
    unknown: dict[str, str] = {}
    by_norm, by_meter, metered_dm2 = 0, 0, Fraction(0)
    for month in months:
        try:
            used = own_heat(month) if use.service is Service.HEATING else individual_use(month, use.service)
        except (DecreasingRegister, NoTariff, TariffError) as error:
            unknown[month.account] = str(error)
            continue
        if used is None:
            continue  # heated by area: what it counts with follows from the others
        if used.method is Method.NORM:
            by_norm += used.total
        else:
            by_meter += used.total
            metered_dm2 += month.household.area_dm2 * _open(month)
    return replace(use, by_norm=by_norm, by_meter=by_meter, metered_dm2=half_up(metered_dm2), unknown=unknown)


def _open(month: AccountMonth) -> Fraction:
    """The part of the month's days on which the account is open: two accounts may follow each other in one flat."""
    first, end = month.span.first, month.span.end
    first, end = max(first, month.opened or first), min(end, month.closed or end)
    return Fraction(max((end - first).days, 0), month.span.days)


def _persons(month: AccountMonth) -> int:
    return month.household.persons_on(month.span.first)


def _carried(month: AccountMonth, service: Service, past: Mapping[int, HouseUse]) -> int:
    """What the month before left below nothing, where the rule carries it on."""
    before = past.get(month.period.previous().number)
    return 0 if before is None or service not in UNITS else carried_on(before, rule_of(month, service))


def _norm(month: AccountMonth, service: Service) -> int | None:
    """N^одн · S^ои, base units, half up; None where the house has no common property or no norm is in force."""
    day, terms = month.span.first, month.terms
    norm = month.tariffs.find(Kind.COMMON_NORM, service, month.house.areas, day, month.features)
    if norm is None or terms is None or service not in UNITS:
        return None
    area = Fraction(terms.common_area_dm2, DM2_PER_M2)
    return half_up(norm.document.rates["single"] * area * UNITS[service][1])


def _mean(month: AccountMonth, service: Service, past: Mapping[int, HouseUse]) -> int | None:
    """A silent house meter counts with the mean of its months before, half up (ПП 354, п. 59(1)), within the limits of
    the service's rule. Heat counts the months in which the house was heated. Raises NoTariff where no rule says them.
    """
    last = month.period.previous()
    run = last
    while run.number in past and past[run.number].estimated:
        run = run.previous()
    told = [use.volume for _, use in sorted(past.items(), reverse=True) if use.volume is not None and not use.estimated]
    real = [volume for volume in told if volume or service is not Service.HEATING]
    if not real:
        return None
    limits = average_limits(month, service)
    real = real[: limits.months]
    if len(real) < limits.least or _months_between(run, last) >= limits.periods:
        return None
    return div_half_up(sum(real), len(real))


def _months_between(first: Period, last: Period) -> int:
    return 12 * (last.year - first.year) + last.month - first.month


def _house_volume(month: AccountMonth, service: Service) -> Usage | None:
    meters = month.house_meters.get(service, ())
    return metered_usage(meters, Buckets((month.span,), SINGLE, month.house.zone)) if meters else None
