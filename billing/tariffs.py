"""Tariff documents: kept under their hashes, published in the tariff book, and read back as the set in force."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from sqlalchemy import Engine, delete, insert, select

from billing.domain.tariff import Document, TariffSet, Version, parse_document
from billing.reference.titles import Title, is_tariff, title_of
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
        """Keeps a document; the same again changes nothing. Raises TariffError, RulesError and RegionsError."""
        return self.add_all([value])[0]

    def add_all(self, values: Iterable[Mapping[str, Any]]) -> list[Hash]:
        """Keeps all documents or none. Raises TariffError, RulesError and RegionsError."""
        kept = [(title_of(value), canonical_json(dict(value))) for value in values]
        names = [content_hash(data) for _, data in kept]
        for name, (_, data) in zip(names, kept, strict=True):
            self._store.put("tariffs", name, data)
        with self._writes.begin() as connection:
            known = set(connection.execute(select(tariffs.c.hash)).scalars())
            fresh = {
                name: {"hash": name, "name": title.name, "document": data}
                for name, (title, data) in zip(names, kept, strict=True)
                if name not in known
            }
            if fresh:
                connection.execute(insert(tariffs), list(fresh.values()))
        return names

    def drop(self, name: Hash, ledger: Ledger) -> None:
        """Forgets a document that was never published. Raises LookupError, and ValueError for one of the book."""
        title = self.title(name)
        published = next((view.version for view in ledger.tariffs() if view.document == name), None)
        if published is not None:
            raise ValueError(f"{title.name} is version {published} of the book, which is for good; replace it instead")
        with self._writes.begin() as connection:
            connection.execute(delete(tariffs).where(tariffs.c.hash == name))

    def publish_call(self, name: Hash) -> bytes:
        """The call that an operator sends to the TariffBook for a document kept here. Raises LookupError."""
        title = self.title(name)
        end = 0 if title.effective_to is None else _seconds(title.effective_to)
        act = content_hash(title.act.encode())
        return encode_publish_tariff(name, act, _seconds(title.effective_from), end)

    def document(self, name: Hash) -> Document:
        """A tariff document. Raises LookupError."""
        return _parsed(self._data(name))

    def title(self, name: Hash) -> Title:
        """What any document here is called, and when it holds. Raises LookupError."""
        return title_of(json.loads(self._data(name)))

    def _data(self, name: Hash) -> bytes:
        with self._engine.connect() as connection:
            row = connection.execute(select(tariffs.c.document).where(tariffs.c.hash == name)).one_or_none()
        if row is None:
            raise LookupError(f"no tariff document 0x{name.hex()}; add it first")
        return bytes(row.document)

    def kept(self) -> dict[Hash, dict[str, Any]]:
        """All documents here, published or not, by their hashes."""
        with self._engine.connect() as connection:
            query = select(tariffs.c.hash, tariffs.c.document).order_by(tariffs.c.name, tariffs.c.hash)
            return {Hash(bytes(row.hash)): json.loads(bytes(row.document)) for row in connection.execute(query)}

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
            data = known[view.document]
            if is_tariff(json.loads(data)):
                versions.append(Version(view.version, view.document, _parsed(data)))
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
