"""What a Besu network of QBFT is started from: genesis, allowlists, each node's settings, out of one list of nodes.

The list is a TOML file: ``chain_id``, ``starts_at`` (a date and time with zone), and a ``[[node]]`` for each, with
``name``, ``role`` (validator or observer) and ``enode``. Form and names are those of Besu's documentation (QBFT, free
gas, local permissioning); nothing here was run by Besu in this project's tests.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from coincurve import PublicKey

from contracts.wire.ids import Address
from contracts.wire.keccak import keccak
from scripts.network.genesis import GAS_LIMIT, extra_data

LEAST_VALIDATORS = 4
"""Fewer bear no fault: QBFT goes on without f of its n validators where n ≥ 3f + 1."""
_EPOCH_BLOCKS = 30_000
_BLOCK_PERIOD_S = 1
_REQUEST_TIMEOUT_S = 2
_MIX_HASH = "0x63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365"
_ENODE = re.compile(r"enode://([0-9a-f]{128})@([^:/?]+):(\d{1,5})")


class Role(StrEnum):
    """What a node does in the network."""

    VALIDATOR = "validator"
    OBSERVER = "observer"


class BadNetwork(ValueError):
    """A list of nodes is none that a network could be started from."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the network. ``enode`` names its key and where it listens."""

    name: str
    role: Role
    enode: str

    @property
    def address(self) -> Address:
        """The account of the node's key: by it a validator is known."""
        return Address(keccak(_key_of(self.enode))[12:])


@dataclass(frozen=True, slots=True)
class Network:
    """A network as its list says."""

    chain_id: int
    starts_at: int
    nodes: tuple[Node, ...]

    @classmethod
    def load(cls, path: Path) -> Network:
        """Reads and checks a list. Raises BadNetwork naming the entry."""
        try:
            value = tomllib.loads(path.read_text())
            nodes = tuple(Node(str(row["name"]), Role(row["role"]), str(row["enode"])) for row in value["node"])
            begins = value["starts_at"]
            if not isinstance(begins, datetime) or begins.tzinfo is None:
                raise BadNetwork(f"{path}: starts_at is a date and time with its zone, as 2026-01-01T00:00:00Z")
            found = cls(int(value["chain_id"]), int(begins.timestamp()), nodes)
        except (KeyError, TypeError, tomllib.TOMLDecodeError) as error:
            raise BadNetwork(f"{path}: {error!r}; see the example beside it") from error
        except BadNetwork:
            raise
        except ValueError as error:
            raise BadNetwork(f"{path}: {error}; a role is validator or observer") from error
        found.check()
        return found

    @property
    def validators(self) -> list[Address]:
        """Their accounts, ascending, as the genesis holds them."""
        return sorted(node.address for node in self.nodes if node.role is Role.VALIDATOR)

    def check(self) -> None:
        """Raises BadNetwork where a node is there twice, has no address, or validators are too few."""
        for node in self.nodes:
            _key_of(node.enode)
        for told, values in (
            ("name", [node.name for node in self.nodes]),
            ("key", [_key_of(node.enode).hex()[:16] for node in self.nodes]),
            ("place", [node.enode.partition("@")[2] for node in self.nodes]),
        ):
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise BadNetwork(f"two nodes have the same {told}: {twice[0]}; every node has its own")
        if len(self.validators) < LEAST_VALIDATORS:
            raise BadNetwork(f"{len(self.validators)} validators bear no fault; name at least {LEAST_VALIDATORS}")

    def genesis(self) -> dict[str, Any]:
        """The genesis document. Rules up to London, since transactions of type 2 are sent; the base fee is zero."""
        return {
            "config": {
                "chainId": self.chain_id,
                "berlinBlock": 0,
                "londonBlock": 0,
                "zeroBaseFee": True,
                "qbft": {
                    "epochlength": _EPOCH_BLOCKS,
                    "blockperiodseconds": _BLOCK_PERIOD_S,
                    "requesttimeoutseconds": _REQUEST_TIMEOUT_S,
                },
            },
            "nonce": "0x0",
            "timestamp": hex(self.starts_at),
            "extraData": "0x" + extra_data(self.validators).hex(),
            "gasLimit": hex(GAS_LIMIT),
            "difficulty": "0x1",
            "mixHash": _MIX_HASH,
            "coinbase": "0x" + "00" * 20,
            "alloc": {},
        }

    def files(self) -> Mapping[str, str]:
        """Every file by its path: what all nodes share, and a folder for each node."""
        out = {
            "genesis.json": json.dumps(self.genesis(), indent=2) + "\n",
            "permissions_config.toml": f"nodes-allowlist={json.dumps([node.enode for node in self.nodes])}\n",
        }
        for node in self.nodes:
            others = [other.enode for other in self.nodes if other is not node]
            out[f"{node.name}/static-nodes.json"] = json.dumps(others, indent=2) + "\n"
            out[f"{node.name}/besu.toml"] = _settings(node)
        return out

    def write(self, folder: Path) -> list[Path]:
        """Writes the files into a new or empty folder. Raises FileExistsError: a running network's are not replaced."""
        if folder.exists() and any(folder.iterdir()):
            raise FileExistsError(f"{folder} is not empty; a network's files are written once")
        paths = []
        for name, text in self.files().items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            paths.append(path)
        return paths


def _key_of(enode: str) -> bytes:
    """The 64 bytes of a node's public key. Raises BadNetwork."""
    found = _ENODE.fullmatch(enode)
    if found is None:
        raise BadNetwork(f"{enode[:60]!r} is no enode://<128 hex digits>@<IP address>:<port>")
    try:
        ip_address(found[2])
        PublicKey(b"\x04" + bytes.fromhex(found[1]))
    except ValueError as error:
        raise BadNetwork(
            f"{enode[:60]!r}: {error}; an allowlist takes IP addresses and keys that are points"
        ) from error
    return bytes.fromhex(found[1])


def _settings(node: Node) -> str:
    """A node's settings. The HTTP door is the machine's own; a validator's also lets it vote."""
    apis = ["ETH", "NET", "WEB3", *(["QBFT"] if node.role is Role.VALIDATOR else [])]
    host, _, port = node.enode.partition("@")[2].partition(":")
    return f"""# {node.role} {node.name}; its key is DATA/key, drawn by `besu public-key export` on that machine alone
data-path="/var/lib/besu"
genesis-file="/etc/besu/genesis.json"
sync-mode="FULL"
min-gas-price=0
discovery-enabled=false
p2p-host="{host}"
p2p-port={port}
static-nodes-file="/etc/besu/static-nodes.json"
permissions-nodes-config-file-enabled=true
permissions-nodes-config-file="/etc/besu/permissions_config.toml"
rpc-http-enabled=true
rpc-http-host="127.0.0.1"
rpc-http-port=8545
rpc-http-api={json.dumps(apis)}
host-allowlist=["localhost","127.0.0.1"]
"""
