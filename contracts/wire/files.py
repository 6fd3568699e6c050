"""Files named by the root they carry, docs/protocol.md §8: JSON lines, the head first, then one line a leaf."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contracts.wire.canonical import canonical_json
from contracts.wire.ids import Hash, KeyId
from contracts.wire.merkle import Tree, leaf_hash


class FileError(ValueError):
    """A file is not what its name or its layout says; ``line`` counts from 1 where one line is at fault."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason if line is None else f"line {line}: {reason}")
        self.reason = reason
        self.line = line


@dataclass(frozen=True, slots=True)
class Erasure:
    """The signed record that a leaf's content was erased: which key was destroyed, when, under which act."""

    key: KeyId
    at: int
    act: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class LeafLine:
    """One leaf of a file: its hash always, its blob in the clear or sealed, or the record of its erasure."""

    leaf: Hash
    blob: bytes | None = None
    key: KeyId | None = None
    sealed: bytes | None = None
    erased: Erasure | None = None


def encode_file(head: dict[str, object], lines: Iterable[LeafLine]) -> bytes:
    """The bytes of a file."""
    out = [canonical_json(head)]
    out += [_encode_line(line) for line in lines]
    return b"\n".join(out) + b"\n"


def parse_file(data: bytes, root: Hash | None = None) -> tuple[dict[str, object], list[LeafLine]]:
    """Head and leaves of a file; where ``root`` is given, the leaves are checked to lead to it.

    Raises FileError: not UTF-8 JSON lines, cut short, a blob that is not its leaf's, or another root.
    """
    if not data.endswith(b"\n"):
        raise FileError("the file is cut short; fetch it again")
    rows = data[:-1].split(b"\n")
    head = _parse_json(rows[0], 1)
    lines = [_parse_line(row, number) for number, row in enumerate(rows[1:], start=2)]
    if not lines:
        raise FileError("the file has no leaves")
    if root is not None:
        found = root_of_lines(lines)
        if found != root:
            raise FileError(f"the leaves lead to 0x{found.hex()}, the name says 0x{root.hex()}")
    return head, lines


def root_of_lines(lines: Sequence[LeafLine]) -> Hash:
    """Root of the tree over the lines' leaves."""
    return Tree.of([line.leaf for line in lines]).root


def _encode_line(line: LeafLine) -> bytes:
    row: dict[str, object] = {"leaf": "0x" + line.leaf.hex()}
    if line.blob is not None:
        row["blob"] = "0x" + line.blob.hex()
    if line.key is not None:
        row["key"] = line.key.hex()
    if line.sealed is not None:
        row["sealed"] = base64.b64encode(line.sealed).decode()
    if line.erased is not None:
        row["erased"] = {
            "key": line.erased.key.hex(),
            "at": line.erased.at,
            "act": line.erased.act,
            "signature": "0x" + line.erased.signature.hex(),
        }
    # Canonical JSON without the search for floats, of which these rows hold none: files have a line a reading.
    return json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _parse_json(row: bytes, number: int) -> dict[str, object]:
    try:
        value = json.loads(row)
    except ValueError as error:
        raise FileError(f"not JSON: {error}", number) from error
    if not isinstance(value, dict):
        raise FileError("not a JSON object", number)
    return value


def _parse_line(row: bytes, number: int) -> LeafLine:
    value = _parse_json(row, number)
    try:
        leaf = Hash(_hex(value["leaf"]))
        blob = _hex(value["blob"]) if "blob" in value else None
        key = KeyId(bytes.fromhex(str(value["key"]))) if "key" in value else None
        sealed = base64.b64decode(str(value["sealed"]), validate=True) if "sealed" in value else None
        erased = _parse_erasure(value["erased"]) if "erased" in value else None
    except (KeyError, TypeError, ValueError) as error:
        raise FileError(f"not a leaf: {error}", number) from error
    if blob is not None and leaf_hash(blob) != leaf:
        raise FileError("the blob is not the leaf's", number)
    return LeafLine(leaf, blob, key, sealed, erased)


def _parse_erasure(value: object) -> Erasure:
    if not isinstance(value, dict):
        raise ValueError("an erasure is an object")
    key, at, act = KeyId(bytes.fromhex(value["key"])), int(value["at"]), str(value["act"])
    if len(key) != 16 or not 0 <= at < 1 << 40:
        raise ValueError("an erasure names a key of 16 bytes and a time of five")
    act.encode()  # half a surrogate pair is no text, and nothing could be signed over it
    return Erasure(key, at, act, _hex(value["signature"]))


def _hex(value: object) -> bytes:
    return bytes.fromhex(str(value).removeprefix("0x"))
