"""One Anvil with the contracts for each module; each example starts from one snapshot."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.client.chain import anvil
from tests.invariants.machine import Stage
from tests.invariants.play import PlayedTown


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with anvil(block_time_s=0.1) as node:
        town = PlayedTown.build(node.rpc, tmp_path_factory.mktemp("played"))
        assert isinstance(town, PlayedTown)
        yield Stage.set(town)
