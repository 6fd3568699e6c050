"""All that keeps a month from being charged: the rules stop at the first of it, whoever mends it wants it all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from fractions import Fraction

from billing.domain.charge import ChargedLine
from billing.domain.common import with_common_needs
from billing.domain.household import AccountMonth
from billing.domain.recalculations import recalculated
from billing.domain.services import RULES
from billing.domain.tariff import Document, Kind, NoTariff, TariffError, TariffSet, Version
from billing.domain.usage import DecreasingRegister
from contracts.wire.ids import Hash, Service

_STAND_IN = "stand-in"


class _AnyRate(dict[str, Fraction]):
    """Rates of a tariff or norm that is not there: whatever is asked for."""

    def __missing__(self, name: str) -> Fraction:
        return Fraction(1)


class _AnyNumber(_AnyRate):
    """Numbers of a rule that is not there: it has whatever is asked for."""

    def __contains__(self, name: object) -> bool:
        return True


class _StandIns(TariffSet):
    """The versions of a book; where nothing is in force a stand-in, and what it stands for is remembered once."""

    def __init__(self, book: TariffSet) -> None:
        super().__init__(book.versions)
        self.missing: dict[tuple[Kind, Service], str] = {}

    def require(
        self, kind: Kind, service: Service, areas: Sequence[str], day: date, features: frozenset[str] = frozenset()
    ) -> Version:
        """What is in force on a day, or a stand-in."""
        found = self.find(kind, service, areas, day, features)
        if found is not None:
            return found
        self.missing.setdefault((kind, service), str(NoTariff(kind, service, areas, day)))
        rates = _AnyNumber() if kind is Kind.RULE else _AnyRate()
        document = Document(_STAND_IN, kind, areas[0] if areas else "", service, "", day, None, "", rates)
        return Version(0, Hash(bytes(32)), document)


def missing_of(month: AccountMonth) -> list[str]:
    """Every tariff, norm and rule that nothing is in force for, every document that can't be used and every register
    that can't be read, in the order in which the services need them; each once, in words that name the remedy."""
    book = _StandIns(month.tariffs)
    probe, found = replace(_measurable(month), tariffs=book), dict[str, None]()
    lines: list[ChargedLine] = []
    for service, rule in RULES.items():
        if service not in month.suppliers:
            continue
        try:
            line = rule(probe)
            lines += [] if line is None else [line]
        except (DecreasingRegister, TariffError) as error:
            found |= _told(error)
            _look_for_tariff(probe, service)
        found |= dict.fromkeys(book.missing.values())
    try:
        lines = with_common_needs(probe, lines)
    except (DecreasingRegister, TariffError) as error:
        found |= _told(error)
    for line in lines:
        try:
            recalculated(probe, line)
        except TariffError as error:
            found |= _told(error)
    return list(found | dict.fromkeys(book.missing.values()))


def _look_for_tariff(month: AccountMonth, service: Service) -> None:
    """Asks the book for the tariff that a rule had not come to when it stopped at a register."""
    use = month.house_use.get(service)
    if use is None or not use.fuels:  # what the house makes itself is paid by its fuels' tariffs
        month.tariffs.require(Kind.TARIFF, service, month.house.areas, month.span.first, month.features)


def _told(error: DecreasingRegister | TariffError) -> dict[str, None]:
    """What is wrong with a stand-in is nobody's fault."""
    return {} if isinstance(error, TariffError) and error.name == _STAND_IN else {str(error): None}


def _measurable(month: AccountMonth) -> AccountMonth:
    """The month with something in the place of what the register does not know, which is told apart."""
    flat = month.household
    known = replace(flat, area_dm2=max(flat.area_dm2, 1), rooms=max(flat.rooms, 1), owners=max(flat.owners, 1))
    return replace(month, household=known, house=replace(month.house, area_dm2=max(month.house.area_dm2, 1)))
