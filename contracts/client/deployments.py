"""Where the contracts of one town stand: chain, addresses, the hash of each one's code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from contracts.client.rpc import Rpc
from contracts.wire.ids import Address, Hash, address_text, parse_address
from contracts.wire.keccak import keccak

CONTRACTS = (
    "AccessManager",
    "Multisig",
    "Timelock",
    "Registry",
    "ReadingAnchor",
    "TariffBook",
    "ChargeBook",
    "Rouble",
    "SubsidyBook",
    "Settlement",
)


class WrongChain(Exception):
    """The node is of another chain than the one meant."""

    def __init__(self, expected: int, found: int) -> None:
        super().__init__(f"the node is of chain {found}, not {expected}; point to a node of chain {expected}")
        self.expected = expected
        self.found = found


class NotDeployed(Exception):
    """A contract is not where the deployment says, or has other code."""

    def __init__(self, contract: str, address: Address, reason: str) -> None:
        super().__init__(
            f"{contract} at {address_text(address)}: {reason}; the chain is older than the deployment file "
            "or another one: restore the chain, or deploy anew"
        )
        self.contract = contract
        self.address = address


class BadDeployment(ValueError):
    """The deployment file is not what ``save`` writes."""


@dataclass(frozen=True)
class Deployment:
    """One deployment. ``first_block`` is the block of the first contract: nothing of ours is before it."""

    chain_id: int
    first_block: int
    addresses: Mapping[str, Address]
    code_hashes: Mapping[str, Hash] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Deployment:
        """Reads a deployment file. Raises FileNotFoundError, BadDeployment."""
        try:
            value = json.loads(path.read_text())
            contracts = value["contracts"]
            addresses = {name: parse_address(row["address"]) for name, row in contracts.items()}
            hashes = {name: Hash(bytes.fromhex(row["code_hash"][2:])) for name, row in contracts.items()}
            missing = [name for name in CONTRACTS if name not in addresses]
            if missing:
                raise BadDeployment(f"{path} names no {missing[0]}; deploy anew")
            return cls(int(value["chain_id"]), int(value["first_block"]), addresses, hashes)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadDeployment(f"{path} is not a deployment file: {error}") from error

    def save(self, path: Path) -> None:
        """Writes the file aside and renames it, so that a reader sees all of it or none."""
        value = {
            "chain_id": self.chain_id,
            "first_block": self.first_block,
            "contracts": {
                name: {"address": address_text(address), "code_hash": "0x" + self.code_hashes[name].hex()}
                for name, address in self.addresses.items()
            },
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(".new")
        aside.write_text(json.dumps(value, indent=2) + "\n")
        aside.replace(path)

    def check(self, rpc: Rpc) -> None:
        """Makes sure that the node is of this chain and holds this code. Raises WrongChain, NotDeployed."""
        found = int(rpc.call("eth_chainId"), 16)
        if found != self.chain_id:
            raise WrongChain(self.chain_id, found)
        names = list(self.addresses)
        codes = rpc.batch([("eth_getCode", ["0x" + self.addresses[name].hex(), "latest"]) for name in names])
        for name, code in zip(names, codes, strict=True):
            if code in ("0x", None):
                raise NotDeployed(name, self.addresses[name], "no code there")
            expected = self.code_hashes.get(name)
            if expected is not None and code_hash(code) != expected:
                raise NotDeployed(name, self.addresses[name], "other code there")


def code_hash(code: str) -> Hash:
    """keccak-256 of code as ``eth_getCode`` gives it."""
    return Hash(keccak(bytes.fromhex(code[2:])))
