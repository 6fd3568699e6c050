"""Folders and files that only their owner may read: 700 and 600, whatever the umask says."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import Engine

_SQLITE = "sqlite:///"


def private_folder(path: Path) -> Path:
    """The folder, with those above it that are missing, made for its owner alone. One that is there stays as it is."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
    return path


def private_file(path: Path) -> Path:
    """The file, made empty for its owner alone where it is missing; one that is there is closed to others."""
    private_folder(path.parent)
    path.touch(mode=0o600)
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return path


def private_writer(path: Path) -> int:
    """A descriptor that writes a new file, made for its owner alone."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)


def private_database(url: str) -> str:
    """The same URL; where it is a file of SQLite's, that is made for its owner alone, and so are its companions."""
    if url.startswith(_SQLITE) and len(url) > len(_SQLITE) and not url.startswith(_SQLITE + ":memory:"):
        private_file(Path(url.removeprefix(_SQLITE)))
    return url


def shared_url(engine: Engine) -> str | None:
    """The URL by which another process opens the same database; None for one in this process's memory."""
    if engine.dialect.name == "sqlite" and engine.url.database in (None, "", ":memory:"):
        return None
    return engine.url.render_as_string(hide_password=False)
