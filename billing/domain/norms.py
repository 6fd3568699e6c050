"""Consumption where counters are missing: the chain of meter, average, norm; and the norms of a household."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from fractions import Fraction
from itertools import groupby

from billing.domain.calendar import Span
from billing.domain.household import AccountMonth
from billing.domain.numbers import half_up
from billing.domain.readings import MeterMonth, ReadingUsed
from billing.domain.rules import average_limits
from billing.domain.standing import UNCOUNTED, Standing, Stretch, standing_on, stretches
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
class Raise:
    """What a norm is multiplied by: the multiplier of ф. 4(1), or that of tampering."""

    value: Fraction
    version: Version
    point: str

    def of(self, component: str) -> Fraction:
        """The multiplier of one component of a tariff: its own where the document names one, else that of them all."""
        return self.version.document.rates.get(component, self.value)


@dataclass(frozen=True, slots=True)
class Mode:
    """How one stretch of a month is charged."""

    method: Method
    raised: Raise | None = None
    tampered: bool = False


@dataclass(frozen=True, slots=True)
class Consumption:
    """What a month is charged for, however it was found: for each span its quantities by zone, and its mode.

    A norm's quantity stands without what raises it: the resource itself, which a house's balance and sewage count.
    """

    quantities: tuple[Mapping[str, int], ...]
    modes: tuple[Mode, ...]
    readings: tuple[ReadingUsed, ...] = ()
    owed_back: Mapping[str, int] = field(default_factory=dict)
    estimated: int = 0
    intervals: int = 0

    @property
    def method(self) -> Method:
        """The method of the month: the furthest from the meter that any part of it needed."""
        return max((mode.method for mode in self.modes), key=list(Method).index)

    @property
    def total(self) -> int:
        """All parts and zones together."""
        return sum(sum(zones.values()) for zones in self.quantities)

    def by_zone(self) -> dict[str, int]:
        """The month's quantity of each zone; without days of tampering, which no later counter takes back."""
        kept = [{} if mode.tampered else zones for zones, mode in zip(self.quantities, self.modes, strict=True)]
        return Usage(self.method, tuple(kept)).by_zone()


def metered_or_estimated(
    month: AccountMonth, service: Service, spans: tuple[Span, ...], plan: ZonePlan = SINGLE
) -> Consumption:
    """By the meters; without their readings by the mean of the months before (п. 59); else by the norm.

    The multiplier raises the norm where a meter could stand and does not, after the periods that п. 59 allows, and
    after refused inspections; tampering raises it further. Raises NoTariff where it comes to a norm or a mean and no
    norm or rule is in force, DecreasingRegister where a counter fell.
    """
    against = stretches(month, service)
    standings = [standing_on(against, span.first) for span in spans]
    meters = month.meters.get(service, ())
    metered = _metered(month, meters, plan, list(zip(spans, standings, strict=True)))
    history = month.history.get(service, ())
    owed: Mapping[str, int] = history[0].owed_back if history and meters else {}
    if metered is not None:
        metered, owed = less_estimates(metered, history)
    is_out = any(found is not None and found.standing is Standing.OUT for found in standings)
    average = None
    if history and (is_out or (meters and metered is None)):
        average = average_usage(history, Buckets(spans, plan, month.house.zone), average_limits(month, service))
    spent = bool(history) and history[0].method in (Method.AVERAGE, Method.NORM)
    due = spent if meters or is_out else service not in month.household.no_meter_possible
    quantities: list[Mapping[str, int]] = []
    modes: list[Mode] = []
    for place, (span, against_it) in enumerate(zip(spans, standings, strict=True)):
        if metered is not None and metered.quantities[place] and against_it is None:
            quantities.append(metered.quantities[place])
            modes.append(Mode(metered.method))
        elif average is not None and (against_it is None or against_it.standing is Standing.OUT):
            quantities.append(average.quantities[place])
            modes.append(Mode(Method.AVERAGE))
        else:
            quantities.append({SINGLE.names[0]: norm_quantity(month, service, span)})
            modes.append(_norm_mode(month, service, span, against_it, due))
    if metered is None:
        return Consumption(tuple(quantities), tuple(modes), owed_back=owed)
    return Consumption(
        tuple(quantities), tuple(modes), metered.readings, owed, metered.estimated, metered.intervals
    )  # fmt: skip


def _metered(
    month: AccountMonth, meters: Sequence[MeterMonth], plan: ZonePlan, spans: Sequence[tuple[Span, Stretch | None]]
) -> Usage | None:
    """What the meters counted in each span, nothing in those in which they were out of order; None where they told
    nothing at all, or where no span is charged by them."""
    if not meters or all(against is not None for _, against in spans):
        return None
    known: list[Usage] = []
    quantities: list[Mapping[str, int]] = []
    for counts, run in groupby(spans, key=lambda pair: pair[1] is None or pair[1].standing not in UNCOUNTED):
        within = tuple(span for span, _ in run)
        ends = [_up_to(meter, within[-1].end_ts) for meter in meters] if len(within) < len(spans) else meters
        usage = metered_usage(ends, Buckets(within, plan, month.house.zone)) if counts else None
        quantities += [{}] * len(within) if usage is None else usage.quantities
        if usage is not None:
            known.append(usage)
    if not known:
        return None
    return replace(
        known[0],
        quantities=tuple(quantities),
        readings=tuple(reading for usage in known for reading in usage.readings),
        estimated=sum(usage.estimated for usage in known),
        intervals=sum(usage.intervals for usage in known),
    )


def _up_to(meter: MeterMonth, moment: int) -> MeterMonth:
    return replace(meter, registers=tuple(row for row in meter.registers if row.taken_at <= moment))


def _norm_mode(month: AccountMonth, service: Service, span: Span, against: Stretch | None, due: bool) -> Mode:
    """Tampering outweighs a refusal, a refusal the plain multiplier."""
    if against is not None and against.standing is Standing.TAMPERED and against.rule is not None:
        times = against.rule.number("tampering_multiplier")
        return Mode(Method.NORM, Raise(times, against.rule.version, "п. 62, 81(11)"), tampered=True)
    refused = against is not None and against.standing is Standing.REFUSED
    due = due or (against is not None and against.standing is not Standing.OUT)
    found = month.tariffs.find(Kind.MULTIPLIER, service, month.house.areas, span.first) if due else None
    if found is None:
        return Mode(Method.NORM)
    point = "ф. 4(1), п. 60(1)" if refused else "ф. 4(1)"
    return Mode(Method.NORM, Raise(found.document.rates["single"], found, point))


def norm_quantity(month: AccountMonth, service: Service, span: Span) -> int:
    """A span's consumption by norm in base units, half up; the charge itself is worked out of the exact norm."""
    norm = persons_norm(month, service, span.first)
    return half_up(norm.persons * norm.per_person * Fraction(span.days, month.span.days) * BASE_UNITS)


def persons_norm(month: AccountMonth, service: Service, day: date) -> PersonsNorm:
    """The norm of a household on a day: one number, or a table of rooms by persons. Raises NoTariff."""
    version = month.tariffs.require(Kind.NORM, service, month.house.areas, day, month.features)
    persons = month.household.persons_on(day)
    table = version.document.table
    if not table:
        return PersonsNorm(persons, version.document.rates["single"], version)
    row = table[min(month.household.rooms, len(table)) - 1]
    return PersonsNorm(persons, row[min(max(persons, 1), len(row)) - 1], version)
