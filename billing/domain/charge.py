"""A charged line with its explanation: what a resident, a court and a recomputation all read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

from billing.domain.calendar import Span
from billing.domain.numbers import exact_text
from billing.domain.readings import ReadingUsed
from billing.domain.tariff import Version
from billing.domain.usage import Method
from contracts.wire.ids import Service, SupplierId

RULES_ACT = "ПП РФ от 06.05.2011 № 354, приложение 2"


class PartKind(StrEnum):
    """What a part of a line is: the charge for the month, or a recalculation, which may be negative."""

    CHARGE = "charge"
    RECALCULATION = "recalculation"


class Scope(StrEnum):
    """Whose use a part is for: the premises' own, or its share of the common property's."""

    INDIVIDUAL = "individual"
    COMMON = "common"


@dataclass(frozen=True, slots=True)
class Input:
    """One number of a formula: its symbol, its exact value (a finite decimal or ``num/den``), its unit.

    A number that is itself worked out of the part's other inputs says how: ``formula`` over their symbols, rounded
    half up to a multiple of ``rounded_to`` where that is not empty. ``readings`` is the stretch of the line's readings
    (first, end) that a metered number comes of.
    """

    symbol: str
    value: str
    unit: str
    formula: str = ""
    rounded_to: str = ""
    readings: tuple[int, int] | None = None

    @classmethod
    def of(
        cls,
        symbol: str,
        value: Fraction | int,
        unit: str,
        *,
        formula: str = "",
        rounded_to: str = "",
        readings: tuple[int, int] | None = None,
    ) -> Input:
        """The input of an exact number."""
        return cls(symbol, exact_text(value), unit, formula, rounded_to, readings)


@dataclass(frozen=True, slots=True)
class Part:
    """One product that was rounded once: its formula, inputs, versions, dates and result.

    ``formula`` is ``P = `` and an expression over the symbols of ``inputs``: + − · /, brackets, min( , ) and
    max( , ); ``amount_kopecks`` is its value in roubles times 100, rounded half up. ``surcharge_kopecks`` is the share
    of the amount that a multiplier added, for information. ``resource`` names the service whose resource the common
    property used, where that is not the line's own.
    """

    formula: str
    point: str
    inputs: tuple[Input, ...]
    versions: tuple[Version, ...]
    span: Span
    amount_kopecks: int
    zone: str = "single"
    surcharge_kopecks: int = 0
    kind: PartKind = PartKind.CHARGE
    scope: Scope = Scope.INDIVIDUAL
    resource: Service | None = None


@dataclass(frozen=True, slots=True)
class ChargedLine:
    """What one supplier is owed for one service. ``quantity`` counts ``unit`` (Wh, litre, µGcal, dm²).

    ``owed_back`` is the quantity, zone by zone, that estimates had charged above the counters; ``carried_kopecks`` the
    money that a recalculation leaves over: both go to the months to come, since a line is never below nothing.
    """

    service: Service
    supplier: SupplierId
    method: Method
    quantity: int
    unit: str
    parts: tuple[Part, ...]
    readings: tuple[ReadingUsed, ...] = ()
    by_zone: Mapping[str, int] = field(default_factory=dict)
    owed_back: Mapping[str, int] = field(default_factory=dict)
    estimated: int = 0
    intervals: int = 0

    @property
    def amount_kopecks(self) -> int:
        """Sum of the parts, or nothing where recalculations come to more than the charge."""
        return max(0, sum(part.amount_kopecks for part in self.parts))

    @property
    def charged_kopecks(self) -> int:
        """The charge for the month itself, without recalculations."""
        return sum(part.amount_kopecks for part in self.parts if part.kind is PartKind.CHARGE)

    @property
    def carried_kopecks(self) -> int:
        """What recalculations take off beyond this month's charge: the months to come take it back."""
        return max(0, -sum(part.amount_kopecks for part in self.parts))


def explain(line: ChargedLine) -> dict[str, object]:
    """The line as the bill's document holds it: whole numbers and text only."""
    out: dict[str, object] = {
        "service": line.service.name.lower(),
        "supplier": int(line.supplier),
        "method": line.method.value,
        "quantity": line.quantity,
        "unit": line.unit,
        "amount_kopecks": line.amount_kopecks,
        "rounding": "half up to the kopeck, each part once",
        "parts": [_part(part) for part in line.parts],
        "readings": [_reading(used) for used in line.readings],
        "tariffs": _versions(version for part in line.parts for version in part.versions),
    }
    if line.estimated:
        out["estimated_intervals"] = line.estimated
        out["intervals"] = line.intervals
    if line.owed_back:
        out["carried_over"] = dict(line.owed_back)
    if line.carried_kopecks:
        out["carried_over_kopecks"] = line.carried_kopecks
    return out


def _part(part: Part) -> dict[str, object]:
    out: dict[str, object] = {
        "kind": part.kind.value,
        "formula": part.formula,
        "act": f"{RULES_ACT}, {part.point}" if part.point.startswith("ф.") else part.point,
        "inputs": [_input(given) for given in part.inputs],
        "from": part.span.first.isoformat(),
        "to": part.span.end.isoformat(),
        "zone": part.zone,
        "tariff_versions": [version.number for version in part.versions],
        "amount_kopecks": part.amount_kopecks,
    }
    if part.scope is not Scope.INDIVIDUAL:
        out["scope"] = part.scope.value
    if part.resource is not None:
        out["resource"] = part.resource.name.lower()
    if part.surcharge_kopecks:
        out["surcharge_kopecks"] = part.surcharge_kopecks
    return out


def _input(given: Input) -> dict[str, object]:
    out: dict[str, object] = {"symbol": given.symbol, "value": given.value, "unit": given.unit}
    if given.formula:
        out["formula"] = given.formula
    if given.rounded_to:
        out["rounded_to"] = given.rounded_to
    if given.readings is not None:
        out["readings"] = list(given.readings)
    return out


def _reading(used: ReadingUsed) -> dict[str, object]:
    return {
        "root": "0x" + used.root.hex(),
        "leaf": used.leaf,
        "meter": used.meter.hex(),
        "register": used.register,
        "at": used.at,
        "value": used.value,
        "quality": used.quality.name.lower(),
        "source": used.source_class.name.lower(),
    }


def _versions(versions: Iterable[Version]) -> list[dict[str, object]]:
    seen: dict[int, Version] = {version.number: version for version in versions}
    return [
        {
            "version": number,
            "document": "0x" + seen[number].hash.hex(),
            "name": seen[number].document.name,
            "kind": seen[number].document.kind.value,
            "act": seen[number].document.act,
        }
        for number in sorted(seen)
    ]
