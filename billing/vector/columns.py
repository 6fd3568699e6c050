"""The plain accounts of a stretch of houses as columns, in groups that the rules treat alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from billing.accounts import Account
from billing.domain.electricity import bands_of
from billing.domain.household import AccountMonth, House
from billing.domain.norms import Mode
from billing.domain.tariff import Kind, NoTariff, TariffError, TariffSet, zone_plan
from billing.domain.usage import Method
from billing.vector.bands import over_bands
from billing.vector.exact import Ratio
from billing.vector.kinds import Kinds, TooManyKinds, grouped, packed
from billing.vector.plain import BESIDE, METERED, Houses, Plain
from billing.vector.rows import Rows
from billing.vector.shapes import Group
from billing.vector.usage import Slots, by_zone, differences, zones_of
from contracts.wire.ids import Service
from ledger.queries.bulk import NO_REGISTERS, BatchOf

Ints = NDArray[np.int64]
Key = tuple[int, bytes]
"""What a group's accounts have alike: packed kinds, and for electricity the pattern of its zones and steps."""
_BY_HOUSE = frozenset({Service.HEATING, Service.CAPITAL_REPAIR, Service.HOUSING})
"""Services whose charge follows from the house and the flat's area."""
_WORDS = {Service.COLD_WATER: "V_cold", Service.HOT_WATER: "V_hot"}


@dataclass(frozen=True, slots=True)
class GroupOf:
    """Accounts that one shape serves: their places among the accounts of the stretch, and their columns."""

    service: Service
    key: Key
    places: Ints
    columns: Group


class HouseNumbers(Protocol):
    """What of whole houses stands in lines: ``billing.vector.houses`` works it out."""

    def signature(self, house: str, service: Service) -> tuple[object, ...]:
        """What of a house's part in a line one shape serves; empty where it has no such line."""

    def columns(self, houses: Sequence[str], service: Service) -> Mapping[tuple[int, str], Ratio]:
        """The houses' numbers, one row for each."""

    def readings(self, houses: Sequence[str], service: Service) -> Sequence[Mapping[str, Sequence[object]]]:
        """The readings of the houses' own meters."""


class KindsOf:
    """The kinds of what groups go by, kept from stretch to stretch."""

    def __init__(self) -> None:
        self.house = Kinds(21)
        self.meter = Kinds(9)
        self.flat = Kinds(21)


class Columns:
    """One stretch."""

    def __init__(
        self, rows: Rows, houses: Houses, tariffs: TariffSet, batches: Sequence[BatchOf], kinds: KindsOf
    ) -> None:
        """``odd`` starts with the accounts that ``rows`` found odd and takes on what is found here."""
        self.accounts = rows.accounts
        self.houses, self.suppliers, self.spans = houses.by_code, houses.suppliers, houses.spans
        self.odd = rows.odd
        self._rows, self._tariffs, self._period, self._kinds = rows, tariffs, houses.period, kinds
        self._classes = np.array([int(batch.source_class) for batch in batches] or [0], dtype=np.int64)
        self._roots = [batch.root.hex().encode() for batch in batches]
        plain = Plain(rows, houses, tariffs)
        for account in self.accounts:
            if account.account not in self.odd:
                reason = plain.oddity(account)
                if reason is not None:
                    self.odd[account.account] = reason
        self._slots = Slots()
        self._metered = self._read_meters()
        self._found = differences(self._slots, rows.registers or NO_REGISTERS)
        self._names = [meter.hex().encode() for meter, _ in self._slots.places]
        self._kind = {service: self._kinds_of_meters(service) for service in METERED}
        self.area = np.array([account.household.area_dm2 for account in self.accounts], dtype=np.int64)
        """Areas of the flats, hundredths of m²."""
        self.whole = plain.whole
        """Houses that are worked out as a whole."""

    def leave(self, accounts: Iterable[str], reason: str) -> None:
        """Leaves accounts to the rules."""
        for account in accounts:
            self.odd.setdefault(account, reason)

    def leave_places(self, places: Ints, reason: str) -> None:
        """The same by the places of accounts."""
        self.leave((self.accounts[place].account for place in places.tolist()), reason)

    # --- meters ---

    def _read_meters(self) -> dict[Service, tuple[Ints, list[tuple[tuple[int, str], ...]]]]:
        """For each metered service the first slot of each account, -1 for none, and its registers with their zones."""
        count = len(self.accounts)
        first = {service: [-1] * count for service in METERED}
        zones: dict[Service, list[tuple[tuple[int, str], ...]]] = {service: [()] * count for service in METERED}
        months = {code: (span.start_ts, span.end_ts) for code, span in self.spans.items()}
        add = self._slots.add
        for place, account in enumerate(self.accounts):
            meters = self._rows.meters.get(account.account)
            if meters is None or account.account in self.odd:
                continue
            month = months[account.house]
            for service, meter in meters.items():
                registers = zones[service][place] = zones_of(meter.zones)
                stood = meter.since, meter.until
                slots = [add((meter.meter, register), stood, month) for register, _ in registers]
                first[service][place] = slots[0]
        return {service: (np.array(first[service], dtype=np.int64), zones[service]) for service in METERED}

    def _kinds_of_meters(self, service: Service) -> Ints:
        """The kind of each account's meter, 0 for none.

        Two are of one kind where their registers are zones of the same names, and their counters as good.
        """
        first, zones = self._metered[service]
        found = self._found
        kind = found.quality * 8 + self._classes[found.batch] if len(found.quality) else np.zeros(1, np.int64)
        quality = (kind[found.first] * 64 + kind[found.last]).tolist()
        plain = found.is_plain.tolist()
        out = np.zeros(len(first), np.int64)
        for place in np.flatnonzero(first >= 0).tolist():
            registers, slot = zones[place], int(first[place])
            if len(registers) == 1:
                is_plain, good = plain[slot], quality[slot]
            else:
                end = slot + len(registers)
                is_plain, good = all(plain[slot:end]), tuple(quality[slot:end])
            if not is_plain:
                self.odd.setdefault(self.accounts[place].account, "counters that are not plain")
                continue
            out[place] = self._number(self._kinds.meter, (registers, good), place)
        return out

    def _number(self, kinds: Kinds, thing: tuple[object, ...], place: int) -> int:
        try:
            return kinds.number(thing)
        except TooManyKinds:
            self.odd.setdefault(self.accounts[place].account, "more kinds of accounts than a key can tell apart")
            return 0

    # --- what houses are worked out of ---

    def has_meter(self, service: Service, places: Ints) -> NDArray[np.bool_]:
        """Whether accounts have a meter of a service."""
        out: NDArray[np.bool_] = self._kind[service][places] > 0
        return out

    def counted(self, service: Service, places: Ints) -> int:
        """What the meters of a service counted, all registers and accounts together."""
        first, zones = self._metered[service]
        slots = [int(first[place]) + number for place in places.tolist() for number in range(len(zones[place]))]
        return int(self._found.difference[slots].sum()) if slots else 0

    def has_plans(self, places: Ints) -> bool:
        """Whether electricity's tariff has the plan of zones of each account."""
        plans: dict[tuple[str, str], Account] = {}
        for place in places.tolist():
            account = self.accounts[place]
            plans.setdefault((account.house, account.household.plan), account)
        return all(self._steps(account) is not None for account in plans.values())

    def own_readings(self, place: int) -> dict[Service, int]:
        """How many of the readings of each line are of the account's own meters."""
        out = {s: 2 * len(self._metered[s][1][place]) for s in METERED if self._kind[s][place]}
        for service, beside in BESIDE.items():
            out[service] = sum(out.get(other, 0) for other in beside if other in self.suppliers[self._house(place)])
        return out

    def light_month(self, account: Account) -> AccountMonth:
        """An account's month without readings and history: what tariffs and norms are chosen by."""
        house = self.houses[account.house]
        return AccountMonth(
            account.account, self._period, self.spans[house.code], house, account.household,
            self.suppliers[house.code], self._tariffs,
        )  # fmt: skip

    def _house(self, place: int) -> str:
        return self.accounts[place].house

    # --- groups ---

    def groups(self, of_houses: HouseNumbers) -> Iterator[GroupOf]:
        """The accounts that are not odd, by service and by what the rules go by."""
        flat, persons = self._kinds_of_accounts()
        is_odd = np.array([account.account in self.odd for account in self.accounts], dtype=bool)
        nothing = np.zeros(len(self.accounts), np.int64)
        for service in sorted({service for code in self.houses for service in self.suppliers[code]}):
            supplied = np.array([service in self.suppliers[a.house] for a in self.accounts], dtype=bool)
            beside = BESIDE.get(service, (service,) if service in METERED else ())
            is_by_norm = np.full(len(self.accounts), not beside)
            kinds = [self._kind[other] for other in beside]
            for other in beside:
                is_by_norm |= (self._kind[other] == 0) & self._is_supplied(other)
            if service in _BY_HOUSE:
                people = nothing
            elif service is Service.SOLID_WASTE:
                people = persons
            elif service is Service.ELECTRICITY:
                people = flat
            else:
                people = np.where(is_by_norm | ~self._is_any_supplied(beside), flat, 0)
            rooms, (first, second) = self._kinds, (*kinds, nothing, nothing)[:2]
            of_meters = [(kind, rooms.meter.bits) for kind in (first, second)]
            house = self._kinds_of_houses(service, of_houses)
            keys = packed([(house, rooms.house.bits), (people, rooms.flat.bits), *of_meters])
            for key, here in grouped(np.where(supplied & ~is_odd, keys, -1)):
                if key < 0:
                    continue
                if service is Service.ELECTRICITY and self._kind[service][here[0]]:
                    yield from self._electricity(key, here, of_houses)
                else:
                    group = self._group(service, here)
                    yield GroupOf(service, (key, b""), here, self._with_houses(service, here, group, of_houses))

    def _is_supplied(self, service: Service) -> NDArray[np.bool_]:
        return np.array([service in self.suppliers[account.house] for account in self.accounts], dtype=bool)

    def _is_any_supplied(self, services: Sequence[Service]) -> NDArray[np.bool_]:
        out = np.zeros(len(self.accounts), bool)
        for service in services:
            out |= self._is_supplied(service)
        return out

    def _kinds_of_accounts(self) -> tuple[Ints, Ints]:
        """Kinds of flats with all that a norm may go by, and of their persons alone."""
        flat, persons = [], []
        for place, account in enumerate(self.accounts):
            if account.account in self.odd:
                flat.append(0)
                persons.append(0)
                continue
            home = account.household
            registered = home.registered_on(self.spans[account.house].first)
            people = registered, 0 if registered else home.owners
            persons.append(self._number(self._kinds.flat, people, place))
            flat.append(self._number(self._kinds.flat, (*people, home.rooms, home.plan, home.no_meter_possible), place))
        return np.array(flat, dtype=np.int64), np.array(persons, dtype=np.int64)

    def _kinds_of_houses(self, service: Service, of_houses: HouseNumbers) -> Ints:
        """The kind of each account's house, as far as one service goes by it."""
        kinds: dict[str, int] = {}
        for place, account in enumerate(self.accounts):
            if account.house not in kinds:
                signature = of_houses.signature(account.house, service) if account.house in self.whole else ()
                context = self._context_of(self.houses[account.house])
                thing = (*context, service, signature) if signature else context
                kinds[account.house] = self._number(self._kinds.house, thing, place)
        return np.array([kinds[account.house] for account in self.accounts], dtype=np.int64)

    def _with_houses(self, service: Service, places: Ints, group: Group, of_houses: HouseNumbers) -> Group:
        """The group with the numbers of its houses, where these stand in its lines."""
        houses = [self._house(place) for place in places.tolist()]
        if houses[0] not in self.whole or not of_houses.signature(houses[0], service):
            return group
        read = [*group.readings, *of_houses.readings(houses, service)]
        return replace(group, readings=read, of_houses=of_houses.columns(houses, service))

    def _context_of(self, house: House) -> tuple[object, ...]:
        """What of a house its accounts' charges follow from."""
        terms = house.terms_on(self.spans[house.code].first)
        managed = None if terms is None else (terms.management, terms.uniform_heating, terms.over_cap_to_owners)
        return house.zone, house.areas, house.features, managed, tuple(sorted(self.suppliers[house.code].items()))

    def _group(self, service: Service, places: Ints) -> Group:
        columns: dict[tuple[str, str], Ratio] = {("", "S"): Ratio(self.area[places], 100)}
        readings: list[Mapping[str, Sequence[object]]] = []
        suppliers = self.suppliers[self.accounts[int(places[0])].house]
        beside = [other for other in BESIDE.get(service, (service,)) if other in METERED and other in suppliers]
        for other in beside:
            if not self._kind[other][places[0]]:
                continue
            slots = self._slots_of(other, places)
            litres = np.sum([self._found.difference[slot] for slot in slots], axis=0)
            columns["", "V" if len(beside) == 1 else _WORDS[other]] = Ratio(litres, 1000)
            readings += self._readings(slots)
        return Group(len(places), columns, readings)

    def _slots_of(self, service: Service, places: Ints) -> list[Ints]:
        """One column for each register of the group's meters."""
        first, zones = self._metered[service]
        return [first[places] + number for number in range(len(zones[int(places[0])]))]

    def _readings(self, slots: Sequence[Ints]) -> list[Mapping[str, Sequence[object]]]:
        out: list[Mapping[str, Sequence[object]]] = []
        for slot in slots:
            meters = [self._names[place] for place in slot.tolist()]
            out += [{"meter": meters, **self._told(end)} for end in (self._found.first[slot], self._found.last[slot])]
        return out

    def _told(self, rows: Ints) -> Mapping[str, Sequence[object]]:
        found = self._found
        return {
            "root": [self._roots[batch] for batch in found.batch[rows].tolist()],
            "leaf": found.leaf[rows].tolist(),
            "at": found.taken_at[rows].tolist(),
            "value": found.value[rows].tolist(),
        }

    # --- electricity ---

    def _electricity(self, key: int, places: Ints, of_houses: HouseNumbers) -> Iterator[GroupOf]:
        """Groups by which zones have something in which step as well."""
        steps = self._steps(self.accounts[int(places[0])])
        if steps is None:
            self.leave_places(places, "no tariff, or none that is whole")
            return
        names, symbols, widths = steps
        slots = self._slots_of(Service.ELECTRICITY, places)
        zones = self._metered[Service.ELECTRICITY][1][int(places[0])]
        zones_wh = by_zone(names, zones, [self._found.difference[slot] for slot in slots])
        used = np.stack([zones_wh[name] for name in names], axis=1)
        taken = over_bands(widths, used)
        pattern = np.concatenate([part > 0 for part in taken] + [taken[0] == used], axis=1)
        codes, which = np.unique(pattern, axis=0, return_inverse=True)
        for number, code in enumerate(codes):
            here = np.flatnonzero(which.ravel() == number)
            columns = {("", "S"): Ratio(self.area[places[here]], 100)}
            for place, name in enumerate(names):
                columns[name, "V"] = Ratio(used[here, place], 1000)
                for symbol, part in zip(symbols, taken, strict=True):
                    if symbol:
                        columns[name, f"V{symbol}"] = Ratio(part[here, place], 1000)
            group = Group(len(here), columns, self._readings([slot[here] for slot in slots]))
            group = self._with_houses(Service.ELECTRICITY, places[here], group, of_houses)
            yield GroupOf(Service.ELECTRICITY, (key, code.tobytes()), places[here], group)

    def _steps(self, account: Account) -> tuple[tuple[str, ...], tuple[str, ...], tuple[Fraction | None, ...]] | None:
        """Zones by name, and the steps of a month's use by symbol and width; None where no tariff says them."""
        month = self.light_month(account)
        try:
            tariff = self._tariffs.require(
                Kind.TARIFF, Service.ELECTRICITY, month.house.areas, month.span.first, month.features
            )
            plan = zone_plan(tariff.document, account.household.plan)
            bands = bands_of(month, tariff.document, month.span, Mode(Method.METER))
        except (NoTariff, TariffError):
            return None
        return plan.names, tuple(band.symbol for band in bands), tuple(band.width_kwh for band in bands)
