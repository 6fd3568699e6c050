"""The deployment seen by ape, which compiles the sources and talks to the chain by code that is not ours.

Run in ape's own environment: ``scripts/ape.sh test tests/ape``.
"""

from __future__ import annotations

from typing import Any

import pytest

ape = pytest.importorskip("ape", reason="ape lives in .venv-ape; run scripts/ape.sh test tests/ape")

from contracts.client import abi  # noqa: E402
from contracts.client.deployments import CONTRACTS, Deployment  # noqa: E402
from contracts.wire.ids import address_text  # noqa: E402
from contracts.wire.typed_data import address_of  # noqa: E402
from scripts.deploy import HOLDERS, OWNERS, Role, Settings, deploy  # noqa: E402

NAMES = ("deployer", *OWNERS, *sorted({name for names in HOLDERS.values() for name in names}))
KEYS = {name: bytes([number]) * 32 for number, name in enumerate(NAMES, start=1)}
OURS = [name for name in CONTRACTS if name not in ("AccessManager", "Timelock")]


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    return deploy(ape.networks.active_provider.uri, KEYS, Settings())


def at(deployment: Deployment, name: str) -> Any:
    return ape.Contract(address_text(deployment.addresses[name]), abi=abi.artifact(name)["abi"])


@pytest.mark.parametrize("name", OURS)
def test_the_committed_abi_is_what_ape_compiles(name: str) -> None:
    def signatures(rows: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
        return {
            (row["type"], row.get("name", ""), ",".join(abi.type_of(part) for part in row.get("inputs", [])))
            for row in rows
        }

    compiled = ape.project.contracts[name].model_dump(mode="json", by_alias=True)["abi"]
    assert signatures(compiled) == signatures(abi.artifact(name)["abi"])


def test_the_deployer_is_left_with_no_role(deployment: Deployment) -> None:
    manager = at(deployment, "AccessManager")
    for role in Role:
        assert manager.hasRole(int(role), address_text(address_of(KEYS["deployer"])))[0] is False
    assert manager.hasRole(0, address_text(deployment.addresses["Timelock"]))[0] is True


def test_the_operator_registers_a_supplier_and_the_deployer_cannot(deployment: Deployment) -> None:
    registry = at(deployment, "Registry")
    wallet = "0x" + "42" * 20
    operator = ape.accounts.test_accounts.impersonate_account(address_text(address_of(KEYS["operator"])))
    deployer = ape.accounts.test_accounts.impersonate_account(address_text(address_of(KEYS["deployer"])))
    operator.balance = deployer.balance = 10**18  # ape insists on a tip, which free gas does not ask for
    registry.registerSupplier(wallet, wallet, b"\x01" * 32, sender=operator)
    assert registry.supplierCount() == 1
    with ape.reverts():
        registry.registerSupplier(wallet, wallet, b"\x02" * 32, sender=deployer)
