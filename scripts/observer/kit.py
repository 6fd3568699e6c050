"""The kit at work: the node as a child process, the gateway in a thread, the audit on a clock."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import structlog
import uvicorn

from contracts.client.private import private_folder
from contracts.client.rpc import NodeError, Rpc
from scripts.home import Home
from scripts.network.build import engine
from scripts.network.node import Node, enode
from scripts.observer.config import BadConfig, Config
from scripts.observer.gateway import Gateway
from scripts.processes import NotReady, Supervisor

log = structlog.get_logger(__name__)

_KEY = "node-observer"
_KOPECK = "import sys; from scripts.cli.main import app; sys.exit(app())"
_READY_S = 60.0
_POLL_S = 0.1


class Kit:
    """Everything that `kopeck observer` runs. Use as a context: leaving it ends every part."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._home = Home(config.place("observer-home"))
        self._supervisor = Supervisor(self._home.root)
        self._own_token = secrets.token_urlsafe(24)
        settings = config.gateway
        app = Gateway(settings, self.node_url, self._own_token).app()
        self._server = uvicorn.Server(
            uvicorn.Config(app, host=settings.listen, port=settings.port, log_level="warning", access_log=False)
        )
        self._thread = threading.Thread(target=self._server.run, name="gateway", daemon=True)

    def __enter__(self) -> Kit:
        try:
            if not self._config.node.url:
                self._start_node()
            self._thread.start()
            self._until(lambda: self._server.started, "the gateway listens")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        if self._thread.ident:
            self._thread.join()
        self._supervisor.stop_all()

    @property
    def node_url(self) -> str:
        """The node itself, for this machine alone."""
        return self._config.node.url or f"http://127.0.0.1:{self._config.node.rpc_port}"

    @property
    def url(self) -> str:
        """The gateway, for everybody."""
        return f"http://{self._config.gateway.listen}:{self._config.gateway.port}"

    def enode(self) -> str:
        """What the validators' operators enter into their allowlists, so that this node may follow."""
        return enode(self._key(), self._config.node.listen)

    def run(self, stop: threading.Event) -> None:
        """Audits on the clock until told to stop. Raises ProcessDied where the node will not stay up."""
        due = time.monotonic()
        while not stop.wait(_POLL_S):
            self._supervisor.check()
            if self._config.audit.bundle and time.monotonic() >= due:
                self.audit()
                due = time.monotonic() + self._config.audit.every_s

    def audit(self) -> int:
        """Audits once, through the gateway; keeps each report by its time. Gives the audit's exit code."""
        settings = self._config.audit
        folder = private_folder(self._config.place(settings.folder))
        named = folder / f"{datetime.now(UTC):%Y-%m-%dT%H%M%S}"
        reports = ("--json", str(named.with_suffix(".json")), "--html", str(named.with_suffix(".html")))
        command = [
            *(sys.executable, "-c", _KOPECK, "audit", "--bundle", str(self._config.place(settings.bundle))),
            *("--rpc", f"{self.url}/own/{self._own_token}", "--state", str(folder / "state"), *reports),
            *(("--sealed",) if settings.is_sealed else ()),
        ]
        with named.with_suffix(".log").open("wb") as output:
            code = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False).returncode
        verdict = {"at": named.name, "exit_code": code}
        (folder / "last.json").write_text(json.dumps(verdict) + "\n")
        (log.info if code == 0 else log.error)("audit", report=str(named.with_suffix(".html")), exit_code=code)
        return code

    # --- the node ---

    def _start_node(self) -> None:
        settings = self._config.node
        genesis = self._config.place(settings.genesis)
        try:
            chain_id = int(json.loads(genesis.read_text())["config"]["chainId"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadConfig(self._config.path, f"{genesis} is no genesis file ({error})") from error
        program = engine()
        node = Node("node", self._config.place(settings.folder), settings.listen, settings.rpc_port, chain_id)
        node.prepare(program, genesis, self._key(), settings.peers, settings.peers)
        self._supervisor.start(node.spec(program))
        self._until(self._node_answers, "the node answers")

    def _key(self) -> bytes:
        """The node's key: one that lies in its folder already, else drawn. It signs no block and no payment."""
        kept = self._config.place(self._config.node.folder) / "geth" / "nodekey"
        return bytes.fromhex(kept.read_text()) if kept.exists() else self._home.key(_KEY)

    def _node_answers(self) -> bool:
        rpc = Rpc(self.node_url, timeout_s=2)
        try:
            rpc.call("eth_chainId")
        except NodeError:
            return False
        finally:
            rpc.close()
        return True

    def _until(self, ready: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _READY_S
        while not ready():
            self._supervisor.check()
            if time.monotonic() > deadline or (self._thread.ident and not self._thread.is_alive()):
                raise NotReady(f"{what}: not so; see {_logs(self._home)}, and whether its port is free")
            time.sleep(_POLL_S)


def _logs(home: Home) -> Path:
    return home.root / "logs"
