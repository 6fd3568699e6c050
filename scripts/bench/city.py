"""A generated city in the real tables: register, keys, and a ledger that holds its meters' readings as final facts.

Written in bulk past the doors, since a million accounts through them would take longer than what is measured; what is
read later goes through them all. Nobody in it is a person.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from billing.accounts import Accounts, sealed_counters
from billing.domain.calendar import month_span
from billing.domain.household import House, Household
from billing.domain.readings import MeterBinding, MeterKind
from billing.schema import accounts, meters, residents
from billing.store import dump, insert_many, open_database
from billing.tariffs import Tariffs, demo_documents
from contracts.client.files import FileStore
from contracts.client.keyring import KeyRing
from contracts.wire.ids import Hash, KeyId, MeterId, Period, Service, SourceClass, SupplierId
from contracts.wire.leaf import Record, RegisterReading, reading_blob
from contracts.wire.units import Unit
from ledger import models
from ledger.leaves import add_record
from ledger.queries import Ledger
from ledger.store import FactRows, Position, insert_rows, write_position
from ledger.store import open_database as open_ledger

ZONE = "Asia/Krasnoyarsk"
AREAS = ("krasnoyarsk", "moscow", "amur", "russia")
FEATURES = frozenset({"lift"})
SERVICES = (
    Service.COLD_WATER,
    Service.HOT_WATER,
    Service.SEWAGE,
    Service.ELECTRICITY,
    Service.HEATING,
    Service.SOLID_WASTE,
)
FLATS = 100
SINCE = date(2020, 1, 1)
HEIGHT = 100
AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class FlatEntry:
    """An account to be written down, with its meters."""

    account: str
    house: str
    key_id: KeyId
    household: Household
    meters: Sequence[MeterBinding] = ()
    opened: date = SINCE
    closed: date | None = None


@dataclass(slots=True)
class CityBooks:
    """The books of a generated city under ``folder``."""

    folder: Path
    engine: Engine = field(init=False)
    keyring: KeyRing = field(init=False)
    register: Accounts = field(init=False)
    tariffs: Tariffs = field(init=False)
    ledger_engine: Engine = field(init=False)
    ledger: Ledger = field(init=False)
    _place: int = 0

    def __post_init__(self) -> None:
        self.engine = open_database(f"sqlite:///{self.folder / 'billing.db'}")
        self.keyring = KeyRing(self.folder / "keyring.db")
        self.register = Accounts(self.engine, self.keyring)
        self.tariffs = Tariffs(self.engine, FileStore(self.folder / "files"))
        self.ledger_engine = open_ledger(f"sqlite:///{self.folder / 'ledger.db'}")
        self.ledger = Ledger(self.ledger_engine, self.keyring)

    # --- chain ---

    def publish(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Tariff documents as final versions; the first call starts the ledger."""
        rows = FactRows()
        for version, document in enumerate(documents, start=1):
            rows.add(models.tariffs, 1, version, version, self.tariffs.add(document), bytes(32), 0, 0, bytes(20))
        with self.ledger_engine.begin() as connection:
            insert_rows(connection, rows)
            write_position(connection, Position(HEIGHT, Hash(bytes(32)), HEIGHT, Hash(bytes(32))))

    def source(self, number: int, source_class: SourceClass = SourceClass.CONCENTRATOR) -> None:
        """A source of readings."""
        rows = FactRows()
        rows.add(models.sources, 2, number, number, bytes(20), int(source_class), 0)
        with self.ledger_engine.begin() as connection:
            insert_rows(connection, rows)

    def anchor(self, batches: Iterable[tuple[int, int, Hash, Sequence[Record]]]) -> None:
        """Batches (source, sequence, root, records), final and kept by two holders."""
        rows = FactRows()
        for source, sequence, root, records in batches:
            self._place += 1
            at = (3, self._place)
            rows.add(
                models.batches, *at, source, 0, sequence, bytes(24), root, len(records), 0, 0, bytes(32), bytes(32)
            )
            rows.add(models.ingested, *at, "readings", root, len(records), len(records), 0, 0)
            for holder in (1, 2):
                rows.add(models.acknowledgements, 4, 2 * self._place + holder, root, bytes((holder,)) * 20)
            for leaf, record in enumerate(records):
                add_record((*at, leaf), record, reading_blob(bytes(32), record), rows)
        with self.ledger_engine.begin() as connection:
            insert_rows(connection, rows)

    # --- register ---

    def open_flats(self, flats: Sequence[FlatEntry]) -> None:
        """Accounts with their keys, residents and meters."""
        keys = [flat.key_id for flat in flats]
        self.keyring.create_many(keys)
        secrets = self.keyring.secrets(keys)
        with self.engine.begin() as connection:
            insert_many(connection, accounts, _ACCOUNT, [_account(flat) for flat in flats])
            people = [(f.account, since.isoformat(), n) for f in flats for since, n in f.household.residents]
            insert_many(connection, residents, ("account", "since", "number"), people)
            bound = [(f, b, secrets[f.key_id] or b"") for f in flats for b in f.meters]
            insert_many(connection, meters, _METER, [_meter(flat, binding, key) for flat, binding, key in bound])


_ACCOUNT = (
    "account", "house", "key_id", "area_dm2", "rooms", "owners", "no_meter_possible", "plan", "opened", "closed",
)  # fmt: skip
_METER = (
    "meter", "since", "account", "service", "kind", "until", "zones", "key_id", "initial", "final", "capacity",
)  # fmt: skip


def _account(flat: FlatEntry) -> tuple[object, ...]:
    home = flat.household
    impossible = dump(sorted(int(service) for service in home.no_meter_possible))
    closed = None if flat.closed is None else flat.closed.isoformat()
    return (
        flat.account, flat.house, flat.key_id, home.area_dm2, home.rooms, home.owners, impossible, home.plan,
        flat.opened.isoformat(), closed,
    )  # fmt: skip


def _meter(flat: FlatEntry, binding: MeterBinding, secret: bytes) -> tuple[object, ...]:
    b = binding
    zones = dump({str(register): name for register, name in b.zones.items()})
    initial = sealed_counters(secret, b.meter, b.since, "initial", b.initial)
    final = sealed_counters(secret, b.meter, b.since, "final", b.final)
    return (
        b.meter, b.since, flat.account, int(b.service), b.kind.value, b.until, zones, flat.key_id, initial, final,
        b.capacity,
    )  # fmt: skip


# --- the city that is measured ---------------------------------------------------------------------------------------

UNITS = {Service.ELECTRICITY: Unit.WH, Service.COLD_WATER: Unit.LITRE, Service.HOT_WATER: Unit.LITRE}
MOST = {Service.ELECTRICITY: 240_000, Service.COLD_WATER: 9_000, Service.HOT_WATER: 6_000}


def code(house: int) -> str:
    """A house's name."""
    return f"house-{house}"


def fill(books: CityBooks, period: Period, count: int, seed: int) -> None:
    """A city of ``count`` accounts in houses of a hundred flats, all metered, with counters at the month's two ends."""
    drawn = random.Random(seed)
    books.publish(demo_documents())
    houses = -(-count // FLATS)
    for number in range(houses):
        books.register.add_house(House(code(number), ZONE, AREAS, 560_000, FEATURES))
        for service in SERVICES:
            books.register.set_supplier(code(number), service, SupplierId(service), SINCE)
        books.source(number + 1)
    span = month_span(period, ZONE)
    for start in range(0, count, AT_ONCE):
        flats = [draw_flat(drawn, number) for number in range(start, min(start + AT_ONCE, count))]
        books.open_flats(flats)
        books.anchor(_batches(drawn, flats, (span.start_ts, span.end_ts)))


def draw_flat(drawn: random.Random, number: int) -> FlatEntry:
    """A metered flat; half of them count electricity by day and night."""
    rooms = drawn.choices((1, 2, 3, 4), (30, 40, 24, 6))[0]
    persons = max(0, min(6, rooms + drawn.choice((-1, 0, 0, 1))))
    two = drawn.random() < 0.5
    zones = {1: "day", 2: "night"} if two else {0: "single"}
    area = 1_400 * rooms + 1_500 + drawn.randrange(0, 1_400)
    home = Household(area, rooms, 1, ((SINCE, persons),), plan="two" if two else "single")
    meters = [
        MeterBinding(
            MeterId(drawn.randbytes(16)),
            service,
            MeterKind.REGISTER,
            0,
            zones=zones if service is Service.ELECTRICITY else {0: "single"},
            initial=dict.fromkeys(zones if service is Service.ELECTRICITY else (0,), 0),
        )
        for service in UNITS
    ]
    return FlatEntry(f"7{number:09d}", code(number // FLATS), KeyId(drawn.randbytes(16)), home, meters)


def _batches(
    drawn: random.Random, flats: Sequence[FlatEntry], moments: tuple[int, int]
) -> Iterator[tuple[int, int, Hash, Sequence[Record]]]:
    """Each house's concentrator sends the counters of the month's first and last second."""
    by_house: dict[str, tuple[list[Record], list[Record]]] = {}
    for flat in flats:
        first, last = by_house.setdefault(flat.house, ([], []))
        for meter in flat.meters:
            for register in meter.zones:
                value = drawn.randrange(10_000, 30_000_000)
                used = drawn.randrange(0, MOST[meter.service]) if drawn.random() > 0.03 else 0
                unit = UNITS[meter.service]
                first.append(RegisterReading(meter.meter, register, moments[0], value, unit))
                last.append(RegisterReading(meter.meter, register, moments[1], value + used, unit))
    for house, told in by_house.items():
        source = int(house.removeprefix("house-")) + 1
        for sequence, records in enumerate(told, start=1):
            yield source, sequence, Hash(drawn.randbytes(32)), records
