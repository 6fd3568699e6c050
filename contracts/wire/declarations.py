"""Solidity declarations of events and errors, read as the interfaces write them: their hash, names and decoders."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from contracts.wire.ids import Address, BillKey, BillState, Hash, SourceClass
from contracts.wire.keccak import keccak

Read = Callable[[bytes, int], object]
"""Reads a parameter whose head stands at a place of ABI-encoded data."""


def uint_at(data: bytes, at: int) -> int:
    """An unsigned integer."""
    return int.from_bytes(data[at : at + 32], "big")


def int_at(data: bytes, at: int) -> int:
    """A signed integer."""
    return int.from_bytes(data[at : at + 32], "big", signed=True)


def word_at(data: bytes, at: int) -> Hash:
    """32 bytes."""
    return Hash(data[at : at + 32])


def address_at(data: bytes, at: int) -> Address:
    """An address."""
    return Address(data[at + 12 : at + 32])


def bill_key_at(data: bytes, at: int) -> BillKey:
    """A bill key."""
    return BillKey.from_number(int.from_bytes(data[at : at + 32], "big"))


def bytes_at(data: bytes, at: int) -> bytes:
    """Bytes of any length. Raises ValueError where they are cut short, or not filled up with zeros to a whole word."""
    start = uint_at(data, at) + 32
    size = uint_at(data, start - 32)
    if start + size > len(data) or start > len(data):
        raise ValueError("the data is cut short")
    filling = data[start + size : start + size + -size % 32]
    if len(filling) != -size % 32 or any(filling):
        raise ValueError("bytes are not filled up with zeros to a whole word")
    return data[start : start + size]


# What the interfaces name by a type of their own, under the type the chain knows it by.
_TYPES: dict[str, tuple[str, Read]] = {
    "SupplierId": ("uint16", uint_at),
    "BillKey": ("uint64", bill_key_at),
    "BillState": ("uint8", lambda data, at: BillState(data[at + 31])),
    "SourceClass": ("uint8", lambda data, at: SourceClass(data[at + 31])),
    "address": ("address", address_at),
    "bool": ("bool", lambda data, at: data[at + 31] == 1),
    "bytes32": ("bytes32", word_at),
    "bytes24": ("bytes24", lambda data, at: data[at : at + 24]),
    "bytes4": ("bytes4", lambda data, at: data[at : at + 4]),
    "bytes": ("bytes", bytes_at),
    "string": ("string", lambda data, at: bytes_at(data, at).decode("utf-8", "replace")),
}
_DECLARATION = re.compile(r"^(\w+)\((.*)\)$")
_KEYWORDS = ("from", "class")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an event or an error, under its name in Python."""

    name: str
    declared: str
    canonical: str
    indexed: bool
    read: Read

    @property
    def is_dynamic(self) -> bool:
        """Whether its head is an offset only, and it stands behind the heads."""
        return self.canonical in ("bytes", "string") or self.canonical.startswith("(")


@dataclass(frozen=True, slots=True)
class Declaration:
    """An event or an error as declared."""

    name: str
    parameters: tuple[Parameter, ...]

    @property
    def signature(self) -> str:
        """The canonical signature that is hashed."""
        return f"{self.name}({','.join(p.canonical for p in self.parameters)})"

    @property
    def hash(self) -> Hash:
        """keccak-256 of the signature: the topic of an event; an error's selector is its first four bytes."""
        return Hash(keccak(self.signature.encode()))


def parse_declaration(text: str, structs: dict[str, tuple[str, Read]] | None = None) -> Declaration:
    """Reads ``Name(type [indexed] name, …)``; ``structs`` adds types. Raises ValueError for a type unknown."""
    match = _DECLARATION.match(" ".join(text.split()))
    if match is None:
        raise ValueError(f"not a declaration: {text!r}")
    types = _TYPES | (structs or {})
    body = match.group(2).strip()
    return Declaration(match.group(1), tuple(_parameter(part, types) for part in body.split(",")) if body else ())


def snake_case(name: str) -> str:
    """``periodStart`` → ``period_start``; a Python keyword gets a trailing underscore."""
    out = re.sub(r"(?<=[a-z0-9])([A-Z])", lambda m: "_" + m.group(1).lower(), name)
    return out + "_" if out in _KEYWORDS else out


def _parameter(text: str, types: dict[str, tuple[str, Read]]) -> Parameter:
    words = text.split()
    kind, name = words[0], words[-1]
    if kind in types:
        canonical, read = types[kind]
    elif re.fullmatch(r"uint\d+", kind):
        canonical, read = kind, uint_at
    elif re.fullmatch(r"int\d+", kind):
        canonical, read = kind, int_at
    else:
        raise ValueError(f"no way to read {kind}")
    return Parameter(snake_case(name), kind, canonical, "indexed" in words[1:-1], read)
