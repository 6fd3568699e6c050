"""Rows of a published file as they stand there, read but not believed."""

from __future__ import annotations

import base64
import json
import re
from binascii import a2b_hex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, BinaryIO, NamedTuple

from contracts.wire.files import Erasure
from contracts.wire.ids import Hash, KeyId

_PART = 1 << 17
"""Bytes of lines that are looked at together, about."""


class Row(NamedTuple):
    """One leaf's line as it stands in the file, read but not believed; ``sealed`` is base64."""

    leaf: Hash
    blob: bytes | None = None
    key: KeyId | None = None
    sealed: bytes | None = None
    erased: Erasure | None = None


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


# --- many at once ----------------------------------------------------------------------------------------------------

_SEALED_ROW = re.compile(rb'\{"key":"[0-9a-f]{32}","leaf":"0x([0-9a-f]{64})","sealed":"([A-Za-z0-9+/]*={0,2})"\}\n')
_SEALED_ROW_SIZE = len(b'{"key":"","leaf":"0x","sealed":""}\n') + 32 + 64
"""Bytes of a sealed row beside its record."""


@dataclass(frozen=True, slots=True)
class SealedRows:
    """Rows one after another that hold sealed records and nothing else; ``ends`` is where each of them ends."""

    leaves: bytes
    ends: Sequence[int]

    @property
    def count(self) -> int:
        """How many they are."""
        return len(self.ends)

    @property
    def size(self) -> int:
        """Their bytes."""
        return self.ends[-1]

    def begin(self, place: int) -> int:
        """Where one of them begins, in bytes from the first."""
        return self.ends[place - 1] if place else 0


def lines_of(file: BinaryIO, together: bool) -> Iterator[tuple[int, bytes | SealedRows]]:
    """The lines of a file with their numbers from 1, the head's being first; where they may go ``together``, sealed
    rows that stand by each other come as one with the number of the first."""
    if not together:
        yield from enumerate(file, start=1)
        return
    yield 1, file.readline()
    number = 2
    while part := file.readlines(_PART):
        rows = sealed_rows(part)
        if rows is None:
            yield from enumerate(part, start=number)
        else:
            yield number, rows
        number += len(part)


def sealed_rows(lines: Sequence[bytes]) -> SealedRows | None:
    """Lines that are sealed rows, all of them as publishers write them; None where one of them is not."""
    data = b"".join(lines)
    found = _SEALED_ROW.findall(data)
    sizes = [len(sealed) for _, sealed in found]
    if len(found) != len(lines) or any(size % 4 for size in sizes):
        return None
    ends = list(accumulate([_SEALED_ROW_SIZE + size for size in sizes]))
    return SealedRows(a2b_hex(b"".join([leaf for leaf, _ in found])), ends) if ends[-1] == len(data) else None
