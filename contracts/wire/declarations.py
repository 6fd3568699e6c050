"""Solidity declarations of events and errors, read as the interfaces write them: their hash, names and decoders."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from contracts.wire.ids import Address, BillKey, BillState, Hash, SourceClass
from contracts.wire.keccak import keccak

Decode = Callable[[bytes], object]
"""From one 32-byte word to a value of our own types."""


def uint_of(word: bytes) -> int:
    """An unsigned integer word."""
    return int.from_bytes(word, "big")


def int_of(word: bytes) -> int:
    """A signed integer word."""
    return int.from_bytes(word, "big", signed=True)


def address_of(word: bytes) -> Address:
    """An address word."""
    return Address(word[12:])


def bill_key_of(word: bytes) -> BillKey:
    """A bill key word."""
    return BillKey.from_number(int.from_bytes(word, "big"))


# What the interfaces name by a type of their own, under the type the chain knows it by.
_NAMED: dict[str, tuple[str, Decode]] = {
    "SupplierId": ("uint16", uint_of),
    "BillKey": ("uint64", bill_key_of),
    "BillState": ("uint8", lambda word: BillState(word[31])),
    "SourceClass": ("uint8", lambda word: SourceClass(word[31])),
    "address": ("address", address_of),
    "bool": ("bool", lambda word: word[31] == 1),
    "bytes32": ("bytes32", Hash),
    "bytes24": ("bytes24", lambda word: word[:24]),
    "bytes4": ("bytes4", lambda word: word[:4]),
}
_DECLARATION = re.compile(r"^(\w+)\((.*)\)$")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an event or an error."""

    name: str
    canonical: str
    indexed: bool
    decode: Decode


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


def parse_declaration(text: str) -> Declaration:
    """Reads ``Name(type [indexed] name, …)``. Raises ValueError for a type it does not know."""
    match = _DECLARATION.match(" ".join(text.split()))
    if match is None:
        raise ValueError(f"not a declaration: {text!r}")
    body = match.group(2).strip()
    return Declaration(match.group(1), tuple(_parameter(part) for part in body.split(",")) if body else ())


def snake_case(name: str) -> str:
    """``periodStart`` → ``period_start``; a Python keyword gets a trailing underscore."""
    out = re.sub(r"(?<=[a-z0-9])([A-Z])", lambda m: "_" + m.group(1).lower(), name)
    return out + "_" if out in ("from", "class") else out


def _parameter(text: str) -> Parameter:
    words = text.split()
    kind, name = words[0], words[-1]
    canonical, decode = _NAMED.get(kind) or _plain(kind)
    return Parameter(snake_case(name), canonical, "indexed" in words[1:-1], decode)


def _plain(kind: str) -> tuple[str, Decode]:
    if re.fullmatch(r"uint\d+", kind):
        return kind, uint_of
    if re.fullmatch(r"int\d+", kind):
        return kind, int_of
    if kind in ("bytes", "string") or kind.startswith("("):
        return kind, _dynamic
    raise ValueError(f"no decoder for {kind}")


def _dynamic(word: bytes) -> object:
    raise ValueError("a dynamic parameter has a decoder of its own")
