"""Which accounts are plain: those about whose month the rules look at nothing that columns do not know.

Any other is left to the rules with the reason. What the rules look at and this does not know must make an account odd.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields

from billing.accounts import Account
from billing.domain.calendar import Span
from billing.domain.household import AccountMonth, House, Household
from billing.domain.tariff import TariffSet
from billing.vector.rows import Rows, is_plain_past, is_settled
from billing.vector.shapes import FORMULAS
from contracts.wire.ids import Period, Service, SupplierId

MONTH_FIELDS = frozenset(
    {
        "account", "period", "span", "house", "household", "suppliers", "tariffs", "meters", "history", "house_meters",
        "house_use", "events", "opened", "closed",
    }
)  # fmt: skip
"""What a rule may look at that is known here. Where a month holds more, all accounts are left to the rules."""
FLAT_FIELDS = frozenset({"area_dm2", "rooms", "owners", "residents", "no_meter_possible", "plan"})
METERED = frozenset({Service.COLD_WATER, Service.HOT_WATER, Service.ELECTRICITY, Service.GAS})
"""Services whose counters are read by columns."""
BESIDE = {Service.SEWAGE: (Service.COLD_WATER, Service.HOT_WATER)}
"""Services whose use another is charged by."""


def is_known() -> bool:
    """Whether the months that rules read hold nothing but what is looked at here."""
    return {f.name for f in fields(AccountMonth)} <= MONTH_FIELDS and {f.name for f in fields(Household)} <= FLAT_FIELDS


@dataclass(frozen=True, slots=True)
class Houses:
    """The houses of a stretch by code, who supplies them, and the period in their time."""

    period: Period
    by_code: Mapping[str, House]
    suppliers: Mapping[str, Mapping[Service, SupplierId]]
    spans: Mapping[str, Span]


class Plain:
    """Tells the plain accounts of one stretch from the odd ones."""

    def __init__(self, rows: Rows, houses: Houses, tariffs: TariffSet) -> None:
        self._rows, self._houses, self._tariffs = rows, houses, tariffs
        self.whole = {
            code
            for code, house in houses.by_code.items()
            if code in rows.whole_houses or house.terms_on(houses.spans[code].first) is not None
        }
        """Houses that are worked out as a whole."""
        self._erased = {a.house for a in rows.accounts if rows.secrets.get(a.key_id) is None}
        self._of_house = {code: self._house_oddity(house) for code, house in houses.by_code.items()}
        self._changing = {code: self._changing_services(house) for code, house in houses.by_code.items()}

    def oddity(self, account: Account) -> str | None:
        """Why an account is left to the rules; None for a plain one."""
        flat, span = account.household, self._houses.spans[account.house]
        of_house = self._of_house[account.house]
        if of_house is not None:
            return of_house
        if self._rows.secrets.get(account.key_id) is None:
            return "an erased account"
        if account.opened > span.first or (account.closed is not None and account.closed < span.end):
            return "opened or closed in the month"
        if flat.area_dm2 <= 0 or flat.rooms < 1 or flat.persons_on(span.first) < 1:
            return "a gap in the register"
        if any(span.first < since < span.end for since, _ in flat.residents):
            return "residents change in the month"
        last = self._rows.last.get(account.account)
        if last is not None and not all(is_settled(last, service) for service in self._houses.suppliers[account.house]):
            return "kopecks carried over"
        meters = self._rows.meters.get(account.account)
        return self._meters_oddity(account.house, meters.keys(), last) if meters else None

    def _meters_oddity(self, house: str, metered: Collection[Service], last: Mapping[str, object] | None) -> str | None:
        if not METERED.issuperset(metered):
            return "a meter that columns do not know"
        if last is not None and not all(is_plain_past(last, service) for service in metered):
            return "an estimate to settle"
        return "a tariff changes in the month" if not self._changing[house].isdisjoint(metered) else None

    def _house_oddity(self, house: House) -> str | None:
        """The same for all accounts of a house."""
        services = self._houses.suppliers[house.code].keys()
        if not is_known():
            return "a month with fields that columns do not know"
        if house.code in self.whole and house.code in self._erased | self._rows.partly_billed:
            return "a whole house, not all of whose accounts are billed now"
        if house.area_dm2 <= 0:
            return "a gap in the register"
        return None if services and services <= FORMULAS.keys() else "a service that columns do not know"

    def _changing_services(self, house: House) -> frozenset[Service]:
        """Metered services whose use has to be divided over the month, since something changes in it."""
        span = self._houses.spans[house.code]
        out: set[Service] = set()
        for service in self._houses.suppliers[house.code]:
            together = (service, *BESIDE.get(service, ()))
            if self._tariffs.changes(together, house.areas, span):
                out.update(together)
        return frozenset(out)
