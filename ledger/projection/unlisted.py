"""Events that have no table of their own, as canonical JSON."""

from __future__ import annotations

from dataclasses import fields
from enum import IntEnum
from typing import Any

from contracts.wire.canonical import canonical_json
from contracts.wire.events import Event


def act_arguments(event: Event) -> str:
    """The event's arguments: numbers as they are, bytes as hex with 0x, composite names as their number."""
    values = {f.name: _plain(getattr(event, f.name)) for f in fields(event) if f.name != "log"}
    return canonical_json(values).decode()


def _plain(value: Any) -> object:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, IntEnum):
        return int(value)
    if hasattr(value, "number"):
        return value.number
    return value
