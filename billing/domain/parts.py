"""What the rules of services share: the spans of a month, the tariff on a day, a part by norm."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from billing.domain import formulas
from billing.domain.calendar import Span, cut
from billing.domain.charge import Input, Part
from billing.domain.household import AccountMonth
from billing.domain.norms import persons_norm
from billing.domain.tariff import Kind, Version
from billing.domain.usage import Method
from contracts.wire.ids import Service

NormBehind = tuple[tuple[Input, ...], tuple[Version, ...]]
"""Inputs and versions of the norm that a volume comes of; empty for a volume by meter."""

LITRES = 1000
WH_PER_KWH = 1000
MICRO = 1_000_000

VOLUME_POINTS = {
    Method.METER: "ф. 1",
    Method.PROFILE: "ф. 1",
    Method.AVERAGE: "ф. 1, п. 59",
    Method.NORM: "ф. 4",
}


def tariff_on(month: AccountMonth, service: Service, day: date) -> Version:
    return month.tariffs.require(Kind.TARIFF, service, month.house.areas, day, month.features)


def spans_of(month: AccountMonth, *services: Service) -> tuple[Span, ...]:
    """The month cut where a tariff, a norm, a multiplier or the number of residents changes."""
    days = month.tariffs.changes(services, month.house.areas, month.span)
    days |= {since for since, _ in month.household.residents}
    return cut(month.span, days, month.house.zone)


def days_shared(formula: str, span: Span, month: AccountMonth) -> tuple[str, tuple[Input, ...]]:
    """The formula of a part of a month names its share of days."""
    if span.days == month.span.days:
        return formula, ()
    return formula + " · d", (Input(symbol="d", value=f"{span.days}/{month.span.days}", unit="1"),)


def norm_behind(month: AccountMonth, service: Service, span: Span) -> NormBehind:
    """The norm that a volume in a part was worked out of, so that the part can name it."""
    norm = persons_norm(month, service, span.first)
    name = service.name.lower()
    unit = norm.version.document.unit
    inputs = (Input.of(f"n_{name}", norm.persons, "person"), Input.of(f"N_{name}", norm.per_person, unit))
    return inputs, (norm.version,)


def norm_part(month: AccountMonth, service: Service, tariff: Version, span: Span, raised: bool) -> Part:
    norm = persons_norm(month, service, span.first)
    rate, unit = tariff.document.rates["single"], tariff.document.unit
    share = Fraction(span.days, month.span.days)
    inputs = [Input.of("n", norm.persons, "person"), Input.of("N", norm.per_person, f"{unit}/person")]
    multiplier = month.tariffs.find(Kind.MULTIPLIER, service, month.house.areas, span.first) if raised else None
    versions = [tariff, norm.version]
    if multiplier is not None:
        k = multiplier.document.rates["single"]
        inputs.append(Input.of("K", k, "1"))
        versions.append(multiplier)
        amount = formulas.by_norm_raised(norm.persons, norm.per_person, k, rate, share)
        surcharge = formulas.surcharge_of(norm.persons, norm.per_person, k, rate, share)
        formula, point = "P = n · N · K · T", "ф. 4(1)"
    else:
        amount, surcharge = formulas.by_norm(norm.persons, norm.per_person, rate, share), 0
        formula, point = "P = n · N · T", "ф. 4"
    inputs.append(Input.of("T", rate, f"RUB/{unit}"))
    if share != 1:
        formula += " · d"
        inputs.append(Input(symbol="d", value=f"{span.days}/{month.span.days}", unit="1"))
    return Part(formula, point, tuple(inputs), tuple(versions), span, amount, surcharge_kopecks=surcharge)
