"""Files named by their roots and hashes: kept in a folder, or fetched from whoever serves them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import httpx

from contracts.client.private import private_folder, private_writer
from contracts.wire.ids import Hash

_SUFFIX = {"readings": ".jsonl", "bills": ".jsonl", "lines": ".jsonl", "grants": ".jsonl", "tariffs": ".json"}
KINDS = (*_SUFFIX, "documents")


class SourceUnreachable(Exception):
    """Whoever serves the files does not answer; what was asked for may be there all the same."""


class AccessDenied(Exception):
    """Whoever serves the files does not know our token as entitled to this one."""


class FileSource(Protocol):
    """Anything that gives files by kind and name."""

    def get(self, kind: str, name: Hash) -> bytes | None:
        """The file's bytes, unchecked; None where it is not there."""
        ...


def file_name(kind: str, name: Hash) -> str:
    """The file's name in its kind's folder. Raises ValueError for an unknown kind."""
    if kind not in KINDS:
        raise ValueError(f"no such kind of file: {kind!r}; one of {', '.join(KINDS)}")
    return f"0x{name.hex()}{_SUFFIX.get(kind, '')}"


class FileStore:
    """A folder of files. A file is complete when it is there under its name."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, kind: str, name: Hash, data: bytes) -> None:
        """Keeps a file: written aside, flushed to the disk, renamed. The same again changes nothing."""
        path = self._path(kind, name)
        if path.exists() and path.read_bytes() == data:
            return
        private_folder(path.parent)
        aside = path.parent / f".{path.name}.{secrets.token_hex(4)}"
        try:
            with os.fdopen(private_writer(aside), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
        _flush_folder(path.parent)

    def get(self, kind: str, name: Hash) -> bytes | None:
        """The file's bytes, or None."""
        try:
            return self._path(kind, name).read_bytes()
        except FileNotFoundError:
            return None

    def has(self, kind: str, name: Hash) -> bool:
        """Whether the file is there."""
        return self._path(kind, name).exists()

    def names(self, kind: str) -> Iterator[Hash]:
        """The names of one kind, in order."""
        folder = self.root / kind
        if not folder.is_dir():
            return
        for entry in sorted(os.listdir(folder)):
            stem = entry.removesuffix(_SUFFIX.get(kind, ""))
            if stem.startswith("0x") and len(stem) == 66:
                yield Hash(bytes.fromhex(stem[2:]))

    def _path(self, kind: str, name: Hash) -> Path:
        return self.root / kind / file_name(kind, name)


class HttpSource:
    """Files served over HTTP at ``<base>/files/<kind>/<name>`` to a bearer of the token."""

    def __init__(self, base_url: str, token: str, timeout_s: float = 10.0) -> None:
        self._base = base_url.rstrip("/")
        self._http = httpx.Client(timeout=timeout_s, headers={"Authorization": f"Bearer {token}"}, trust_env=False)

    def get(self, kind: str, name: Hash) -> bytes | None:
        """The file's bytes, unchecked; None on 404. Raises SourceUnreachable, AccessDenied."""
        url = f"{self._base}/files/{kind}/0x{name.hex()}"
        try:
            response = self._http.get(url)
        except httpx.HTTPError as error:
            raise SourceUnreachable(f"{url}: {type(error).__name__}; is its server running?") from error
        if response.status_code == 404:
            return None
        if response.status_code in (401, 403):
            raise AccessDenied(f"{url}: not for this token; ask the server's operator for one that may read {kind}")
        if response.status_code != 200:
            raise SourceUnreachable(f"{url}: HTTP {response.status_code}")
        return response.content


class FirstOf:
    """Several sources, asked in turn; one that does not answer is passed over as long as another has the file."""

    def __init__(self, sources: Sequence[FileSource]) -> None:
        self._sources = list(sources)

    def get(self, kind: str, name: Hash) -> bytes | None:
        """The file from the first that has it. Raises SourceUnreachable where none has it and some are silent."""
        silent: SourceUnreachable | AccessDenied | None = None
        for source in self._sources:
            try:
                data = source.get(kind, name)
            except (SourceUnreachable, AccessDenied) as error:
                silent = error
                continue
            if data is not None:
                return data
        if silent is not None:
            raise silent
        return None


def _flush_folder(folder: Path) -> None:
    """Makes the rename itself durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
