"""The local chain: Anvil from npm, with the flags that design and benches agree on."""

from __future__ import annotations

import json
import platform
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import httpx

from contracts.client.private import private_folder
from scripts.processes import Spec

ROOT = Path(__file__).resolve().parent.parent
CHAIN_ID = 31337
STATES_KEPT = 20
"""Blocks whose whole state Anvil keeps for questions about the past and for reorgs: each takes 14 MB in a
town of a thousand accounts, and nothing asks for more than the depth of finality, 12."""
_IDLE_S = 0.05


class AnvilMissing(RuntimeError):
    """The local chain is not installed."""

    def __init__(self) -> None:
        super().__init__("anvil is not installed in this checkout; run `make install` (it needs Node.js 20 or newer)")


@dataclass(frozen=True, slots=True)
class ChainSettings:
    """``starts_at`` is the first block's time; ``state`` a file or None. Without ``block_time_s`` nothing is mined
    until somebody asks: see `Pacer`."""

    port: int
    starts_at: int
    block_time_s: float | None = None
    slots_in_an_epoch: int = 6
    state: Path | None = None


def anvil_binary() -> Path:
    """The program itself, so that a signal reaches it and not a wrapper. Raises AnvilMissing."""
    system = {"linux": "linux", "darwin": "darwin", "win32": "win32"}.get(sys.platform, sys.platform)
    machine = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}[platform.machine().lower()]
    path = ROOT / "node_modules" / "@foundry-rs" / f"anvil-{system}-{machine}" / "bin" / "anvil"
    if not path.exists():
        raise AnvilMissing
    return path


def anvil(settings: ChainSettings) -> Spec:
    """How to start the chain. Gas is free; twelve blocks make a block final."""
    argv = [
        str(anvil_binary()),
        *("--host", "127.0.0.1"),
        *("--port", str(settings.port)),
        *("--chain-id", str(CHAIN_ID)),
        *(("--no-mining",) if settings.block_time_s is None else ("--block-time", str(settings.block_time_s))),
        *("--slots-in-an-epoch", str(settings.slots_in_an_epoch)),
        *("--gas-price", "0"),
        *("--block-base-fee-per-gas", "0"),
        "--disable-min-priority-fee",
        *("--gas-limit", "120000000"),
        *("--timestamp", str(settings.starts_at)),
        *("--accounts", "1"),
        *("--prune-history", str(STATES_KEPT)),
        "--quiet",
    ]
    if settings.state is not None:
        private_folder(settings.state.parent)
        argv += ["--state", str(settings.state), "--state-interval", "1"]
    return Spec("anvil", tuple(argv), stop_signal=signal.SIGINT)


def last_moment(state: Path) -> int | None:
    """Time of the last block that a saved chain holds; a chain goes on from there, since Anvil itself would let its
    time fall back to what it is told at the start. None where nothing is saved."""
    if not state.exists():
        return None
    block = json.loads(state.read_bytes())["block"]
    return int(block["timestamp"], 16)


def chain_answers(url: str) -> bool:
    """Whether a node answers there."""
    try:
        return "result" in rpc(url, "eth_blockNumber")
    except httpx.HTTPError:
        return False


def rpc(url: str, method: str, *params: object) -> dict[str, object]:
    """One call to the node's own controls (mining interval, reorg); contracts are reached through the client."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
    answer: dict[str, object] = httpx.post(url, json=body, timeout=10).json()
    return answer


class Pacer:
    """Asks a node for a block every ``pace_s`` seconds, from a thread of its own; None makes it wait.

    Anvil's own interval of two seconds or less lifts the bound of ``--prune-history`` to 1,500 states, each as long as
    the chain is: five gigabytes in a quarter of an hour. A node that is away is asked again.
    """

    def __init__(self, url: str, pace_s: float | None) -> None:
        self._url = url
        self._pace_s = pace_s
        self._ending = threading.Event()
        self._mining = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="pacer", daemon=True)
        self._thread.start()

    def set(self, pace_s: float | None) -> None:
        """Changes the pace; on return no block is under way at the old one."""
        with self._mining:
            self._pace_s = pace_s

    def stop(self) -> None:
        """No more blocks."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        body = {"jsonrpc": "2.0", "id": 1, "method": "evm_mine", "params": []}
        with httpx.Client(timeout=10, trust_env=False) as node:
            while not self._ending.wait(self._pace_s or _IDLE_S):
                with self._mining:
                    if self._pace_s is None:
                        continue
                    try:
                        node.post(self._url, json=body)
                    except httpx.TransportError:
                        self._ending.wait(_IDLE_S)
