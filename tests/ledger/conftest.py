"""One Anvil with the contracts for the whole folder; each test starts from the snapshot after deployment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.client.files import FileStore
from contracts.client.keyring import KeyRing
from tests.client.chain import anvil
from tests.ledger.indexed import Indexed
from tests.ledger.town import Town


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with anvil(block_time_s=0.1) as node:
        yield Town.build(node.rpc, tmp_path_factory.mktemp("built"))


@pytest.fixture
def town(built: Town, tmp_path: Path) -> Iterator[Town]:
    """The town with nothing but its contracts."""
    snapshot = built.rpc.call("evm_snapshot")
    yield Town(built.rpc, built.reader, FileStore(tmp_path / "served"), KeyRing(tmp_path / "keyring.db"))
    built.rpc.call("evm_revert", snapshot)


@pytest.fixture
def indexed(town: Town, tmp_path: Path) -> Indexed:
    """A ledger that follows the town."""
    return Indexed(town, tmp_path)
