"""A town's data put aside and brought back: every database, every file, and apart from them whatever is secret.

The order is the safety. A file stands before the row that names it, so databases are copied before files; a record is
sealed under a key made before it, so the key ring comes last. What is missing from a copy is then nothing that the copy
names. A backup is complete when it is there under its name, and what is brought back is checked before it is used.

The chain is not in it: the chain is the validators' to keep, and every database is caught up from it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from contracts.client.keyring import KeyRing
from contracts.client.private import private_folder, private_writer
from contracts.wire.ids import KeyId
from scripts.home import Home

FORM = 1
MANIFEST = "manifest.json"
KEYRING = "keyring.db"
_POSTGRES = ("KOPECK_ORACLE_DB", "KOPECK_LEDGER_DB", "KOPECK_BILLING_DB", "KOPECK_API_DB")
_LEFT_OUT = frozenset({"logs", "run", "chain", "replaced"})
"""Folders of a home that hold nothing to bring back, or what is the chain's own."""
_PIECE = 1 << 20


class BackupThere(FileExistsError):
    """The folder for a new backup is taken."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} is there already; a backup is never written over: name another folder")


class ElsewhereToo(Exception):
    """Some databases are in PostgreSQL, which has tools of its own for this."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(
            f"{', '.join(names)} point to PostgreSQL, which is not in this backup: take those first with "
            "`pg_dump --format=custom`, then run this with --postgres-apart"
        )


class BadBackup(Exception):
    """A backup is not as it was written."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}; nothing was brought back, take another backup")
        self.path = path


class OtherTown(Exception):
    """A backup of one town was to go over another."""

    def __init__(self, folder: Path, home: Path) -> None:
        super().__init__(f"{folder} is of another deployment than {home}; give the home that it is of, or an empty one")


class NoKeyRing(Exception):
    """Nothing that is sealed could be read."""

    def __init__(self, home: Path) -> None:
        super().__init__(f"{home} has no key ring, and none was given: add --keys with the folder it was backed up to")


@dataclass(frozen=True)
class Backup:
    """A backup as it stands on the disk. ``files`` are names under the folder with SHA-256 and length."""

    folder: Path
    made_at: int
    files: Mapping[str, tuple[str, int]]


def take_backup(
    home: Home, folder: Path, keys: Path, postgres_apart: bool = False, environment: Mapping[str, str] = os.environ
) -> tuple[Backup, Backup]:
    """Writes a home's data to ``folder`` and its secrets to ``keys``, while services run.

    Raises BackupThere, ElsewhereToo, OSError (a full disk leaves nothing under the folder's name).
    """
    for wanted in (folder, keys):
        if wanted.exists():
            raise BackupThere(wanted)
    elsewhere = [name for name in _POSTGRES if environment.get(name, "").startswith("postgresql")]
    if elsewhere and not postgres_apart:
        raise ElsewhereToo(elsewhere)
    with _written(folder) as aside:
        for name in _databases(home.root):
            _copy_database(home.root / name, aside / name)
        for name in _files(home.root):
            _copy_file(home.root / name, aside / name)
        open_part = _sign_off(aside, home)
    with _written(keys) as aside:
        for path in sorted((home.root / "keys").glob("*")):
            _copy_file(path, aside / "keys" / path.name)
        if (home.root / KEYRING).exists():
            _copy_database(home.root / KEYRING, aside / KEYRING)
        secret_part = _sign_off(aside, home)
    return Backup(folder, *open_part), Backup(keys, *secret_part)


def read_backup(folder: Path) -> Backup:
    """A backup, every byte of it checked against its manifest. Raises BadBackup."""
    try:
        value = json.loads((folder / MANIFEST).read_text())
        if value["form"] != FORM:
            raise BadBackup(folder / MANIFEST, f"form {value['form']} is not one that this version reads")
        files = {str(name): (str(digest), int(size)) for name, (digest, size) in value["files"].items()}
        found = Backup(folder, int(value["made_at"]), files)
    except FileNotFoundError:
        raise BadBackup(folder / MANIFEST, "is not there: this is no backup, or one that was broken off") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadBackup(folder / MANIFEST, f"is not as it was written ({error})") from error
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {MANIFEST}
    for name in sorted(there ^ set(files)):
        raise BadBackup(folder / name, "is not in the manifest" if name in there else "is missing")
    for name, (digest, size) in files.items():
        if (folder / name).stat().st_size != size or _digest(folder / name) != digest:
            raise BadBackup(folder / name, "is not what was written")
        if name.endswith(".db"):
            _require_sound(folder / name)
    return found


def restore(home: Home, folder: Path, keys: Path | None, now: int | None = None) -> Path | None:
    """Brings a backup back into a home where nothing runs; what was there is moved aside, to the folder returned.

    Keys that were destroyed here since stay destroyed: an erasure is not undone by a backup from before it. Raises
    BadBackup, OtherTown, NoKeyRing; HomeInUse from the lock that the caller holds.
    """
    parts = [read_backup(part) for part in (folder, keys) if part is not None]
    if home.deployment.exists() and home.deployment.read_bytes() != (folder / "deployment.json").read_bytes():
        raise OtherTown(folder, home.root)
    if keys is None and not (home.root / KEYRING).exists():
        raise NoKeyRing(home.root)
    destroyed = _destroyed(home.root)
    aside = _move_aside(home.root, keys is not None, int(time.time()) if now is None else now)
    for part in parts:
        for name in part.files:
            _copy_file(part.folder / name, home.root / name)
    if keys is not None:
        _destroy_again(KeyRing(home.root / KEYRING), destroyed)
    return aside


# --- what a home holds ---


def _databases(root: Path) -> list[str]:
    return [name for name in _names(root) if name.endswith(".db") and name != KEYRING]


def _files(root: Path) -> list[str]:
    """Everything else but secrets, what a running service holds open, and half-written files."""
    return [
        name
        for name in _names(root)
        if not name.endswith((".db", ".db-wal", ".db-shm", ".db-journal", ".lock", ".new"))
        and not name.startswith("keys/")
        and not Path(name).name.startswith(".")
    ]


def _names(root: Path) -> list[str]:
    found = (path.relative_to(root) for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    return sorted(str(name) for name in found if name.parts[0] not in _LEFT_OUT)


# --- writing ---


@contextmanager
def _written(folder: Path) -> Iterator[Path]:
    """A folder that appears under its name once all of it is on the disk, and not at all where writing it failed."""
    aside = private_folder(folder.with_name(f".{folder.name}.{os.getpid()}.part"))
    try:
        yield aside
        aside.rename(folder)
        _flush(folder.parent)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def _copy_database(source: Path, target: Path) -> None:
    """A copy of one moment, by SQLite's own online backup: writers go on meanwhile."""
    private_folder(target.parent)
    os.close(private_writer(target))
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=30)) as live,
        closing(sqlite3.connect(target)) as copy,
    ):
        live.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
    _flush(target)


def _copy_file(source: Path, target: Path) -> None:
    private_folder(target.parent)
    aside = target.with_name(f".{target.name}.part")
    aside.unlink(missing_ok=True)
    with source.open("rb") as given, os.fdopen(private_writer(aside), "wb") as kept:
        shutil.copyfileobj(given, kept, _PIECE)
        kept.flush()
        os.fsync(kept.fileno())
    aside.replace(target)


def _sign_off(aside: Path, home: Home) -> tuple[int, dict[str, tuple[str, int]]]:
    paths = sorted(path for path in aside.rglob("*") if path.is_file())
    files = {str(path.relative_to(aside)): (_digest(path), path.stat().st_size) for path in paths}
    made_at = int(time.time())
    value = {"form": FORM, "made_at": made_at, "home": home.root.name, "files": files}
    with os.fdopen(private_writer(aside / MANIFEST), "w") as out:
        json.dump(value, out, indent=1, sort_keys=True)
        out.flush()
        os.fsync(out.fileno())
    return made_at, files


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- reading ---


def _digest(path: Path) -> str:
    with path.open("rb") as given:
        return hashlib.file_digest(given, "sha256").hexdigest()


def _require_sound(path: Path) -> None:
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as database:
        try:
            told = database.execute("PRAGMA integrity_check").fetchone()[0]
        except sqlite3.DatabaseError as error:
            raise BadBackup(path, f"is no sound database ({error})") from error
    if told != "ok":
        raise BadBackup(path, f"is no sound database ({told})")


def _move_aside(root: Path, with_keys: bool, now: int) -> Path | None:
    """Moves what is to be replaced away; nothing of a home is ever overwritten."""
    names = [*_databases(root), *_files(root)]
    names += [f"{name}{tail}" for name in _databases(root) for tail in ("-wal", "-shm", "-journal")]
    if with_keys:
        names += [KEYRING, *(f"{KEYRING}{tail}" for tail in ("-wal", "-shm"))]
        names += [f"keys/{path.name}" for path in (root / "keys").glob("*")]
    there = [name for name in names if (root / name).exists()]
    if not there:
        return None
    aside = root / "replaced" / str(now)
    for name in there:
        private_folder((aside / name).parent)
        (root / name).rename(aside / name)
    return aside


def _destroyed(root: Path) -> dict[KeyId, tuple[int, str]]:
    """Keys destroyed in this home, by its ring and by those that earlier restores moved aside."""
    found: dict[KeyId, tuple[int, str]] = {}
    for path in (*root.glob(f"replaced/*/{KEYRING}"), root / KEYRING):
        if path.exists():
            found |= KeyRing(path).all_destroyed()
    return found


def _destroy_again(ring: KeyRing, destroyed: Mapping[KeyId, tuple[int, str]]) -> None:
    known = ring.secrets(destroyed)
    for key, (at, act) in destroyed.items():
        if key in known:
            ring.destroy(key, at, act)
