"""Tariff documents: kept under their hashes, published in the tariff book, and read back as the set in force."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from sqlalchemy import Engine, insert, select

from billing.domain.tariff import Document, TariffSet, Version, parse_document
from billing.schema import tariffs
from contracts.client.files import FileStore
from contracts.wire.calls import encode_publish_tariff
from contracts.wire.canonical import canonical_json, content_hash
from contracts.wire.ids import Hash
from ledger.queries import Ledger


class UnknownDocument(LookupError):
    """The tariff book names a document that billing does not have."""

    def __init__(self, version: int, name: Hash) -> None:
        super().__init__(
            f"version {version} of the tariff book is document 0x{name.hex()}, which is not here; "
            "add the document of that hash"
        )
        self.version, self.name = version, name


class Tariffs:
    """The documents. ``store`` is where anyone may fetch them from."""

    def __init__(self, engine: Engine, store: FileStore) -> None:
        self._engine = engine
        self._writes = engine.execution_options(writes=True)
        self._store = store

    def add(self, value: Mapping[str, Any]) -> Hash:
        """Keeps a document; the same again changes nothing. Raises TariffError."""
        document = parse_document(value)
        data = canonical_json(dict(value))
        name = content_hash(data)
        self._store.put("tariffs", name, data)
        with self._writes.begin() as connection:
            known = connection.execute(select(tariffs.c.hash).where(tariffs.c.hash == name)).one_or_none()
            if known is None:
                connection.execute(insert(tariffs).values(hash=name, name=document.name, document=data))
        return name

    def publish_call(self, name: Hash) -> bytes:
        """The call that an operator sends to the TariffBook for a document kept here. Raises LookupError."""
        document = self.document(name)
        end = 0 if document.effective_to is None else _seconds(document.effective_to)
        act = content_hash(document.act.encode())
        return encode_publish_tariff(name, act, _seconds(document.effective_from), end)

    def document(self, name: Hash) -> Document:
        """A document. Raises LookupError."""
        with self._engine.connect() as connection:
            row = connection.execute(select(tariffs.c.document).where(tariffs.c.hash == name)).one_or_none()
        if row is None:
            raise LookupError(f"no tariff document 0x{name.hex()}; add it first")
        return _parsed(bytes(row.document))

    def published(self, ledger: Ledger) -> TariffSet:
        """All versions that are final in the tariff book. Raises UnknownDocument."""
        final = ledger.tariff_version()
        with self._engine.connect() as connection:
            known = {bytes(row.hash): bytes(row.document) for row in connection.execute(select(tariffs))}
        versions = []
        for view in ledger.tariffs():
            if view.version > final:
                continue
            if view.document not in known:
                raise UnknownDocument(view.version, view.document)
            versions.append(Version(view.version, view.document, _parsed(known[view.document])))
        return TariffSet(versions)


def demo_documents() -> Iterator[dict[str, Any]]:
    """The documents that ship with billing: published figures of several regions, each naming where it is from."""
    folder = files("billing") / "data"
    for entry in sorted(folder.iterdir(), key=lambda path: path.name):
        if entry.name.endswith(".json"):
            yield json.loads(entry.read_text(encoding="utf-8"))


@cache
def _parsed(data: bytes) -> Document:
    return parse_document(json.loads(data))


def _seconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
