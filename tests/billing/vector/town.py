"""Random towns for the differential test: every rule there is, and most ways in which a month can go wrong.

One seed, one town. Houses differ in tariffs, zones, suppliers, terms and meters; accounts in people, meters, readings,
events and in what the months before left behind.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from billing.domain.calendar import Span, month_span
from billing.domain.household import House, Household, HouseTerms, Management
from billing.domain.readings import MeterBinding, MeterKind
from billing.domain.usage import Method
from billing.events import EventBook
from billing.houses import Entry, EntryKind, Houses
from billing.leaves import Leaf
from billing.run import Basis, Runs, RunStage
from billing.store import dump
from billing.tariffs import demo_documents
from contracts.wire.ids import Hash, KeyId, MeterId, Period, Service, SourceClass, SupplierId
from contracts.wire.leaf import Decision, DecisionReason, Profile, Quality, ReadingFlags, Record, RegisterReading
from contracts.wire.units import Unit
from scripts.bench.city import CityBooks, FlatEntry
from tests.billing.builders import DATA
from tests.billing.vector.mishaps import DAY_S, EVENTS, SHARED_ACT

MARCH = Period(2026, 3)
CHANGE = "2026-03-17"
FLATS = 25
CALM = 0.05
"""How much rarer oddities are in a calm house: one in which most goes by columns."""
AREAS = ("krasnoyarsk", "moscow", "amur", "omsk", "samara", "russia")
SINCE = date(2020, 1, 1)
SINGLE = {0: "single"}
UNITS = {
    Service.COLD_WATER: Unit.LITRE,
    Service.HOT_WATER: Unit.LITRE,
    Service.ELECTRICITY: Unit.WH,
    Service.GAS: Unit.GAS_LITRE,
    Service.HEATING: Unit.MICRO_GCAL,
}
MOST = {
    Service.COLD_WATER: 9_000,
    Service.HOT_WATER: 6_000,
    Service.ELECTRICITY: 400_000,
    Service.GAS: 60_000,
    Service.HEATING: 2_000_000,
}


def document(name: str, kind: str, service: str, rates: Mapping[str, str], unit: str, **more: object) -> dict[str, Any]:
    """A document of the made-up region."""
    return {
        "format": 1, "name": name, "kind": kind, "area": "testland", "service": service, "act": SHARED_ACT,
        "effective_from": "2015-01-01", "effective_to": None, "unit": unit, "rates": rates, **more,
    }  # fmt: skip


def documents() -> list[dict[str, Any]]:
    """What ships with billing, and a region of the tests' own: two-component hot water, waste by persons, a tariff that
    changes in the month, norms of common use."""
    common = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((DATA / "common").glob("*.json"))]
    own = [
        document("hot", "tariff", "hot_water", {"water": "31.07", "heat": "1543.21", "heat_per_m3": "0.0583"}, "m3"),
        document("hot-raised", "multiplier", "hot_water", {"single": "1.5", "heat": "1.1"}, "1"),
        document("hot-norm", "norm", "hot_water", {"single": "3.1415"}, "m3/person"),
        document("waste", "tariff", "solid_waste", {"single": "512.33"}, "m3"),
        document("waste-norm", "norm", "solid_waste", {"single": "0.1925"}, "m3/person"),
        document("heat", "tariff", "heating", {"single": "1987.65"}, "Gcal"),
        document("heat-norm", "norm", "heating", {"single": "0.0213"}, "Gcal/m2", season_months=[1, 2, 11, 12]),
        document("cold-1", "tariff", "cold_water", {"single": "40.01"}, "m3", area="changeland", effective_to=CHANGE),
        document("cold-2", "tariff", "cold_water", {"single": "44.44"}, "m3", area="changeland", effective_from=CHANGE),
        document("upkeep", "tariff", "housing", {"upkeep": "23.17", "yard": "1.09"}, "m2"),
        *(
            document(f"common-{name}", "common_norm", name, {"single": value}, unit, area="russia")
            for name, value, unit in (
                ("cold_water", "0.017", "m3/m2"), ("hot_water", "0.011", "m3/m2"), ("sewage", "0.02", "m3/m2"),
                ("electricity", "0.72", "kWh/m2"),
            )
        ),
    ]  # fmt: skip
    return [*demo_documents(), *common, *own]


@dataclass(slots=True)
class Town:
    """A random town in its books. ``counts`` says what was put into it."""

    books: CityBooks
    drawn: random.Random
    counts: dict[str, int] = field(default_factory=dict)
    _meters: int = 0
    _is_calm: bool = False
    _all_heat_metered: bool = False
    _history: dict[Period, list[Leaf]] = field(default_factory=dict)
    _without_zones: set[str] = field(default_factory=set)

    def fill(self, accounts: int) -> None:
        """Houses with accounts, readings, events and history."""
        self.books.publish(documents())
        for number in range(-(-accounts // FLATS)):
            self._house(number, min(FLATS, accounts - FLATS * number))
        runs = Runs(self.books.engine, self.books.keyring)
        for period, leaves in self._history.items():
            basis = Basis(period, "regular", None, 1, ())
            runs.write(basis, sorted(leaves, key=lambda leaf: leaf.commit), RunStage.ACTIVE)

    def note(self, what: str) -> None:
        """Counts something that the town has."""
        self.counts[what] = self.counts.get(what, 0) + 1

    def chance(self, share: float, what: str) -> bool:
        """Whether something happens; counted where it does."""
        happens = self.drawn.random() < share * (CALM if self._is_calm else 1)
        if happens:
            self.note(what)
        return happens

    # --- houses ---

    def _house(self, number: int, flats: int) -> None:
        drawn, books = self.drawn, self.books
        code = f"house-{number}"
        zone = drawn.choice(("Asia/Krasnoyarsk", "Asia/Krasnoyarsk", "Europe/Moscow"))
        self._is_calm = False
        is_whole = self.chance(0.4, "house with common property")
        uniform = self.chance(0.3, "heating paid evenly")
        missing = {drawn.choice(tuple(Service))} if self.chance(0.3, "service not supplied") else set()
        metered = {s for s in (Service.COLD_WATER, Service.ELECTRICITY, Service.HEATING) if drawn.random() < 0.6}
        self._is_calm = drawn.random() < 0.6
        first = drawn.choices(("krasnoyarsk", "ulyanovsk", "testland", "changeland"), (4, 3, 4, 2))[0]
        areas = tuple(dict.fromkeys((first, *AREAS)))
        if first == "ulyanovsk":
            self._without_zones.add(code)
        terms: tuple[HouseTerms, ...] = ()
        if is_whole:
            management = drawn.choice(tuple(Management))
            terms = (
                HouseTerms(SINCE, management, drawn.randrange(0, 90_000), SHARED_ACT, uniform, drawn.random() < 0.3),
            )
        features = frozenset(drawn.sample(("lift", "gas_stove"), drawn.randrange(3)))
        books.register.add_house(House(code, zone, areas, drawn.randrange(150_000, 300_000), features))
        for term in terms:
            books.register.set_terms(code, term)
        if drawn.random() < 0.6:
            missing.add(Service.GAS)
        services = [service for service in Service if service not in missing]
        for service in services:
            books.register.set_supplier(code, service, SupplierId(1 + service % 5), SINCE)
        span = month_span(MARCH, zone)
        books.source(number + 1)
        books.source(10_000 + number, SourceClass.SELF_REPORT)
        self._all_heat_metered = self.chance(0.08, "heat meters in all flats")
        entries = [self._flat(code, number * FLATS + place, services, span) for place in range(flats)]
        books.open_flats(entries)
        told: list[Record] = []
        if is_whole:
            told += self._house_meters(code, sorted(metered.intersection(services)), span)
            self._boilers(code, services)
        for entry in entries:
            told += self._readings(entry, span)
        self._anchor(number, told)
        self._befall(entries, services, span)
        self._leave_history(entries, services)

    def _house_meters(self, code: str, services: Sequence[Service], span: Span) -> Iterator[Record]:
        drawn = self.drawn
        for service in services:
            self.note(f"house meter of {service.name.lower()}")
            meter = self._name()
            self.books.register.bind_house_meter(code, MeterBinding(meter, service, MeterKind.REGISTER, 0))
            used = drawn.randrange(0, MOST[service] * FLATS)
            for at, value in ((span.start_ts, 10_000), (span.end_ts, 10_000 + used)):
                yield RegisterReading(meter, 0, at, value, UNITS[service])
        if Service.ELECTRICITY in services and self.chance(0.3, "entry of a house's book"):
            entry = Entry(MARCH, Service.ELECTRICITY, EntryKind.OTHERS, drawn.randrange(0, 900_000), SHARED_ACT, "shop")
            self._enter(code, entry)

    def _boilers(self, code: str, services: Sequence[Service]) -> None:
        """A house that makes hot water of gas, power or bought heat, or heats itself by gas."""
        drawn = self.drawn
        if Service.HOT_WATER in services and self.chance(0.2, "hot water of the house's own"):
            fuel = drawn.choice((Service.GAS, Service.ELECTRICITY, Service.HEATING))
            self._enter(code, Entry(MARCH, fuel, EntryKind.BOILER_HOT_WATER, drawn.randrange(1, 9_000_000), SHARED_ACT))
        if Service.HEATING in services and self.chance(0.1, "heat of the house's own"):
            volume = drawn.randrange(1, 9_000_000)
            self._enter(code, Entry(MARCH, Service.GAS, EntryKind.BOILER_HEATING, volume, SHARED_ACT))
        if Service.HEATING in services and self.chance(0.3, "last year's heat known"):
            volume = drawn.randrange(1, 2_000_000_000)
            self._enter(code, Entry(Period(2025, 12), Service.HEATING, EntryKind.LAST_YEAR, volume, SHARED_ACT))

    def _enter(self, code: str, entry: Entry) -> None:
        Houses(self.books.engine, self.books.keyring).enter(code, entry)

    # --- flats ---

    def _name(self) -> MeterId:
        self._meters += 1
        return MeterId(self._meters.to_bytes(4, "big") + self.drawn.randbytes(12))

    def _flat(self, house: str, number: int, services: Sequence[Service], span: Span) -> FlatEntry:
        drawn = self.drawn
        people: list[tuple[date, int]] = [(SINCE, drawn.choice((0, 1, 1, 2, 2, 3, 4, 6)))]
        if self.chance(0.05, "residents changed"):
            people.append((date(2026, 3, drawn.randrange(1, 32)), drawn.randrange(0, 5)))
        if self.chance(0.03, "residents to change later"):
            people.append((date(2026, 4, 5), 3))
        impossible = [s for s in UNITS if drawn.random() < 0.15]
        home = Household(
            0 if self.chance(0.005, "no area") else drawn.randrange(1_500, 12_000),
            drawn.choice((1, 1, 2, 2, 3, 4, 5)),
            0 if self.chance(0.02, "no owner") else drawn.choice((1, 1, 2)),
            tuple(people),
            frozenset(impossible),
            self._plan(house),
        )
        opened = date(2026, 3, 12) if self.chance(0.02, "opened in the month") else SINCE
        closed = date(2026, 3, 20) if self.chance(0.02, "closed in the month") else None
        meters = [
            binding
            for service in UNITS
            if service in services and service is not Service.HEATING and drawn.random() < 0.8
            for binding in self._bindings(service, home.plan, span)
        ]
        if Service.HEATING in services and (self._all_heat_metered or self.chance(0.02, "flat's own heat meter")):
            meters += self._bindings(Service.HEATING, "single", span)
        return FlatEntry(f"{number:07d}", house, KeyId(drawn.randbytes(16)), home, meters, opened, closed)

    def _plan(self, house: str) -> str:
        """Some regions have no zones; a few flats have a plan of zones all the same."""
        if house in self._without_zones and not self.chance(0.02, "a plan of zones that the tariff lacks"):
            return "single"
        return self.drawn.choice(("single", "single", "two", "three"))

    def _bindings(self, service: Service, plan: str, span: Span) -> list[MeterBinding]:
        drawn = self.drawn
        zones = {
            "two": {1: "day", 2: "night"},
            "three": {1: "peak", 2: "night", 3: "half_peak"},
        }.get(plan, SINGLE) if service is Service.ELECTRICITY and drawn.random() < 0.9 else SINGLE  # fmt: skip
        kind = MeterKind.REGISTER
        if service is Service.ELECTRICITY and self.chance(0.03, "meter by intervals"):
            kind, zones = MeterKind.PROFILE, SINGLE
        first = {register: drawn.randrange(0, 900_000) for register in zones}
        capacity = 1_000_000 if self.chance(0.03, "counter with a capacity") else None
        binding = MeterBinding(self._name(), service, kind, 0, None, zones, first, {}, capacity)
        if not self.chance(0.01, "meter replaced"):
            if self.chance(0.005, "meter set in the month"):
                return [_changed(binding, since=span.start_ts + 9 * DAY_S)]
            return [binding]
        at = span.start_ts + drawn.randrange(2, 25) * DAY_S
        last = {register: value + drawn.randrange(0, 9_000) for register, value in first.items()}
        return [
            _changed(binding, until=at, final=last),
            MeterBinding(self._name(), service, kind, at, None, zones, dict.fromkeys(zones, 5)),
        ]

    # --- readings ---

    def _readings(self, flat: FlatEntry, span: Span) -> Iterator[Record]:
        for binding in flat.meters:
            if binding.kind is MeterKind.PROFILE:
                yield from self._profile(binding, span)
            else:
                yield from self._counters(binding, span)

    def _counters(self, binding: MeterBinding, span: Span) -> Iterator[Record]:
        drawn, unit = self.drawn, UNITS[binding.service]
        is_silent = self.chance(0.02, "nothing told in the month")
        early = self.chance(0.1, "read on the 25th")
        for register, first in binding.initial.items():
            value = first + drawn.randrange(0, 100_000)
            used = 0 if drawn.random() < 0.05 else drawn.randrange(0, MOST[binding.service])
            before, last = (
                (span.start_ts - 6 * DAY_S, span.end_ts - 6 * DAY_S) if early else (span.start_ts, span.end_ts)
            )
            if binding.since < before and not self.chance(0.01, "no counter before the month"):
                yield RegisterReading(binding.meter, register, before, value, unit)
            if is_silent:
                continue
            quality = drawn.choice((*[Quality.MEASURED] * 40, *Quality))
            flags = ReadingFlags.NONE
            end = value + used
            if binding.capacity is not None and end >= binding.capacity:
                end, flags = end - binding.capacity, ReadingFlags.ROLLOVER
            elif self.chance(0.003, "counter that fell"):
                end = max(value - 100, 0)
            if self.chance(0.1, "counter within the month"):
                yield RegisterReading(
                    binding.meter, register, span.start_ts + 9 * DAY_S, min(value + used // 3, end), unit
                )
            if self.chance(0.05, "counter a day before the end"):
                at = span.end_ts - DAY_S
                yield RegisterReading(binding.meter, register, at, min(value + used // 2, end), unit)
            if binding.until is None or last <= binding.until:
                yield RegisterReading(binding.meter, register, last, end, unit, quality, flags)
            if self.chance(0.003, "told twice"):
                yield RegisterReading(binding.meter, register, last, end, unit)

    def _profile(self, binding: MeterBinding, span: Span) -> Iterator[Record]:
        drawn = self.drawn
        for day in range(span.days):
            values = tuple(drawn.randrange(0, 900) if drawn.random() < 0.99 else None for _ in range(24))
            qualities = tuple(Quality.MISSING if value is None else Quality.MEASURED for value in values)
            yield Profile(binding.meter, 0, span.start_ts + day * DAY_S, 3600, Unit.WH, values, qualities)

    def _anchor(self, house: int, told: Sequence[Record]) -> None:
        """By the concentrator, a few by the people themselves; a few overlaid by the validation step."""
        drawn = self.drawn
        own = [record for record in told if drawn.random() < 0.05]
        chosen = {id(record) for record in own}
        by_machine = [record for record in told if id(record) not in chosen]
        root = Hash(drawn.randbytes(32))
        batches: list[tuple[int, int, Hash, Sequence[Record]]] = [(house + 1, 1, root, by_machine)]
        if own:
            batches.append((10_000 + house, 1, Hash(drawn.randbytes(32)), own))
        decided = [
            _decision(root, place, record)
            for place, record in enumerate(by_machine)
            if isinstance(record, RegisterReading) and self.chance(0.001, "decision of the validation step")
        ]
        if decided:
            self.books.source(20_000 + house, SourceClass.VALIDATION)
            batches.append((20_000 + house, 1, Hash(drawn.randbytes(32)), decided))
        self.books.anchor(batches)

    # --- events ---

    def _befall(self, flats: Sequence[FlatEntry], services: Sequence[Service], span: Span) -> None:
        book = EventBook(self.books.engine, self.books.keyring)
        for flat in flats:
            if self.chance(0.06, "event"):
                kind = self.drawn.randrange(len(EVENTS))
                event = EVENTS[kind](self.drawn, self.drawn.choice(services), span)
                self.note(f"event {type(event).__name__}")
                book.put(flat.account, "event", event)

    # --- the months before ---

    def _leave_history(self, flats: Sequence[FlatEntry], services: Sequence[Service]) -> None:
        """What runs of the four months before would have kept: nothing for some accounts."""
        drawn = self.drawn
        keys = self.books.keyring.secrets(flat.key_id for flat in flats)
        period = MARCH
        for back in range(1, 5):
            period = period.previous()
            leaves = self._history.setdefault(period, [])
            for flat in flats:
                secret = keys[flat.key_id]
                if secret is None or int(flat.account) % 7 == 0 or (back == 1 and drawn.random() < 0.02):
                    continue
                commit = Hash(drawn.randbytes(32))
                blob = commit + bytes((0, 1)) + (1).to_bytes(2, "big") + (100).to_bytes(6, "big")
                usage = dump({str(int(s)): self._past(s, flat, back) for s in services}).encode()
                leaves.append(Leaf(commit, flat.account, 0, blob, flat.key_id, secret, b"", usage))

    def _past(self, service: Service, flat: FlatEntry, back: int) -> list[object]:
        drawn = self.drawn
        metered = [b for b in flat.meters if b.service is service]
        names = list(metered[0].zones.values()) if metered else ["single"]
        method = Method.METER if metered else Method.NORM
        if metered and drawn.random() < 0.01:
            method = drawn.choice((Method.AVERAGE, Method.NORM))
        owed = {names[0]: drawn.randrange(1, 900)} if back == 1 and self.chance(0.003, "owed back") else {}
        carried = drawn.randrange(1, 50_000) if back == 1 and self.chance(0.002, "kopecks carried over") else 0
        return [method.value, {name: drawn.randrange(0, 5_000) for name in names}, owed, carried, 10_000]


def _changed(binding: MeterBinding, **changes: Any) -> MeterBinding:
    values = {name: getattr(binding, name) for name in MeterBinding.__slots__}
    return MeterBinding(**{**values, **changes})


def _decision(root: Hash, place: int, record: RegisterReading) -> Decision:
    instead = RegisterReading(record.meter, record.register, record.taken_at, record.value + 1, record.unit)
    return Decision(root, place, Quality.SUBSTITUTED, DecisionReason.JUMP, instead)
