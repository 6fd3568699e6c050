"""What is taken off a line after its charge: absence, poor quality, and what the month before had left over."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from billing.domain.absences import absence_parts
from billing.domain.charge import ChargedLine, Input, Part, PartKind
from billing.domain.household import AccountMonth
from billing.domain.parts import tariff_on
from billing.domain.quality import quality_parts

CARRIED_ACT = "ПП РФ от 06.05.2011 № 354, п. 61: остаток перерасчёта прошлых месяцев"


def recalculated(month: AccountMonth, line: ChargedLine) -> ChargedLine:
    """The line with its recalculations, each a part of its own beside the charge; they never take off more than it."""
    if not month.events and not _carried(month, line):
        return line
    parts = line.parts + absence_parts(month, line.service, line.parts)
    parts += quality_parts(month, replace(line, parts=parts), sum(part.amount_kopecks for part in parts))
    return replace(line, parts=parts + _carried_parts(month, line))


def _carried(month: AccountMonth, line: ChargedLine) -> int:
    history = month.history.get(line.service, ())
    return history[0].carried_kopecks if history else 0


def _carried_parts(month: AccountMonth, line: ChargedLine) -> tuple[Part, ...]:
    carried = _carried(month, line)
    if not carried:
        return ()
    given = (Input.of("C", Fraction(carried, 100), "RUB"),)
    tariff = tariff_on(month, line.service, month.span.first)
    return (Part("P = −C", CARRIED_ACT, given, (tariff,), month.span, -carried, kind=PartKind.RECALCULATION),)
