"""A real chain under the oracle: Anvil with our contracts deployed, and the oracle's own processes on it."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import httpx
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from contracts.client.deployments import Deployment
from contracts.client.keyring import KeyRing
from contracts.client.reader import Reader
from contracts.client.rpc import Rpc
from contracts.client.sender import Sender
from contracts.wire.calls import encode_register_source, encode_revoke_source, encode_rotate_source
from contracts.wire.events import Event
from contracts.wire.ids import KeyId, MeterId, SourceClass, SourceId
from contracts.wire.typed_data import Domain, address_of, anchor_domain
from scripts.chain import ChainSettings, anvil, chain_answers
from scripts.deploy import HOLDERS, OWNERS, Settings, deploy
from scripts.processes import free_port
from tests.oracle.conftest import NOW

_Event = TypeVar("_Event", bound=Event)
ROOT = Path(__file__).resolve().parents[2]


def until(ready: Callable[[], bool], what: str, timeout_s: float = 20.0) -> None:
    end = time.monotonic() + timeout_s
    while not ready():
        assert time.monotonic() < end, f"not within {timeout_s} s: {what}"
        time.sleep(0.05)


@dataclass
class RealTown:
    """A home with keys and a deployment on an Anvil of its own, and the processes started in it."""

    home: Path
    rpc_url: str
    deployment: Deployment
    keys: Mapping[str, bytes]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    port: int = 0

    def __post_init__(self) -> None:
        self.rpc = Rpc(self.rpc_url)
        self.reader = Reader(self.rpc, self.deployment)
        engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
        self.operator = Sender(engine, self.rpc, self.deployment.chain_id, self.keys["operator"])

    @property
    def oracle_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def domain(self) -> Domain:
        return anchor_domain(self.deployment.chain_id, self.deployment.addresses["ReadingAnchor"])

    @property
    def token(self) -> str:
        return (self.home / "keys" / "files.token").read_text().strip()

    def write_key(self, name: str, key: bytes) -> None:
        path = self.home / "keys" / f"{name}.key"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("0x" + key.hex() + "\n")

    def register_source(self, name: str, kind: SourceClass) -> SourceId:
        """Draws a key for a source, keeps it under its name and registers it."""
        key = secrets.token_bytes(32)
        self.write_key(name, key)
        self.operate(encode_register_source(address_of(key), kind, 0))
        number = 1
        while self.reader.view("Registry", "source", number)[0] != address_of(key):
            number += 1
        return SourceId(number)

    def rotate(self, source: SourceId, key: bytes) -> None:
        self.operate(encode_rotate_source(source, address_of(key), 0))

    def revoke(self, source: SourceId) -> None:
        self.operate(encode_revoke_source(source))

    def operate(self, data: bytes) -> None:
        intent = secrets.token_hex(8)
        self.operator.submit(intent, self.deployment.addresses["Registry"], data, 500_000)
        assert self.operator.wait(intent, check=True).success

    def send_by_operator(self, data: bytes) -> None:
        """Hands a call to the node without waiting for its block."""
        self.operator.submit(secrets.token_hex(8), self.deployment.addresses["Registry"], data, 500_000)
        self.operator.advance()

    def mine_by_hand(self) -> None:
        """No more blocks until told so."""
        self.rpc.call("evm_setIntervalMining", 0)

    def mine_by_clock(self) -> None:
        """A block now, and one a second from now on."""
        self.rpc.call("evm_mine")
        self.rpc.call("evm_setIntervalMining", 1)

    def finalize(self) -> None:
        """Makes everything up to now final."""
        self.rpc.call("anvil_mine", "0xe")

    def bind_meters(self, count: int) -> list[MeterId]:
        ring = KeyRing(self.home / "keyring.db")
        account = KeyId(secrets.token_bytes(16))
        ring.create(account)
        meters = [MeterId(secrets.token_bytes(16)) for _ in range(count)]
        for meter in meters:
            ring.bind_meter(meter, account, 0)
        return meters

    def start_oracle(self) -> None:
        self.port = self.port or free_port()
        self.start("oracle", "oracle.main", "--rpc", self.rpc_url, "--port", str(self.port))
        until(self._healthy, "the oracle's health")

    def start_concentrator(self, name: str, source: SourceId) -> None:
        arguments = ("--name", name, "--oracle", self.oracle_url, "--source", str(source))
        self.start(name, "oracle.concentrator", *arguments)

    def start(self, name: str, module: str, *arguments: str) -> None:
        log = (self.home / f"{name}.log").open("ab")
        argv = [sys.executable, "-m", module, "--home", str(self.home), *arguments]
        self.processes[name] = subprocess.Popen(argv, cwd=ROOT, stdout=log, stderr=log, env={**os.environ})

    def kill(self, name: str) -> None:
        """SIGKILL, by the id of what was started here."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(timeout=10)
        self.processes.clear()

    def events(self, kind: type[_Event]) -> list[_Event]:
        found = self.reader.events(self.deployment.first_block, self.reader.head().number)
        return [event for event in found if isinstance(event, kind)]

    def on_chain(self, source: SourceId) -> tuple[int, int, bytes]:
        """(sequence, epoch, head) of a source on the chain."""
        sequence, epoch, head = self.reader.view("ReadingAnchor", "headOf", source)
        return sequence, epoch, bytes(head)

    def _healthy(self) -> bool:
        assert self.processes["oracle"].poll() is None, (self.home / "oracle.log").read_text()[-2000:]
        try:
            return httpx.get(f"{self.oracle_url}/health", timeout=2, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False


def start_town(home: Path) -> tuple[RealTown, subprocess.Popen[bytes]]:
    """An Anvil of its own and everything deployed on it."""
    port = free_port()
    spec = anvil(ChainSettings(port, NOW, block_time_s=0.3))
    chain = subprocess.Popen(spec.argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    until(lambda: chain_answers(url), "Anvil's answer")
    names = {"deployer", "oracle", *OWNERS, *(name for holders in HOLDERS.values() for name in holders)}
    keys = {name: secrets.token_bytes(32) for name in sorted(names)}
    deployment = deploy(url, keys, Settings())
    deployment.save(home / "deployment.json")
    town = RealTown(home, url, deployment, keys)
    town.write_key("oracle", keys["oracle"])
    return town, chain
