"""The services as processes in the home of a billed town, started, watched and killed by the test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from scripts.processes import free_port
from tests.billing.stage import KEYS, Stage
from tests.ledger.town import PARTIES, key_of

ROOT = Path(__file__).resolve().parents[2]


def until(ready: Callable[[], bool], what: str, timeout_s: float = 30) -> None:
    """Waits. The chain's clock runs on its own here, so there is nothing to drive."""
    end = time.monotonic() + timeout_s
    while not ready():
        assert time.monotonic() < end, f"not within {timeout_s} s: {what}"
        time.sleep(0.05)


class Services:
    """Processes of one home."""

    def __init__(self, stage: Stage, before_activation: str) -> None:
        self.stage = stage
        self.before_activation = before_activation
        """Anvil's state before the run was activated."""
        self.home = stage.folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.node_port = free_port()
        self._lay_out()

    @property
    def node_url(self) -> str:
        """Where the processes look for the node."""
        return f"http://127.0.0.1:{self.node_port}"

    def _lay_out(self) -> None:
        self.stage.town.reader.deployment.save(self.home / "deployment.json")
        (self.home / "keys").mkdir()
        keys = {name: key_of(name) for name in PARTIES} | KEYS | {"concentrator-1": key_of("concentrator")}
        for name, key in keys.items():
            self.write_key(name, key)
        for owner in ("oracle", "billing"):
            (self.home / owner).mkdir()
            (self.home / owner / "files").symlink_to(self.home / "served")

    def write_key(self, name: str, key: bytes) -> None:
        (self.home / "keys" / f"{name}.key").write_text("0x" + key.hex() + "\n")

    def change_chain_id(self, chain_id: int) -> None:
        """Has the home mean another chain than the node's."""
        path = self.home / "deployment.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"chain_id": chain_id}))

    # --- processes ---

    def start(self, module: str, *more: str, name: str | None = None) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", module, "--home", str(self.home), "--rpc", self.node_url, *more]
        databases = {
            f"KOPECK_{owner.upper()}_DB": f"sqlite:///{self.home / owner}.db" for owner in ("billing", "ledger")
        }
        with self.logfile(name or module).open("ab") as log:
            process = subprocess.Popen(argv, cwd=ROOT, stdout=log, stderr=log, env={**os.environ, **databases})
        self.processes[name or module] = process
        return process

    def logfile(self, name: str) -> Path:
        return self.home / f"{name}.log"

    def said(self, name: str) -> str:
        """What a process said, without what a terminal adds."""
        return self.logfile(name).read_text()

    def until_said(self, name: str, words: str) -> None:
        """Waits until a process has said something."""
        until(lambda: words in self.said(name), f"{name} saying {words!r}")

    def kill(self, name: str) -> None:
        """As kill -9 does."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def end(self) -> None:
        for name in list(self.processes):
            self.kill(name)

    # --- the API ---

    def start_api(self, port: int) -> str:
        """The door, listening; its address."""
        process = self.start("api.main", "--port", str(port))
        url = f"http://127.0.0.1:{port}"

        def listens() -> bool:
            assert process.poll() is None, self.said("api.main")[-2000:]
            try:
                return httpx.get(f"{url}/v1/status", timeout=2, trust_env=False).status_code < 500
            except httpx.HTTPError:
                return False

        until(listens, "the door's answer")
        return url
