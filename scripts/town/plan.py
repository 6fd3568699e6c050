"""The demo town as data: who lives where, with which meters, and what they do with a bill. One seed, one town.

Nothing here touches the chain or a database; ``readings`` turns the plan into what meters send, ``director`` plays it.
Nobody in it is a person: residents are numbered.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from random import Random
from zoneinfo import ZoneInfo

from contracts.wire.ids import MeterId, Period, Service, SupplierId

ZONE = ZoneInfo("Asia/Krasnoyarsk")
FLATS_PER_HOUSE = 20
MOST_HOUSES = 4
FEWEST_ACCOUNTS = 12


class Habit(Enum):
    """What the people of a flat do with their bill."""

    AGENT = "pays through the pooled agent"
    PART = "pays a part through the agent"
    WALLET = "pays from a wallet by a signed order"
    DEBTOR = "does not pay"
    PREPAYER = "pays ahead"


@dataclass(frozen=True, slots=True)
class SupplierPlan:
    """A supplier of the town and the services it bills for."""

    number: SupplierId
    name: str
    services: tuple[Service, ...]


@dataclass(frozen=True, slots=True)
class MeterPlan:
    """A meter: two registers (day, night) where ``zones`` is 2. ``since`` and ``until`` are local days.

    ``by_profile``: charged by its half-hours, otherwise by its registers. ``opening`` sums its registers.
    """

    meter: MeterId
    service: Service
    zones: int
    opening: int
    since: date
    until: date | None = None
    by_profile: bool = False

    def opening_registers(self) -> dict[int, int]:
        """The counters when it was installed: the total, or day and night."""
        day = self.opening * 7 // 10
        return {0: self.opening} if self.zones == 1 else {1: day, 2: self.opening - day}


@dataclass(frozen=True, slots=True)
class Flat:
    """A flat, its account and its people's habits. Areas in square decimetres."""

    account: str
    house: int
    number: int
    area_dm2: int
    rooms: int
    residents: int
    annual_wh: int
    meters: tuple[MeterPlan, ...]
    habit: Habit = Habit.AGENT
    benefit: bool = False
    overcharged: bool = False
    miscounted: bool = False
    gaps: bool = False

    @property
    def metered(self) -> bool:
        """False for the flat that is billed by norms alone."""
        return bool(self.meters)

    @property
    def wallet(self) -> str:
        """Name of the key of a resident who pays from a wallet."""
        return f"wallet-{self.account}"

    @property
    def registered(self) -> int:
        """Residents in the register at first: none, wrongly, in the flats whose bills are corrected later."""
        return 0 if self.miscounted else self.residents

    @property
    def two_zones(self) -> bool:
        """Whether its electricity is charged by day and night."""
        return any(meter.zones == 2 for meter in self.meters)


@dataclass(frozen=True, slots=True)
class House:
    """A house with one concentrator and one meter of cold water of its own, managed by its owners directly.

    ``common_area_dm2``: stairs and halls, which are cleaned with water that no flat's meter counts.
    """

    number: int
    flats: tuple[Flat, ...]
    common_area_dm2: int
    meter: MeterPlan

    @property
    def area_dm2(self) -> int:
        """Area of all its flats."""
        return sum(flat.area_dm2 for flat in self.flats)


@dataclass(frozen=True, slots=True)
class Town:
    """The whole plan."""

    seed: int
    months: tuple[Period, ...]
    suppliers: tuple[SupplierPlan, ...]
    houses: tuple[House, ...]

    @property
    def flats(self) -> list[Flat]:
        """Every flat, house by house."""
        return [flat for house in self.houses for flat in house.flats]

    @property
    def meters(self) -> list[MeterPlan]:
        """Every meter: those of the flats, then those of the houses."""
        return [meter for flat in self.flats for meter in flat.meters] + [house.meter for house in self.houses]

    @property
    def days(self) -> list[date]:
        """Every local day of the months."""
        first = date(self.months[0].year, self.months[0].month, 1)
        last = self.months[-1].next()
        return [first + timedelta(days=i) for i in range((date(last.year, last.month, 1) - first).days)]

    @property
    def starts_at(self) -> int:
        """When the chain starts: an hour after the last month ended, so that no reading lies in the future."""
        after = self.months[-1].next()
        return midnight(date(after.year, after.month, 1)) + 3600


SUPPLIERS = (
    SupplierPlan(SupplierId(1), "Горэнергосбыт", (Service.ELECTRICITY,)),
    SupplierPlan(SupplierId(2), "Водоканал", (Service.COLD_WATER,)),
    SupplierPlan(SupplierId(3), "Горстоки", (Service.SEWAGE,)),
    SupplierPlan(SupplierId(4), "Теплосеть", (Service.HOT_WATER, Service.HEATING)),
    SupplierPlan(SupplierId(5), "Чистый город", (Service.SOLID_WASTE,)),
    SupplierPlan(SupplierId(6), "Фонд капитального ремонта", (Service.CAPITAL_REPAIR,)),
)


def midnight(day: date) -> int:
    """The moment a local day begins, in seconds UTC."""
    return int(datetime(day.year, day.month, day.day, tzinfo=ZONE).astimezone(UTC).timestamp())


def months_from(first: Period, count: int) -> tuple[Period, ...]:
    """``count`` months in a row."""
    out = [first]
    while len(out) < count:
        out.append(out[-1].next())
    return tuple(out)


def plan_town(accounts: int, first: Period, months: int, seed: int) -> Town:
    """The town of a seed. Raises ValueError for fewer accounts than the town's stories need, or no month."""
    if accounts < FEWEST_ACCOUNTS or months < 1:
        raise ValueError(f"a town has at least {FEWEST_ACCOUNTS} accounts and 1 month, not {accounts} and {months}")
    span = months_from(first, months)
    rng = Random(f"kopeck town {seed}")
    roles = _cast(accounts, rng)
    houses = min(MOST_HOUSES, max(2, accounts // FLATS_PER_HOUSE))
    built: list[list[Flat]] = [[] for _ in range(houses)]
    for i in range(accounts):
        home = built[i * houses // accounts]
        where = (i * houses // accounts + 1, len(home) + 1)
        home.append(_flat(i, where, roles.get(i, set()), span[0], rng))
    return Town(seed, span, SUPPLIERS, tuple(_house(n + 1, flats, span[0], seed) for n, flats in enumerate(built)))


def _house(number: int, flats: list[Flat], first: Period, seed: int) -> House:
    """Drawn apart from the flats, so that a house's meter changes nothing of who lives there."""
    rng = Random(f"kopeck house {seed} {number}")
    begin = date(first.year, first.month, 1)
    meter = MeterPlan(_name(rng), Service.COLD_WATER, 1, rng.randrange(1_000_000, 9_000_000), begin)
    common_area_dm2 = sum(flat.area_dm2 for flat in flats) // 10
    return House(number, tuple(flats), common_area_dm2, meter)


def _cast(accounts: int, rng: Random) -> dict[int, set[str]]:
    """Which flats play which story; the first few stories are in every town."""
    order = list(range(accounts))
    rng.shuffle(order)
    parts = {
        "debtor": max(1, accounts // 20),
        "wallet": max(2, accounts // 20),
        "prepayer": max(1, accounts // 30),
        "part": max(1, accounts // 30),
        "unmetered": max(1, accounts // 30),
        "replaced": max(1, accounts // 40),
        "overcharged": 1,
        "benefit": max(2, accounts // 10),
        "gaps": max(2, accounts // 15),
    }
    cast: dict[int, set[str]] = {}
    places = iter(order)
    for story, count in parts.items():
        for _ in range(count):
            cast[next(places)] = {story}
    for story in ("debtor", "overcharged"):
        miscounted = min(place for place, stories in cast.items() if story in stories)
        cast[miscounted].add("miscounted")
    return cast


_HABITS = {
    "debtor": Habit.DEBTOR,
    "wallet": Habit.WALLET,
    "prepayer": Habit.PREPAYER,
    "part": Habit.PART,
}


def _flat(place: int, where: tuple[int, int], stories: set[str], first: Period, rng: Random) -> Flat:
    house, number = where
    rooms = rng.choices((1, 2, 3, 4), (30, 40, 24, 6))[0]
    area_dm2 = (1400 * rooms + 1500 + rng.randrange(0, 1400)) // 10 * 10
    residents = max(1, min(6, rooms + rng.choice((-1, 0, 0, 1))))
    annual_wh = (900_000 + 550_000 * residents) * rng.randrange(70, 140) // 100
    meters = () if "unmetered" in stories else _meters("replaced" in stories, first, rng)
    habit = next((h for story, h in _HABITS.items() if story in stories), Habit.AGENT)
    return Flat(
        account=f"7{house:02d}{place + 1:06d}",
        house=house,
        number=number,
        area_dm2=area_dm2,
        rooms=rooms,
        residents=residents,
        annual_wh=annual_wh,
        meters=meters,
        habit=habit,
        benefit="benefit" in stories,
        overcharged="overcharged" in stories,
        miscounted="miscounted" in stories,
        gaps="gaps" in stories and bool(meters),
    )


def _meters(replaced: bool, first: Period, rng: Random) -> tuple[MeterPlan, ...]:
    begin = date(first.year, first.month, 1)
    zones, by_profile = rng.choice(((1, True), (1, True), (1, False), (2, True), (2, False)))
    swapped = begin + timedelta(days=rng.randrange(8, 20)) if replaced else None
    meters = [
        MeterPlan(
            _name(rng), Service.ELECTRICITY, zones, rng.randrange(1_000_000, 40_000_000), begin, swapped, by_profile
        ),
        MeterPlan(_name(rng), Service.COLD_WATER, 1, rng.randrange(10_000, 900_000), begin),
        MeterPlan(_name(rng), Service.HOT_WATER, 1, rng.randrange(10_000, 700_000), begin),
    ]
    if swapped:
        fresh = rng.randrange(0, 2_000)
        meters.append(MeterPlan(_name(rng), Service.ELECTRICITY, zones, fresh, swapped, None, by_profile))
    return tuple(meters)


def _name(rng: Random) -> MeterId:
    return MeterId(rng.randbytes(16))
