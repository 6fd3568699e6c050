"""Compensation of what is spent on a service: a share of the charge, within the social area norm or the norm of
consumption, on the person's part of the household or the whole of it.

The base is the line as it was charged, less what a raising coefficient added: the acts compensate the charge without
it. So a compensation is never above its line, whatever rule charged the line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from billing.domain.charge import Input
from billing.domain.numbers import kopecks
from billing.welfare.reference import AreaNorm, Category, Covers, Sheet, Within
from billing.welfare.working import Working
from contracts.wire.ids import Service

KIND = "benefit"
KOPECKS = 100


@dataclass(frozen=True, slots=True)
class BilledLine:
    """A line as its bill's document charges it. ``place`` is its line on the chain; ``volume`` counts the norm's own
    unit (m³, kWh); ``surcharge_kopecks`` is the part of it that a multiplier added."""

    service: Service
    place: int
    charged_kopecks: int
    surcharge_kopecks: int
    volume: Fraction

    @property
    def base_kopecks(self) -> int:
        """What may be compensated: the charge without the multiplier's part."""
        return max(0, self.charged_kopecks - self.surcharge_kopecks)


@dataclass(frozen=True, slots=True)
class Dwelling:
    """Who shares the charge: the area in m² and the number of persons that norms count, one at least."""

    area_m2: Fraction
    persons: int


@dataclass(frozen=True, slots=True)
class VolumeNorm:
    """A norm of consumption: so much a person a month, ``unit`` each, by ``act``."""

    per_person: Fraction
    unit: str
    act: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """What bounds compensation in a region in a month."""

    area: tuple[Sheet, AreaNorm] | None
    volumes: Mapping[Service, VolumeNorm]


class NoBound(LookupError):
    """A category compensates a service within a norm that nobody has published."""

    def __init__(self, category: str, service: Service, within: Within) -> None:
        super().__init__(
            f"category {category} compensates {service.name.lower()} within its {within} norm, and none is in force; "
            "add it, or correct the category's document"
        )
        self.service, self.within = service, within


class NoArea(LookupError):
    """A dwelling has no area, so no share of it is within a norm."""

    def __init__(self, category: str) -> None:
        super().__init__(f"category {category} compensates within an area norm, and the dwelling has no area; enter it")
        self.category = category


def compensate(
    line: BilledLine, category: tuple[Sheet, Category], dwelling: Dwelling, bounds: Bounds
) -> Working | None:
    """Compensation of one line under one category, or None where the category does not touch the service.

    P = A · min(1, S_n / S) · D · m / n within the area norm; A · min(1, n · N / V) · D · m / n within the norm of
    consumption; without ``m / n`` where the whole family is covered. Roubles, half up to the kopeck once. Raises
    NoBound, NoArea.
    """
    sheet, entitled = category
    given = entitled.services.get(line.service)
    if given is None:
        return None
    sheets = [sheet]
    base = Fraction(line.base_kopecks, KOPECKS)
    inputs = [Input.of("A", base, "RUB")]
    formula, value, act = "P = A", base, sheet.act
    if given.within is Within.AREA:
        if bounds.area is None:
            raise NoBound(entitled.code, line.service, given.within)
        if dwelling.area_m2 <= 0:
            raise NoArea(entitled.code)
        norm = bounds.area[1].of(dwelling.persons)
        sheets.append(bounds.area[0])
        inputs += [Input.of("S_n", norm, "m2"), Input.of("S", dwelling.area_m2, "m2")]
        formula += " · min(1, S_n / S)"
        value *= min(Fraction(1), norm / dwelling.area_m2)
        act += f"; {bounds.area[0].act}"
    elif given.within is Within.VOLUME and line.volume:
        bound = bounds.volumes.get(line.service)
        if bound is None:
            raise NoBound(entitled.code, line.service, given.within)
        inputs += [Input.of("n", dwelling.persons, "person"), Input.of("N", bound.per_person, f"{bound.unit}/person")]
        inputs.append(Input.of("V", line.volume, bound.unit))
        formula += " · min(1, n · N / V)"
        value *= min(Fraction(1), dwelling.persons * bound.per_person / line.volume)
        act += f"; {bound.act}"
    inputs.append(Input.of("D", given.share, "1"))
    formula += " · D"
    value *= given.share
    if entitled.covers is Covers.PERSON:
        if not any(i.symbol == "n" for i in inputs):
            inputs.append(Input.of("n", dwelling.persons, "person"))
        formula += " / n"
        value /= dwelling.persons
    return Working(KIND, formula, act, tuple(inputs), tuple(sheets), kopecks(value))


@dataclass(frozen=True, slots=True)
class Claim:
    """A case's claim on a line: ``person`` is who in the household it is for, empty where it covers the family."""

    case: str
    person: str
    working: Working


def choose(claims: Sequence[Claim]) -> list[Claim]:
    """The claims on one line that hold together: a person takes the best of theirs, and the family takes either its
    own best or its persons' together, whichever is more. One help under two titles is never added up."""
    best: dict[str, Claim] = {}
    for claim in claims:
        known = best.get(claim.person)
        if known is None or claim.working.amount_kopecks > known.working.amount_kopecks:
            best[claim.person] = claim
    family = best.pop("", None)
    persons = [best[name] for name in sorted(best)]
    together = sum(claim.working.amount_kopecks for claim in persons)
    if family is not None and family.working.amount_kopecks >= together:
        return [family]
    return persons
