"""A file of reference data, whole: read by its form, held against the documents there are, and kept or refused.

Two documents that hold for the same kind, area, service and features on one day are an overlap. It is refused, unless
the later one names the earlier in ``replaces``: the book only grows, so an open-ended tariff ends by being replaced.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from billing.domain.tariff import Document, parse_document
from billing.reference.calendar_forms import (
    HOLIDAYS,
    KEY_RATES,
    MORATORIA,
    read_holidays,
    read_key_rates,
    read_moratoria,
    write_calendar,
)
from billing.reference.faults import BadCell, FileRefused, RowFault
from billing.reference.gis import SOCIAL_NORM, GisMap, read_gis
from billing.reference.regions import COLUMNS as REGIONS
from billing.reference.regions import read_regions, write_regions
from billing.reference.social_norm import with_social_norm
from billing.reference.table import Table, read_table, write_table
from billing.reference.tariff_form import COLUMNS, REQUIRED, Sourced, read_tariffs, write_tariffs
from billing.reference.titles import is_tariff

_Read = Callable[[Table], tuple[list[Sourced], list[RowFault]]]
_Write = Callable[[Mapping[str, Any]], Iterator[dict[str, str]]]


@dataclass(frozen=True, slots=True)
class Form:
    """A table's form: the columns that tell it, all its columns, how it is read and written."""

    required: frozenset[str]
    columns: tuple[str, ...]
    read: _Read
    write: _Write


FORMS = {
    "tariffs": Form(REQUIRED, COLUMNS, read_tariffs, lambda value: write_tariffs([value])),
    "key_rates": Form(frozenset(KEY_RATES), KEY_RATES, read_key_rates, write_calendar),
    "moratoria": Form(frozenset(MORATORIA), MORATORIA, read_moratoria, write_calendar),
    "holidays": Form(frozenset(HOLIDAYS), HOLIDAYS, read_holidays, write_calendar),
    "regions": Form(frozenset(REGIONS), REGIONS, read_regions, write_regions),
}


@dataclass(frozen=True, slots=True)
class Import:
    """What a file holds: documents that can be kept, and the rows that can't. ``table`` is None for XML."""

    file: str
    form: str
    documents: tuple[Sourced, ...]
    faults: tuple[RowFault, ...]
    table: Table | None = None


def read_import(
    path: Path,
    kept: Sequence[Mapping[str, Any]],
    codes: GisMap | None = None,
    replaces: Sequence[str] = (),
) -> Import:
    """Reads a file and holds it against the documents ``kept``; nothing is changed. ``replaces`` names documents that
    those of the file hold over. Raises FileRefused."""
    table: Table | None = None
    if path.suffix.lower() == ".xml":
        form = "gis"
        documents, faults = read_gis(path, codes or GisMap())
        documents, more = _with_norms(documents, kept)
        faults += more
    else:
        table = read_table(path)
        form = form_of(table)
        documents, faults = FORMS[form].read(table)
    documents = [_replacing(document, kept, replaces) for document in documents]
    documents, more = _against(documents, kept)
    return Import(path.name, form, tuple(documents), tuple(sorted([*faults, *more], key=lambda f: f.row)), table)


def form_of(table: Table) -> str:
    """The form that a table's columns are of. Raises FileRefused."""
    for name, form in FORMS.items():
        if form.required <= set(table.columns):
            return name
    nearest = min(FORMS, key=lambda name: len(FORMS[name].required - set(table.columns)))
    missing = ", ".join(sorted(FORMS[nearest].required - set(table.columns)))
    raise FileRefused(
        table.file, f"is no form known here; for {nearest} it lacks {missing}. `kopeck tariff template` writes one"
    )


def write_form(path: Path, form: str, documents: Iterable[Mapping[str, Any]]) -> None:
    """Writes documents as a form, the inverse of reading it."""
    rows = [row for value in documents for row in FORMS[form].write(value)]
    write_table(path, FORMS[form].columns, rows)


def write_refused(path: Path, found: Import) -> None:
    """Writes the rows that were not taken, as they came, each with what is wrong: to be mended and imported again."""
    faults: defaultdict[int, list[RowFault]] = defaultdict(list)
    for fault in found.faults:
        faults[fault.row].append(fault)
    if found.table is None:
        lines = [{name: str(value) for name, value in fault.to_json().items()} for fault in found.faults]
        write_table(path, ("row", "column", "value", "reason", "remedy"), lines)
        return
    rows = [
        {**row.cells, "fault": "; ".join(str(fault) for fault in faults[row.number])}
        for row in found.table.rows
        if row.number in faults
    ]
    write_table(path, (*found.table.columns, "fault"), rows)


def codes_of(path: Path | None, kept: Iterable[Mapping[str, Any]]) -> GisMap:
    """The map of a file; areas that it leaves out come of the regions kept."""
    value: dict[str, Any] = {} if path is None else json.loads(path.read_text(encoding="utf-8"))
    areas = {
        code: region["area"]
        for document in kept
        if document.get("kind") == "regions"
        for region in document["regions"]
        for code in region["oktmo"]
    }
    return GisMap.from_json({**value, "areas": {**areas, **value.get("areas", {})}})


# --- against what there is ---


def _replacing(document: Sourced, kept: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Sourced:
    """Adds those of ``names`` that are of the document's own subject."""
    mine = {v["name"] for v in kept if v["name"] in names and is_tariff(v) and _subject(v) == _subject(document.value)}
    if not mine:
        return document
    return Sourced(
        {**document.value, "replaces": sorted(mine | set(document.value.get("replaces", [])))}, document.rows
    )


def _with_norms(
    documents: Iterable[Sourced], kept: Sequence[Mapping[str, Any]]
) -> tuple[list[Sourced], list[RowFault]]:
    """Social norms become new versions of the electricity tariffs that they are of."""
    documents = list(documents)
    tariffs = [d for d in documents if d.value["kind"] != SOCIAL_NORM]
    out, faults = list(tariffs), []
    for norm in (d for d in documents if d.value["kind"] == SOCIAL_NORM):
        try:
            out += [
                Sourced(value, norm.rows)
                for value in with_social_norm(norm.value, [*kept, *(t.value for t in tariffs)])
            ]
        except BadCell as bad:
            faults.append(bad.at(norm.rows[0]))
    return out, faults


def _against(documents: Sequence[Sourced], kept: Sequence[Mapping[str, Any]]) -> tuple[list[Sourced], list[RowFault]]:
    """Documents that neither take another's name nor overlap, and a fault for each row of the others."""
    named: dict[str, Mapping[str, Any]] = {str(value["name"]): value for value in kept}
    by_subject: defaultdict[tuple[object, ...], list[Document]] = defaultdict(list)
    for value in kept:
        if is_tariff(value):
            by_subject[_subject(value)].append(parse_document(value))
    names = {*named, *(str(document.value["name"]) for document in documents)}
    taken: list[Sourced] = []
    faults: list[RowFault] = []
    for document in documents:
        value = document.value
        try:
            if named.get(str(value["name"]), value) != value:
                raise BadCell("name", str(value["name"]), "is another document's name", "give it a name of its own")
            if is_tariff(value) and str(value["name"]) not in named:
                _check_overlap(parse_document(value), by_subject[_subject(value)], names)
        except BadCell as bad:
            faults += [bad.at(row) for row in document.rows]
            continue
        if is_tariff(value) and str(value["name"]) not in named:
            by_subject[_subject(value)].append(parse_document(value))
        named[str(value["name"])] = value
        taken.append(document)
    return taken, faults


def _check_overlap(new: Document, others: Iterable[Document], names: set[str]) -> None:
    """Raises BadCell."""
    unknown = next((name for name in sorted(new.replaces) if name not in names), None)
    if unknown is not None:
        raise BadCell("replaces", unknown, "is no document known here", "name one that is, or leave the cell empty")
    for other in others:
        if other.name in new.replaces or new.name in other.replaces or not _meet(new, other):
            continue
        raise BadCell(
            "effective_from", new.effective_from.isoformat(),
            f"falls within {other.name}, which fixes the same from {other.effective_from} "
            + ("on" if other.effective_to is None else f"until {other.effective_to}"),
            f"begin on another day, or write {other.name} into replaces",
        )  # fmt: skip


def _meet(one: Document, other: Document) -> bool:
    last = date.max - timedelta(days=1)
    return one.effective_from < (other.effective_to or last) and other.effective_from < (one.effective_to or last)


def _subject(value: Mapping[str, Any]) -> tuple[object, ...]:
    features = tuple(sorted(value.get("features", [])))
    return value.get("kind"), value.get("area"), value.get("service"), features
