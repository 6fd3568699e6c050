"""Consumption where counters are missing: the chain of meter, average, norm; and the norms of a household."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from billing.domain.calendar import Span
from billing.domain.household import AccountMonth
from billing.domain.numbers import half_up
from billing.domain.readings import ReadingUsed
from billing.domain.tariff import Kind, Version
from billing.domain.usage import Method, Usage, average_usage, less_estimates, metered_usage
from billing.domain.zones import SINGLE, Buckets, ZonePlan
from contracts.wire.ids import Service

BASE_UNITS = 1000
"""Litres in a cubic metre, watt-hours in a kilowatt-hour."""


@dataclass(frozen=True, slots=True)
class PersonsNorm:
    """A norm of consumption per person and how many persons it counts."""

    persons: int
    per_person: Fraction
    version: Version


@dataclass(frozen=True, slots=True)
class Consumption:
    """What a month is charged for, however it was found. ``raised``: the norm's multiplier applies."""

    method: Method
    quantities: tuple[Mapping[str, int], ...]
    readings: tuple[ReadingUsed, ...] = ()
    owed_back: Mapping[str, int] = field(default_factory=dict)
    estimated: int = 0
    intervals: int = 0
    raised: bool = False

    @property
    def total(self) -> int:
        """All parts and zones together."""
        return sum(sum(zones.values()) for zones in self.quantities)

    def by_zone(self) -> dict[str, int]:
        """The month's quantity of each zone."""
        return Usage(self.method, self.quantities).by_zone()


def metered_or_estimated(
    month: AccountMonth, service: Service, spans: tuple[Span, ...], plan: ZonePlan = SINGLE
) -> Consumption:
    """By the meters; without their readings by the mean of the months before (п. 59); else by the norm.

    The multiplier raises the norm where a meter could stand and does not, and after the periods that п. 59 allows.
    Raises NoTariff where it comes to a norm and none is in force.
    """
    meters = month.meters.get(service, ())
    history = month.history.get(service, ())
    if not meters:
        return norm_consumption(month, service, spans, service not in month.household.no_meter_possible)
    buckets = Buckets(spans, plan, month.house.zone)
    usage = metered_usage(meters, buckets)
    if usage is not None:
        usage, owed_back = less_estimates(usage, history)
        return Consumption(usage.method, usage.quantities, usage.readings, owed_back, usage.estimated, usage.intervals)
    average = average_usage(history, buckets)
    if average is not None:
        return Consumption(Method.AVERAGE, average.quantities)
    spent = bool(history) and history[0].method in (Method.AVERAGE, Method.NORM)
    return norm_consumption(month, service, spans, spent)


def norm_consumption(month: AccountMonth, service: Service, spans: tuple[Span, ...], raised: bool) -> Consumption:
    """Consumption by norm in base units, half up; the charge itself is worked out of the exact norm."""
    quantities = []
    for span in spans:
        norm = persons_norm(month, service, span.first)
        share = Fraction(span.days, month.span.days)
        quantities.append({SINGLE.names[0]: half_up(norm.persons * norm.per_person * share * BASE_UNITS)})
    return Consumption(Method.NORM, tuple(quantities), raised=raised)


def persons_norm(month: AccountMonth, service: Service, day: date) -> PersonsNorm:
    """The norm of a household on a day: one number, or a table of rooms by persons. Raises NoTariff."""
    version = month.tariffs.require(Kind.NORM, service, month.house.areas, day, month.features)
    persons = month.household.persons_on(day)
    table = version.document.table
    if not table:
        return PersonsNorm(persons, version.document.rates["single"], version)
    row = table[min(month.household.rooms, len(table)) - 1]
    return PersonsNorm(persons, row[min(max(persons, 1), len(row)) - 1], version)
