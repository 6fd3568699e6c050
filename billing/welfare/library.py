"""The welfare body's documents: kept under their hashes, beside those that ship with billing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from sqlalchemy import Engine, insert, select

from billing.schema import welfare_documents
from billing.welfare.reference import Book, Sheet, parse_sheet
from contracts.wire.canonical import canonical_json


class Library:
    """Documents of categories, norms, standards and rules."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writes = engine.execution_options(writes=True)

    def add(self, value: Mapping[str, Any]) -> Sheet:
        """Keeps a document; the same again changes nothing. Raises BadSheet."""
        sheet = parse_sheet(value)
        with self._writes.begin() as connection:
            here = welfare_documents.c.hash == sheet.hash
            if connection.execute(select(welfare_documents.c.hash).where(here)).one_or_none() is None:
                row = {"hash": sheet.hash, "name": sheet.name, "document": canonical_json(dict(value))}
                connection.execute(insert(welfare_documents).values(row))
        return sheet

    def book(self) -> Book:
        """All documents: those that ship, and those added here."""
        with self._engine.connect() as connection:
            own = [json.loads(bytes(row)) for row in connection.execute(select(welfare_documents.c.document)).scalars()]
        sheets = {sheet.hash: sheet for sheet in map(parse_sheet, [*shipped(), *own])}
        return Book(sheets.values())


def shipped() -> Iterator[dict[str, Any]]:
    """The documents that ship with billing, each naming where it is from and whether it was checked."""
    folder = files("billing") / "data" / "welfare"
    for entry in sorted(folder.iterdir(), key=lambda path: path.name):
        if entry.name.endswith(".json"):
            yield json.loads(entry.read_text(encoding="utf-8"))
