"""One chain with the contracts for the folder; each test has a town billed for January, and its processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.client.files import FileStore
from contracts.client.keyring import KeyRing
from tests.billing.scenes import billed
from tests.billing.stage import Stage
from tests.client.chain import anvil
from tests.flow.services import Services
from tests.ledger.indexed import Indexed
from tests.ledger.town import Town


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with anvil(block_time_s=0.1) as node:
        yield Town.build(node.rpc, tmp_path_factory.mktemp("built"), automine=False)


@pytest.fixture
def services(built: Town, tmp_path: Path) -> Iterator[Services]:
    """A billed town of three accounts, whose processes are yet to be started."""
    snapshot = built.rpc.call("evm_snapshot")
    town = Town(built.rpc, built.reader, FileStore(tmp_path / "served"), KeyRing(tmp_path / "keyring.db"))
    stage = Stage(town, Indexed(town, tmp_path), tmp_path)
    before = town.rpc.call("anvil_dumpState")
    billed(stage, 3)
    stage.settle()
    running = Services(stage, before)
    yield running
    running.end()
    built.rpc.call("evm_revert", snapshot)
