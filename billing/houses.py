"""What billing keeps of whole houses: entries that no meter of ours tells, and the use that each run charged by.

A house of few flats says much of each, so its sums are sealed under the house's own key.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from sqlalchemy import Connection, Engine, insert, select

from billing.domain.boiler import FUELS
from billing.domain.house import HouseEntries
from billing.domain.house_use import HouseUse
from billing.domain.numbers import exact_text
from billing.domain.readings import ReadingUsed
from billing.schema import house_entries, house_months, houses, runs
from billing.store import dump, load, put
from contracts.client.keyring import KeyRing
from contracts.wire.ids import Hash, KeyId, MeterId, Period, Service, SourceClass
from contracts.wire.leaf import Quality
from contracts.wire.sealed import seal, unseal
from contracts.wire.units import div_half_up

_IN_LIST = 500
"""Houses in one query: below every database's limit of parameters."""
HouseUses = Mapping[str, Mapping[Service, HouseUse]]
"""The use of houses by code and resource."""


class EntryKind(StrEnum):
    """What an entry of a house's books tells."""

    OTHERS = "others"
    """What premises that are no dwellings used; ``name`` says which."""
    BOILER_HEATING = "boiler_heating"
    """What the house's own boiler took of a resource for heating."""
    BOILER_HOT_WATER = "boiler_hot_water"
    """What the house's own boiler took of a resource for hot water."""
    LAST_YEAR = "last_year"
    """What the house's meter showed over the calendar year that ends with the period."""


BOILERS = (EntryKind.BOILER_HEATING, EntryKind.BOILER_HOT_WATER)


class UnknownHouse(LookupError):
    """There is no such house."""

    def __init__(self, house: str) -> None:
        super().__init__(f"no house {house!r}; register it first")
        self.house = house


class NotAFuel(ValueError):
    """A boiler can't take such a resource; names those it can."""

    def __init__(self, service: Service) -> None:
        fuels = ", ".join(fuel.name.lower() for fuel in FUELS)
        super().__init__(f"a boiler takes no {service.name.lower()}; enter what it took of {fuels}")
        self.service = service


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, in base units of the resource (Wh, litre, 10⁻⁶ Gcal), with the act behind it."""

    period: Period
    service: Service
    kind: EntryKind
    volume: int
    act: str
    name: str = ""


class Houses:
    """The books of houses, opened with the keys of ``keyring``."""

    def __init__(self, engine: Engine, keyring: KeyRing) -> None:
        self._engine = engine
        self._writes = engine.execution_options(writes=True)
        self._keyring = keyring

    # --- entries ---

    def enter(self, house: str, entry: Entry) -> None:
        """Writes an entry; the same place again takes the new volume and act. Raises UnknownHouse, NotAFuel."""
        if entry.kind in BOILERS and entry.service not in FUELS:
            raise NotAFuel(entry.service)
        here = {
            "house": house, "service": int(entry.service), "period": entry.period.number, "kind": entry.kind.value,
            "name": entry.name,
        }  # fmt: skip
        with self._writes.begin() as connection:
            if connection.execute(select(houses.c.house).where(houses.c.house == house)).one_or_none() is None:
                raise UnknownHouse(house)
            put(connection, house_entries, here, {"volume": entry.volume, "act": entry.act})

    def entries(self, codes: Collection[str], period: Period) -> dict[str, dict[Service, HouseEntries]]:
        """What the books of some houses say for a period, with their months since the last calendar year began."""
        sums: defaultdict[tuple[str, Service], dict[str, int]] = defaultdict(lambda: defaultdict(int))
        fuels: defaultdict[tuple[str, Service], dict[Service, int]] = defaultdict(lambda: defaultdict(int))
        for house, entry in self._entries(codes, period):
            if entry.kind is EntryKind.OTHERS:
                sums[house, entry.service]["others"] += entry.volume
            elif entry.kind is EntryKind.LAST_YEAR:
                sums[house, entry.service]["last_year"] += entry.volume
            else:
                made = Service.HEATING if entry.kind is EntryKind.BOILER_HEATING else Service.HOT_WATER
                fuels[house, made][entry.service] += entry.volume
                sums[house, entry.service]["boiler"] += entry.volume
        past = self._past(codes, period)
        out: defaultdict[str, dict[Service, HouseEntries]] = defaultdict(dict)
        for house, service in sorted({*sums, *fuels, *past}):
            told, key = sums.get((house, service), {}), (house, service)
            out[house][service] = HouseEntries(
                told.get("others", 0), told.get("boiler", 0), dict(fuels.get(key, {})), past.get(key, {}),
                told.get("last_year"),
            )  # fmt: skip
        return dict(out)

    def _entries(self, codes: Collection[str], period: Period) -> list[tuple[str, Entry]]:
        year_ended = Period(period.year - 1, 12).number
        query = select(house_entries).where(house_entries.c.period.in_([period.number, year_ended]))
        if len(codes) <= _IN_LIST:
            query = query.where(house_entries.c.house.in_(codes))
        out = []
        with self._engine.connect() as connection:
            for row in connection.execute(query):
                kind = EntryKind(row.kind)
                wanted = year_ended if kind is EntryKind.LAST_YEAR else period.number
                if row.house in codes and row.period == wanted:
                    service = Service(row.service)
                    entry = Entry(Period.from_number(row.period), service, kind, row.volume, row.act, row.name)
                    out.append((row.house, entry))
        return out

    # --- months ---

    def of_month(self, house: str, period: Period) -> dict[Service, HouseUse]:
        """What a house used in a period, as the last run that did not fail charged by it. Raises UnknownHouse."""
        with self._engine.connect() as connection:
            if connection.execute(select(houses.c.house).where(houses.c.house == house)).one_or_none() is None:
                raise UnknownHouse(house)
        found = self._stored([house], period.number, period.number)
        return {service: use for (_, service, _), use in found.items()}

    def _past(self, codes: Collection[str], period: Period) -> dict[tuple[str, Service], dict[int, HouseUse]]:
        out: defaultdict[tuple[str, Service], dict[int, HouseUse]] = defaultdict(dict)
        stored = self._stored(codes, Period(period.year - 1, 1).number, period.previous().number)
        for (house, service, number), use in stored.items():
            out[house, service][number] = use
        return dict(out)

    def _stored(self, codes: Collection[str], first: int, last: int) -> dict[tuple[str, Service, int], HouseUse]:
        query = (
            select(house_months)
            .join(runs, runs.c.id == house_months.c.run)
            .where(house_months.c.period >= first, house_months.c.period <= last, runs.c.state != "failed")
            .order_by(house_months.c.run)
        )
        wanted = set(codes)
        if len(wanted) <= _IN_LIST:
            query = query.where(house_months.c.house.in_(wanted))
        with self._engine.connect() as connection:
            rows = [row for row in connection.execute(query) if row.house in wanted]
        keys = self._keyring.secrets(KeyId(bytes(row.key_id)) for row in rows)
        out = {}
        for row in rows:
            secret = keys[KeyId(bytes(row.key_id))]
            if secret is not None:
                opened = load(unseal(secret, _place(row.run, row.house, row.service), bytes(row.sealed)).decode())
                out[row.house, Service(row.service), row.period] = _use(Service(row.service), opened)
        return out


def store_uses(connection: Connection, keyring: KeyRing, run: int, period: Period, uses: HouseUses) -> None:
    """Keeps what a run's houses used, in the transaction that stores the run."""
    if not uses:
        return
    rows = connection.execute(select(houses.c.house, houses.c.key_id)).all()
    key_ids = {row.house: KeyId(bytes(row.key_id)) for row in rows if row.house in uses}
    keys = keyring.secrets(key_ids.values())
    sealed = []
    for house, by_service in uses.items():
        secret = keys[key_ids[house]]
        if secret is None:
            continue
        sealed += [
            {
                "run": run, "house": house, "service": int(service), "period": period.number, "key_id": key_ids[house],
                "sealed": seal(secret, _place(run, house, int(service)), dump(_value(use)).encode()),
            }
            for service, use in by_service.items()
        ]  # fmt: skip
    if sealed:
        connection.execute(insert(house_months), sealed)


def _place(run: int, house: str, service: int) -> bytes:
    return f"house_months/{run}/{house}/{service}".encode()


_WHOLE = (
    "area_dm2", "common_area_dm2", "volume", "others", "by_norm", "by_meter", "boiler", "carried", "dwellings_dm2",
    "metered_dm2", "persons", "norm",
)  # fmt: skip


def _value(use: HouseUse) -> dict[str, object]:
    return {
        **{name: getattr(use, name) for name in _WHOLE},
        "estimated": use.estimated,
        "fuels": {str(int(fuel)): volume for fuel, volume in use.fuels.items()},
        "readings": [
            [r.meter.hex(), r.register, r.at, r.value, int(r.quality), int(r.source_class), r.root.hex(), r.leaf]
            for r in use.readings
        ],
        "unknown": sorted(use.unknown),
    }


def _use(service: Service, value: Mapping[str, object]) -> HouseUse:
    told: dict[str, object] = dict(value)
    readings = tuple(
        ReadingUsed(
            MeterId(bytes.fromhex(meter)), register, at, count, Quality(quality), SourceClass(source),
            Hash(bytes.fromhex(root)), leaf,
        )
        for meter, register, at, count, quality, source, root, leaf in told["readings"]  # type: ignore[attr-defined]
    )  # fmt: skip
    return HouseUse(
        service,
        **{name: told[name] for name in _WHOLE},  # type: ignore[arg-type]
        estimated=bool(told["estimated"]),
        readings=readings,
        fuels={Service(int(fuel)): volume for fuel, volume in told["fuels"].items()},  # type: ignore[attr-defined]
        unknown=dict.fromkeys(told["unknown"], "see the run's problems"),  # type: ignore[call-overload]
    )


def balance_row(use: HouseUse) -> dict[str, object]:
    """A house's balance of one resource for people: V^Д less what the premises account for, in base units.

    ``common_percent`` is the common property's part of V^Д to a tenth, half up; ``flag`` says what the regulator looks
    for: ``above_norm``, ``below_nothing``, ``not_known`` where an account's use is missing, else it is empty.
    """
    common = None if use.unknown else use.common
    flag = "not_known" if use.unknown else "above_norm" if use.above_norm else ""
    tenths = div_half_up(1000 * common, use.volume) if common is not None and use.volume else None
    return {
        "service": use.service.name.lower(),
        "unit": "ucal" if use.service is Service.HEATING else "Wh" if use.service is Service.ELECTRICITY else "litre",
        "house_volume": use.volume,
        "estimated": use.estimated,
        "others": use.others,
        "by_norm": use.by_norm,
        "by_meter": use.by_meter,
        "boiler": use.boiler,
        "carried_in": use.carried,
        "common": common,
        "common_percent": None if tenths is None else exact_text(Fraction(tenths, 10)),
        "norm": use.norm,
        "above_norm": 0 if use.unknown else use.above_norm,
        "flag": flag or ("below_nothing" if common is not None and common < 0 else ""),
        "unknown": sorted(use.unknown),
    }
