"""Runs of 32-byte words as the ABI encodes them, cut into values at once.

One mask over the run tells whether any bit is set that its type leaves empty: such words are no value of their type.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from struct import Struct
from typing import Any

OFFSET = "uint64"
"""What a word is that says where something of no fixed size stands."""
_WORD_BITS = 256
_SIGNED = "int64"


class Words:
    """Cuts a run of words of these canonical types. Values are int, bytes and bool."""

    def __init__(self, kinds: Sequence[str]) -> None:
        """Raises ValueError for a type that does not fit a word, or that no contract of ours uses."""
        found = [_word_of(kind) for kind in kinds]
        self.size = 32 * len(found)
        self._unpack = Struct(">" + "".join(codes for codes, _ in found)).unpack_from
        self._empty_bits = 0
        for _, empty_bits in found:
            self._empty_bits = self._empty_bits << _WORD_BITS | empty_bits
        self._wide = [at for at, kind in enumerate(kinds) if kind.startswith("uint") and int(kind[4:]) > 64]
        self._signed = [(32 * at, 32 * at + 32) for at, kind in enumerate(kinds) if kind == _SIGNED]

    def cut(self, data: bytes, at: int = 0) -> tuple[Any, ...]:
        """The values of the run that begins at a place. Raises ValueError where it is cut short, or a word is none."""
        run = data[at : at + self.size]
        if len(run) != self.size:
            raise ValueError("the data is cut short")
        if int.from_bytes(run, "big") & self._empty_bits:
            raise ValueError("a value is beyond its type: bits are set that it leaves empty")
        values = self._unpack(run)
        if self._signed and any(run[a : b - 8] != (b"\0", b"\xff")[run[b - 8] >> 7] * 24 for a, b in self._signed):
            raise ValueError("a value is beyond its type: the bits before it are not all its sign's")
        if not self._wide:
            return values
        return tuple(
            [int.from_bytes(value, "big") if place in self._wide else value for place, value in enumerate(values)]
        )


def _word_of(kind: str) -> tuple[str, int]:
    """Codes of 32 bytes, and the bits that must be zero."""
    matched = re.fullmatch(r"([a-z]+)(\d*)", kind)
    if matched is None:
        raise ValueError(f"no way to read {kind} from a word")
    name, size = matched[1], int(matched[2] or 0)
    if name == "address":
        return "12x20s", _above(160)
    if name == "bool":
        return "31x?", _above(1)
    if kind == _SIGNED:
        return "24xq", 0
    if name == "bytes" and size:
        return f"{size}s{32 - size}x", (1 << 8 * (32 - size)) - 1
    if name == "uint":
        return "24xQ" if size <= 64 else "32s", _above(size)
    raise ValueError(f"no way to read {kind} from a word")


def _above(bits: int) -> int:
    return (1 << _WORD_BITS) - (1 << bits)
