"""What a version published for days that are billed already changes, and the corrections that follow. Bills are never
edited: a correction replaces an open one and adds a note to any other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from billing.accounts import Account, Accounts
from billing.domain.calendar import month_span
from billing.domain.household import House
from billing.domain.tariff import TariffSet, Version
from billing.inbox import Inbox, Item
from billing.requests import CorrectionRequest
from billing.run import Runs, RunStage
from contracts.wire.ids import Period
from contracts.wire.leaf import BillKind


class NoSuchVersion(LookupError):
    """The tariff book has no such version of a tariff."""

    def __init__(self, number: int) -> None:
        super().__init__(f"no tariff is version {number} of the book; `kopeck tariff list` shows those there are")
        self.number = number


@dataclass(frozen=True, slots=True)
class AffectedMonth:
    """A billed month with the accounts whose bills were made without the version, and by which it would hold."""

    period: Period
    accounts: tuple[str, ...]


def affected_by(number: int, tariffs: TariffSet, register: Accounts, runs: Runs) -> list[AffectedMonth]:
    """Billed months that a version falls into, each with the accounts that it holds for. Raises NoSuchVersion.

    Whether a bill comes out differently is for the correction to say: one that does not is left as it is.
    """
    version = next((v for v in tariffs.versions if v.number == number), None)
    if version is None:
        raise NoSuchVersion(number)
    houses = register.houses()
    accounts = {a.account: a for a in register.accounts() if version.document.area in houses[a.house].areas}
    months: defaultdict[Period, set[str]] = defaultdict(set)
    for name, leaves in runs.of_accounts(sorted(accounts)).items():
        for _, stored, run in leaves:
            if run.stage is not RunStage.ACTIVE or stored.kind is not BillKind.BILL:
                continue
            if run.proposal.tariff_version < number and _holds(version, tariffs, houses, accounts[name], stored.period):
                months[stored.period].add(name)
    return [AffectedMonth(period, tuple(sorted(names))) for period, names in sorted(months.items())]


def correct_affected(
    number: int,
    act: str,
    months: list[AffectedMonth],
    inbox: Inbox,
    by_hand: Callable[[CorrectionRequest], CorrectionRequest] | None = None,
) -> list[Item]:
    """Asks for the corrections, a request a month, the first month first; the same again is the same request, unless
    it failed. ``by_hand`` signs each where the office works by four eyes."""
    items = []
    for month in months:
        request = CorrectionRequest(month.period, month.accounts, act)
        key = inbox.free_key(CorrectionRequest.kind, f"tariff version {number} {month.period}")
        items.append(inbox.put(key, request if by_hand is None else by_hand(request)))
    return items


def _holds(version: Version, tariffs: TariffSet, houses: Mapping[str, House], account: Account, period: Period) -> bool:
    """Whether the version is what a house finds on some day of a month."""
    house, document = houses[account.house], version.document
    span = month_span(period, house.zone)
    terms = house.terms_on(span.first)
    features = house.features if terms is None else house.features | {terms.management.value}
    days: set[date] = {span.first, *tariffs.changes([document.service], house.areas, span)}
    return any(tariffs.find(document.kind, document.service, house.areas, day, features) == version for day in days)
