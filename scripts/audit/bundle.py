"""The published bundle: what a town lays open, in one folder, as of one final block.

    manifest.json     format, chain id, Settlement, height and hash of the block, and each file with its size and hash
    deployment.json   where the contracts stand
    readings/ bills/ lines/ grants/ tariffs/ documents/    files named by their roots, docs/protocol.md §8
    leaves/           the leaf hashes of each such file once more, 32 bytes each: they name the leaf that differs
    checkpoints/      cosigned checkpoints, where there are any
    keys.json         only in the bundle of whoever is entitled: the secrets that open sealed records

The manifest vouches for nothing: what is right is decided by the roots on the chain. It tells a file that was damaged
after it was published from one that was published so.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from contracts.client.deployments import BadDeployment, Deployment
from contracts.client.files import file_name
from contracts.wire.ids import Hash, KeyId
from contracts.wire.keccak import keccak_of
from scripts.audit.finding import CannotAudit

FORMAT = "kopeck bundle 1"
KEYS_FORMAT = "kopeck bundle keys 1"
TREES = ("readings", "bills", "lines", "grants")
"""Kinds of files whose name is the root over their leaves."""
LEAVES = "leaves"
MANIFEST, DEPLOYMENT, KEYS, CHECKPOINTS = "manifest.json", "deployment.json", "keys.json", "checkpoints"
_PIECE = 1 << 20
_AGAIN = "Fetch the bundle again from whoever publishes it"


@dataclass(frozen=True, slots=True)
class Listed:
    """A file as the manifest lists it."""

    size: int
    hash: Hash


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the bundle is of: a network, and a block up to which it is whole."""

    chain_id: int
    settlement: str
    height: int
    block_hash: Hash
    files: Mapping[str, Listed]

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(listed.size for listed in self.files.values())

    def value(self) -> dict[str, object]:
        """The manifest as JSON holds it."""
        return {
            "format": FORMAT,
            "chain_id": self.chain_id,
            "settlement": self.settlement,
            "height": self.height,
            "block_hash": "0x" + self.block_hash.hex(),
            "files": {
                name: {"bytes": listed.size, "hash": "0x" + listed.hash.hex()} for name, listed in self.files.items()
            },
        }


class Bundle:
    """A bundle in a folder; without ``opens`` its keys stay unused, if it has any. Raises CannotAudit where there is no
    bundle."""

    def __init__(self, folder: Path, opens: bool = True) -> None:
        self.folder = folder
        if not folder.is_dir():
            raise CannotAudit("no-bundle", f"there is no folder {folder}", "Give the folder of the bundle")
        self.manifest = self._read_manifest()
        self.deployment = self._read_deployment()
        self.keys = self._read_keys() if opens else None
        self.is_open = self.keys is not None
        """Whether sealed records are opened: the bundle holds keys, and they are wanted."""

    def read(self, kind: str, name: Hash) -> bytes | None:
        """A file's bytes as they are, or None. Raises ValueError for an unknown kind."""
        try:
            return (self.folder / path_of(kind, name)).read_bytes()
        except FileNotFoundError:
            return None

    def listed(self, kind: str, name: Hash) -> Listed | None:
        """What the manifest says of a file."""
        return self.manifest.files.get(path_of(kind, name))

    def file(self, kind: str, name: Hash) -> BinaryIO | None:
        """A file opened for reading, or None. Raises ValueError for an unknown kind."""
        try:
            return (self.folder / path_of(kind, name)).open("rb", buffering=_PIECE)
        except FileNotFoundError:
            return None

    def what_became_of(self, kind: str, name: Hash) -> str:
        """In words, how a file that is not right differs from the one that was published."""
        listed, file = self.listed(kind, name), self.file(kind, name)
        if file is None and listed is None:
            return "the manifest does not list it: it was never published"
        if listed is None:
            return "it is not listed"
        if file is None:
            return f"the manifest lists it with {listed.size} bytes: it was lost or withheld after the bundle was made"
        with file:
            size = os.fstat(file.fileno()).st_size
            if size != listed.size:
                return f"{size} bytes of {listed.size} that were published"
            if keccak_of(iter(lambda: file.read(_PIECE), b"")) != listed.hash:
                return "as many bytes as were published, others: it was altered after the bundle was made"
        return "it was published so"

    def leaves(self, name: Hash) -> bytes | None:
        """The leaf hashes of the file of a root as they were published beside it, or None."""
        try:
            return (self.folder / LEAVES / f"0x{name.hex()}").read_bytes()
        except FileNotFoundError:
            return None

    def secret(self, key: KeyId) -> bytes | None:
        """The secret of a key; None where the bundle has it not."""
        return None if self.keys is None else self.keys.get(key)

    def names(self, kind: str) -> list[Hash]:
        """The files of a kind that are there."""
        folder = self.folder / kind
        if not folder.is_dir():
            return []
        stems = sorted(entry.name.split(".")[0] for entry in folder.iterdir())
        return [Hash(bytes.fromhex(stem[2:])) for stem in stems if stem.startswith("0x") and len(stem) == 66]

    # --- reading ---

    def _read_manifest(self) -> Manifest:
        value = self._json(MANIFEST)
        try:
            if value["format"] != FORMAT:
                raise ValueError(f"its format is {value['format']!r}, not {FORMAT!r}")
            files = {
                str(name): Listed(int(row["bytes"]), Hash(_bytes(row["hash"]))) for name, row in value["files"].items()
            }
            return Manifest(
                int(value["chain_id"]), str(value["settlement"]).lower(), int(value["height"]),
                Hash(_bytes(value["block_hash"])), files,
            )  # fmt: skip
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CannotAudit("bad-manifest", f"{self.folder / MANIFEST} is no manifest: {error}", _AGAIN) from error

    def _read_deployment(self) -> Deployment:
        path = self.folder / DEPLOYMENT
        try:
            found = Deployment.load(path)
        except (FileNotFoundError, BadDeployment) as error:
            raise CannotAudit("bad-deployment", f"{path} can't be used: {error}", _AGAIN) from error
        settlement = "0x" + found.addresses["Settlement"].hex()
        if (found.chain_id, settlement) != (self.manifest.chain_id, self.manifest.settlement):
            raise CannotAudit(
                "mixed-bundle",
                f"the manifest is of Settlement {self.manifest.settlement} on chain {self.manifest.chain_id}, "
                f"{DEPLOYMENT} of {settlement} on chain {found.chain_id}",
                "Files of two networks were mixed. " + _AGAIN,
            )
        return found

    def _read_keys(self) -> dict[KeyId, bytes] | None:
        if not (self.folder / KEYS).exists():
            return None
        value = self._json(KEYS)
        try:
            if value["format"] != KEYS_FORMAT:
                raise ValueError(f"its format is {value['format']!r}, not {KEYS_FORMAT!r}")
            return {KeyId(bytes.fromhex(name)): _bytes(secret) for name, secret in value["keys"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CannotAudit("bad-keys", f"{self.folder / KEYS} holds no keys: {error}", _AGAIN) from error

    def _json(self, name: str) -> Any:
        path = self.folder / name
        try:
            return json.loads(path.read_bytes())
        except FileNotFoundError as error:
            raise CannotAudit("no-bundle", f"{path} is not there: {self.folder} is no bundle", _AGAIN) from error
        except (OSError, ValueError) as error:
            raise CannotAudit("bad-manifest", f"{path} can't be read: {error}", _AGAIN) from error


def path_of(kind: str, name: Hash) -> str:
    """A file's path within a bundle. Raises ValueError for an unknown kind."""
    return f"{kind}/{file_name(kind, name)}"


def _bytes(text: object) -> bytes:
    return bytes.fromhex(str(text).removeprefix("0x"))
