"""A file of the bundle held against the root that names it: which leaf differs, and which are erased or stay closed."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from contracts.wire.erasure import signer_of
from contracts.wire.files import Erasure
from contracts.wire.ids import Address, Hash, KeyId
from contracts.wire.merkle import HASH_SIZE, leaf_hash, root_of_leaves
from contracts.wire.sealed import SealError, unseal
from contracts.wire.typed_data import SignatureError
from scripts.audit.bundle import Bundle, path_of
from scripts.audit.finding import Finding, Findings, Place

_HOLDER = "Fetch the file from another holder: any copy that leads to the root is the right one"
_WHO = "Fetch the file from another holder, and have whoever published this one explain it"


class Content(StrEnum):
    """What became of a leaf's sealed content."""

    OPENED = "opened"
    SEALED = "sealed"
    """It was not tried: the bundle has no keys."""
    ERASED = "erased"
    MISSING = "missing"
    LOCKED = "locked"
    ALTERED = "altered"


_CLOSED = {
    Content.MISSING: (
        "a sealed record, or an erasure signed by an operator", "neither",
        "Fetch the file from another holder; if the record was erased under an act, have an operator sign the erasure",
    ),
    Content.LOCKED: (
        "a key that opens it", "none in the bundle's keys",
        "Ask the publisher for the key, or for the erasure that destroyed it",
    ),
    Content.ALTERED: ("a record that opens under its key", "bytes that do not", _WHO),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One leaf's line as it stands in the file, read but not believed."""

    leaf: Hash
    blob: bytes | None = None
    key: KeyId | None = None
    sealed: bytes | None = None
    erased: Erasure | None = None


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file as the chain names it."""

    kind: str
    name: Hash
    count: int | None
    place: Place

    @property
    def path(self) -> str:
        """Its path within the bundle."""
        return path_of(self.kind, self.name)


@dataclass(frozen=True, slots=True)
class Read:
    """A file that was read: its head and its leaves; ``is_right`` where they lead to the root."""

    head: Mapping[str, Any]
    rows: Sequence[Row]
    is_right: bool


@dataclass
class Files:
    """Reads files of a bundle and tells what is wrong with them. ``erasers`` ever held the operator's role."""

    bundle: Bundle
    findings: Findings
    erasers: Collection[Address]
    roots: Mapping[Hash, str] = field(default_factory=dict)
    """Every root on the chain, with the path of its file: a swapped file leads to one of the others."""

    def read(self, named: NamedFile) -> Read | None:
        """The file, whatever is wrong with it told; None where nothing of it can be used."""
        data = self.bundle.read(named.kind, named.name)
        if data is None:
            self._tell(named, "file-missing", "the file", "no file", data, _HOLDER)
            return None
        lines = data.split(b"\n")
        if lines.pop() != b"":
            self._tell(named, "file-truncated", "a file that ends with its last line", "one that is cut short", data)
        head, rows = self._parse(named, lines, data)
        if not rows:
            return None
        root = root_of_leaves(b"".join(row.leaf for row in rows))
        if root != named.name and root in self.roots:
            self._tell(named, "file-swapped", f"root 0x{named.name.hex()}", f"the leaves of {self.roots[root]}", data)
            return None
        if root != named.name:
            self._wrong_root(named, root, rows, data)
        elif named.count is not None and named.count != len(rows):
            self._tell(named, "count-differs", f"{named.count} leaves, as on the chain", f"{len(rows)} leaves", data)
        self.findings.count("files")
        self.findings.count("leaves", len(rows))
        return Read(head, rows, root == named.name)

    def _parse(self, named: NamedFile, lines: Sequence[bytes], data: bytes) -> tuple[Mapping[str, Any], list[Row]]:
        head: Mapping[str, Any] = {}
        rows: list[Row] = []
        for number, line in enumerate(lines, start=1):
            try:
                value = json.loads(line)
                if number == 1:
                    head = dict(value)
                    continue
                row = _row(value)
            except (ValueError, KeyError, TypeError) as error:
                what = "the head" if number == 1 else f"leaf {number - 2}"
                self._tell(named, "line-malformed", f"{what} as JSON", str(error), data, record=what, line=number)
                continue
            if row.blob is not None and leaf_hash(row.blob) != row.leaf:
                found = f"a blob of leaf hash 0x{leaf_hash(row.blob).hex()}"
                self._leaf(named, number - 2, "leaf-altered", f"leaf hash 0x{row.leaf.hex()}", found, _WHO)
            rows.append(row)
        return head, rows

    def _wrong_root(self, named: NamedFile, root: Hash, rows: Sequence[Row], data: bytes) -> None:
        expected, found = f"root 0x{named.name.hex()}", f"root 0x{root.hex()}"
        if named.count is not None and len(rows) != named.count:
            found = f"{len(rows)} leaves of {named.count}"
            self._tell(named, "file-truncated", f"{named.count} leaves, as on the chain", found, data)
        else:
            self._tell(named, "root-differs", expected, found, data)
        self._name_leaves(named, rows)

    def _name_leaves(self, named: NamedFile, rows: Sequence[Row]) -> None:
        """Names the leaves that differ by the copy of the leaf hashes, where that copy leads to the root."""
        due = self.bundle.leaves(named.name)
        if not due or len(due) % HASH_SIZE or root_of_leaves(due) != named.name:
            return
        hashes = [due[i : i + HASH_SIZE] for i in range(0, len(due), HASH_SIZE)]
        for index, leaf in enumerate(hashes):
            found = rows[index].leaf if index < len(rows) else b""
            if found != leaf:
                what = f"leaf hash 0x{found.hex()}" if found else "no such leaf"
                self._leaf(named, index, "leaf-differs", f"leaf hash 0x{leaf.hex()}", what, _WHO)
                if len(hashes) != len(rows):
                    return  # all that follow stand in another's place

    # --- content ---

    def open(self, named: NamedFile, index: int, row: Row) -> tuple[Content, bytes | None]:
        """What became of a leaf's content, and the plaintext where it opens; what is wrong is told."""
        content, plain = self._content(row)
        self.findings.closed[content.value] += 1
        if content in _CLOSED:
            expected, found, remedy = _CLOSED[content]
            self._leaf(named, index, f"leaf-{content.value}", expected, found, remedy)
        return content, plain

    def _content(self, row: Row) -> tuple[Content, bytes | None]:
        if row.erased is not None:
            return (Content.ERASED if self._is_signed(row.leaf, row.erased) else Content.MISSING), None
        if row.sealed is None or row.key is None:
            return Content.MISSING, None
        if not self.bundle.is_open:
            return Content.SEALED, None
        secret = self.bundle.secret(row.key)
        if secret is None:
            return Content.LOCKED, None
        try:
            return Content.OPENED, unseal(secret, row.leaf, row.sealed)
        except SealError:
            return Content.ALTERED, None

    def _is_signed(self, leaf: Hash, erasure: Erasure) -> bool:
        try:
            return signer_of(leaf, erasure) in self.erasers
        except SignatureError:
            return False

    # --- telling ---

    def tell_leaf(self, named: NamedFile, index: int, slug: str, expected: str, found: str) -> None:
        """One leaf that is not what another record says."""
        self._leaf(named, index, slug, expected, found, _WHO)

    def _leaf(self, named: NamedFile, index: int, slug: str, expected: str, found: str, remedy: str) -> None:  # noqa: PLR0917
        record = f"leaf {index} of {named.path}"
        evidence = {"file": named.path, "line": index + 2}
        self.findings.add(Finding(named.kind, slug, record, expected, found, remedy, named.place, 6, evidence))

    def _tell(  # noqa: PLR0917  one finding's own words
        self, named: NamedFile, slug: str, expected: str, found: str, data: bytes | None, remedy: str = _WHO,
        *, record: str = "", line: int | None = None,
    ) -> None:  # fmt: skip
        evidence: dict[str, object] = {
            "file": named.path,
            "published": self.bundle.what_became_of(named.kind, named.name, data),
        }
        if line is not None:
            evidence["line"] = line
        name = f"{record} of {named.path}" if record else named.path
        self.findings.add(Finding(named.kind, slug, name, expected, found, remedy, named.place, 6, evidence))


def each_row(bundle: Bundle, named: NamedFile) -> Iterator[tuple[int, Row]]:
    """The rows of a file with their places, one at a time; those that can't be read are left out: they were told."""
    data = bundle.read(named.kind, named.name) or b""
    for index, line in enumerate(data.split(b"\n")[1:-1]):
        try:
            yield index, _row(json.loads(line))
        except (ValueError, KeyError, TypeError):
            continue


def _row(value: Mapping[str, Any]) -> Row:
    leaf = Hash(_hex(value["leaf"]))
    if len(leaf) != 32:
        raise ValueError("a leaf is 32 bytes")
    return Row(
        leaf,
        _hex(value["blob"]) if "blob" in value else None,
        KeyId(bytes.fromhex(value["key"])) if "key" in value else None,
        base64.b64decode(value["sealed"], validate=True) if "sealed" in value else None,
        _erasure(value["erased"]) if "erased" in value else None,
    )


def _erasure(value: Mapping[str, Any]) -> Erasure:
    key, at, act = KeyId(bytes.fromhex(value["key"])), int(value["at"]), str(value["act"])
    if len(key) != 16 or not 0 <= at < 1 << 40:
        raise ValueError("an erasure names a key of 16 bytes and a time of five")
    act.encode()
    return Erasure(key, at, act, _hex(value["signature"]))


def _hex(value: object) -> bytes:
    return bytes.fromhex(str(value).removeprefix("0x"))
