"""The form of tariffs, norms and multipliers: one number a row, rows of one name are one document."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from billing.domain.tariff import TariffError, parse_document
from billing.reference import cells
from billing.reference.faults import BadCell, RowFault
from billing.reference.table import Row, Table

HEAD = ("name", "kind", "area", "service", "act", "effective_from", "effective_to", "unit")
COLUMNS = (
    *(*HEAD, "rate", "rooms", "persons", "plan", "zone", "option", "value"),
    *("features", "season_months", "replaces"),
)
REQUIRED = frozenset({"name", "kind", "area", "service", "act", "effective_from", "unit", "value"})
_ALIKE = (*HEAD, "last_day", "features", "season_months", "replaces")


@dataclass(frozen=True, slots=True)
class Sourced:
    """A document with the rows of the file that it came of."""

    value: Mapping[str, Any]
    rows: tuple[int, ...]


@dataclass(slots=True)
class _Gathered:
    first: Row
    head: dict[str, Any]
    rows: list[int] = field(default_factory=list)
    rates: dict[str, str] = field(default_factory=dict)
    table: dict[tuple[int, int], str] = field(default_factory=dict)
    plans: dict[str, dict[str, list[list[int]]]] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)


def read_tariffs(table: Table) -> tuple[list[Sourced], list[RowFault]]:
    """The documents of a form, and the rows that can't be taken. A document with such a row is not among them."""
    found: dict[str, _Gathered] = {}
    spoiled: dict[str, int] = {}
    faults: list[RowFault] = []
    for row in table.rows:
        name = row.cells.get("name", "")
        try:
            gathered = found.get(name) or _begin(row)
            _alike(gathered.first, row)
            _add(gathered, row.cells)
        except BadCell as bad:
            faults.append(bad.at(row.number))
            spoiled.setdefault(name, row.number)
            continue
        gathered.rows.append(row.number)
        found[name] = gathered
    documents = []
    for name, gathered in found.items():
        if name in spoiled:
            reason = f"is a document whose row {spoiled[name]} is refused"
            faults += [RowFault(row, "name", name, reason, f"mend row {spoiled[name]}") for row in gathered.rows]
            continue
        try:
            documents.append(Sourced(_document(gathered), tuple(gathered.rows)))
        except BadCell as bad:
            faults += [bad.at(row) for row in gathered.rows]
    return documents, sorted(faults, key=lambda fault: fault.row)


def write_tariffs(documents: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    """The rows of the form that documents come of."""
    for value in documents:
        head = {column: str(value[column]) for column in HEAD if value.get(column) is not None}
        head["features"] = ",".join(value.get("features", []))
        head["replaces"] = ",".join(value.get("replaces", []))
        head["season_months"] = cells.spelled_months(value.get("season_months", []))
        for rate, number in value.get("rates", {}).items():
            yield {**head, "rate": rate, "value": number}
        for rooms, line in enumerate(value.get("table", []), start=1):
            for persons, number in enumerate(line, start=1):
                yield {**head, "rooms": str(rooms), "persons": str(persons), "value": number}
        for option, choice in value.get("options", {}).items():
            yield {**head, "option": option, "value": choice}
        for plan, zones in value.get("plans", {}).items():
            for zone, pairs in zones.items():
                yield {**head, "plan": plan, "zone": zone, "value": " ".join(f"{a}-{b}" for a, b in pairs)}


def _begin(row: Row) -> _Gathered:
    r = row.cells
    name = cells.required(r, "name")
    if "," in name:
        raise BadCell("name", name, "has a comma", "write a name without commas: other documents name it in a list")
    starts = cells.day(r, "effective_from")
    end = cells.ends(r, starts)
    head: dict[str, Any] = {
        "format": 1,
        "name": name,
        "kind": cells.kind(r, "kind").value,
        "area": cells.required(r, "area"),
        "service": cells.service(r, "service").name.lower(),
        "act": cells.required(r, "act"),
        "effective_from": starts.isoformat(),
        "effective_to": None if end is None else end.isoformat(),
        "unit": cells.required(r, "unit"),
    }
    for column in ("features", "replaces"):
        if cells.names(r, column):
            head[column] = cells.names(r, column)
    if cells.months(r, "season_months"):
        head["season_months"] = cells.months(r, "season_months")
    return _Gathered(row, head)


def _alike(first: Row, row: Row) -> None:
    """Rows of one document say the same of it."""
    for column in _ALIKE:
        mine, its = row.cells.get(column, ""), first.cells.get(column, "")
        if mine != its:
            name = row.cells.get("name", "")
            raise BadCell(
                column, mine, f"differs from {its!r} in row {first.number} of the same document {name!r}",
                "write the same in both, or give the document another name",
            )  # fmt: skip


def _add(gathered: _Gathered, row: Mapping[str, str]) -> None:
    named = [column for column in ("rate", "rooms", "plan", "option") if row.get(column)]
    if len(named) != 1:
        raise BadCell("rate", row.get("rate", ""), "leaves open what the value is",
                      "fill in rate, or rooms and persons, or plan and zone, or option")  # fmt: skip
    if named == ["rate"]:
        _refuse_second(gathered.rates, row["rate"], "rate", row["rate"])
        gathered.rates[row["rate"]] = cells.decimal(row, "value")
    elif named == ["rooms"]:
        place = cells.whole(row, "rooms"), cells.whole(row, "persons")
        _refuse_second(gathered.table, place, "persons", row["persons"])
        gathered.table[place] = cells.decimal(row, "value")
    elif named == ["option"]:
        _refuse_second(gathered.options, row["option"], "option", row["option"])
        gathered.options[row["option"]] = cells.required(row, "value")
    else:
        zones = gathered.plans.setdefault(row["plan"], {})
        _refuse_second(zones, cells.required(row, "zone"), "zone", row["zone"])
        zones[row["zone"]] = cells.hours(row, "value")


def _refuse_second(target: Container[object], key: object, column: str, text: str) -> None:
    if key in target:
        raise BadCell(column, text, "is there a second time in its document", "leave one of the two out")


def _document(gathered: _Gathered) -> dict[str, Any]:
    value = dict(gathered.head)
    if gathered.rates:
        value["rates"] = gathered.rates
    if gathered.table:
        value["table"] = _square(gathered.table)
    if gathered.plans:
        value["plans"] = gathered.plans
    if gathered.options:
        value["options"] = gathered.options
    try:
        parse_document(value)
    except TariffError as error:
        raise BadCell("name", value["name"], f"is no document: {error.reason}", "mend its rows") from error
    return value


def _square(table: Mapping[tuple[int, int], str]) -> list[list[str]]:
    rooms, persons = (max(place[i] for place in table) for i in (0, 1))
    missing = [(r, p) for r in range(1, rooms + 1) for p in range(1, persons + 1) if (r, p) not in table]
    if missing:
        r, p = missing[0]
        raise BadCell("persons", str(p), f"has no row for {r} rooms", f"add the norm of {r} rooms and {p} persons")
    return [[table[r, p] for p in range(1, persons + 1)] for r in range(1, rooms + 1)]


def example() -> Sequence[Mapping[str, str]]:
    """Rows that show the form: a tariff of a fictitious area."""
    head = {
        "name": "example-electricity-2026-10", "kind": "tariff", "area": "example", "service": "electricity",
        "act": "Приказ № 1 от 01.09.2026", "effective_from": "2026-10-01", "effective_to": "", "unit": "kWh",
        "replaces": "example-electricity-2026-01",
    }  # fmt: skip
    return [
        {**head, "rate": "single", "value": "5.92"},
        {**head, "rate": "day", "value": "6.40"},
        {**head, "rate": "night", "value": "2.84"},
        {**head, "plan": "two", "zone": "day", "value": "7-23"},
        {**head, "plan": "two", "zone": "night", "value": "23-7"},
    ]
