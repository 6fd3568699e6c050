"""The committed ABIs and bytecode, and the slow general encoder for calls that are not hot."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode

from contracts.wire.ids import Address, BillKey, BillState, SourceClass
from contracts.wire.keccak import keccak

_FOLDER = Path(__file__).resolve().parent.parent / "abi"


class NoSuchFunction(LookupError):
    """The contract has no function of that name."""


@lru_cache(maxsize=32)
def artifact(contract: str) -> dict[str, Any]:
    """``abi`` and ``bytecode`` of a contract as committed. Raises FileNotFoundError."""
    value: dict[str, Any] = json.loads((_FOLDER / f"{contract}.json").read_text())
    return value


def bytecode(contract: str) -> bytes:
    """Creation bytecode, before its constructor's arguments."""
    return bytes.fromhex(artifact(contract)["bytecode"][2:])


@lru_cache(maxsize=512)
def function_abi(contract: str, function: str, arity: int | None = None) -> dict[str, Any]:
    """The ABI entry of a function; ``arity`` chooses among overloads. Raises NoSuchFunction."""
    found: list[dict[str, Any]] = [
        row
        for row in artifact(contract)["abi"]
        if row["type"] == "function" and row["name"] == function and arity in (None, len(row["inputs"]))
    ]
    if not found:
        raise NoSuchFunction(f"{contract} has no function {function} with {arity} arguments")
    return found[0]


def encode(contract: str, function: str, *args: object) -> bytes:
    """Selector and arguments of a call, by eth-abi."""
    entry = function_abi(contract, function, len(args))
    types = [type_of(row) for row in entry["inputs"]]
    selector = keccak(f"{function}({','.join(types)})".encode())[:4]
    return selector + abi_encode(types, [_plain(arg) for arg in args])


def selector_of(contract: str, function: str) -> bytes:
    """The four bytes that call a function; for one without overloads."""
    entry = function_abi(contract, function)
    return keccak(f"{function}({','.join(type_of(row) for row in entry['inputs'])})".encode())[:4]


@lru_cache(maxsize=512)
def function_of(contract: str, selector: bytes) -> str:
    """The name of the function that four bytes call. Raises NoSuchFunction."""
    for row in artifact(contract)["abi"]:
        if row["type"] == "function":
            types = ",".join(type_of(part) for part in row["inputs"])
            if keccak(f"{row['name']}({types})".encode())[:4] == selector:
                return str(row["name"])
    raise NoSuchFunction(f"{contract} has no function of selector 0x{selector.hex()}")


def constructor_parameters(contract: str) -> list[str]:
    """The names of a constructor's parameters, without a trailing underscore."""
    rows: list[dict[str, Any]] = [row for row in artifact(contract)["abi"] if row["type"] == "constructor"]
    return [str(part["name"]).rstrip("_") for row in rows for part in row["inputs"]]


def encode_constructor(contract: str, *args: object) -> bytes:
    """Creation bytecode with the constructor's arguments."""
    rows: list[dict[str, Any]] = [row for row in artifact(contract)["abi"] if row["type"] == "constructor"]
    types = [type_of(part) for row in rows for part in row["inputs"]]
    return bytecode(contract) + abi_encode(types, [_plain(arg) for arg in args])


def decode_outputs(contract: str, function: str, arity: int, data: bytes) -> Any:
    """What a function returned, in types of our own: one value, or a tuple of several."""
    entry = function_abi(contract, function, arity)
    values = abi_decode([type_of(row) for row in entry["outputs"]], data)
    typed = tuple(_typed(row, value) for row, value in zip(entry["outputs"], values, strict=True))
    return typed[0] if len(typed) == 1 else typed


def type_of(row: dict[str, Any]) -> str:
    """The canonical type of an ABI parameter."""
    kind: str = row["type"]
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(type_of(part) for part in row["components"])
    return f"({inner}){kind.removeprefix('tuple')}"


def _plain(value: object) -> object:
    """A value of our own as eth-abi takes it."""
    if isinstance(value, BillKey):
        return value.number
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _typed(row: dict[str, Any], value: Any) -> Any:
    kind: str = row["type"]
    if kind.endswith("]"):
        inner = {**row, "type": kind[: kind.rindex("[")], "internalType": row.get("internalType", "").rsplit("[", 1)[0]}
        return tuple(_typed(inner, item) for item in value)
    if kind == "tuple":
        return tuple(_typed(part, item) for part, item in zip(row["components"], value, strict=True))
    if kind == "address":
        return Address(bytes.fromhex(value[2:]))
    match row.get("internalType"):
        case "BillKey":
            return BillKey.from_number(value)
        case "enum BillState":
            return BillState(value)
        case "enum SourceClass":
            return SourceClass(value)
    return value
