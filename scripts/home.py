"""The directory of a running town: where each party's things lie, and the parties' keys.

One machine plays every party in the demo, so all keys are here, each in a file of its own that only its owner may
read; what a party does, it does with its own key alone.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from contracts.client.private import private_folder
from contracts.client.signer import SIGNER_URL, LocalSigner, Signer, open_signer
from contracts.wire.ids import Address
from contracts.wire.typed_data import address_of

DEFAULT_HOME = Path("var/local")
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class HomeInUse(RuntimeError):
    """Another `kopeck up` works in this home."""

    def __init__(self, root: Path) -> None:
        super().__init__(f"a town is already running in {root}; stop it with `kopeck stop`, or give another --home")


class Home:
    """Paths under ``root``; made as they are asked for."""

    def __init__(self, root: Path) -> None:
        self.root = private_folder(root.resolve())

    @property
    def deployment(self) -> Path:
        """The deployment's chain id, addresses and first block."""
        return self.root / "deployment.json"

    @property
    def chain_state(self) -> Path:
        """Where the local chain keeps its state."""
        return self.root / "chain" / "state.json"

    @property
    def filled(self) -> Path:
        """There once the town has been filled; holds its report."""
        return self.root / "town" / "filled.json"

    def folder(self, name: str) -> Path:
        """A party's own folder."""
        return private_folder(self.root / name)

    def key(self, name: str) -> bytes:
        """A party's private key, drawn when it is first asked for."""
        path = self.folder("keys") / f"{name}.key"
        if not path.exists():
            drawn = (1 + secrets.randbelow(CURVE_ORDER - 1)).to_bytes(32, "big")
            aside = path.with_suffix(".new")
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as out:
                out.write("0x" + drawn.hex() + "\n")
            aside.rename(path)
        return bytes.fromhex(path.read_text().strip().removeprefix("0x"))

    def forget_key(self, name: str) -> None:
        """Drops a key that nothing was signed with yet, so that another is drawn."""
        (self.folder("keys") / f"{name}.key").unlink(missing_ok=True)

    def signer(self, name: str) -> Signer:
        """Who signs for a party: the signer apart where the environment names one, else its key here. Raises NoKey."""
        return open_signer(self.root, name) if os.environ.get(SIGNER_URL) else LocalSigner(self.key(name))

    def address(self, name: str) -> Address:
        """A party's account: of the key that a signer apart holds where a public key says so, else of its key here."""
        is_apart = os.environ.get(SIGNER_URL) and (self.folder("keys") / f"{name}.pub").exists()
        return self.signer(name).address if is_apart else address_of(self.key(name))

    def token(self, name: str) -> str:
        """A bearer token between services, drawn when it is first asked for."""
        path = self.folder("keys") / f"{name}.token"
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as out:
                out.write(secrets.token_urlsafe(32) + "\n")
        return path.read_text().strip()

    def forget_town(self) -> None:
        """Removes what a town has written so far; its plan and the logs stay."""
        for entry in self.root.iterdir():
            if entry.is_dir() and entry.name not in ("logs", "run", "town"):
                shutil.rmtree(entry)
            elif entry.is_file() and entry.name != "up.lock":
                entry.unlink()
        shutil.rmtree(self.root / "town" / "orders", ignore_errors=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the home for one `kopeck up`. Raises HomeInUse."""
        with (self.root / "up.lock").open("a+") as lock:
            if not _lock(lock):
                raise HomeInUse(self.root)
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    def end_holder(self, timeout_s: float) -> bool:
        """Asks the `kopeck up` that holds this home to end and waits until it has let go; False where none does.
        Raises HomeInUse where it will not."""
        path = self.root / "up.lock"
        if not path.exists():
            return False
        with path.open() as lock:
            if _lock(lock):
                return False
            os.kill(int(lock.read()), signal.SIGTERM)
            deadline = time.monotonic() + timeout_s
            while not _lock(lock):
                if time.monotonic() > deadline:
                    raise HomeInUse(self.root)
                time.sleep(0.1)
        return True


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
