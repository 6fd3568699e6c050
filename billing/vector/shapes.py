"""A charged line as a shape: what is the same for a whole group of accounts, and what each of them fills in.

One account of a group is charged by the rules. Its line, with the numbers that vary made fields, is the group's
template, and the formulas that the line itself shows are what the others' amounts are worked out by. Only formulas of
the list below are taken so: each is known to hold for every account that the group's key gathers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from billing.documents import line_value
from billing.domain.calendar import Span
from billing.domain.charge import ChargedLine, Input, Part, PartKind, Scope
from billing.domain.numbers import exact_text
from billing.domain.readings import ReadingUsed
from billing.leaves import usage_value
from billing.store import dump
from billing.vector.exact import Ratio, Tree, kopecks, names_in, parse_formula, value_of
from billing.vector.template import Field, Marks, Template
from contracts.wire.canonical import canonical_json
from contracts.wire.ids import Hash, MeterId, Service

Ints = NDArray[np.int64]
Symbol = tuple[str, str]
"""A zone and a symbol: the name of a column."""

_BY_VOLUME = frozenset(f"P = V{k} · {rate}" for k in ("", " · K") for rate in ("T", "T_water", "q · T_heat"))
_BY_NORM = frozenset({"P = n · N · T", "P = n · N · K · T"})
_BY_BAND = frozenset(
    f"P = V{band}{k} · T{band}" for band in ("_within", "_over", "_1", "_2", "_3") for k in ("", " · K")
)
_COMMON = frozenset({"P = V_common · T", "P = V_common · T_water", "P = V_common · q · T_heat"})
FORMULAS: Mapping[Service, frozenset[str]] = {
    Service.COLD_WATER: _BY_VOLUME | _BY_NORM,
    Service.HOT_WATER: _BY_VOLUME | _BY_NORM,
    Service.SEWAGE: frozenset({"P = V · T", "P = (V_cold + V_hot) · T"}),
    Service.ELECTRICITY: _BY_VOLUME | _BY_NORM | _BY_BAND,
    Service.GAS: _BY_VOLUME | _BY_NORM,
    Service.HEATING: frozenset(
        {
            "P = S · N · T",
            "P = S · N · K · T",
            "P = S · V_house / S_house · T",
            "P = S · V_year / 12 / S_house · T",
            "P = max(V + S · (V_house − V_premises) / S_house, 0) · T",
        }
    ),
    Service.SOLID_WASTE: frozenset({"P = S · N · T", "P = n · N · T"}),
    Service.CAPITAL_REPAIR: frozenset({"P = S · T"}),
    Service.HOUSING: frozenset({"P = S · T"}),
}
"""The formulas of each service that are worked out by columns."""
_CONSTANT = re.compile(r"(n|N|K|T|d|q)(_\w+)?|L|V_(within|over|[123])")
"""Inputs that follow from a group's key."""
_COMMON_CONSTANT = re.compile(r"(N|T|d|q)(_\w+)?")
OF_HOUSE = frozenset(
    {
        "V_house", "S_house", "V_other", "V_norm", "V_meter", "V_boiler", "V_owed", "S_common", "V_premises", "V_year",
        "V_metered", "S_metered",
    }
)  # fmt: skip
"""Inputs that are one house's own numbers."""


class NoShape(Exception):
    """A line is not of a shape that columns know: its accounts are charged one by one."""


@dataclass(frozen=True, slots=True)
class Group:
    """What the accounts of a group differ in. ``columns`` by zone and symbol, ``readings`` one after another;
    ``of_houses`` are their houses' numbers, by the part among those that a house's numbers stand in, and symbol."""

    rows: int
    columns: Mapping[Symbol, Ratio]
    readings: Sequence[Mapping[str, Sequence[object]]]
    of_houses: Mapping[tuple[int, str], Ratio] = field(default_factory=dict)

    def column(self, zone: str, symbol: str, house_part: int | None = None) -> Ratio | None:
        """A column of a part's zone, or one that is the same in all zones; in a part with a house's numbers these."""
        if house_part is not None and (house_part, symbol) in self.of_houses:
            return self.of_houses[house_part, symbol]
        return self.columns.get((zone, symbol), self.columns.get(("", symbol)))


@dataclass(frozen=True, slots=True)
class Filled:
    """A group's lines: what usage keeps of them, amounts in kopecks, quantities in base units; and their text, which
    wants to know each line's place on the chain."""

    _text: Template
    _known: Mapping[Field, Sequence[object]]
    usage: list[bytes]
    amounts: Ints
    quantities: Ints

    def texts(self, places: Sequence[bytes]) -> list[bytes]:
        """The lines' JSON; ``places`` is the JSON of each line's place: its number, or null."""
        known = {**self._known, ("place",): places}
        return self._text.fill(len(places), known.__getitem__)


@dataclass(frozen=True, slots=True)
class _PartShape:
    zone: str
    house_part: int | None
    formula: Tree
    volume: Tree
    inputs: tuple[Input, ...]
    varying: frozenset[str]
    amount_kopecks: int


class LineShape:
    """The shape of one group's lines, made of the line of its first account."""

    def __init__(self, line: ChargedLine, group: Group, month: Span) -> None:
        """``group`` holds the columns that the group has. Raises NoShape."""
        if line.owed_back or line.estimated or line.carried_kopecks:
            raise NoShape("it settles other months")
        if len(line.readings) < len(group.readings):
            raise NoShape("it names fewer readings than its meters have")
        self._line = line
        of_house = iter(range(len(line.parts)))
        self._parts = [
            _part_shape(line.service, part, next(of_house) if is_of_house(line, part) else None, group, month)
            for part in line.parts
        ]
        own = [shape for part, shape in zip(line.parts, self._parts, strict=True) if part.scope is Scope.INDIVIDUAL]
        self._by_own = line.service in _BY_AREA or any(shape.varying for shape in own)
        self._text = self._make_text(len(group.readings))
        self._usage = self._make_usage()

    # --- making ---

    def _marked(self, marks: Marks) -> ChargedLine:
        """The line with marks for all that varies."""
        parts: list[Part] = []
        for number, (part, shape) in enumerate(zip(self._line.parts, self._parts, strict=True)):
            marked = part
            if shape.varying:
                inputs = tuple(
                    replace(given, value=marks.word(("input", number, place)))
                    if given.symbol in shape.varying
                    else given
                    for place, given in enumerate(part.inputs)
                )
                marked = replace(part, inputs=inputs, amount_kopecks=marks.number(("amount", number)))
            parts.append(marked)
        line = replace(self._line, parts=tuple(parts))
        return replace(line, quantity=marks.number(("quantity",))) if self._by_own else line

    def _make_text(self, readings: int) -> Template:
        marks = Marks()
        line = self._marked(marks)
        if any(shape.varying for shape in self._parts):
            marks.known(line.amount_kopecks, ("line",))
        used = [_marked_reading(marks, place, reading) for place, reading in enumerate(line.readings[:readings])]
        line = replace(line, readings=(*used, *line.readings[readings:]))
        return marks.template(canonical_json(line_value(line, marks.raw(("place",)))))

    def _make_usage(self) -> Template:
        """What usage keeps of it need not be all that varies."""
        marks, line = Marks(), self._line
        if any(shape.varying for shape in self._parts):
            line = self._marked(marks)
            marks.known(line.amount_kopecks, ("line",))
        if self._by_own:
            line = replace(line, by_zone={zone: marks.number(("zone", zone)) for zone in line.by_zone})
        return marks.template(dump(usage_value(line)).encode(), is_whole=False)

    # --- filling ---

    def fill(self, group: Group) -> Filled:
        """The lines of a group."""
        known: dict[Field, Sequence[object]] = {}
        total = np.zeros(group.rows, np.int64)
        environments = [_environment(shape, group) for shape in self._parts]
        for number, (shape, environment) in enumerate(zip(self._parts, environments, strict=True)):
            if not shape.varying:
                total += shape.amount_kopecks
                continue
            amount = column_of(kopecks(value_of(shape.formula, environment)), group.rows)
            total += amount
            known["amount", number] = amount.tolist()
            for place, given in enumerate(shape.inputs):
                if given.symbol in shape.varying:
                    known["input", number, place] = texts(environment[given.symbol], group.rows)
        if total.size and int(total.min()) < 0:
            raise NoShape("a line comes to less than nothing")
        known["line",] = total.tolist()
        quantities = np.full(group.rows, self._line.quantity, np.int64)
        if self._by_own:
            quantities = column_of(self._quantity(group, environments), group.rows)
        known["quantity",] = quantities.tolist()
        for zone in self._line.by_zone:
            known["zone", zone] = self._of_zone(zone, group, quantities).tolist()
        for place, reading in enumerate(group.readings):
            known |= {("reading", place, name): values for name, values in reading.items()}
        return Filled(self._text, known, self._usage.fill(group.rows, known.__getitem__), total, quantities)

    def _quantity(self, group: Group, environments: Sequence[Mapping[str, Ratio]]) -> int | Ints:
        """The line's quantity in base units, as the service's rule rounds it."""
        line, service = self._line, self._line.service
        if service in _BY_AREA:
            return (_known(group, "S") * Ratio(100)).half_up()
        given = environments[0]
        if service is Service.ELECTRICITY:
            return (_sum([_known(group, "V", zone) for zone in line.by_zone]) * Ratio(1000)).half_up()
        if service is Service.SEWAGE:
            return (_sum([given[name] for name in ("V_cold", "V_hot", "V") if name in given]) * Ratio(1000)).half_up()
        if service in (Service.HEATING, Service.SOLID_WASTE):
            base = 1_000_000 if service is Service.HEATING else 1000
            return (value_of(self._parts[0].volume, given) * Ratio(base)).half_up()
        return (given["V"] * Ratio(1000)).half_up()

    def _of_zone(self, zone: str, group: Group, quantities: Ints) -> Ints:
        volume = group.column(zone, "V") if self._line.service is Service.ELECTRICITY else None
        return quantities if volume is None else column_of((volume * Ratio(1000)).half_up(), group.rows)


def is_of_house(line: ChargedLine, part: Part) -> bool:
    """Whether the numbers of a house stand in a part."""
    return line.service is Service.HEATING or part.scope is Scope.COMMON


def _part_shape(service: Service, part: Part, house_part: int | None, group: Group, month: Span) -> _PartShape:
    """Raises NoShape."""
    is_common = part.scope is Scope.COMMON
    allowed = _COMMON if is_common else FORMULAS.get(service, frozenset())
    constant = _COMMON_CONSTANT if is_common else _CONSTANT
    formula = part.formula.removesuffix(" · d")
    if formula not in allowed or part.kind is not PartKind.CHARGE:
        raise NoShape(f"{service.name.lower()} by {part.formula!r}")
    varying: set[str] = set()
    for given in part.inputs:
        if given.formula:
            continue
        if group.column(part.zone, given.symbol, house_part) is not None:
            varying.add(given.symbol)
        elif not constant.fullmatch(given.symbol):
            raise NoShape(f"{service.name.lower()} has an input {given.symbol!r}")
    for given in part.inputs:
        if given.formula and names_in(parse_formula(given.formula)) & varying:
            varying.add(given.symbol)
            if given.rounded_to:
                raise NoShape(f"{service.name.lower()} rounds {given.symbol} on the way")
    if varying and (part.span != month or part.surcharge_kopecks):
        raise NoShape(f"{service.name.lower()} over a part of the month, or raised")
    tree, volume = parse_formula(part.formula), parse_formula(formula.removesuffix(" · T"))
    return _PartShape(part.zone, house_part, tree, volume, part.inputs, frozenset(varying), part.amount_kopecks)


def _environment(shape: _PartShape, group: Group) -> dict[str, Ratio]:
    """The inputs of a part; those worked out of others come after them in no fixed order."""
    out: dict[str, Ratio] = {}
    for given in shape.inputs:
        if given.symbol not in shape.varying:
            out[given.symbol] = Ratio.of(Fraction(given.value))
        elif not given.formula:
            column = group.column(shape.zone, given.symbol, shape.house_part)
            if column is None:
                raise NoShape(f"no column {given.symbol!r}")
            out[given.symbol] = column
    for given in shape.inputs:
        if given.symbol in shape.varying and given.formula:
            out[given.symbol] = value_of(parse_formula(given.formula), out)
    return out


_BY_AREA = frozenset({Service.CAPITAL_REPAIR, Service.HOUSING})
"""Services whose quantity is the area whatever their parts are."""


def _known(group: Group, symbol: str, zone: str = "") -> Ratio:
    found = group.column(zone, symbol)
    if found is None:
        raise NoShape(f"no column {symbol!r}")
    return found


def _sum(values: Sequence[Ratio]) -> Ratio:
    out = values[0]
    for value in values[1:]:
        out = out + value
    return out


def column_of(value: int | NDArray[np.int64], rows: int) -> Ints:
    """A whole number for each row. Raises NoShape for one beyond 64 bits."""
    try:
        return np.broadcast_to(np.asarray(value), (rows,)).astype(np.int64)
    except OverflowError as error:
        raise NoShape("a number is beyond 64 bits") from error


def _marked_reading(marks: Marks, place: int, reading: ReadingUsed) -> ReadingUsed:
    return replace(
        reading,
        root=Hash(marks.name(("reading", place, "root"), 32)),
        meter=MeterId(marks.name(("reading", place, "meter"), 16)),
        leaf=marks.number(("reading", place, "leaf")),
        at=marks.number(("reading", place, "at")),
        value=marks.number(("reading", place, "value")),
    )


# --- numbers as text -------------------------------------------------------------------------------------------------

_THOUSANDTHS = [(f".{part:03d}".rstrip("0") if part else "").encode() for part in range(1000)]


def texts(value: Ratio, rows: int) -> list[bytes]:
    """The exact text of each row's number, as ``exact_text`` writes it."""
    if isinstance(value.den, int) and 1000 % value.den == 0:
        whole, part = np.divmod(column_of(value.num, rows) * (1000 // value.den), 1000)
        if not whole.size or int(whole.min()) >= 0:
            table = _THOUSANDTHS
            return [b"%d%b" % (w, table[p]) for w, p in zip(whole.tolist(), part.tolist(), strict=True)]
    num = np.broadcast_to(np.asarray(value.num), (rows,)).tolist()
    den = np.broadcast_to(np.asarray(value.den), (rows,)).tolist()
    return [exact_text(Fraction(n, d)).encode() for n, d in zip(num, den, strict=True)]
