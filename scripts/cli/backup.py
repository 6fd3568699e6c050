"""``kopeck backup`` and ``kopeck restore``: a town's data put aside and brought back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from scripts.cli.books import NoTown
from scripts.cli.console import out, show
from scripts.cli.options import HomeOption, JsonOption
from scripts.home import DEFAULT_HOME, Home
from scripts.keeping.backup import Backup, read_backup, restore, take_backup


def backup(
    folder: Annotated[Path, typer.Argument(help="A new folder: databases and files.")],
    keys: Annotated[Path, typer.Option("--keys", help="A new folder apart: the key ring and the parties' keys.")],
    postgres_apart: Annotated[
        bool, typer.Option("--postgres-apart", help="PostgreSQL's databases were taken by its own tools.")
    ] = False,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Copies every database and file of a home while it runs, and its secrets to a folder of their own.

    Keep the two apart: an erasure is complete once no copy of the key ring from before it is left."""
    if not (home / "deployment.json").exists():
        raise NoTown(home)
    show([_row(part) for part in take_backup(Home(home), folder, keys, postgres_apart)], as_json, "written")


def restore_backup(
    folder: Annotated[Path, typer.Argument(help="A folder that `kopeck backup` wrote.", exists=True)],
    keys: Annotated[
        Path | None, typer.Option("--keys", help="The folder of its secrets; without it the home's own stay.")
    ] = None,
    check_only: Annotated[bool, typer.Option("--check", help="Only check every byte of the backup.")] = False,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Brings a backup back into a home where nothing runs; what was there is moved to replaced/, never overwritten.

    Afterwards the ledger catches up from the chain by itself, and `kopeck sender list` names senders to be mended."""
    parts = [read_backup(part) for part in (folder, keys) if part is not None]
    if check_only:
        show([_row(part) for part in parts], as_json, "sound")
        return
    place = Home(home)
    with place.locked():
        aside = restore(place, folder, keys)
    show([_row(part) for part in parts], as_json, "brought back")
    if not as_json:
        if aside is not None:
            out.print(f"what was there is in {aside}; delete it once all is well", highlight=False)
        out.print("next: `kopeck sender list`, and mend what it names before you start the services")
        out.print("erasures since the backup that this home did not know of must be done again: `kopeck erase`")


def _row(part: Backup) -> dict[str, object]:
    return {
        "folder": str(part.folder),
        "taken": datetime.fromtimestamp(part.made_at, UTC).isoformat(),
        "files": len(part.files),
        "bytes": sum(size for _, size in part.files.values()),
    }
