"""The deployment: who may what afterwards, and how a right is changed."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from sqlalchemy import Engine

from contracts.client import abi
from contracts.client.deployments import CONTRACTS, BadDeployment, Deployment, NotDeployed, WrongChain
from contracts.client.reader import Reader
from contracts.client.rpc import Rpc
from contracts.client.sender import Sender
from contracts.wire.calls import encode_register_supplier, encode_revoke_source
from contracts.wire.errors import (
    AccessManagedUnauthorized,
    MultisigNotOwner,
    RegistryUnknownSource,
    TimelockUnexpectedOperationState,
)
from contracts.wire.ids import Address, Hash, SourceId, address_text
from contracts.wire.typed_data import address_of
from scripts.deploy import HOLDERS, OWNERS, RIGHTS, Role
from tests.client.chain import CHAIN_ID, Node, anvil
from tests.client.conftest import KEYS, SETTINGS

NEWCOMER = Address(b"\x99" * 20)
NO_SALT = Hash(bytes(32))


def test_every_contract_has_its_code_and_knows_the_others(deployment: Deployment, node: Node, reader: Reader) -> None:
    deployment.check(node.rpc)
    assert set(deployment.addresses) == set(CONTRACTS)
    for name in CONTRACTS:
        if name not in ("AccessManager", "Multisig", "Timelock"):
            assert reader.view(name, "authority") == deployment.addresses["AccessManager"]
    owners = sorted(address_of(KEYS[owner]) for owner in OWNERS)
    assert list(reader.view("Multisig", "owners")) == owners


def test_the_deployer_is_left_with_no_right_at_all(deployment: Deployment, reader: Reader) -> None:
    deployer = address_of(KEYS["deployer"])
    for role in Role:
        assert reader.view("AccessManager", "hasRole", int(role), deployer) == (False, 0)
    for (contract, _), functions in RIGHTS.items():
        for function in functions:
            selector = abi.selector_of(contract, function)
            place = deployment.addresses[contract]
            assert reader.view("AccessManager", "canCall", deployer, place, selector) == (False, 0)
    for name in ("PROPOSER_ROLE", "EXECUTOR_ROLE", "CANCELLER_ROLE", "DEFAULT_ADMIN_ROLE"):
        role_hash = reader.view("Timelock", name)
        if name != "EXECUTOR_ROLE":  # held by the zero address: open to anyone once the delay is over
            assert reader.view("Timelock", "hasRole", role_hash, deployer) is False
    with pytest.raises(AccessManagedUnauthorized):
        reader.simulate(deployer, "Registry", encode_register_supplier(NEWCOMER, NEWCOMER, NO_SALT))


def test_the_timelock_alone_is_admin(deployment: Deployment, reader: Reader) -> None:
    timelock = deployment.addresses["Timelock"]
    assert reader.view("AccessManager", "hasRole", 0, timelock) == (True, 0)
    for name in KEYS:
        assert reader.view("AccessManager", "hasRole", 0, address_of(KEYS[name]))[0] is False


def test_every_holder_may_call_what_its_role_opens_and_nothing_else(deployment: Deployment, reader: Reader) -> None:
    for (contract, role), functions in RIGHTS.items():
        for function in functions:
            for name in KEYS:
                allowed, _ = reader.view(
                    "AccessManager",
                    "canCall",
                    address_of(KEYS[name]),
                    deployment.addresses[contract],
                    abi.selector_of(contract, function),
                )
                assert allowed == (name in HOLDERS[role]), f"{name} {contract}.{function}"


def test_every_restricted_function_of_the_sources_is_opened_to_a_role_or_left_to_the_timelock() -> None:
    sources = Path(__file__).resolve().parents[2] / "contracts" / "src"
    found = {
        (path.stem, name)
        for path in sources.glob("*.sol")
        for name, rest in re.findall(r"function (\w+)\(([^{;]*)\{", path.read_text())
        if "restricted" in rest.split(")", 1)[1]
    }
    opened = {(contract, function) for (contract, _), functions in RIGHTS.items() for function in functions}
    assert found - opened == {("ReadingAnchor", "carryOver"), ("Registry", "proposeSupplierKey")}
    assert opened <= found


def test_a_source_can_be_revoked_by_operator_and_guardian(reader: Reader) -> None:
    for name in ("operator", "guardian"):
        with pytest.raises(RegistryUnknownSource):  # let in, and refused for want of the source
            reader.simulate(address_of(KEYS[name]), "Registry", encode_revoke_source(SourceId(77)))


# --- the only way to a right: two owners, the timelock, a delay ---


def multisig_call(deployment: Deployment, reader: Reader, to: Address, data: bytes, owners: list[bytes]) -> bytes:
    """`execute` under signatures that eth-account made from the typed data."""
    message = encode_typed_data(
        full_message={
            "types": {
                "EIP712Domain": [
                    {"name": "name", "type": "string"},
                    {"name": "version", "type": "string"},
                    {"name": "chainId", "type": "uint256"},
                    {"name": "verifyingContract", "type": "address"},
                ],
                "Execute": [
                    {"name": "to", "type": "address"},
                    {"name": "data", "type": "bytes"},
                    {"name": "nonce", "type": "uint256"},
                ],
            },
            "primaryType": "Execute",
            "domain": {
                "name": "Kopeck Multisig",
                "version": "1",
                "chainId": CHAIN_ID,
                "verifyingContract": address_text(deployment.addresses["Multisig"]),
            },
            "message": {"to": address_text(to), "data": data, "nonce": reader.view("Multisig", "nonce")},
        }
    )
    signers = sorted(owners, key=address_of)
    signatures = [bytes(Account.sign_message(message, key).signature) for key in signers]
    return abi.encode("Multisig", "execute", to, data, signatures)


def test_a_role_is_changed_by_two_owners_through_the_timelock(
    deployment: Deployment,
    node: Node,
    reader: Reader,
    engine: Engine,
) -> None:
    manager, timelock = deployment.addresses["AccessManager"], deployment.addresses["Timelock"]
    grant = abi.encode("AccessManager", "grantRole", int(Role.OPERATOR), NEWCOMER, 0)
    operation = (manager, 0, grant, NO_SALT, NO_SALT)
    schedule = abi.encode("Timelock", "schedule", *operation, SETTINGS.timelock_delay_s)
    execute = abi.encode("Timelock", "execute", *operation)
    stranger = NEWCOMER

    one = multisig_call(deployment, reader, timelock, schedule, [KEYS["owner-1"], KEYS["deployer"]])
    with pytest.raises(MultisigNotOwner):
        reader.simulate(stranger, "Multisig", one)
    with pytest.raises(AccessManagedUnauthorized):
        reader.simulate(stranger, "Registry", encode_register_supplier(stranger, stranger, NO_SALT))

    anyone = Sender(engine, Rpc(node.url), CHAIN_ID, b"\x31" * 32)
    both = multisig_call(deployment, reader, timelock, schedule, [KEYS["owner-1"], KEYS["owner-3"]])
    anyone.submit("schedule", deployment.addresses["Multisig"], both)
    anyone.wait("schedule", check=True)
    with pytest.raises(TimelockUnexpectedOperationState):
        reader.simulate(stranger, "Timelock", execute)

    ready = reader.head().timestamp + SETTINGS.timelock_delay_s
    while reader.head().timestamp <= ready:
        time.sleep(0.1)
    anyone.submit("execute", timelock, execute)
    anyone.wait("execute", check=True)
    assert reader.view("AccessManager", "hasRole", int(Role.OPERATOR), NEWCOMER)[0] is True


# --- the file that names it all ---


def test_the_deployment_file_is_read_back_as_it_was(deployment: Deployment, tmp_path: Path) -> None:
    path = tmp_path / "deployment.json"
    deployment.save(path)
    assert Deployment.load(path) == deployment
    path.write_text(path.read_text()[:-20])
    with pytest.raises(BadDeployment, match="not a deployment file"):
        Deployment.load(path)


def test_another_chain_or_other_code_is_noticed(deployment: Deployment, node: Node) -> None:
    with pytest.raises(WrongChain, match="point to a node of chain 5"):
        Deployment(5, 0, deployment.addresses).check(node.rpc)
    moved = dict(deployment.addresses) | {"Rouble": deployment.addresses["Registry"]}
    with pytest.raises(NotDeployed, match="Rouble"):
        Deployment(CHAIN_ID, 0, moved, deployment.code_hashes).check(node.rpc)
    with anvil() as empty, pytest.raises(NotDeployed, match="no code there"):
        deployment.check(empty.rpc)
