"""Trouble during the demo: processes killed at random moments, blocks taken back. The money comes out the same."""

from __future__ import annotations

import threading
from pathlib import Path
from random import Random
from typing import Any

import pytest

from scripts.chain import rpc
from scripts.town.running import Running
from tests.town.played import money, play

pytestmark = pytest.mark.slow

VICTIMS = ("api", "oracle", "ledger", "billing", "holder")


@pytest.fixture(scope="module")
def untroubled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return play(tmp_path_factory.mktemp("untroubled"))


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_services_lose_and_double_nothing(seed: int, untroubled: dict[str, Any], tmp_path: Path) -> None:
    rng = Random(seed)
    killed: dict[str, int] = dict.fromkeys(VICTIMS, 0)

    def kill(running: Running, over: threading.Event) -> None:
        while not over.wait(rng.uniform(0.3, 2.5)):
            name = rng.choice(VICTIMS)
            if name in running.supervisor.names() and running.supervisor.running(name):
                running.supervisor.kill(name)
                killed[name] += 1

    found = play(tmp_path, trouble=kill)
    assert money(found) == money(untroubled)
    assert found["conservation"] is True
    assert found["rebuilt_equal"] is True
    assert all(count > 0 for count in killed.values()), killed


def test_blocks_taken_back_leave_ledger_and_chain_equal(untroubled: dict[str, Any], tmp_path: Path) -> None:
    rng = Random(3)
    depths: list[int] = []

    def take_back(running: Running, over: threading.Event) -> None:
        """Mines by hand: a reorganisation that races another block's mining can lose Anvil a block for good."""
        url, wanted = running.ports.rpc_url, [*range(1, 11)]
        rng.shuffle(wanted)
        running.pace(None)
        until_next = 20
        while not over.wait(0.04):
            rpc(url, "evm_mine")
            until_next -= 1
            if until_next == 0:
                depth = wanted.pop() if wanted else rng.randrange(1, 11)
                assert "error" not in rpc(url, "anvil_reorg", depth, [])
                depths.append(depth)
                until_next = rng.randrange(8, 40)

    found = play(tmp_path, trouble=take_back)
    assert money(found) == money(untroubled)
    assert found["conservation"] is True
    assert found["rebuilt_equal"] is True
    assert set(depths) == set(range(1, 11))
