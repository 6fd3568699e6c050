"""What accounts used in the months before, as their runs were charged: opened under each account's own key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import Engine, Row, select

from billing.domain.usage import Method
from billing.leaves import usage_place
from billing.outlook.climate import Climate
from billing.outlook.series import HABITS, Habit, Series
from billing.run import RunStage
from billing.schema import runs, usage
from billing.store import load
from contracts.client.keyring import KeyRing
from contracts.wire.ids import KeyId, Period, Service
from contracts.wire.sealed import unseal

MEASURED = frozenset({Method.METER, Method.PROFILE})
MOST_MONTHS = 60


@dataclass(frozen=True, slots=True)
class UsedMonth:
    """What a service was charged for in a month, by zone, in base units."""

    method: Method
    by_zone: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All zones together."""
        return sum(self.by_zone.values())


Past = Mapping[Service, Mapping[Period, UsedMonth]]


def past_usage(engine: Engine, keyring: KeyRing, accounts: Collection[str]) -> dict[str, Past]:
    """All months of the accounts that runs were charged for, the last run of a month counting; erased ones are not
    there."""
    query = (
        select(usage)
        .join(runs, runs.c.id == usage.c.run)
        .where(usage.c.account.in_(accounts), runs.c.state != RunStage.FAILED.value)
        .order_by(usage.c.run)
    )
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    return opened_usage(keyring, rows)


def opened_usage(keyring: KeyRing, rows: Sequence[Row[tuple[object, ...]]]) -> dict[str, Past]:
    """Rows of usage by account, opened; of one month and account the last counts."""
    keys = keyring.secrets(KeyId(bytes(row.key_id)) for row in rows)
    out: defaultdict[str, defaultdict[Service, dict[Period, UsedMonth]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        secret = keys.get(KeyId(bytes(row.key_id)))
        if secret is None:
            continue
        used = load(unseal(secret, usage_place(row.run, row.account), bytes(row.sealed)).decode())
        for service, (method, by_zone, *_) in used.items():
            month = UsedMonth(Method(method), by_zone)
            out[row.account][Service(int(service))][Period.from_number(row.period)] = month
    return {account: dict(services) for account, services in out.items()}


def series_of(
    service: Service, months: Mapping[Period, UsedMonth], last: Period, ahead: int, climate: Climate | None
) -> Series:
    """The use a day of each month through ``last``, and the warmth of those and of ``ahead`` months more.

    A month that was estimated is not known, nor is the one after it, whose counters make up for the estimate; nor one
    that no meter of the account counted.
    """
    periods = [last]
    first = max(min(months, default=last), _back(last, MOST_MONTHS))
    while periods[0] > first:
        periods.insert(0, periods[0].previous())
    values = np.full(len(periods), np.nan)
    for place, period in enumerate(periods):
        here, before = months.get(period), months.get(period.previous())
        counted = here is not None and here.method in MEASURED and bool(here.by_zone)
        if here is not None and counted and (before is None or before.method in MEASURED):
            values[place] = here.total / days_of(period)
    for _ in range(ahead):
        periods.append(periods[-1].next())
    habit = HABITS.get(service, Habit.STEADY)
    warmth = climate.warmth(periods) if climate is not None and habit is Habit.SEASONAL else None
    return Series(values, habit, warmth=warmth)


def days_of(period: Period) -> int:
    """Days of a calendar month."""
    after = period.next()
    return int((np.datetime64(str(after)) - np.datetime64(str(period), "D")).astype(int))


def _back(period: Period, months: int) -> Period:
    for _ in range(months):
        period = period.previous()
    return period
