"""``kopeck halt`` on a real chain: what it says it stopped is stopped, by the contracts' own word."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from contracts.client.deployments import Deployment
from contracts.client.reader import Reader
from contracts.wire.calls import encode_register_source, encode_register_supplier
from contracts.wire.errors import ContractError
from contracts.wire.ids import Address, Hash, SourceClass
from scripts.cli.main import cli
from scripts.deploy import Settings, deploy
from scripts.home import Home
from scripts.town.parties import ActFailed, Parties
from scripts.town.running import deploy_keys
from tests.client.chain import Node, anvil


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, Home]]:
    with anvil(block_time_s=0.05) as node:
        home = Home(tmp_path_factory.mktemp("town"))
        for name in ("billing", "ledger"):
            home.folder(name)
        deployment = deploy(node.url, deploy_keys(home), Settings())
        deployment.save(home.deployment)
        parties = Parties(home, node.rpc, deployment)
        wallet = Address(b"\x31" * 20)
        parties.act("operator", "supplier", "Registry", encode_register_supplier(wallet, wallet, Hash(b"\1" * 32)))
        source = encode_register_source(Address(b"\x32" * 20), SourceClass.CONCENTRATOR, 0)
        parties.act("operator", "source", "Registry", source)
        parties.settle()
        yield node, home


def run(town: tuple[Node, Home], *words: str) -> None:
    node, home = town
    found = CliRunner().invoke(cli, [*words, "--home", str(home.root), "--rpc", node.url])
    if found.exception is not None:
        raise found.exception


def names(town: tuple[Node, Home]) -> list[str]:
    """Every event so far, by name."""
    node, home = town
    reader = Reader(node.rpc, Deployment.load(home.deployment))
    return [type(event).__name__ for event in reader.events(0, reader.head().number)]


def test_suppliers_sources_and_payments_are_held_up_on_the_chain(town: tuple[Node, Home]) -> None:
    run(town, "halt", "supplier", "1")
    run(town, "halt", "supplier", "1", "--resume")
    run(town, "halt", "supplier", "1")
    run(town, "halt", "source", "1")
    run(town, "halt", "payments", "--minutes", "5")
    found = names(town)
    assert found.count("SupplierStatusChanged") == 3, found
    assert found.count("SourceRevoked") == 1, found
    assert found.count("PausedUntil") == 1, found


def test_what_cannot_be_held_up_is_an_error_in_the_contracts_words(town: tuple[Node, Home]) -> None:
    with pytest.raises(ActFailed, match="guardian could not veto run 7") as refused:
        run(town, "halt", "run", "7", "--reason", "none such")
    assert isinstance(refused.value, Exception)
    with pytest.raises((ActFailed, ContractError)):
        run(town, "halt", "source", "9")
