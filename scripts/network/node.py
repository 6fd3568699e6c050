"""One GoQuorum node: its files, its first block, and how it is called. The network and the observer kit share it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from coincurve import PrivateKey

from contracts.client.private import private_folder
from scripts.network.genesis import GAS_LIMIT
from scripts.processes import Spec, last_lines

_ENV = {"PRIVATE_CONFIG": "ignore"}
"""GoQuorum's private transactions need another program beside it; we have none and want none."""
_MOST_PEERS = 25


class NodeNotPrepared(RuntimeError):
    """The node's folder could not be made from the first block."""

    def __init__(self, folder: Path, logfile: Path) -> None:
        super().__init__(f"{folder} could not be made a node's: {last_lines(logfile, 3)}; see {logfile}")


@dataclass(frozen=True, slots=True)
class Node:
    """A node's place: its folder, where peers reach it (address:port), and its port for calls on 127.0.0.1."""

    name: str
    folder: Path
    listen: str
    rpc_port: int
    chain_id: int
    is_validator: bool = False

    @property
    def url(self) -> str:
        """Where it takes calls."""
        return f"http://127.0.0.1:{self.rpc_port}"

    def prepare(self, program: Path, genesis: Path, key: bytes, peers: Sequence[str], allowed: Sequence[str]) -> None:
        """Writes what the node reads at its start: its key, whom it dials, whom it lets in, and the first block where
        it has none. Whom the allowlist does not name is dialled by nobody and let in by nobody. Raises NodeNotPrepared.
        """
        private_folder(self.folder / "geth")
        keyfile = self.folder / "geth" / "nodekey"
        keyfile.touch(mode=0o600)
        keyfile.write_text(key.hex())
        (self.folder / "permissioned-nodes.json").write_text(json.dumps(list(allowed), indent=2))
        (self.folder / "node.toml").write_text(
            "[Node.P2P]\n"
            f"ListenAddr = {json.dumps(self.listen)}\n"
            "NoDiscovery = true\n"
            f"MaxPeers = {_MOST_PEERS}\n"
            f"StaticNodes = {json.dumps(list(peers))}\n"
        )
        if (self.folder / "geth" / "chaindata").exists():
            return
        command = [str(program), "--datadir", str(self.folder), "init", str(genesis)]
        done = subprocess.run(command, env=_ENV, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            logfile = self.folder / "init.log"
            logfile.write_text(done.stdout + done.stderr)
            raise NodeNotPrepared(self.folder, logfile)

    def spec(self, program: Path) -> Spec:
        """How to start it. Every block's state is kept and written at once, so that a power cut takes nothing back."""
        argv = [
            *(str(program), "--config", str(self.folder / "node.toml"), "--datadir", str(self.folder)),
            *("--networkid", str(self.chain_id), "--permissioned", "--nodiscover", "--nat", "none", "--ipcdisable"),
            *("--http", "--http.addr", "127.0.0.1", "--http.port", str(self.rpc_port), "--http.api", "eth,net,web3"),
            *("--syncmode", "full", "--gcmode", "archive", "--cache", "64", "--rpc.gascap", str(10 * GAS_LIMIT)),
            *("--txpool.accountslots", "4096", "--txpool.globalslots", "16384"),
            *("--txpool.accountqueue", "4096", "--txpool.globalqueue", "16384", "--txpool.pricelimit", "0"),
        ]
        if self.is_validator:
            argv += ["--mine", "--miner.threads", "1", "--miner.gasprice", "0", "--miner.gaslimit", str(GAS_LIMIT)]
        return Spec(self.name, tuple(argv), env=_ENV)


def enode(key: bytes, address: str) -> str:
    """How a node is named to its peers: its public key, and where it is reached (address:port)."""
    public = PrivateKey(key).public_key.format(compressed=False)[1:]
    return f"enode://{public.hex()}@{address}?discport=0"
