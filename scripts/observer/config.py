"""One file of settings for the whole kit; docs/observer.md explains it line by line."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

_NAMES = {str: "text", int: "a whole number of more than 0", bool: "true or false", list: "a list of texts"}


class BadConfig(ValueError):
    """The settings can't be used; the message names the line and what belongs there."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}; docs/observer.md shows a whole file")


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """The node: one that runs already (``url``), or one that the kit runs itself (all the rest)."""

    url: str = ""
    folder: str = ""
    genesis: str = ""
    listen: str = "127.0.0.1:30303"
    rpc_port: int = 8547
    peers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Who may ask, and how much. ``origins`` are pages that a browser lets ask here; "*" is every page."""

    listen: str = "127.0.0.1"
    port: int = 8645
    origins: tuple[str, ...] = ()
    calls_per_s: int = 50
    burst_calls: int = 1000
    largest_body_bytes: int = 1_500_000
    largest_batch: int = 500


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """What is audited and how often; no bundle, no audit."""

    bundle: str = ""
    folder: str = "audit"
    every_s: int = 3600
    is_sealed: bool = True


@dataclass(frozen=True, slots=True)
class Config:
    """The kit's settings; paths in them are relative to the file."""

    path: Path
    node: NodeSettings
    gateway: GatewaySettings
    audit: AuditSettings

    @classmethod
    def load(cls, path: Path) -> Config:
        """Reads the file. Raises FileNotFoundError, BadConfig."""
        try:
            value = tomllib.loads(path.read_text())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise BadConfig(path, f"not TOML: {error}") from error
        unknown = value.keys() - {"node", "gateway", "audit"}
        if unknown:
            raise BadConfig(path, f"[{min(unknown)}] is no part of it")
        node = NodeSettings(**_read(path, "node", NodeSettings, value))
        if not node.url and not (node.folder and node.genesis and node.peers):
            raise BadConfig(path, "[node] needs url, or else folder, genesis and peers")
        gateway = GatewaySettings(**_read(path, "gateway", GatewaySettings, value))
        return cls(path.resolve(), node, gateway, AuditSettings(**_read(path, "audit", AuditSettings, value)))

    def place(self, name: str) -> Path:
        """A path of the file, from where the file lies."""
        return self.path.parent / name


def _read(path: Path, name: str, part: type, value: Mapping[str, Any]) -> dict[str, Any]:
    """One table of the file, each value of the type that its default has."""
    table: Any = value.get(name, {})
    if not isinstance(table, Mapping):
        raise BadConfig(path, f"{name} is to be a table, [{name}]")
    known: dict[str, Any] = {field.name: field.default for field in fields(part)}
    for key, given in table.items():
        if key not in known:
            raise BadConfig(path, f"[{name}] has no {key}")
        wanted = list if isinstance(known[key], tuple) else type(known[key])
        if not _is_of(given, wanted):
            raise BadConfig(path, f"[{name}] {key} is to be {_NAMES[wanted]}")
    return {key: tuple(given) if isinstance(given, list) else given for key, given in table.items()}


def _is_of(given: Any, wanted: type) -> bool:
    if wanted is list:
        return isinstance(given, list) and all(isinstance(item, str) for item in given)
    if wanted is int:
        return type(given) is int and given > 0
    return type(given) is wanted
