"""The register of houses, flats and accounts, meters on them, and the key of each account.

Every write is idempotent: the same again changes nothing, so that whoever fills the register may start over.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Engine, Select, and_, insert, or_, select, update

from billing.domain.household import House, Household, HouseTerms, Management
from billing.domain.readings import MeterBinding, MeterKind
from billing.schema import accounts, contracts, house_terms, houses, meters, residents
from billing.store import dump, load, put
from contracts.client.keyring import KeyDestroyed, KeyRing
from contracts.wire.ids import Hash, KeyId, MeterId, Period, Service, SupplierId
from contracts.wire.sealed import seal, unseal

_IN_LIST = 500
"""Names in one query: below every database's limit of parameters."""


class UnknownAccount(LookupError):
    """No such account or house."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no account or house {name!r}; open it first")
        self.name = name


class MeterElsewhere(ValueError):
    """A meter is bound to another account for the same time."""

    def __init__(self, meter: MeterId, holder: str) -> None:
        super().__init__(f"meter {meter.hex()} is bound to {holder} from the same moment; end that binding first")
        self.meter, self.holder = meter, holder


@dataclass(frozen=True, slots=True)
class Account:
    """An account as it stands: pseudonymous, a number and no person."""

    account: str
    house: str
    key_id: KeyId
    household: Household
    opened: date
    closed: date | None = None

    def is_open_in(self, period: Period) -> bool:
        """Whether it is open on some day of a period."""
        first, after = date(period.year, period.month, 1), period.next()
        return self.opened < date(after.year, after.month, 1) and (self.closed is None or self.closed > first)


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be opened."""

    account: str
    house: str
    household: Household
    opened: date = field(default=date(2000, 1, 1))


class Accounts:
    """The register. ``keyring`` gets a key for every account and house."""

    def __init__(self, engine: Engine, keyring: KeyRing) -> None:
        self._engine = engine
        self._writes = engine.execution_options(writes=True)
        self._keyring = keyring

    # --- writing ---

    def add_house(self, house: House) -> None:
        """Registers a house, or changes what is known of it."""
        row = {
            "zone": house.zone,
            "areas": dump(list(house.areas)),
            "area_dm2": house.area_dm2,
            "features": dump(sorted(house.features)),
        }
        with self._writes.begin() as connection:
            if connection.execute(update(houses).where(houses.c.house == house.code).values(**row)).rowcount:
                return
            key_id = self._new_keys(1)[0]
            connection.execute(insert(houses).values(house=house.code, key_id=key_id, **row))

    def set_supplier(self, house: str, service: Service, supplier: SupplierId, since: date) -> None:
        """From a day on a supplier bills a house for a service."""
        key = {"house": house, "service": int(service), "since": since.isoformat()}
        with self._writes.begin() as connection:
            put(connection, contracts, key, {"supplier": int(supplier)})

    def set_terms(self, house: str, terms: HouseTerms) -> None:
        """From a month on a house is managed so, with so much common property."""
        row = {
            "management": terms.management.value,
            "common_area_dm2": terms.common_area_dm2,
            "uniform_heating": terms.uniform_heating,
            "over_cap_to_owners": terms.over_cap_to_owners,
            "act": terms.act,
        }
        with self._writes.begin() as connection:
            put(connection, house_terms, {"house": house, "since": terms.since.isoformat()}, row)

    def open_accounts(self, new: Sequence[NewAccount]) -> None:
        """Opens accounts, each with a key of its own; those that are open already stay as they are."""
        with self._writes.begin() as connection:
            known = set(connection.execute(select(accounts.c.account)).scalars())
            fresh = [a for a in new if a.account not in known]
            if not fresh:
                return
            keys = self._new_keys(len(fresh))
            connection.execute(insert(accounts), [_account_row(a, k) for a, k in zip(fresh, keys, strict=True)])
            rows = [
                {"account": a.account, "since": since.isoformat(), "number": number}
                for a in fresh
                for since, number in a.household.residents
            ]
            if rows:
                connection.execute(insert(residents), rows)

    def set_residents(self, account: str, since: date, number: int) -> None:
        """From a day on so many residents are registered."""
        with self._writes.begin() as connection:
            put(connection, residents, {"account": account, "since": since.isoformat()}, {"number": number})

    def close_account(self, account: str, closed: date) -> None:
        """No bill for time from ``closed`` on. Raises UnknownAccount."""
        with self._writes.begin() as connection:
            query = update(accounts).where(accounts.c.account == account).values(closed=closed.isoformat())
            if not connection.execute(query).rowcount:
                raise UnknownAccount(account)

    def bind_meters(self, account: str, bindings: Iterable[MeterBinding]) -> None:
        """Puts meters on an account; their readings are sealed under its key. Raises UnknownAccount, MeterElsewhere."""
        self.bind_many({account: bindings})

    def bind_many(self, by_account: Mapping[str, Iterable[MeterBinding]]) -> None:
        """The same for many accounts at once. Raises UnknownAccount, MeterElsewhere."""
        keys = {account.account: account.key_id for account in self.accounts(list(by_account))}
        unknown = next((name for name in by_account if name not in keys), None)
        if unknown is not None:
            raise UnknownAccount(unknown)
        self._bind([(keys[name], binding, name, None) for name, bindings in by_account.items() for binding in bindings])

    def bind_house_meter(self, house: str, binding: MeterBinding) -> None:
        """Puts a meter on a whole house. Raises UnknownAccount, MeterElsewhere."""
        with self._engine.connect() as connection:
            row = connection.execute(select(houses.c.key_id).where(houses.c.house == house)).one_or_none()
        if row is None:
            raise UnknownAccount(house)
        self._bind([(KeyId(bytes(row.key_id)), binding, None, house)])

    def end_meter(self, meter: MeterId, until: int, final: Mapping[int, int]) -> None:
        """Records the act of removal: the moment and the counters. Raises LookupError."""
        open_ = and_(meters.c.meter == meter, or_(meters.c.until.is_(None), meters.c.until == until))
        with self._writes.begin() as connection:
            rows = connection.execute(select(meters.c.since, meters.c.key_id).where(open_)).all()
            if not rows:
                raise LookupError(f"meter {meter.hex()} is bound to nothing; bind it first")
            for since, key in rows:
                secret = self._secrets([KeyId(bytes(key))])[KeyId(bytes(key))]
                values = {"until": until, "final": sealed_counters(secret, meter, since, "final", final)}
                here = and_(meters.c.meter == meter, meters.c.since == since)
                connection.execute(update(meters).where(here).values(**values))

    def _bind(self, bindings: Sequence[tuple[KeyId, MeterBinding, str | None, str | None]]) -> None:
        with self._engine.connect() as connection:
            for _, binding, account, house in bindings:
                key = {"meter": binding.meter, "since": binding.since}
                holder = connection.execute(select(meters.c.account, meters.c.house).filter_by(**key)).one_or_none()
                if holder is not None and (holder.account, holder.house) != (account, house):
                    raise MeterElsewhere(binding.meter, holder.account or holder.house)
        # The key ring first: a meter without a row here is not billed, one without a key is not taken in.
        self._keyring.bind_meters([(binding.meter, key_id, binding.since) for key_id, binding, _, _ in bindings])
        secrets_of = self._secrets(key_id for key_id, *_ in bindings)
        with self._writes.begin() as connection:
            for key_id, binding, account, house in bindings:
                key = {"meter": binding.meter, "since": binding.since}
                row = {"key_id": key_id, **_binding_row(binding, secrets_of[key_id])}
                put(connection, meters, key, {"account": account, "house": house, **row})

    def _secrets(self, key_ids: Iterable[KeyId]) -> dict[KeyId, bytes]:
        """Raises KeyDestroyed."""
        found: dict[KeyId, bytes] = {}
        for key_id, secret in self._keyring.secrets(key_ids).items():
            if secret is None:
                raise KeyDestroyed(key_id)
            found[key_id] = secret
        return found

    def _new_keys(self, count: int) -> list[KeyId]:
        keys = [KeyId(secrets.token_bytes(16)) for _ in range(count)]
        self._keyring.create_many(keys)
        return keys

    # --- reading ---

    def account(self, account: str) -> Account:
        """One account. Raises UnknownAccount."""
        found = self.accounts([account])
        if not found:
            raise UnknownAccount(account)
        return found[0]

    def accounts(self, only: Sequence[str] | None = None) -> list[Account]:
        """All accounts, or those named, by number."""
        query, people = select(accounts).order_by(accounts.c.account), select(residents)
        if only is not None and len(only) <= _IN_LIST:
            query = query.where(accounts.c.account.in_(only))
            people = people.where(residents.c.account.in_(only))
        with self._engine.connect() as connection:
            found = _accounts_of(connection, query, people)
        wanted = None if only is None else set(only)
        return [account for account in found if wanted is None or account.account in wanted]

    def accounts_of(self, codes: Iterable[str]) -> list[Account]:
        """All accounts of some houses, by number."""
        codes = sorted(set(codes))
        found: list[Account] = []
        with self._engine.connect() as connection:
            for start in range(0, len(codes), _IN_LIST):
                here = accounts.c.house.in_(codes[start : start + _IN_LIST])
                people = select(residents).join(accounts, accounts.c.account == residents.c.account).where(here)
                found += _accounts_of(connection, select(accounts).where(here), people)
        return sorted(found, key=lambda account: account.account)

    def houses(self, only: Collection[str] | None = None) -> dict[str, House]:
        """All houses by code, or those named."""
        query, of_terms = select(houses), select(house_terms).order_by(house_terms.c.house, house_terms.c.since)
        if only is not None and len(only) <= _IN_LIST:
            query = query.where(houses.c.house.in_(only))
            of_terms = of_terms.where(house_terms.c.house.in_(only))
        terms: defaultdict[str, list[HouseTerms]] = defaultdict(list)
        with self._engine.connect() as connection:
            for row in connection.execute(of_terms):
                terms[row.house].append(_terms_of(row))
            return {
                row.house: House(
                    row.house, row.zone, tuple(load(row.areas)), row.area_dm2, frozenset(load(row.features)),
                    tuple(terms[row.house]),
                )
                for row in connection.execute(query)
            }  # fmt: skip

    def suppliers(self, house: str, day: date) -> dict[Service, SupplierId]:
        """Who bills a house for what on a day."""
        with self._engine.connect() as connection:
            query = (
                select(contracts)
                .where(contracts.c.house == house, contracts.c.since <= day.isoformat())
                .order_by(contracts.c.since)
            )
            return {Service(row.service): SupplierId(row.supplier) for row in connection.execute(query)}

    def bindings(
        self, start: int, end: int, only: Collection[str] | None = None, houses: Collection[str] | None = None
    ) -> tuple[dict[str, list[MeterBinding]], dict[str, list[MeterBinding]]]:
        """Meters in place at some time from ``start`` until before ``end``: by account, and by house. ``only`` and
        ``houses`` are the accounts and the houses that matter, all where none are named; of others there may be
        more."""
        by_account: defaultdict[str, list[MeterBinding]] = defaultdict(list)
        by_house: defaultdict[str, list[MeterBinding]] = defaultdict(list)
        query = (
            select(meters)
            .where(meters.c.since < end, or_(meters.c.until.is_(None), meters.c.until > start))
            .order_by(meters.c.since, meters.c.meter)
        )
        here = [
            column.in_(names) if len(names) <= _IN_LIST else column.is_not(None)
            for column, names in ((meters.c.account, only), (meters.c.house, houses))
            if names is not None
        ]
        if only is not None and houses is not None:
            query = query.where(or_(*here))
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        keys = self._keyring.secrets(KeyId(bytes(row.key_id)) for row in rows)
        for row in rows:
            secret = keys.get(KeyId(bytes(row.key_id)))
            if secret is None:  # erased with its account
                continue
            if row.account is not None:
                by_account[row.account].append(_binding_of(row, secret))
            else:
                by_house[row.house].append(_binding_of(row, secret))
        return dict(by_account), dict(by_house)


def _terms_of(row: object) -> HouseTerms:
    r: dict[str, object] = row._asdict()  # type: ignore[attr-defined]
    return HouseTerms(
        date.fromisoformat(str(r["since"])),
        Management(str(r["management"])),
        int(str(r["common_area_dm2"])),
        str(r["act"]),
        bool(r["uniform_heating"]),
        bool(r["over_cap_to_owners"]),
    )


def _account_row(new: NewAccount, key_id: KeyId) -> dict[str, object]:
    flat = new.household
    return {
        "account": new.account,
        "house": new.house,
        "key_id": key_id,
        "area_dm2": flat.area_dm2,
        "rooms": flat.rooms,
        "owners": flat.owners,
        "no_meter_possible": dump(sorted(int(service) for service in flat.no_meter_possible)),
        "plan": flat.plan,
        "opened": new.opened.isoformat(),
    }


def _accounts_of(connection: Connection, query: Select[Any], people: Select[Any]) -> list[Account]:
    by_account: defaultdict[str, list[tuple[date, int]]] = defaultdict(list)
    for row in connection.execute(people.order_by(residents.c.account, residents.c.since)).all():
        by_account[row.account].append((_day(row.since), row.number))
    return [_account_of(row, tuple(by_account.get(row.account, ()))) for row in connection.execute(query).all()]


def _account_of(row: Any, people: tuple[tuple[date, int], ...]) -> Account:
    household = Household(row.area_dm2, row.rooms, row.owners, people, _services(row.no_meter_possible), row.plan)
    closed = None if row.closed is None else _day(row.closed)
    return Account(row.account, row.house, KeyId(bytes(row.key_id)), household, _day(row.opened), closed)


@lru_cache(maxsize=4096)
def _day(text: str) -> date:
    return date.fromisoformat(text)


@lru_cache(maxsize=1024)
def _services(text: str) -> frozenset[Service]:
    return frozenset(Service(service) for service in load(text))


def sealed_counters(secret: bytes, meter: MeterId, since: int, name: str, counters: Mapping[int, int]) -> bytes:
    """Counters by register as an act says them, sealed for their place in the register of meters."""
    return seal(secret, _counters_place(meter, since, name), dump({str(k): v for k, v in counters.items()}).encode())


def _open_counters(secret: bytes, meter: MeterId, since: int, name: str, sealed: bytes) -> dict[int, int]:
    opened = unseal(secret, _counters_place(meter, since, name), sealed)
    return {int(k): v for k, v in load(opened.decode()).items()}


def _counters_place(meter: MeterId, since: int, name: str) -> bytes:
    return f"meters/{meter.hex()}/{since}/{name}".encode()


def _binding_row(binding: MeterBinding, secret: bytes) -> dict[str, object]:
    b = binding
    return {
        "service": int(binding.service),
        "kind": binding.kind.value,
        "until": binding.until,
        "zones": dump({str(k): v for k, v in binding.zones.items()}),
        "initial": sealed_counters(secret, b.meter, b.since, "initial", b.initial),
        "final": sealed_counters(secret, b.meter, b.since, "final", b.final),
        "capacity": binding.capacity,
        "passport": binding.passport,
    }


def _binding_of(row: object, secret: bytes) -> MeterBinding:
    r = row._asdict()  # type: ignore[attr-defined]
    meter, since = MeterId(bytes(r["meter"])), int(r["since"])
    return MeterBinding(
        meter,
        Service(r["service"]),
        MeterKind(r["kind"]),
        r["since"],
        r["until"],
        {int(k): v for k, v in load(r["zones"]).items()},
        _open_counters(secret, meter, since, "initial", bytes(r["initial"])),
        _open_counters(secret, meter, since, "final", bytes(r["final"])),
        r["capacity"],
        None if r["passport"] is None else Hash(bytes(r["passport"])),
    )
