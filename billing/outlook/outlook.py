"""The next months of an account: each service's use with its interval and baseline, and the bill they come to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Engine

from billing.accounts import Accounts
from billing.domain.household import AccountMonth
from billing.months import Months
from billing.outlook.bill import Foreseen, ForeseenBill, foreseen_bill
from billing.outlook.climate import climate_of
from billing.outlook.forecast import NoHistory, Step, foresee
from billing.outlook.house import foreseen_uses
from billing.outlook.past import MEASURED, Past, UsedMonth, days_of, past_usage, series_of
from billing.tariffs import Tariffs
from contracts.client.keyring import KeyRing
from contracts.wire.ids import Period, Service
from contracts.wire.units import split_largest_remainder
from ledger.queries import Ledger

MOST_AHEAD = 12
ZONE_MONTHS = 12


@dataclass(frozen=True, slots=True)
class MonthAhead:
    """A month to come: the foreseen use of each metered service, and the bill."""

    period: Period
    use: Mapping[Service, Foreseen]
    bill: ForeseenBill


class Outlook:
    """Foresees the months of accounts. Opens what they used under their own keys; keeps nothing."""

    def __init__(self, engine: Engine, register: Accounts, keyring: KeyRing, tariffs: Tariffs, ledger: Ledger) -> None:
        self._engine = engine
        self._accounts = register
        self._keyring = keyring
        self._tariffs = tariffs
        self._ledger = ledger
        self._months = Months(engine, register, keyring, ledger)

    def of(self, account: str, ahead: int) -> list[MonthAhead]:
        """The ``ahead`` months after the last that was billed, at the tariffs published for them.

        Raises UnknownAccount, NoHistory, NoTariff and TariffError.
        """
        if not 1 <= ahead <= MOST_AHEAD:
            raise ValueError(f"{ahead} months ahead can't be foreseen; ask for 1 to {MOST_AHEAD}")
        known = self._accounts.account(account)
        past = past_usage(self._engine, self._keyring, [account]).get(account, {})
        if not any(past.values()):
            raise NoHistory(f"account {account}")
        last = max(period for months in past.values() for period in months)
        tariffs = self._tariffs.published(self._ledger)
        out, period = [], last
        steps: dict[Service, list[Step]] = {}
        for place in range(ahead):
            period = period.next()
            (month,) = self._months.of(period, [known], tariffs, ())
            if not steps:
                steps = _steps(month, past, last, ahead)
            use = {service: _foreseen(made[place], period, past[service]) for service, made in steps.items()}
            house = foreseen_uses(month, last, place + 1, climate_of(month.house.areas))
            out.append(MonthAhead(period, use, foreseen_bill(month, use, house)))
        return out


def _steps(month: AccountMonth, past: Past, last: Period, ahead: int) -> dict[Service, list[Step]]:
    """The steps of each service that a meter of the flat counts and has counted before."""
    climate = climate_of(month.house.areas)
    series = {s: series_of(s, months, last, ahead, climate) for s, months in past.items() if s in month.meters}
    return {service: list(foresee(one, ahead)) for service, one in series.items() if one.is_known}


def _foreseen(step: Step, period: Period, past: Mapping[Period, UsedMonth]) -> Foreseen:
    shares = _zone_shares(past[known] for known in sorted(past, reverse=True) if past[known].method in MEASURED)

    def zones(per_day: float) -> dict[str, int]:
        total = int(max(per_day, 0.0) * days_of(period) + 0.5)
        return dict(zip(shares, split_largest_remainder(total, list(shares.values())), strict=True))

    return Foreseen(zones(step.point), zones(step.low), zones(step.high), zones(step.naive), step.is_seasonal)


def _zone_shares(months: Iterable[UsedMonth]) -> dict[str, int]:
    """How the last year's use fell on the zones; all on the first where nothing was used."""
    out: dict[str, int] = {}
    for _, month in zip(range(ZONE_MONTHS), months, strict=False):
        for zone, quantity in month.by_zone.items():
            out[zone] = out.get(zone, 0) + quantity
    if not sum(out.values()):
        return {next(iter(out), "single"): 1}
    return out
