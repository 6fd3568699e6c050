"""One Anvil a module, mining every tenth of a second, with the contracts on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine

from contracts.client.deployments import Deployment
from contracts.client.reader import Reader
from scripts.deploy import HOLDERS, OWNERS, Settings, deploy
from tests.client.chain import Node, anvil

NAMES = ("deployer", *OWNERS, *sorted({name for names in HOLDERS.values() for name in names}))
KEYS = {name: bytes([number]) * 32 for number, name in enumerate(NAMES, start=1)}
SETTINGS = Settings(activation_delay_s=0, timelock_delay_s=5)


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with anvil(block_time_s=0.1) as running:
        yield running


@pytest.fixture(scope="module")
def deployment(node: Node) -> Deployment:
    return deploy(node.url, KEYS, SETTINGS)


@pytest.fixture(scope="module")
def reader(node: Node, deployment: Deployment) -> Reader:
    return Reader(node.rpc, deployment)


def open_engine(path: Path) -> Engine:
    """An engine as a service would make it: a file, and patience with another writer."""
    return create_engine(f"sqlite:///{path}", connect_args={"timeout": 10})


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return open_engine(tmp_path / "sender.db")
