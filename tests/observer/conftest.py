"""One Anvil behind the gateway."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.client.chain import Node, anvil


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with anvil() as running:
        running.mine(3)
        yield running
