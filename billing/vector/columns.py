"""The accounts of a stretch of houses as columns, in groups that the rules treat alike.

An account is here only where everything about its month is plain; any other is named in ``odd`` with what is not, and
is charged by the rules one by one. What the rules look at and this does not know of must make an account odd.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from billing.accounts import Account
from billing.domain.calendar import Span
from billing.domain.electricity import bands_of
from billing.domain.household import AccountMonth, House, Household
from billing.domain.norms import Mode
from billing.domain.tariff import Kind, NoTariff, TariffError, TariffSet, Version, zone_plan
from billing.domain.usage import Method
from billing.vector.bands import over_bands
from billing.vector.exact import Ratio
from billing.vector.rows import PlainMeter, Rows, is_plain_past, is_settled
from billing.vector.shapes import FORMULAS, Group
from billing.vector.usage import Differences, by_zone, differences, zones_of
from contracts.wire.ids import MeterId, Period, Service, SupplierId
from ledger.queries.bulk import BatchOf

Ints = NDArray[np.int64]
Key = tuple[object, ...]

MONTH_FIELDS = frozenset(
    {
        "account", "period", "span", "house", "household", "suppliers", "tariffs", "meters", "history", "house_meters",
        "house_use", "events", "opened", "closed",
    }
)  # fmt: skip
"""What a rule may look at that is known here. Where a month holds more, all accounts are left to the rules."""
FLAT_FIELDS = frozenset({"area_dm2", "rooms", "owners", "residents", "no_meter_possible", "plan"})
METERED = (Service.COLD_WATER, Service.HOT_WATER, Service.ELECTRICITY, Service.GAS)
BESIDE = {Service.SEWAGE: (Service.COLD_WATER, Service.HOT_WATER)}
"""Services whose use another is charged by."""


def is_known() -> bool:
    """Whether the months that rules read hold nothing but what is looked at here."""
    return {f.name for f in fields(AccountMonth)} <= MONTH_FIELDS and {f.name for f in fields(Household)} <= FLAT_FIELDS


@dataclass(frozen=True, slots=True)
class GroupOf:
    """Accounts that one shape serves: their places among the accounts of the stretch, and their columns."""

    service: Service
    key: Key
    places: Ints
    columns: Group


@dataclass(slots=True)
class _Slots:
    """The registers of all plain meters, with their differences."""

    of: dict[tuple[str, Service], list[int]]
    found: Differences
    meters: list[MeterId]
    numbers: list[int]
    quality: Ints


@dataclass(frozen=True, slots=True)
class Houses:
    """The houses of a stretch by code, who supplies them, and the period in their time."""

    period: Period
    by_code: Mapping[str, House]
    suppliers: Mapping[str, Mapping[Service, SupplierId]]
    spans: Mapping[str, Span]


class Columns:
    """One stretch."""

    def __init__(
        self, rows: Rows, houses: Houses, tariffs: TariffSet, batches: Sequence[BatchOf], contexts: dict[Key, int]
    ) -> None:
        """``contexts`` numbers what of a house its charges follow from, and is kept from stretch to stretch."""
        self.accounts = rows.accounts
        self.houses, self.suppliers, self.spans = houses.by_code, houses.suppliers, houses.spans
        self.odd = rows.odd
        self._rows, self._tariffs, self._period = rows, tariffs, houses.period
        self._classes = np.array([int(batch.source_class) for batch in batches] or [0], dtype=np.int64)
        self._roots = [batch.root.hex().encode() for batch in batches]
        self._changing: dict[Key, bool] = {}
        self._bands: dict[Key, tuple[tuple[str, ...], tuple[str, ...], tuple[Fraction | None, ...]]] = {}
        for account in self.accounts:
            reason = self._oddity(account)
            if reason is not None:
                self.odd.setdefault(account.account, reason)
        self._slots = self._read_slots()
        of_houses = {code: self._context_of(house) for code, house in self.houses.items()}
        self._context = {code: contexts.setdefault(found, len(contexts)) for code, found in of_houses.items()}

    def leave(self, accounts: Iterable[str], reason: str) -> None:
        """Leaves accounts to the rules."""
        for account in accounts:
            self.odd.setdefault(account, reason)

    def light_month(self, account: Account) -> AccountMonth:
        """An account's month without readings and history: what tariffs and norms are chosen by."""
        house = self.houses[account.house]
        return AccountMonth(
            account.account, self._period, self.spans[house.code], house, account.household,
            self.suppliers[house.code], self._tariffs,
        )  # fmt: skip

    # --- what is not plain ---

    def _oddity(self, account: Account) -> str | None:
        flat, house, span = account.household, self.houses[account.house], self.spans[account.house]
        if self._rows.secrets.get(account.key_id) is None:
            return "an erased account"
        if account.opened > span.first or (account.closed is not None and account.closed < span.end):
            return "opened or closed in the month"
        if house.code in self._rows.whole_houses or house.terms_on(span.first) is not None:
            return "a house worked out as a whole"
        if flat.area_dm2 <= 0 or flat.rooms < 1 or house.area_dm2 <= 0 or flat.persons_on(span.first) < 1:
            return "a gap in the register"
        if any(span.first < since < span.end for since, _ in flat.residents):
            return "residents change in the month"
        services = self.suppliers[house.code].keys()
        if not services or not services <= FORMULAS.keys():
            return "a service that columns do not know"
        last = self._rows.last.get(account.account)
        if not all(is_settled(last, service) for service in services):
            return "kopecks carried over"
        return self._meters_oddity(account, services)

    def _meters_oddity(self, account: Account, services: Iterable[Service]) -> str | None:
        meters = self._rows.meters.get(account.account, {})
        last = self._rows.last.get(account.account)
        for service in meters:
            if service not in METERED:
                return "a meter that columns do not know"
            if not is_plain_past(last, service):
                return "an estimate to settle"
        if not meters:
            return None
        house, span = self.houses[account.house], self.spans[account.house]
        for service in services:
            key = service, house.areas, span.first, span.end
            if key not in self._changing:
                together = (service, *BESIDE.get(service, ()))
                self._changing[key] = bool(self._tariffs.changes(together, house.areas, span))
            if self._changing[key] and (service in meters or meters.keys() & set(BESIDE.get(service, ()))):
                return "a tariff changes in the month"
        return None

    # --- counters ---

    def _read_slots(self) -> _Slots:
        of: dict[tuple[str, Service], list[int]] = {}
        names: list[tuple[MeterId, int]] = []
        meters: list[PlainMeter] = []
        spans: list[tuple[int, int]] = []
        for account in self.accounts:
            if account.account in self.odd:
                continue
            span = self.spans[account.house]
            for service, meter in self._rows.meters.get(account.account, {}).items():
                registers = zones_of(meter.zones)
                of[account.account, service] = list(range(len(names), len(names) + len(registers)))
                names += [(meter.meter, register) for register, _ in registers]
                meters += [meter] * len(registers)
                spans += [(span.start_ts, span.end_ts)] * len(registers)
        found = differences(names, meters, spans, self._rows.registers)
        for (account_name, _), slots in of.items():
            if not found.is_plain[slots].all():
                self.odd.setdefault(account_name, "counters that are not plain")
        source = self._classes[found.batch]
        kinds = found.quality * 8 + source
        quality = kinds[found.first] * 64 + kinds[found.last] if len(kinds) else np.zeros(len(names), np.int64)
        return _Slots(of, found, [meter for meter, _ in names], [number for _, number in names], quality)

    # --- groups ---

    def groups(self) -> Iterator[GroupOf]:
        """The accounts that are not odd, by service and by what the rules go by."""
        services = sorted({service for code in self.houses for service in self.suppliers[code]})
        for service in services:
            together: defaultdict[Key, list[int]] = defaultdict(list)
            for place, account in enumerate(self.accounts):
                if account.account not in self.odd and service in self.suppliers[account.house]:
                    together[self._key(service, account)].append(place)
            for key, places in together.items():
                if service is Service.ELECTRICITY and key[1]:
                    yield from self._electricity(key, np.array(places))
                else:
                    yield GroupOf(service, key, np.array(places), self._group(service, key, places))

    def _context_of(self, house: House) -> Key:
        """What of a house its accounts' charges follow from."""
        span, suppliers = self.spans[house.code], self.suppliers[house.code]
        return house.zone, house.areas, house.features, house.terms_on(span.first), tuple(sorted(suppliers.items()))

    def _key(self, service: Service, account: Account) -> Key:
        """Context, metered services behind it, and what else its rule goes by."""
        context, flat, day = self._context[account.house], account.household, self.spans[account.house].first
        if service in (Service.HEATING, Service.CAPITAL_REPAIR, Service.HOUSING):
            return context, ()
        registered = flat.registered_on(day)
        persons = registered, 0 if registered else flat.owners
        if service is Service.SOLID_WASTE:
            return context, (), persons
        used = [s for s in BESIDE.get(service, (service,)) if s in self.suppliers[account.house]]
        meters = self._rows.meters.get(account.account, {})
        metered = tuple((s, self._quality(account.account, s), meters[s].zones) for s in used if s in meters)
        if used and len(metered) == len(used) and service is not Service.ELECTRICITY:
            return context, metered
        unmetered = tuple(s in flat.no_meter_possible for s in used)
        return context, metered, persons, flat.rooms, unmetered, flat.plan if metered else ""

    def _quality(self, account: str, service: Service) -> tuple[int, ...]:
        return tuple(self._slots.quality[self._slots.of[account, service]].tolist())

    def _group(self, service: Service, key: Key, places: Sequence[int]) -> Group:
        area = np.array([self.accounts[place].household.area_dm2 for place in places], dtype=np.int64)
        columns: dict[tuple[str, str], Ratio] = {("", "S"): Ratio(area, 100)}
        readings: list[Mapping[str, Sequence[object]]] = []
        beside = [s for s in BESIDE.get(service, (service,)) if s in self.suppliers[self.accounts[places[0]].house]]
        for other in beside:
            slots = self._slots_of(other, places) if other in {s for s, *_ in key[1]} else []  # type: ignore[attr-defined]
            if not slots:
                continue
            volume = Ratio(
                sum((self._slots.found.difference[slot] for slot in slots), np.zeros(len(places), np.int64)), 1000
            )
            columns["", _symbol(service, other, beside)] = volume
            readings += self._readings(slots)
        return Group(len(places), columns, readings)

    def _slots_of(self, service: Service, places: Sequence[int]) -> list[Ints]:
        """One column for each register: the slots of the accounts' meters."""
        slots = np.array([self._slots.of[self.accounts[place].account, service] for place in places], dtype=np.int64)
        return list(slots.T)

    def _readings(self, slots: Sequence[Ints]) -> list[Mapping[str, Sequence[object]]]:
        found = self._slots.found
        out: list[Mapping[str, Sequence[object]]] = []
        for slot in slots:
            meters = [self._slots.meters[place].hex().encode() for place in slot.tolist()]
            out += [{"meter": meters, **self._told(end)} for end in (found.first[slot], found.last[slot])]
        return out

    def _told(self, rows: Ints) -> Mapping[str, Sequence[object]]:
        found = self._slots.found
        return {
            "root": [self._roots[batch] for batch in found.batch[rows].tolist()],
            "leaf": found.leaf[rows].tolist(),
            "at": found.taken_at[rows].tolist(),
            "value": found.value[rows].tolist(),
        }

    # --- electricity ---

    def _electricity(self, key: Key, places: Ints) -> Iterator[GroupOf]:
        """Groups by which zones have something in which step as well."""
        first = self.accounts[places[0]]
        steps = self._steps(first)
        if steps is None:
            self.leave((self.accounts[place].account for place in places.tolist()), "no tariff, or none that is whole")
            return
        names, symbols, widths = steps
        zones = self._rows.meters[first.account][Service.ELECTRICITY].zones
        slots = self._slots_of(Service.ELECTRICITY, places.tolist())
        zones_wh = by_zone(names, zones_of(zones), [self._slots.found.difference[slot] for slot in slots])
        used = np.stack([zones_wh[name] for name in names], axis=1)
        taken = over_bands(widths, used)
        pattern = np.concatenate([part > 0 for part in taken] + [taken[0] == used], axis=1)
        codes, which = np.unique(pattern, axis=0, return_inverse=True)
        for number, code in enumerate(codes):
            here = np.flatnonzero(which.ravel() == number)
            columns = {("", "S"): Ratio(self._area(places[here]), 100)}
            for place, name in enumerate(names):
                columns[name, "V"] = Ratio(used[here, place], 1000)
                for symbol, part in zip(symbols, taken, strict=True):
                    if symbol:
                        columns[name, f"V{symbol}"] = Ratio(part[here, place], 1000)
            readings = self._readings([slot[here] for slot in slots])
            group = Group(len(here), columns, readings)
            yield GroupOf(Service.ELECTRICITY, (*key, code.tobytes()), places[here], group)

    def _area(self, places: Ints) -> Ints:
        return np.array([self.accounts[place].household.area_dm2 for place in places.tolist()], dtype=np.int64)

    def _steps(self, account: Account) -> tuple[tuple[str, ...], tuple[str, ...], tuple[Fraction | None, ...]] | None:
        """Zones by name, and the steps of a month's use by symbol and width; None where no tariff says them."""
        month = self.light_month(account)
        try:
            tariff: Version = self._tariffs.require(
                Kind.TARIFF, Service.ELECTRICITY, month.house.areas, month.span.first, month.features
            )
            plan = zone_plan(tariff.document, account.household.plan)
            bands = bands_of(month, tariff.document, month.span, Mode(Method.METER))
        except (NoTariff, TariffError):
            return None
        return plan.names, tuple(band.symbol for band in bands), tuple(band.width_kwh for band in bands)


def _symbol(service: Service, other: Service, beside: Sequence[Service]) -> str:
    """What the volume of a service is called in a formula: beside another's it bears a name."""
    if service is other or len(beside) == 1:
        return "V"
    return "V_cold" if other is Service.COLD_WATER else "V_hot"
