"""Canonical JSON, docs/protocol.md §8: one spelling for one value, so that its bytes can be hashed."""

from __future__ import annotations

import json

from contracts.wire.ids import Hash
from contracts.wire.keccak import keccak

Json = None | bool | int | str | list["Json"] | dict[str, "Json"]


def canonical_json(value: object) -> bytes:
    """UTF-8 JSON with keys sorted by code point, no white space and no floats. Raises TypeError on a float."""
    _refuse_floats(value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def content_hash(data: bytes) -> Hash:
    """The name of a stored document: keccak-256 of its bytes."""
    return Hash(keccak(data))


_PLAIN = frozenset({str, int, bool, type(None)})


def _refuse_floats(value: object) -> None:
    if isinstance(value, float):
        raise TypeError(f"canonical JSON holds no floats: {value!r}")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"canonical JSON has text keys only: {key!r}")
            if type(item) not in _PLAIN:
                _refuse_floats(item)
    elif isinstance(value, list | tuple):
        for item in value:
            if type(item) not in _PLAIN:
                _refuse_floats(item)
