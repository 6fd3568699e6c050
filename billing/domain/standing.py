"""What the events of an account say of its meter, day by day: whether what it counts may be charged."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import IntEnum

from billing.domain.calendar import local_date
from billing.domain.events import Inspection, MeterOutage, RefusedInspection, Tampering
from billing.domain.household import AccountMonth
from billing.domain.rules import Rule, rule_on
from contracts.wire.ids import Service


class Standing(IntEnum):
    """How a meter stands, the gravest last."""

    UNMETERED = 0
    """It was not there yet: the norm, with the multiplier, since one could stand (ф. 4(1))."""
    OUT = 1
    """It failed, was lost, or its verification ran out: the mean of the months before (ПП 354, п. 59 «а»)."""
    REFUSED = 2
    """Inspections were refused: the norm with its multiplier (п. 60(1))."""
    TAMPERED = 3
    """It was tampered with: the norm many times over (п. 62, 81(11))."""


UNCOUNTED = frozenset({Standing.UNMETERED, Standing.OUT})
"""Standings in which nothing is known from the meter."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days on which a meter's standing is not plain: from ``first`` up to, not including, ``end``; None: it lasts."""

    standing: Standing
    first: date
    end: date | None
    rule: Rule | None = None

    def holds(self, day: date) -> bool:
        """Whether the day is one of them."""
        return self.first <= day and (self.end is None or day < self.end)


def stretches(month: AccountMonth, service: Service) -> list[Stretch]:
    """What stands against a service's meter in a month. Raises NoTariff where an event needs a rule and none is in
    force, TariffError where the rule lacks a number."""
    out = _gaps(month, service)
    if not month.events:
        return out
    for event in month.events:
        if isinstance(event, MeterOutage) and event.service is service:
            out.append(Stretch(Standing.OUT, event.since, event.until))
        elif isinstance(event, Tampering) and event.service is service:
            rule = rule_on(month, service, max(event.since, month.span.first))
            first = max(event.since, months_before(event.found, rule.whole("tampering_months")))
            out.append(Stretch(Standing.TAMPERED, first, event.cured, rule))
    out += _refused(month, service)
    return [s for s in out if s.first < month.span.end and (s.end is None or s.end > month.span.first)]


def standing_on(found: Sequence[Stretch], day: date) -> Stretch | None:
    """The gravest that holds on a day; None where the meter's word stands."""
    holding = [stretch for stretch in found if stretch.holds(day)]
    return max(holding, key=lambda stretch: stretch.standing) if holding else None


def standing_days(month: AccountMonth, services: Sequence[Service]) -> set[date]:
    """Days on which some meter's standing changes."""
    found = [stretch for service in services for stretch in stretches(month, service)]
    return {day for stretch in found for day in (stretch.first, stretch.end) if day is not None}


def months_before(day: date, months: int) -> date:
    """The same day so many months earlier, or the last of that month."""
    index = day.year * 12 + day.month - 1 - months
    year, month = index // 12, index % 12 + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def _gaps(month: AccountMonth, service: Service) -> list[Stretch]:
    """Days of the month on which no meter stood: before the first none was there yet, after one it is out."""
    bindings = [meter.binding for meter in month.meters.get(service, ())]
    start, end = month.span.start_ts, month.span.end_ts
    if not bindings or any(b.since <= start and (b.until is None or b.until >= end) for b in bindings):
        return []
    zone, out, day, standing = month.house.zone, [], month.span.first, Standing.UNMETERED
    for binding in sorted(bindings, key=lambda b: b.since):
        first = local_date(binding.since, zone)
        if first > day:
            out.append(Stretch(standing, day, first))
        standing = Standing.OUT
        after = month.span.end if binding.until is None else local_date(binding.until - 1, zone) + timedelta(days=1)
        day = max(day, after)
    if day < month.span.end:
        out.append(Stretch(standing, day, month.span.end))
    return out


def _refused(month: AccountMonth, service: Service) -> list[Stretch]:
    """From the first day of the month in which the refusal that was one too many was acted, until an inspection."""
    refusals = sorted(e.refused for e in month.events if isinstance(e, RefusedInspection) and e.service is service)
    inspections = sorted(e.inspected for e in month.events if isinstance(e, Inspection) and e.service is service)
    out: list[Stretch] = []
    if not refusals:
        return out
    needed = rule_on(month, service, month.span.first).whole("refusals_to_norm")
    for end, edges in zip([*inspections, None], [date.min, *inspections], strict=True):
        mine = [day for day in refusals if day >= edges and (end is None or day < end)]
        if len(mine) >= needed:
            out.append(Stretch(Standing.REFUSED, mine[needed - 1].replace(day=1), end))
    return out
