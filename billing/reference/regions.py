"""Regions: the areas that documents hold for, by the codes that others name them by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from billing.domain.calendar import UnknownZone, zone_of
from billing.reference import cells
from billing.reference.faults import BadCell, RowFault
from billing.reference.table import Table
from billing.reference.tariff_form import Sourced

COLUMNS = ("area", "name", "oktmo", "parent", "zone", "act")
_OKTMO_DIGITS = (8, 11)


class RegionsError(ValueError):
    """A document of regions does not hold together; names the document and the area."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"regions document {name}: {reason}")
        self.name, self.reason = name, reason


@dataclass(frozen=True, slots=True)
class Region:
    """An area with the codes of ОКТМО that are it, what it is part of, and its time zone (IANA)."""

    area: str
    name: str
    oktmo: tuple[str, ...]
    parent: str | None
    zone: str
    act: str


class Regions:
    """All areas of a document."""

    def __init__(self, name: str, regions: Sequence[Region]) -> None:
        self._by_area = {region.area: region for region in regions}
        self._by_code: dict[str, str] = {}
        if len(self._by_area) != len(regions):
            raise RegionsError(name, "an area is there twice; leave one out")
        for region in regions:
            for code in region.oktmo:
                if self._by_code.setdefault(code, region.area) != region.area:
                    raise RegionsError(name, f"ОКТМО {code} is {self._by_code[code]} and {region.area}; keep one")
            if region.parent is not None and region.parent not in self._by_area:
                raise RegionsError(name, f"{region.area} is part of {region.parent}, which is not there; add it")
        for region in regions:
            self.areas_of(region.area, name)

    def area_of(self, oktmo: str) -> str | None:
        """The area of a code; None where no area has it."""
        return self._by_code.get(oktmo)

    def areas_of(self, area: str, document: str = "") -> tuple[str, ...]:
        """An area and what it is part of, the nearest first: the order in which a house looks for its documents."""
        out: list[str] = []
        here: str | None = area
        while here is not None:
            if here in out:
                raise RegionsError(document, f"{area} is part of itself; mend its parents")
            out.append(here)
            here = self._by_area[here].parent
        return tuple(out)


def parse_regions(value: Mapping[str, Any]) -> Regions:
    """The regions that a document holds. Raises RegionsError."""
    name = str(value.get("name", "without a name"))
    try:
        found = [
            Region(r["area"], r["name"], tuple(r["oktmo"]), r["parent"], r["zone"], r["act"]) for r in value["regions"]
        ]
    except (KeyError, TypeError) as error:
        raise RegionsError(name, f"the field {error} is missing") from error
    return Regions(name, found)


def read_regions(table: Table) -> tuple[list[Sourced], list[RowFault]]:
    """The document of a form of regions, and the rows that can't be taken."""
    found: list[tuple[int, dict[str, Any]]] = []
    faults: list[RowFault] = []
    for row in table.rows:
        try:
            found.append((row.number, _region(row.cells)))
        except BadCell as bad:
            faults.append(bad.at(row.number))
    acts = "; ".join(dict.fromkeys(region["act"] for _, region in found))
    regions = [region for _, region in found]
    value = {"format": 1, "kind": "regions", "name": PurePath(table.file).stem, "act": acts, "regions": regions}
    try:
        parse_regions(value)
    except RegionsError as error:
        faults.append(RowFault(table.rows[0].number if table.rows else 1, "area", "", error.reason, "mend the rows"))
        return [], faults
    return ([Sourced(value, tuple(number for number, _ in found))] if found else []), faults


def write_regions(value: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """The rows of the form that a document comes of."""
    for region in value["regions"]:
        yield {**region, "oktmo": ",".join(region["oktmo"]), "parent": region["parent"] or ""}


def _region(row: Mapping[str, str]) -> dict[str, Any]:
    codes = cells.names(row, "oktmo")
    if bad := next((c for c in codes if not (c.isdecimal() and len(c) in _OKTMO_DIGITS)), None):
        raise BadCell("oktmo", bad, "is no code of ОКТМО", "write 8 or 11 digits; format the column as text")
    zone = cells.required(row, "zone")
    try:
        zone_of(zone)
    except UnknownZone:
        raise BadCell("zone", zone, "is no time zone", "give an IANA name, like Asia/Krasnoyarsk") from None
    return {
        "area": cells.required(row, "area"),
        "name": cells.required(row, "name"),
        "oktmo": codes,
        "parent": row.get("parent") or None,
        "zone": zone,
        "act": cells.required(row, "act"),
    }
