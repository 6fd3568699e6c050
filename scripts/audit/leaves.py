"""A file of the bundle held against the root that names it: which leaf differs, and which are erased or stay closed."""

from __future__ import annotations

import json
from array import array
from binascii import a2b_base64
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, BinaryIO

from contracts.wire.erasure import signer_of
from contracts.wire.files import Erasure
from contracts.wire.ids import Address, Hash
from contracts.wire.merkle import HASH_SIZE, Tree, leaf_hash, root_of_leaves
from contracts.wire.sealed import SealError, unseal
from contracts.wire.typed_data import SignatureError
from scripts.audit.bundle import Bundle, path_of
from scripts.audit.finding import Finding, Findings, Place
from scripts.audit.rows import Row as Row  # noqa: PLC0414  told on, with the files they stand in
from scripts.audit.rows import SealedRows, lines_of, row_of

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


STRETCH = 64
"""Every so many leaves it is kept where in the file they are."""
Take = Callable[[int, Row], None]
"""What is done with each row of a file, and its place among them."""
TakeSealed = Callable[[int], None]
"""What is done with so many rows in a run that hold nothing but sealed records."""


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

    def read(self, named: NamedFile, take: Take | None = None, take_sealed: TakeSealed | None = None) -> Read | None:
        """Reads a file line by line, whatever is wrong with it told; None where nothing of it can be used. With
        ``take_sealed`` sealed rows are told by their number alone, wherever many of them stand together."""
        file, before = self.bundle.file(named.kind, named.name), self.findings.number
        if file is None:
            self._tell(named, "file-missing", "the file", "no file", _HOLDER)
            return None
        with file:
            head, hashes, starts = self._rows(named, file, take, take_sealed)
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
        self, named: NamedFile, file: BinaryIO, take: Take | None, take_sealed: TakeSealed | None
    ) -> tuple[Mapping[str, Any], bytes, array[int]]:
        """The head, the leaves' hashes one after another, and where stretches begin."""
        head: Mapping[str, Any] = {}
        hashes, starts, place = bytearray(), array("Q"), 0
        for number, line in lines_of(file, take_sealed is not None):
            if isinstance(line, SealedRows):
                starts.extend(place + line.begin(nth) for nth in range((2 - number) % STRETCH, line.count, STRETCH))
                place += line.size
                hashes += line.leaves
                if take_sealed is not None:
                    take_sealed(line.count)
                continue
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

    def leave_sealed(self, count: int) -> None:
        """So many leaves' content is not tried."""
        self.findings.closed[Content.SEALED.value] += count

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
