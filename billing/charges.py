"""Charges the months of accounts, and names those that can't be charged and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from billing.checks import Checks
from billing.domain.charge import ChargedLine
from billing.domain.house_use import HouseUse
from billing.domain.household import AccountMonth
from billing.domain.missing import missing_of
from billing.domain.services import charge_account
from billing.domain.tariff import NoTariff, TariffError
from billing.domain.usage import DecreasingRegister
from contracts.wire.ids import Service
from contracts.wire.leaf import Credit

_log = structlog.get_logger()
ERASED = "its key was destroyed; open a new account for who lives there now"


@dataclass(slots=True)
class Charges:
    """Charged months of accounts, and those that could not be charged."""

    months: dict[str, AccountMonth] = field(default_factory=dict)
    lines: dict[str, list[ChargedLine]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    houses: dict[str, Mapping[Service, HouseUse]] = field(default_factory=dict)
    """What each house used, as its accounts were charged by it."""

    @property
    def blocking(self) -> dict[str, str]:
        """Problems that somebody can mend. Nobody can bill an erased account: it is left out, and no run waits."""
        return {name: why for name, why in self.problems.items() if why != ERASED}

    def take_house(self, month: AccountMonth) -> None:
        """Keeps what the month's house used, and names what keeps it from being charged: it, and each account."""
        if month.house.code in self.houses:
            return
        self.houses[month.house.code] = month.house_use
        for service, use in month.house_use.items():
            for account, reason in use.unknown.items():
                self.problems.setdefault(account, reason)
            if use.unknown:
                self.problems[f"house {month.house.code}"] = (
                    f"what it used of {service.name.lower()} is in no bill, since the use of "
                    f"{', '.join(sorted(use.unknown))} is not known; mend those accounts and correct the month"
                )


def charge_months(months: Iterable[AccountMonth], checks: Checks) -> Charges:
    """Charges each month by the rules, one by one."""
    out = Charges()
    for month in months:
        out.take_house(month)
        lines, gaps = _charge(month, checks)
        if lines:
            out.months[month.account], out.lines[month.account] = month, lines
            continue
        out.problems[month.account] = (
            "; ".join(gaps) or f"house {month.house.code} has no supplier; set who bills it for what"
        )
        _log.warning("run.account_not_billed", account=month.account, period=str(month.period))
    return out


def _charge(month: AccountMonth, checks: Checks) -> tuple[list[ChargedLine], list[str]]:
    """A month's lines, or all that keeps it from having them: not only what the rules come upon first."""
    gaps = checks.problems(month)
    try:
        if not gaps:
            return charge_account(month), []
    except (DecreasingRegister, NoTariff, TariffError) as error:
        gaps = [str(error)]
    return [], list(dict.fromkeys([*gaps, *missing_of(month)]))


def credits_for(lines: Sequence[ChargedLine], prepaid: Sequence[Credit]) -> list[Credit]:
    """Names prepayments on the lines of their suppliers, at most one a line; ``line`` of ``prepaid`` is a supplier."""
    shown = [line for line in lines if line.amount_kopecks]
    out: list[Credit] = []
    used: set[int] = set()
    for credit in prepaid:
        left = credit.amount_kopecks
        for place, line in enumerate(shown):
            if left and place not in used and int(line.supplier) == credit.line:
                amount = min(left, line.amount_kopecks)
                out.append(Credit(place, amount, credit.prepayment))
                used.add(place)
                left -= amount
    return sorted(out, key=lambda credit: credit.line)
