"""Published checkpoints: a folder of files, each named by the hash of its text, with the cosignatures come so far."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.wire.capsule import parse_cosigned
from contracts.wire.checkpoint import Checkpoint, CheckpointError, Cosignature, Cosigned
from contracts.wire.ids import Hash


class BadPublication(ValueError):
    """A file of the folder is not the checkpoint that its name says, or holds a cosignature that is not right."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}; get it anew from another who keeps it, and ask who changed this one")
        self.path = path


class Published:
    """One folder. Whoever serves it needs no trust: names and signatures are checked at each reading."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, checkpoint: Checkpoint, *cosignatures: Cosignature) -> Cosigned:
        """Publishes a checkpoint or adds cosignatures to it. Raises CheckpointError where one is not right."""
        for cosignature in cosignatures:
            cosignature.check(checkpoint)
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._locked():
            path = self.path_of(checkpoint.name)
            known = self.read(path) if path.exists() else Cosigned(checkpoint)
            merged = known.merged(cosignatures)
            if merged != known or not path.exists():
                write_durably(path, merged.encode())
        return merged

    def all(self) -> list[Cosigned]:
        """All that are published, ascending by height. Raises BadPublication."""
        return sorted((self.read(path) for path in self.paths()), key=lambda found: found.checkpoint.height)

    def paths(self) -> list[Path]:
        """The files of the folder, by name."""
        return sorted(self.folder.glob("0x*.json")) if self.folder.is_dir() else []

    def path_of(self, name: Hash) -> Path:
        """Where the checkpoint of this name is, or would be."""
        return self.folder / f"0x{name.hex()}.json"

    def read(self, path: Path) -> Cosigned:
        """One file, checked. Raises BadPublication."""
        try:
            found = parse_cosigned(path.read_bytes())
            for cosignature in found.cosignatures:
                cosignature.check(found.checkpoint)
        except CheckpointError as error:
            raise BadPublication(path, str(error)) from error
        if self.path_of(found.checkpoint.name) != path:
            raise BadPublication(path, "it holds another checkpoint than its name says")
        return found

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Two observers may sign at once: neither is to lose the other's signature."""
        with (self.folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def write_durably(path: Path, data: bytes) -> None:
    """Written aside, flushed to the disk, renamed, and the rename flushed: all of it or none, whatever happens."""
    aside = path.parent / f".{path.name}.{secrets.token_hex(4)}"
    try:
        with aside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
