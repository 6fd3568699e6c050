"""A PostgreSQL of its own for a bench, with its defaults: what is committed is on the disk."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


class PostgresMissing(RuntimeError):
    """PostgreSQL's programs are not installed."""

    def __init__(self) -> None:
        super().__init__("PostgreSQL is not installed: apt-get install postgresql")


@contextmanager
def postgres() -> Iterator[str]:
    """Its address, on a socket in a temporary folder. Raises PostgresMissing."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = shutil.which("initdb") or (str(programs[-1]) if programs else None)
    if found is None:
        raise PostgresMissing
    with tempfile.TemporaryDirectory(prefix="kopeck-pg-") as folder:
        user = getpass.getuser()
        as_owner: Sequence[str] = ()
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root.
            user, as_owner = "postgres", ("runuser", "-u", "postgres", "--")
            shutil.chown(folder, user)
        data = f"{folder}/data"
        control = [*as_owner, str(Path(found).with_name("pg_ctl")), "-D", data, "-w"]
        _run([*as_owner, found, "-D", data, "-A", "trust", "-U", user], folder)
        _run([*control, "-l", f"{folder}/log", "-o", f"-k {folder} -c listen_addresses=''", "start"], folder)
        try:
            yield f"postgresql+psycopg://{user}@/postgres?host={folder}"
        finally:
            _run([*control, "-m", "immediate", "stop"], folder)


def _run(argv: Sequence[str], folder: str) -> None:
    subprocess.run(argv, check=True, capture_output=True, cwd=folder)
