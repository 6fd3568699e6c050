"""The numbers of the rules themselves: limits, rates, multipliers, out of documents of kind ``rule``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from billing.domain.household import AccountMonth
from billing.domain.tariff import Kind, TariffError, Version
from billing.domain.usage import AverageLimits
from contracts.wire.ids import Service


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule document in force."""

    version: Version

    def has(self, name: str) -> bool:
        """Whether the document fixes a number."""
        return name in self.version.document.rates

    def number(self, name: str) -> Fraction:
        """A number of the document. Raises TariffError."""
        document = self.version.document
        if name not in document.rates:
            raise TariffError(document.name, f"the number {name} is missing; publish a version that fixes it")
        return document.rates[name]

    def whole(self, name: str) -> int:
        """A number that counts something. Raises TariffError."""
        value = self.number(name)
        if value.denominator != 1:
            raise TariffError(self.version.document.name, f"{name} counts something and is no whole number")
        return value.numerator


def rule_on(month: AccountMonth, service: Service, day: date) -> Rule:
    """The rule of a service on a day. Raises NoTariff."""
    return Rule(month.tariffs.require(Kind.RULE, service, month.house.areas, day, month.features))


def rule_if_any(month: AccountMonth, service: Service, day: date) -> Rule | None:
    """The rule of a service on a day; None where the service has none."""
    found = month.tariffs.find(Kind.RULE, service, month.house.areas, day, month.features)
    return None if found is None else Rule(found)


def average_limits(month: AccountMonth, service: Service) -> AverageLimits:
    """What bounds a mean of the months before for a service, flats and houses alike (ПП 354, п. 59, 59(1), 60).

    Raises NoTariff where no rule is in force, TariffError where it lacks a number.
    """
    rule = rule_on(month, service, month.span.first)
    return AverageLimits(*(rule.whole(f"average_{name}") for name in ("months", "least_months", "periods")))
