"""What the rules of services share: the spans of a month, the tariff on a day, volumes and parts by norm."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from billing.domain import formulas
from billing.domain.calendar import Span, cut
from billing.domain.charge import Input, Part
from billing.domain.events import Ownership
from billing.domain.household import AccountMonth
from billing.domain.norms import BASE_UNITS, Consumption, Mode, Raise, persons_norm
from billing.domain.numbers import half_up, kopecks
from billing.domain.standing import standing_days
from billing.domain.tariff import Kind, Version
from billing.domain.usage import Method
from contracts.wire.ids import Service

LITRES = 1000
WH_PER_KWH = 1000
MICRO = 1_000_000
LEAST_VOLUME = "0.001"
"""What a volume by norm is rounded to: the litre, the watt-hour."""

VOLUME_POINTS = {
    Method.METER: "ф. 1",
    Method.PROFILE: "ф. 1",
    Method.AVERAGE: "ф. 1, п. 59",
    Method.NORM: "ф. 4",
}


def tariff_on(month: AccountMonth, service: Service, day: date) -> Version:
    return month.tariffs.require(Kind.TARIFF, service, month.house.areas, day, month.features)


def spans_of(month: AccountMonth, *services: Service) -> tuple[Span, ...]:
    """The days of the month on which the account is open, cut where a tariff, a norm, a multiplier, the number of
    residents, the flat's owner or the standing of a meter changes."""
    days = month.tariffs.changes(services, month.house.areas, month.span)
    days |= {since for since, _ in month.household.residents}
    days |= {day for day in (month.opened, month.closed) if day is not None}
    days |= {event.since for event in month.events if isinstance(event, Ownership)}
    spans = cut(month.span, days | standing_days(month, services), month.house.zone)
    return tuple(
        span
        for span in spans
        if (month.opened is None or month.opened <= span.first) and (month.closed is None or span.first < month.closed)
    )


def days_shared(formula: str, span: Span, month: AccountMonth) -> tuple[str, tuple[Input, ...]]:
    """The formula of a part of a month names its share of days."""
    if span.days == month.span.days:
        return formula, ()
    return formula + " · d", (Input("d", f"{span.days}/{month.span.days}", "1"),)


def point_of(mode: Mode) -> str:
    """The point of the act behind a volume."""
    return VOLUME_POINTS[mode.method] if mode.raised is None else mode.raised.point


@dataclass(frozen=True, slots=True)
class Volume:
    """The volume of one span and zone in natural units, with the inputs and versions that stand behind it.

    ``times`` is what tampering multiplies it by, within ``value``. ``raised`` is the multiplier of ф. 4(1), beside it:
    it raises what is paid and not what was used, so steps and norms are filled without it.
    """

    value: Fraction
    inputs: tuple[Input, ...]
    versions: tuple[Version, ...] = ()
    times: Fraction = Fraction(1)
    raised: Raise | None = None

    def multiplier_of(self, component: str = "single") -> tuple[Fraction, str, tuple[Input, ...]]:
        """K of a component of the tariff: its value, how it stands in a formula, and its input; 1 and nothing without
        one."""
        k = Fraction(1) if self.raised is None else self.raised.of(component)
        return (k, " · K", (Input.of("K", k, "1"),)) if k != 1 else (k, "", ())

    def surcharge_of(self, roubles: Fraction, multiplier: Fraction = Fraction(1)) -> int:
        """What multipliers add within a sum in roubles, kopecks: for information."""
        times = self.times * multiplier
        return kopecks(roubles * (times - 1) / times)


@dataclass(frozen=True, slots=True)
class VolumeName:
    """How a volume is called in a formula: beside volumes of other services, its norm's inputs bear a name too.

    ``first`` is the place of its first reading among the line's; ``is_raised`` whether multipliers count.
    """

    symbol: str = "V"
    suffix: str = ""
    first: int = 0
    is_raised: bool = True


V = VolumeName()


def volume_of(
    month: AccountMonth,
    service: Service,
    used: Consumption,
    place: int,
    span: Span,
    *,
    zone: str = "single",
    name: VolumeName = V,
) -> Volume:
    """The volume that a part charges. By a norm it is rounded half up to the litre or the watt-hour, once, here."""
    mode, unit = used.modes[place], "kWh" if service is Service.ELECTRICITY else "m3"
    if mode.method is not Method.NORM:
        value = Fraction(used.quantities[place].get(zone, 0), BASE_UNITS)
        is_read = bool(used.readings) and mode.method is not Method.AVERAGE
        readings = (name.first, name.first + len(used.readings)) if is_read else None
        return Volume(value, (Input.of(name.symbol, value, unit, readings=readings),))
    norm = persons_norm(month, service, span.first)
    n, per_person = f"n{name.suffix}", f"N{name.suffix}"
    factors = [Input.of(n, norm.persons, "person"), Input.of(per_person, norm.per_person, f"{unit}/person")]
    versions = [norm.version]
    times, raised = Fraction(1), mode.raised if name.is_raised else None
    if raised is not None:
        versions.append(raised.version)
    if raised is not None and mode.tampered:
        times, raised = raised.value, None
        factors.append(Input.of(f"K{name.suffix}", times, "1"))
    formula, days = days_shared(" · ".join(factor.symbol for factor in factors), span, month)
    exact = norm.persons * norm.per_person * times * Fraction(span.days, month.span.days)
    value = Fraction(half_up(exact * BASE_UNITS), BASE_UNITS)
    whole = Input.of(name.symbol, value, unit, formula=formula, rounded_to=LEAST_VOLUME)
    return Volume(value, (whole, *factors, *days), tuple(versions), times, raised)


def norm_part(month: AccountMonth, service: Service, tariff: Version, span: Span, mode: Mode) -> Part:
    """F4 and F4(1), and the norm many times over after tampering: worked out of the exact norm, not of its litres."""
    norm = persons_norm(month, service, span.first)
    rate, unit = tariff.document.rates["single"], tariff.document.unit
    share = Fraction(span.days, month.span.days)
    inputs = [Input.of("n", norm.persons, "person"), Input.of("N", norm.per_person, f"{unit}/person")]
    versions = [tariff, norm.version]
    if mode.raised is not None:
        k = mode.raised.value
        inputs.append(Input.of("K", k, "1"))
        versions.append(mode.raised.version)
        amount = formulas.by_norm_raised(norm.persons, norm.per_person, k, rate, share)
        surcharge = formulas.surcharge_of(norm.persons, norm.per_person, k, rate, share)
        formula = "P = n · N · K · T"
    else:
        amount, surcharge = formulas.by_norm(norm.persons, norm.per_person, rate, share), 0
        formula = "P = n · N · T"
    inputs.append(Input.of("T", rate, f"RUB/{unit}"))
    formula, days = days_shared(formula, span, month)
    return Part(
        formula, point_of(mode), (*inputs, *days), tuple(versions), span, amount, surcharge_kopecks=surcharge
    )  # fmt: skip
