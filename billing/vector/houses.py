"""Houses worked out as a whole, for accounts by columns: what the house used, and what of it stands in each line.

The use of a house is that of ``billing.domain.house``: worked out there over the accounts that columns do not know,
with the sums of all others added. How it stands in a line is told by the rules for one account; for the others of the
house, and of all houses whose lines look alike, the house's numbers are columns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from billing.accounts import Account
from billing.charges import charge_months
from billing.checks import Checks
from billing.domain.charge import ChargedLine, Part
from billing.domain.house import HouseEntries, house_uses, individual_use
from billing.domain.house_use import HouseUse
from billing.domain.household import AccountMonth
from billing.domain.readings import ReadingUsed
from billing.domain.tariff import NoTariff, TariffError
from billing.vector.columns import Columns
from billing.vector.exact import Ratio
from billing.vector.plain import METERED
from billing.vector.shapes import OF_HOUSE, is_of_house
from contracts.wire.ids import Service

Ints = NDArray[np.int64]
MonthsOf = Callable[[Sequence[Account]], dict[str, AccountMonth]]
"""The months of accounts by the rules, without the use of their houses."""
Signature = tuple[object, ...]


@dataclass(slots=True)
class HousePass:
    """The whole houses of a stretch. ``lines`` are one account's lines by service, ``own_readings`` how many of a
    line's readings are the account's own."""

    uses: dict[str, Mapping[Service, HouseUse]] = field(default_factory=dict)
    lines: dict[str, Mapping[Service, ChargedLine]] = field(default_factory=dict)
    own_readings: dict[str, Mapping[Service, int]] = field(default_factory=dict)

    def signature(self, house: str, service: Service) -> Signature:
        """What of a house's part in a line is the same for all accounts that one shape serves."""
        line = self.lines.get(house, {}).get(service)
        if line is None:
            return ()
        parts = tuple(_signature(part) for part in house_parts(line))
        read = self._readings(house, service)
        return *parts, tuple((reading.register, reading.quality, reading.source_class) for reading in read)

    def columns(self, houses: Sequence[str], service: Service) -> dict[tuple[int, str], Ratio]:
        """The houses' numbers of a service by part and symbol, one row for each of ``houses``."""
        known = sorted(set(houses))
        places = np.array([known.index(house) for house in houses], dtype=np.int64)
        out: dict[tuple[int, str], Ratio] = {}
        for number, part in enumerate(house_parts(self.lines[known[0]][service])):
            for place, given in enumerate(part.inputs):
                if given.symbol in OF_HOUSE and not given.formula:
                    values = [
                        Fraction(house_parts(self.lines[house][service])[number].inputs[place].value) for house in known
                    ]
                    out[number, given.symbol] = _column(values, places)
        return out

    def readings(self, houses: Sequence[str], service: Service) -> list[Mapping[str, Sequence[object]]]:
        """The readings of the houses' own meters in their lines, as ``Group`` holds them."""
        of_house = {house: self._readings(house, service) for house in set(houses)}
        count = len(next(iter(of_house.values())))
        out: list[Mapping[str, Sequence[object]]] = []
        for place in range(count):
            used = [of_house[house][place] for house in houses]
            out.append(
                {
                    "root": [reading.root.hex().encode() for reading in used],
                    "meter": [reading.meter.hex().encode() for reading in used],
                    "leaf": [reading.leaf for reading in used],
                    "at": [reading.at for reading in used],
                    "value": [reading.value for reading in used],
                }
            )
        return out

    def _readings(self, house: str, service: Service) -> Sequence[ReadingUsed]:
        return self.lines[house][service].readings[self.own_readings[house].get(service, 0) :]


def house_parts(line: ChargedLine) -> list[Part]:
    """The parts of a line in which the numbers of the house stand."""
    return [part for part in line.parts if is_of_house(line, part)]


def _signature(part: Part) -> Signature:
    inputs = tuple(
        (given.symbol, given.unit, given.formula, given.rounded_to, given.readings is None)
        if given.formula or given.symbol in OF_HOUSE or given.symbol == "S"
        else given
        for given in part.inputs
    )
    versions = tuple(version.number for version in part.versions)
    return part.formula, part.point, part.kind, part.resource, part.zone, part.span, versions, inputs


def _column(values: Sequence[Fraction], places: Ints) -> Ratio:
    den = int(np.lcm.reduce([value.denominator for value in values]))
    return Ratio(np.array([int(value * den) for value in values], dtype=np.int64)[places], den)


# --- what a house used -----------------------------------------------------------------------------------------------


class Whole(Exception):
    """A house is left to the rules altogether."""


def pass_houses(
    columns: Columns, entries: Mapping[str, Mapping[Service, HouseEntries]], months_of: MonthsOf, checks: Checks
) -> HousePass:
    """Works out the whole houses of a stretch; the accounts of those that can't be so are odd afterwards."""
    by_house: defaultdict[str, list[int]] = defaultdict(list)
    for place, account in enumerate(columns.accounts):
        if account.house in columns.whole:
            by_house[account.house].append(place)
    plain = {
        code: [place for place in places if columns.accounts[place].account not in columns.odd]
        for code, places in by_house.items()
    }
    one_by_one = [
        columns.accounts[place]
        for code, places in by_house.items()
        if plain[code]
        for place in places
        if place == plain[code][0] or columns.accounts[place].account in columns.odd
    ]
    months = months_of(one_by_one)
    out = HousePass()
    for code, places in by_house.items():
        if not plain[code]:
            continue
        try:
            names = [columns.accounts[place].account for place in places]
            here = [months[name] for name in names if name in months]
            uses = _uses(columns, code, plain[code], here, entries.get(code, {}))
            first = columns.accounts[plain[code][0]]
            charges = charge_months([replace(months[first.account], house_use=uses)], checks)
            if first.account not in charges.lines:
                raise Whole("what the rules can't charge")
        except Whole as whole:
            columns.leave_places(np.array(places, dtype=np.int64), str(whole))
            continue
        out.uses[code] = uses
        out.lines[code] = {line.service: line for line in charges.lines[first.account]}
        out.own_readings[code] = columns.own_readings(plain[code][0])
    return out


def _uses(
    columns: Columns,
    code: str,
    plain: Sequence[int],
    months: Sequence[AccountMonth],
    entries: Mapping[Service, HouseEntries],
) -> dict[Service, HouseUse]:
    """Raises Whole."""
    uses = house_uses(months, entries)
    if any(use.unknown for use in uses.values()):
        raise Whole("a house some of whose use is not known")
    rest = np.array(plain[1:], dtype=np.int64)  # the first of them is among the months
    people = sum(columns.accounts[place].household.persons_on(columns.spans[code].first) for place in rest.tolist())
    area = int(columns.area[rest].sum())
    out = {}
    for service, use in uses.items():
        whole = replace(use, dwellings_dm2=use.dwellings_dm2 + area, persons=use.persons + people)
        if (use.volume is not None or use.fuels) and service is not Service.HEATING:
            metered, by_meter, by_norm = _premises(columns, service, rest)
            whole = replace(
                whole,
                by_meter=use.by_meter + by_meter,
                by_norm=use.by_norm + by_norm,
                metered_dm2=use.metered_dm2 + metered,
            )
        out[service] = whole
    return out


def _premises(columns: Columns, service: Service, places: Ints) -> tuple[int, int, int]:
    """The area of the metered flats, what they used, and what the others did by norm. Raises Whole."""
    has_meter = columns.has_meter(service, places) if service in METERED else np.zeros(len(places), bool)
    by_norm = 0
    known: dict[tuple[object, ...], int] = {}
    try:
        for place in places[~has_meter].tolist():
            home = columns.accounts[place].household
            first = columns.spans[columns.accounts[place].house].first
            kind = home.registered_on(first), home.owners, home.rooms, home.plan, home.no_meter_possible
            if kind not in known:
                known[kind] = individual_use(columns.light_month(columns.accounts[place]), service).total
            by_norm += known[kind]
        if service is Service.ELECTRICITY and not columns.has_plans(places[has_meter]):
            raise Whole("a house with a plan of zones that no tariff has")
    except (NoTariff, TariffError) as error:
        raise Whole("a house some of whose use is not known") from error
    metered = places[has_meter]
    return int(columns.area[metered].sum()), columns.counted(service, metered), by_norm
