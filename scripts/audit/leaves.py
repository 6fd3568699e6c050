"""A file of the bundle held against the root that names it: which leaf differs, and which are erased or stay closed."""

from __future__ import annotations

import base64
import json
import re
from array import array
from binascii import a2b_base64, a2b_hex
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from contracts.wire.erasure import signer_of
from contracts.wire.files import Erasure
from contracts.wire.ids import Address, Hash, KeyId
from contracts.wire.merkle import HASH_SIZE, Tree, leaf_hash, root_of_leaves
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


class Row(NamedTuple):
    """One leaf's line as it stands in the file, read but not believed; ``sealed`` is base64."""

    leaf: Hash
    blob: bytes | None = None
    key: KeyId | None = None
    sealed: bytes | None = None
    erased: Erasure | None = None


STRETCH = 64
"""Every so many leaves it is kept where in the file they are."""
Take = Callable[[int, Row], None]
"""What is done with each row of a file, and its place among them."""


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
    """A file that was read: its head, its leaves' tree, and where in the file every STRETCH-th leaf's line begins."""

    head: Mapping[str, Any]
    tree: Tree
    starts: Sequence[int]


@dataclass
class Files:
    """Reads files of a bundle and tells what is wrong with them. ``erasers`` ever held the operator's role."""

    bundle: Bundle
    findings: Findings
    erasers: Collection[Address]
    roots: Mapping[Hash, str] = field(default_factory=dict)
    """Every root on the chain, with the path of its file: a swapped file leads to one of the others."""

    def aside(self) -> Files:
        """The same with findings of its own, which count once it is known that they are of the right file."""
        return Files(self.bundle, Findings(), self.erasers, self.roots)

    def read(self, named: NamedFile, take: Take | None = None) -> Read | None:
        """Reads a file line by line, whatever is wrong with it told; None where nothing of it can be used."""
        file, before = self.bundle.file(named.kind, named.name), self.findings.number
        if file is None:
            self._tell(named, "file-missing", "the file", "no file", _HOLDER)
            return None
        with file:
            head, hashes, starts = self._rows(named, file, take)
        count = len(hashes) // HASH_SIZE
        if not count and self.findings.number == before:
            leaves = "its leaves" if named.count is None else f"{named.count} leaves, as on the chain"
            self._tell(named, "file-truncated", leaves, "none")
        if not count:
            return None
        tree = Tree(hashes)
        if tree.root != named.name and tree.root in self.roots:
            self._tell(named, "file-swapped", f"root 0x{named.name.hex()}", f"the leaves of {self.roots[tree.root]}")
            return None
        if tree.root != named.name:
            self._wrong_root(named, tree.root, hashes)
        elif named.count is not None and named.count != count:
            self._tell(named, "count-differs", f"{named.count} leaves, as on the chain", f"{count} leaves")
        self.findings.count("files")
        self.findings.count("leaves", count)
        return Read(head, tree, starts)

    def _rows(
        self, named: NamedFile, file: Iterable[bytes], take: Take | None
    ) -> tuple[Mapping[str, Any], bytes, array[int]]:
        """The head, the leaves' hashes one after another, and where stretches begin."""
        head: Mapping[str, Any] = {}
        hashes, starts, place = bytearray(), array("Q"), 0
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                self._tell(named, "file-truncated", "a file that ends with its last line", "one that is cut short")
                break
            if number % STRETCH == 2:
                starts.append(place)
            place += len(line)
            try:
                if number == 1:
                    head = dict(json.loads(line))
                    continue
                row = row_of(line)
            except (ValueError, KeyError, TypeError) as error:
                what = "the head" if number == 1 else f"leaf {number - 2}"
                self._tell(named, "line-malformed", f"{what} as JSON", str(error), record=what, line=number)
                continue
            if row.blob is not None and (found := leaf_hash(row.blob)) != row.leaf:
                expected = f"leaf hash 0x{row.leaf.hex()}"
                self._leaf(named, number - 2, "leaf-altered", expected, f"a blob of leaf hash 0x{found.hex()}", _WHO)
            if take is not None:
                take(len(hashes) // HASH_SIZE, row)
            hashes += row.leaf
        return head, bytes(hashes), starts

    def _wrong_root(self, named: NamedFile, root: Hash, hashes: bytes) -> None:
        expected, found, count = f"root 0x{named.name.hex()}", f"root 0x{root.hex()}", len(hashes) // HASH_SIZE
        if named.count is not None and count != named.count:
            found = f"{count} leaves of {named.count}"
            self._tell(named, "file-truncated", f"{named.count} leaves, as on the chain", found)
        else:
            self._tell(named, "root-differs", expected, found)
        self._name_leaves(named, hashes)

    def _name_leaves(self, named: NamedFile, hashes: bytes) -> None:
        """Names the leaves that differ by the copy of the leaf hashes, where that copy leads to the root."""
        due = self.bundle.leaves(named.name)
        if not due or len(due) % HASH_SIZE or root_of_leaves(due) != named.name:
            return
        for at in range(0, len(due), HASH_SIZE):
            leaf, found = due[at : at + HASH_SIZE], hashes[at : at + HASH_SIZE]
            if found != leaf:
                what = f"leaf hash 0x{found.hex()}" if found else "no such leaf"
                self._leaf(named, at // HASH_SIZE, "leaf-differs", f"leaf hash 0x{leaf.hex()}", what, _WHO)
                if len(due) != len(hashes):
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
            return Content.OPENED, unseal(secret, row.leaf, a2b_base64(row.sealed))
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

    def _tell(
        self, named: NamedFile, slug: str, expected: str, found: str, remedy: str = _WHO,
        *, record: str = "", line: int | None = None,
    ) -> None:  # fmt: skip
        evidence: dict[str, object] = {
            "file": named.path,
            "published": self.bundle.what_became_of(named.kind, named.name),
        }
        if line is not None:
            evidence["line"] = line
        name = f"{record} of {named.path}" if record else named.path
        self.findings.add(Finding(named.kind, slug, name, expected, found, remedy, named.place, 6, evidence))


def rows_from(bundle: Bundle, named: NamedFile, leaf: int, starts: Sequence[int]) -> Iterator[tuple[int, Row]]:
    """The rows of a file that was read, with their places, from a leaf on; those that can't be read are left out: they
    were told."""
    file = bundle.file(named.kind, named.name)
    if file is None or leaf // STRETCH >= len(starts):
        return
    with file:
        file.seek(starts[leaf // STRETCH])
        for place, line in enumerate(file, start=leaf - leaf % STRETCH):
            if place < leaf or not line.endswith(b"\n"):
                continue
            try:
                yield place, row_of(line)
            except (ValueError, KeyError, TypeError):
                continue


_PLAIN_ROW = re.compile(
    rb'\{(?:"blob":"0x((?:[0-9a-f]{2})*)",)?(?:"key":"([0-9a-f]{32})",)?"leaf":"0x([0-9a-f]{64})"(?:\}$|,"sealed":")'
)
"""A row as publishers write it; any other spelling goes through JSON."""
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def row_of(line: bytes) -> Row:
    """One leaf's line. Raises ValueError, KeyError and TypeError where it is none."""
    line = line.rstrip(b"\n")
    plain = _PLAIN_ROW.match(line)
    if plain is None:
        return _row(json.loads(line))
    sealed = None
    if plain.end() != len(line):
        sealed = line[plain.end() : -2]
        if line[-2:] != b'"}' or not _is_base64(sealed):
            return _row(json.loads(line))
    blob, key, leaf = plain.groups()
    return Row(
        Hash(a2b_hex(leaf)),
        None if blob is None else a2b_hex(blob),
        None if key is None else KeyId(a2b_hex(key)),
        sealed,
    )


def _is_base64(text: bytes) -> bool:
    padding = text.translate(None, _BASE64)
    return len(text) % 4 == 0 and padding in (b"", b"=", b"==") and text.endswith(padding)


def _row(value: Mapping[str, Any]) -> Row:
    leaf = Hash(_hex(value["leaf"]))
    if len(leaf) != 32:
        raise ValueError("a leaf is 32 bytes")
    sealed = value.get("sealed")
    if "sealed" in value:
        base64.b64decode(value["sealed"], validate=True)
    return Row(
        leaf,
        _hex(value["blob"]) if "blob" in value else None,
        KeyId(bytes.fromhex(value["key"])) if "key" in value else None,
        None if sealed is None else str(sealed).encode(),
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
