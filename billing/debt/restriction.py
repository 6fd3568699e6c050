"""Restriction of a service: what a month costs at norm, and that nobody restricts but by the lawful steps.

ПП 354, п. 118: incomplete payment is a debt for one service above two monthly charges, worked out of the norm of
consumption, whether there is a meter or not, and of the tariff in force on the day of the restriction.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from billing.debt.work import Done, Planned, Step
from billing.domain.household import AccountMonth
from billing.domain.services import RULES
from billing.domain.tariff import NoTariff, TariffError
from contracts.wire.ids import Service


class NotLawful(ValueError):
    """A step may not be taken on the day; names the account, what stands in the way, and what may be done."""

    def __init__(self, account: str, step: Step, planned: Planned, day: date) -> None:
        name = planned.service.name.lower()
        may = "nothing may be done now" if planned.on is None else f"{planned.step.value} may be done from {planned.on}"
        super().__init__(
            f"account {account}, {name}: {step.value} is not lawful on {day}: {planned.why} ({planned.act}); {may}"
        )
        self.account, self.step, self.planned, self.day = account, step, planned, day


def check_lawful(account: str, step: Step, planned: Planned, day: date) -> None:
    """That ``step`` is the planned one and its day has come. Raises NotLawful."""
    if planned.step is not step or not planned.is_due(day):
        raise NotLawful(account, step, planned, day)


def norm_charges(month: AccountMonth) -> dict[Service, int]:
    """Kopecks of a month at norm for each service of an account, as if there were no meter and none were possible, so
    that no multiplier raises it. Services for which no norm is in force, or which cost nothing, are left out."""
    household = replace(month.household, no_meter_possible=frozenset(Service))
    bare = replace(month, household=household, meters={}, history={}, house_meters={}, house_use={})
    out: dict[Service, int] = {}
    for service, rule in RULES.items():
        if service not in month.suppliers:
            continue
        try:
            line = rule(bare)
        except (NoTariff, TariffError):
            continue
        if line is not None and line.amount_kopecks > 0:
            out[service] = line.amount_kopecks
    return out


def delivered(notice: Done, day: date, proof: str) -> Done:
    """The entry that a notice reached the debtor. Raises ValueError where it was before it was sent."""
    if day < notice.day:
        raise ValueError(f"notice {notice.number} was sent on {notice.day}; it cannot have been delivered on {day}")
    return replace(notice, number=0, step=Step.DELIVERED, day=day, proof=proof, content="", about=notice.number)
