"""Builds the node program once, from pinned modules, and keeps it in the user's cache.

    python -m scripts.network.build

`engine/go.mod` and `engine/go.sum` pin GoQuorum and everything it is made of; Go checks each module against its hash.
The program is under the GPL and the LGPL: it runs beside ours as a process of its own, nothing of it is linked to or
shipped with this project, and it is built on the machine that runs it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ENGINE = Path(__file__).resolve().parent / "engine"
_PACKAGE = "github.com/ethereum/go-ethereum/cmd/geth"
# A dependency reaches into Go's runtime by name, which Go from 1.23 on lets happen only when told so.
_FLAGS = ("-ldflags=-checklinkname=0 -s -w",)
_BUILD_S = 1800


class EngineMissing(RuntimeError):
    """The node program is not built."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"the node program is not at {path}; build it once with `kopeck network build` "
            "(it needs Go 1.21 or newer, a C compiler and some minutes)"
        )
        self.path = path


class BuildFailed(RuntimeError):
    """Go could not build the node program."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the node program was not built: {reason}")


def engine_path() -> Path:
    """Where the program of these pins is kept, there or not."""
    pins = hashlib.sha256((ENGINE / "go.mod").read_bytes() + (ENGINE / "go.sum").read_bytes()).hexdigest()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "kopeck" / "nodes" / f"quorum-{pins[:16]}" / "geth"


def engine() -> Path:
    """The built program. Raises EngineMissing."""
    path = engine_path()
    if not path.exists():
        raise EngineMissing(path)
    return path


def build() -> Path:
    """Builds the program unless it is there already. Raises BuildFailed."""
    path = engine_path()
    if path.exists():
        return path
    go = shutil.which("go")
    if go is None:
        raise BuildFailed("Go is not installed; get version 1.21 or newer")
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(f".{os.getpid()}")
    command = [go, "build", "-mod=readonly", *_FLAGS, "-o", str(aside), _PACKAGE]
    done = subprocess.run(
        command,
        cwd=ENGINE,
        env={**os.environ, "GOFLAGS": "", "GOWORK": "off"},
        capture_output=True,
        text=True,
        timeout=_BUILD_S,
        check=False,
    )
    if done.returncode != 0:
        raise BuildFailed("\n".join(done.stderr.splitlines()[-12:]))
    aside.replace(path)
    return path


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{build()}\n")
    except BuildFailed as failed:
        sys.exit(str(failed))
