"""Makes the bundle of a town: every file that the chain names, as of the last final block."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from contracts.client.files import FileSource, file_name
from contracts.client.private import private_folder, private_writer
from contracts.client.reader import Reader
from contracts.wire import events as chain
from contracts.wire.canonical import canonical_json
from contracts.wire.checkpoint import Cosigned
from contracts.wire.files import FileError, parse_file
from contracts.wire.ids import NO_HASH, Hash, KeyId, address_text
from contracts.wire.keccak import keccak
from scripts.audit.bundle import (
    CHECKPOINTS,
    DEPLOYMENT,
    KEYS,
    KEYS_FORMAT,
    LEAVES,
    MANIFEST,
    TREES,
    Listed,
    Manifest,
    path_of,
)


class BundleExists(Exception):
    """The folder holds something already."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} is not empty; give a new folder, so that no bundle is mixed with another")


class FileNotServed(Exception):
    """A file that the chain names is nowhere to be had: a bundle without it would be an alarm to whoever audits it."""

    def __init__(self, kind: str, name: Hash) -> None:
        super().__init__(f"{path_of(kind, name)} is missing; restore it from another holder's copy")


def named_files(reader: Reader, height: int) -> Iterator[tuple[str, Hash]]:
    """Every file that the chain names up to a height: kind and name, each once."""
    seen: set[tuple[str, Hash]] = set()
    for event in reader.events(reader.deployment.first_block, height):
        for named in _named_by(event):
            if named not in seen:
                seen.add(named)
                yield named


def _named_by(event: chain.Event) -> Sequence[tuple[str, Hash]]:
    if isinstance(event, chain.Anchored):
        return [("readings", event.root), *([("documents", event.document)] if event.document != NO_HASH else [])]
    if isinstance(event, chain.RunProposed):
        return [("bills", event.proposal.root), *(("lines", row.root) for row in event.proposal.suppliers)]
    if isinstance(event, chain.GrantsPosted):
        return [("grants", event.root)]
    if isinstance(event, chain.TariffPublished):
        return [("tariffs", event.document)]
    return []


def export_bundle(
    folder: Path,
    reader: Reader,
    files: FileSource,
    secrets: Mapping[KeyId, bytes] | None = None,
    checkpoints: Sequence[Cosigned] = (),
) -> Manifest:
    """Writes a bundle of everything up to the last final block; with ``secrets`` it is a regulator's.

    The manifest goes in last: a folder without one is no bundle. Raises BundleExists, FileNotServed, FileError,
    NodeError.
    """
    if folder.exists() and any(folder.iterdir()):
        raise BundleExists(folder)
    private_folder(folder)
    final = reader.finalized()
    listed: dict[str, Listed] = {}
    for kind, name in named_files(reader, final.number):
        data = files.get(kind, name)
        if data is None:
            raise FileNotServed(kind, name)
        private_folder(folder / kind)
        _write(folder / kind / file_name(kind, name), data)
        listed[path_of(kind, name)] = Listed(len(data), Hash(keccak(data)))
        if kind in TREES:
            private_folder(folder / LEAVES)
            _write(folder / LEAVES / f"0x{name.hex()}", b"".join(line.leaf for line in parse_file(data, name)[1]))
    if checkpoints:
        private_folder(folder / CHECKPOINTS)
    for found in checkpoints:
        _write(folder / CHECKPOINTS / f"0x{found.checkpoint.name.hex()}.json", found.encode())
    reader.deployment.save(folder / DEPLOYMENT)
    if secrets is not None:
        value = {"format": KEYS_FORMAT, "keys": {key.hex(): "0x" + secret.hex() for key, secret in secrets.items()}}
        _write(folder / KEYS, canonical_json(value))
    settlement = address_text(reader.deployment.addresses["Settlement"]).lower()
    manifest = Manifest(reader.deployment.chain_id, settlement, final.number, final.hash, listed)
    _write(folder / MANIFEST, json.dumps(manifest.value(), indent=1, sort_keys=True).encode() + b"\n")
    return manifest


def keys_named(files: FileSource, named: Sequence[tuple[str, Hash]]) -> set[KeyId]:
    """The keys under which records of these files are sealed. Raises FileNotServed, FileError."""
    found: set[KeyId] = set()
    for kind, name in named:
        if kind not in ("readings", "bills", "grants"):
            continue
        data = files.get(kind, name)
        if data is None:
            raise FileNotServed(kind, name)
        try:
            found.update(line.key for line in parse_file(data)[1] if line.key is not None)
        except FileError as error:
            raise FileError(f"{path_of(kind, name)}: {error}") from error
    return found


def _write(path: Path, data: bytes) -> None:
    with os.fdopen(private_writer(path), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
