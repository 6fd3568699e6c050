"""Deploys the contracts, hands out the roles, and gives the admin's right to the multisig's timelock.

`kopeck up` and `ape run deploy` both come here. Every address is known before the first transaction, since the
contracts name one another; they follow from the deployer's nonces. A deployment that stops half-way is left behind
and made anew: nothing counts before the file that names its addresses.
"""

# No `from __future__ import annotations`: ape runs this file without entering it into sys.modules, where a
# dataclass would look up annotations that are text.
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from contracts.client import abi
from contracts.client.deployments import Deployment, code_hash
from contracts.client.rpc import Rpc
from contracts.client.sender import Sender
from contracts.client.transactions import create_address
from contracts.wire.errors import ContractError
from contracts.wire.ids import Address
from contracts.wire.keccak import keccak
from contracts.wire.typed_data import address_of

OWNERS = ("owner-1", "owner-2", "owner-3")
_ORDER = (
    "AccessManager",
    "Multisig",
    "Timelock",
    "Rouble",
    "Registry",
    "ReadingAnchor",
    "TariffBook",
    "ChargeBook",
    "SubsidyBook",
    "Settlement",
)
_CALL_GAS = 300_000


class Role(IntEnum):
    """Roles in the AccessManager, as contracts/src/libraries/Roles.sol numbers them; revoker is two bodies' right."""

    ADMIN = 0
    OPERATOR = 1
    ORACLE = 2
    BILLER = 3
    WELFARE = 4
    BANK = 5
    AGENT = 6
    GUARDIAN = 7
    HOLDER = 8
    REVOKER = 9


# What is not named here is the admin's alone: AccessManager gives it to role 0.
RIGHTS: Mapping[tuple[str, Role], tuple[str, ...]] = {
    ("Registry", Role.OPERATOR): (
        "registerSupplier",
        "setSupplierActive",
        "approvePayout",
        "registerSource",
        "rotateSource",
        "registerMeter",
        "registerMeters",
    ),
    ("Registry", Role.GUARDIAN): ("cancelPayout", "cancelSupplierKey"),
    ("Registry", Role.REVOKER): ("revokeSource",),
    ("ReadingAnchor", Role.HOLDER): ("acknowledge",),
    ("TariffBook", Role.OPERATOR): ("publish",),
    ("ChargeBook", Role.BILLER): ("propose",),
    ("ChargeBook", Role.GUARDIAN): ("veto",),
    ("Rouble", Role.BANK): ("mint", "freeze", "unfreeze", "seize"),
    ("SubsidyBook", Role.WELFARE): ("post",),
    ("Settlement", Role.AGENT): ("payBatch",),
    ("Settlement", Role.GUARDIAN): ("pause",),
}
HOLDERS: Mapping[Role, tuple[str, ...]] = {
    Role.OPERATOR: ("operator",),
    Role.ORACLE: ("oracle",),
    Role.BILLER: ("biller",),
    Role.WELFARE: ("welfare",),
    Role.BANK: ("bank",),
    Role.AGENT: ("agent",),
    Role.GUARDIAN: ("guardian",),
    Role.HOLDER: ("holder-ledger", "holder-archive"),
    Role.REVOKER: ("operator", "guardian"),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Delays in seconds of the chain's clock. The defaults suit a demo; a real town counts them in days."""

    activation_delay_s: int = 1
    payout_delay_s: int = 30
    key_delay_s: int = 60
    timelock_delay_s: int = 30
    role_grant_delay_s: int = 86_400


class DeploymentFailed(Exception):
    """A step of the deployment was refused."""

    def __init__(self, step: str, error: ContractError | None) -> None:
        super().__init__(f"{step} was refused: {error}; mend the cause and deploy anew")
        self.step = step


def deploy(rpc_url: str, keys: Mapping[str, bytes], settings: Settings) -> Deployment:
    """Deploys everything with the key `deployer`, which is left without any right.

    `keys` holds deployer, owner-1 to owner-3 and each holder of a role in HOLDERS. Raises KeyError for one that is
    missing, DeploymentFailed, NodeError.
    """
    rpc = Rpc(rpc_url, timeout_s=30)
    deployer = address_of(keys["deployer"])
    chain_id = int(rpc.call("eth_chainId"), 16)
    first_block = int(rpc.call("eth_blockNumber"), 16) + 1
    nonce = int(rpc.call("eth_getTransactionCount", "0x" + deployer.hex(), "pending"), 16)
    addresses = {name: create_address(deployer, nonce + i) for i, name in enumerate(_ORDER)}
    accounts = {name: address_of(key) for name, key in keys.items()}

    # Held in memory: a deployment that stops half-way is not resumed.
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    sender = Sender(engine, rpc, chain_id, keys["deployer"])
    steps: list[tuple[str, Address | None, bytes]]
    steps = [(f"create {name}", None, _creation(name, addresses, accounts, settings)) for name in _ORDER]
    manager = addresses["AccessManager"]
    steps += [(what, addresses["Rouble"], data) for what, data in _closures(addresses)]
    steps += [(what, manager, data) for what, data in _rights(addresses, accounts, settings)]
    sender.submit_many([(what, to, data, _gas(to, data)) for what, to, data in steps])
    for what, _, _ in steps:
        outcome = sender.wait(what, timeout_s=120)
        if not outcome.success:
            raise DeploymentFailed(what, outcome.error)
    codes = rpc.batch([("eth_getCode", ["0x" + address.hex(), "latest"]) for address in addresses.values()])
    hashes = {name: code_hash(code) for name, code in zip(addresses, codes, strict=True)}
    return Deployment(chain_id, first_block, addresses, hashes)


def _gas(to: Address | None, data: bytes) -> int:
    """Enough for a call, or for a creation of that size: 200 a byte of code, and calldata at most 40 a byte."""
    return _CALL_GAS if to is not None else 1_000_000 + 300 * len(data)


def _creation(
    name: str, addresses: Mapping[str, Address], accounts: Mapping[str, Address], settings: Settings
) -> bytes:
    """Bytecode and constructor arguments, each found by the name that the constructor gives it."""
    known: dict[str, object] = {
        "initialAdmin": accounts["deployer"],
        "owners": sorted(accounts[owner] for owner in OWNERS),
        "minDelay": settings.timelock_delay_s,
        "guardian": accounts["guardian"],
        "payoutDelay": settings.payout_delay_s,
        "keyDelay": settings.key_delay_s,
        "activationDelay": settings.activation_delay_s,
        "authority": addresses["AccessManager"],
        "multisig": addresses["Multisig"],
        "registry": addresses["Registry"],
        "anchor": addresses["ReadingAnchor"],
        "tariffs": addresses["TariffBook"],
        "charges": addresses["ChargeBook"],
        "rouble": addresses["Rouble"],
        "subsidies": addresses["SubsidyBook"],
        "settlement": addresses["Settlement"],
    }
    return abi.encode_constructor(name, *(known[given] for given in abi.constructor_parameters(name)))


def _closures(addresses: Mapping[str, Address]) -> Sequence[tuple[str, bytes]]:
    """Freezes the accounts of the contracts that must never hold a token: a stranger can't send them one either."""
    act = keccak(b"zero custody")
    return [
        (f"close {name} to money", abi.encode("Rouble", "freeze", addresses[name], act))
        for name in ("Settlement", "ChargeBook", "SubsidyBook")
    ]


def _rights(
    addresses: Mapping[str, Address], accounts: Mapping[str, Address], settings: Settings
) -> Sequence[tuple[str, bytes]]:
    """The calls to the AccessManager, in order; the last one takes the deployer's own right."""

    def call(function: str, *args: Any) -> bytes:
        return abi.encode("AccessManager", function, *args)

    labels = [(f"label {r.name}", call("labelRole", int(r), r.name.lower())) for r in Role if r is not Role.ADMIN]
    rights = [
        (
            f"open {contract} to {role.name}",
            call(
                "setTargetFunctionRole", addresses[contract], [abi.selector_of(contract, f) for f in given], int(role)
            ),
        )
        for (contract, role), given in RIGHTS.items()
    ]
    grants = [
        (f"make {name} {role.name}", call("grantRole", int(role), accounts[name], 0))
        for role, names in HOLDERS.items()
        for name in names
    ]
    delays = [(f"slow {r.name}", call("setGrantDelay", int(r), settings.role_grant_delay_s)) for r in HOLDERS]
    handover = [
        ("make timelock ADMIN", call("grantRole", int(Role.ADMIN), addresses["Timelock"], 0)),
        ("renounce", call("renounceRole", int(Role.ADMIN), accounts["deployer"])),
    ]
    return labels + rights + grants + delays + handover


def main() -> None:
    """`ape run deploy`: deploys to ape's network with the keys of the home in KOPECK_HOME (default var/ape)."""
    from ape import networks  # type: ignore[import-not-found]  # in .venv-ape only

    from scripts.home import Home

    home = Home(Path(os.environ.get("KOPECK_HOME", "var/ape")))
    names = {"deployer", *OWNERS, *(name for holders in HOLDERS.values() for name in holders)}
    provider: Any = networks.active_provider
    deployment = deploy(provider.uri, {name: home.key(name) for name in sorted(names)}, Settings())
    deployment.save(home.deployment)
    for name, address in deployment.addresses.items():
        print(f"{name:14} 0x{address.hex()}")  # noqa: T201  what a person who runs ape came for
