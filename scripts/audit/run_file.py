"""A run out of its files: its bills' blobs, their tree, and each supplier's own lines held against its file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from struct import Struct
from typing import Any

from contracts.wire.keccak import keccak_many
from contracts.wire.leaf import BillKind, LeafError, decode_bill
from contracts.wire.merkle import Tree, leaf_hash, root_of_leaves
from contracts.wire.structs import SupplierTotal
from scripts.audit.finding import Finding
from scripts.audit.leaves import Files, NamedFile, Row
from scripts.audit.packed import Packed

VETO = "Veto the run; if it is active, correct it by a run that supersedes its bills"
LINE_SIZE = 12
"""Bytes of the blob of a supplier's own line."""
_LINES_AT = 34
"""Where the lines begin in a bill's blob: after commitment, kind and number of lines."""
_LINE = Struct(">H6s")
"""A line of a bill's blob: supplier, kopecks."""
_CREDIT_SIZE = 39
_STRETCH = 1_000


@dataclass
class Own:
    """One supplier's lines of a run: their blobs one after another, and what they come to."""

    blobs: bytearray = field(default_factory=bytearray)
    total_kopecks: int = 0

    @property
    def count(self) -> int:
        """How many they are."""
        return len(self.blobs) // LINE_SIZE


@dataclass
class RunFile:
    """What the file of a run's bills holds. ``blobs`` has none where a leaf is no bill; ``tree`` is None where there is
    no file that can be used."""

    blobs: Packed = field(default_factory=Packed)
    tree: Tree | None = None
    own: dict[int, Own] = field(default_factory=dict)
    suppliers: dict[int, int] = field(default_factory=dict)
    """How many lines each supplier has, once its blobs were let go."""
    is_whole: bool = True
    """Every leaf is a bill."""
    starts: Sequence[int] = ()
    """Where in the file stretches of leaves begin."""

    def forget_lines(self) -> None:
        """Keeps of the suppliers' lines how many they are, and lets their blobs go."""
        self.suppliers = {supplier: own.count for supplier, own in self.own.items()}
        self.own.clear()


def read_run(files: Files, named: NamedFile) -> RunFile:
    """Reads a run's file; what is wrong with it, or with a leaf, is told."""
    found, aside, previous = RunFile(), files.aside(), b""

    def take(index: int, row: Row) -> None:
        nonlocal previous
        blob = row.blob
        try:
            if blob is None:
                raise LeafError("its blob is missing")
            if not _is_plain_bill(blob):
                decode_bill(blob)
        except LeafError as error:
            aside.tell_leaf(named, index, "leaf-malformed", "a bill", str(error))
            found.blobs.add(None)
            found.is_whole = False
            return
        found.blobs.add(blob)
        if not files.bundle.is_open:
            aside.open(named, index, row)  # as far as that goes: whether anything is missing
        if blob[:32] <= previous:
            aside.tell_leaf(named, index, "order", f"a commitment above 0x{previous.hex()}", f"0x{blob[:32].hex()}")
        previous = blob[:32]
        _add_lines(found, index, blob)

    read = files.read(named, take)
    if read is None:
        return RunFile(is_whole=False)
    files.findings.merge(aside.findings)
    files.findings.count("bills", len(found.blobs))
    found.tree, found.starts = read.tree, read.starts
    return found


def _is_plain_bill(blob: bytes) -> bool:
    """Whether a blob is a bill's, by its size alone: what `decode_bill` asks of one that is no note."""
    if len(blob) < _LINES_AT or blob[32] != BillKind.BILL or not 1 <= blob[33] <= 32:
        return False
    rest = len(blob) - _LINES_AT - 8 * blob[33]
    return rest >= 0 and rest % _CREDIT_SIZE == 0


def _add_lines(found: RunFile, index: int, blob: bytes) -> None:
    place, kind, own = index.to_bytes(4, "big"), blob[32], found.own
    sign = -1 if kind == BillKind.CREDIT_NOTE else 1
    for line, (supplier, amount) in enumerate(_LINE.iter_unpack(blob[_LINES_AT : _LINES_AT + _LINE.size * blob[33]])):
        mine = own.get(supplier)
        if mine is None:
            mine = own[supplier] = Own()
        mine.blobs += b"%b%c%c%b" % (place, line, kind, amount)
        mine.total_kopecks += sign * int.from_bytes(amount, "big")


# --- suppliers' own files ---


@dataclass(frozen=True, slots=True)
class Claim:
    """What a proposal claims of one supplier, beside what the bills of the run hold of it."""

    run: int
    told: SupplierTotal
    named: NamedFile
    own: Own
    is_whole: bool


def check_claim(files: Files, claim: Claim) -> None:
    """Holds a claim against the bills' lines, and these against the supplier's own file; what is wrong is told."""
    told, own = claim.told, claim.own
    record = f"supplier {told.supplier} in run {claim.run}"
    hashes = keccak_many([b"\x00" + own.blobs[at : at + LINE_SIZE] for at in range(0, len(own.blobs), LINE_SIZE)])
    root = root_of_leaves(hashes) if hashes else None
    if claim.is_whole and (told.lines, told.total_kopecks) != (own.count, own.total_kopecks):
        expected = f"{own.count} lines of {own.total_kopecks} kopecks, as its bills hold"
        found = f"{told.lines} lines of {told.total_kopecks} kopecks claimed"
        _tell(files, claim, "total-differs", record, expected, found)
    elif claim.is_whole and root is not None and root != told.root:
        _tell(files, claim, "lines-root-differs", record, f"root 0x{told.root.hex()}", f"root 0x{root.hex()}")
    files.findings.count("supplier totals")
    is_right = root == told.root and own.count == told.lines
    head = _head_of_same(files, claim.named, own, hashes) if is_right else None
    if head is None:
        head = _compare(files, claim.named, own, claim.run)
    total = head.get("total_kopecks", told.total_kopecks)
    if total != told.total_kopecks:
        record = f"total_kopecks in the head of {claim.named.path}"
        _tell(files, claim, "head-differs", record, str(told.total_kopecks), str(total))


def _head_of_same(files: Files, named: NamedFile, own: Own, hashes: bytes) -> Mapping[str, Any] | None:
    """The head of a supplier's file that holds just these lines, spelled as publishers spell them; else None."""
    file = files.bundle.file(named.kind, named.name)
    if file is None:
        return None
    with file:
        try:
            head = dict(json.loads(file.readline()))
        except (ValueError, TypeError):
            return None
        for text in _spelled(own, hashes):
            if file.read(len(text)) != text:
                return None
        if file.read(1):
            return None
    files.findings.count("files")
    files.findings.count("leaves", own.count)
    return head


def _spelled(own: Own, hashes: bytes) -> Iterator[bytes]:
    for first in range(0, own.count, _STRETCH):
        last = min(first + _STRETCH, own.count)
        blobs, leaves = own.blobs[LINE_SIZE * first : LINE_SIZE * last].hex(), hashes[32 * first : 32 * last].hex()
        rows = [
            f'{{"blob":"0x{blobs[24 * i : 24 * i + 24]}","leaf":"0x{leaves[64 * i : 64 * i + 64]}"}}\n'
            for i in range(last - first)
        ]
        yield "".join(rows).encode()


def _compare(files: Files, named: NamedFile, own: Own, run: int) -> Mapping[str, Any]:
    """Reads a supplier's file leaf by leaf, and names the first line that is not the bills'; gives its head."""
    aside, is_same = files.aside(), True

    def take(index: int, row: Row) -> None:
        nonlocal is_same
        due = bytes(own.blobs[LINE_SIZE * index : LINE_SIZE * (index + 1)])
        if not is_same or not due or row.blob == due:
            return
        is_same = False
        where = f"0x{due.hex()}, line {due[4]} of bill {run}-{int.from_bytes(due[:4], 'big')}"
        if row.blob is None or leaf_hash(row.blob) == row.leaf:
            found = "nothing" if row.blob is None else f"0x{row.blob.hex()}"
            aside.tell_leaf(named, index, "line-differs", where, found)

    read = files.read(named, take)
    if read is None:
        return {}
    files.findings.merge(aside.findings)
    return read.head


def _tell(files: Files, claim: Claim, slug: str, record: str, expected: str, found: str) -> None:  # noqa: PLR0917
    files.findings.add(Finding("runs", slug, record, expected, found, VETO, claim.named.place, 6))
