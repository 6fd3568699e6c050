"""What a city's run reads of one stretch of houses: rows as the tables have them, no object a reading."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, or_, select

from billing.accounts import Account, Accounts
from billing.domain.readings import MeterKind
from billing.domain.usage import DAY_S, Method
from billing.leaves import usage_place
from billing.months import FAILED, HISTORY_MONTHS, LOOK_BACK_S
from billing.schema import accounts, events, house_entries, house_months, meters, runs, usage
from billing.store import load
from contracts.client.keyring import KeyRing
from contracts.wire.ids import Hash, KeyId, MeterId, Period, Service
from contracts.wire.sealed import unseal
from ledger.queries.bulk import BatchOf, BulkReadings, PlainRegisters

_SERVICES = {int(service): service for service in Service}
IN_LIST = 400
"""Houses in one query."""


@dataclass(frozen=True, slots=True)
class PlainMeter:
    """A meter on an account, without the counters of its acts, which lie sealed."""

    meter: MeterId
    since: int
    until: int | None
    zones: str


@dataclass(slots=True)
class Rows:
    """One stretch: its accounts, and what was found of each. ``odd`` are accounts that the rules take one by one."""

    accounts: list[Account]
    secrets: Mapping[KeyId, bytes | None]
    meters: dict[str, dict[Service, PlainMeter]] = field(default_factory=dict)
    registers: PlainRegisters | None = None
    last: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    odd: dict[str, str] = field(default_factory=dict)
    whole_houses: set[str] = field(default_factory=set)
    """Houses with meters of their own, or with entries in their books."""
    partly_billed: set[str] = field(default_factory=set)
    """Houses some of whose accounts have a bill for the period already."""


class RowReader:
    """Reads stretches of houses for one period. ``passports`` are those that meters must have, None for any."""

    def __init__(
        self, engine: Engine, register: Accounts, keyring: KeyRing, bulk: BulkReadings, period: Period
    ) -> None:
        self._engine = engine
        self._register = register
        self._keyring = keyring
        self._bulk = bulk
        self._period = period
        self._secrets: Mapping[KeyId, bytes | None] = {}
        with engine.connect() as connection:
            self._past = _past_runs(connection, period)

    @property
    def batches(self) -> Sequence[BatchOf]:
        """Of which batch a row is, by the number that rows bear."""
        return self._bulk.batches

    def secret(self, key_id: KeyId) -> bytes | None:
        """The secret of an account of the stretch that was read last; None where it was destroyed."""
        return self._secrets.get(key_id)

    def read(
        self,
        houses: Mapping[str, Collection[Service]],
        span: tuple[int, int],
        billed: Container[str],
        passports: Container[Hash] | None,
    ) -> Rows:
        """The accounts of ``houses`` that are open in the period and not ``billed``, with all that their bills need.

        ``houses`` come with the services that they are supplied with."""
        there = [account for account in self._register.accounts_of(houses) if account.is_open_in(self._period)]
        found = [account for account in there if account.account not in billed]
        self._secrets = self._keyring.secrets(a.key_id for a in found)
        rows = Rows(found, self._secrets)
        rows.partly_billed = {account.house for account in there if account.account in billed}
        with self._engine.connect() as connection:
            self._read_meters(connection, rows, list(houses), span, passports)
            self._read_houses(connection, rows, list(houses))
            if found:
                self._read_history(connection, rows, houses)
        self._read_registers(rows, span)
        return rows

    # --- meters ---

    def _read_meters(
        self,
        connection: Connection,
        rows: Rows,
        houses: Sequence[str],
        span: tuple[int, int],
        passports: Container[Hash] | None,
    ) -> None:
        start, end = span
        m = meters.c
        known = {account.account for account in rows.accounts}
        columns = (m.account, m.meter, m.since, m.until, m.service, m.kind, m.zones, m.passport)
        by_kind = MeterKind.REGISTER.value
        for place in range(0, len(houses), IN_LIST):
            here = select(accounts.c.account).where(accounts.c.house.in_(houses[place : place + IN_LIST]))
            query = select(*columns).where(m.account.in_(here), m.since < end, or_(m.until.is_(None), m.until > start))
            for account, meter, since, until, service, kind, zones, passport in connection.execute(query).all():
                if account not in known:
                    continue
                own = rows.meters.setdefault(account, {})
                if kind != by_kind:
                    rows.odd[account] = "a meter by intervals"
                elif service in own or since >= start or (until is not None and until <= end):
                    rows.odd[account] = "a meter set or replaced in the month"
                elif passports is not None and passport not in passports:
                    rows.odd[account] = "a meter without a passport"
                own[_SERVICES[service]] = PlainMeter(MeterId(meter), since, until, zones)

    def _read_houses(self, connection: Connection, rows: Rows, houses: Sequence[str]) -> None:
        for place in range(0, len(houses), IN_LIST):
            stretch = houses[place : place + IN_LIST]
            rows.whole_houses |= set(
                connection.execute(select(meters.c.house).where(meters.c.house.in_(stretch))).scalars()
            )
            for table in (house_entries, house_months):
                entered = select(table.c.house).where(table.c.house.in_(stretch)).distinct()
                rows.whole_houses |= set(connection.execute(entered).scalars())
            here = select(accounts.c.account).where(accounts.c.house.in_(stretch))
            befallen = select(events.c.account).where(events.c.account.in_(here)).distinct()
            rows.odd |= dict.fromkeys(connection.execute(befallen).scalars(), "an event in its book")

    # --- readings ---

    def _read_registers(self, rows: Rows, span: tuple[int, int]) -> None:
        """Counters of the month and the last before it, however long ago."""
        start, end = span
        of_account = {
            meter.meter: account.account
            for account in rows.accounts
            if account.account not in rows.odd
            for meter in rows.meters.get(account.account, {}).values()
        }
        found, decided = self._bulk.registers(of_account, start - DAY_S, end + 1)
        opened = {found.meter[row] for row in np.flatnonzero(found.taken_at <= start).tolist()}
        earlier, more = self._bulk.registers(of_account.keys() - opened, start - LOOK_BACK_S, start - DAY_S)
        rows.registers = found.and_those(earlier)
        for meter in decided | more:
            rows.odd[of_account[meter]] = "a decision of the validation step"

    # --- the months before ---

    def _read_history(self, connection: Connection, rows: Rows, supplied: Mapping[str, Collection[Service]]) -> None:
        """The newest usage of each service that an account's house is supplied with; further back than the month
        before only for the accounts that lack some."""
        wanted = {account.account: account for account in rows.accounts}
        for month in self._past:
            sealed: dict[str, tuple[int, Any, Any]] = {}
            for run in month:
                for account, key_id, data in _of_accounts(connection, run, list(wanted)):
                    sealed[account] = run, key_id, data
            for name, (run, key_id, data) in sealed.items():
                secret = rows.secrets.get(key_id)
                if secret is None:
                    rows.odd[name] = "usage under another key"
                    continue
                found = load(unseal(secret, usage_place(run, name), data).decode())
                rows.last[name] = {**found, **rows.last.get(name, {})}
            wanted = {
                name: account
                for name, account in wanted.items()
                if any(str(int(service)) not in rows.last.get(name, ()) for service in supplied[account.house])
            }
            if not wanted:
                break


def _of_accounts(connection: Connection, run: int, names: Sequence[str]) -> list[tuple[str, Any, Any]]:
    u = usage.c
    out: list[tuple[str, Any, Any]] = []
    for place in range(0, len(names), IN_LIST):
        here = (u.run == run, u.account.in_(names[place : place + IN_LIST]))
        out += [tuple(row) for row in connection.execute(select(u.account, u.key_id, u.sealed).where(*here))]
    return out


def _past_runs(connection: Connection, period: Period) -> list[list[int]]:
    """Runs of the months that a history reaches back to, the newest month first; within one the last run last."""
    first = period
    for _ in range(HISTORY_MONTHS):
        first = first.previous()
    r = runs.c
    query = select(r.id, r.period).where(r.period >= first.number, r.period < period.number, r.state != FAILED)
    by_month: defaultdict[int, list[int]] = defaultdict(list)
    for row in connection.execute(query.order_by(r.id)):
        by_month[row.period].append(row.id)
    return [by_month[number] for number in sorted(by_month, reverse=True)]


def is_settled(last: Mapping[str, Any] | None, service: Service) -> bool:
    """Whether the newest month of a service carried no kopecks over."""
    found = (last or {}).get(str(int(service)))
    return found is None or not any(found[3:4])


def is_plain_past(last: Mapping[str, Any] | None, service: Service) -> bool:
    """Whether the newest month of a metered service leaves nothing to take off its counters: it was charged by them,
    and nothing is owed back."""
    found = (last or {}).get(str(int(service)))
    return found is None or (found[0] in (Method.METER.value, Method.PROFILE.value) and not found[2])
