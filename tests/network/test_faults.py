"""A consortium broken and mended: real nodes killed and cut off, and what the ledger makes of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.client.rpc import Rpc
from scripts.chain import chain_answers
from scripts.network.build import engine
from scripts.network.daemons import Daemons
from scripts.network.genesis import CHAIN_ID
from scripts.network.members import OBSERVER, VALIDATORS, allowlist
from scripts.network.node import Node
from scripts.processes import free_port
from tests.network.consortium import Consortium, consortium

pytestmark = pytest.mark.network

FIRST, SECOND, THIRD, FOURTH = VALIDATORS


@pytest.fixture(scope="module")
def town(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consortium]:
    assert program.exists()
    with consortium(tmp_path_factory.mktemp("consortium")) as found:
        found.agree()
        yield found


@pytest.fixture(autouse=True)
def whole_again(town: Consortium) -> Iterator[None]:
    """After each test all is mended; nothing was lost or done twice; and the observer's ledger is what it must be."""
    yield
    town.network.up()
    town.settle()
    town.agree()
    town.all_paid()
    report, wrong = town.fsck()
    assert report.is_sound, report
    assert wrong == []


def test_with_one_validator_killed_blocks_go_on_and_the_observer_follows(town: Consortium) -> None:
    assert town.network.kill(FOURTH)
    before = town.network.head(OBSERVER)
    town.mint(5)
    town.settle()
    town.network.until(lambda: town.network.head(OBSERVER) >= before + 5, "five blocks more", 60)
    town.network.until(lambda: town.balance(OBSERVER) == town.wanted_kopecks, "the observer has the deposits", 10)
    assert town.network.status().faults == (f"{FOURTH} is not running",)


def test_with_two_killed_writes_wait_and_reads_go_on(town: Consortium) -> None:
    town.mint(1)
    town.settle()
    town.all_paid()
    known = town.wanted_kopecks
    for name in (THIRD, FOURTH):
        assert town.network.kill(name)
    time.sleep(2)  # a block under way may still come
    stood_at = town.highest(FIRST, SECOND, OBSERVER)
    waiting = town.mint(5)
    for _ in range(6):
        town.bank.advance()
        assert all(town.bank.outcome(intent) is None for intent in waiting)
        assert town.balance(FIRST) == town.balance(OBSERVER) == known
        assert len(town.reader(OBSERVER).events(town.deployment.first_block, town.network.head(OBSERVER))) > 0
        time.sleep(1)
    assert town.highest(FIRST, SECOND, OBSERVER) == stood_at
    assert f"{THIRD} is not running" in town.network.status().faults
    town.network.up([THIRD])  # three of four are enough
    town.settle()


def test_a_partition_without_a_majority_stops_all_and_heals_by_itself(town: Consortium) -> None:
    town.network.partition([[FIRST, SECOND], [THIRD, FOURTH, OBSERVER]])
    time.sleep(2)
    stood_at = town.highest(FIRST, SECOND), town.highest(THIRD, FOURTH, OBSERVER)
    waiting = town.mint(3)
    for _ in range(5):
        town.bank.advance()
        time.sleep(1)
    assert (town.highest(FIRST, SECOND), town.highest(THIRD, FOURTH, OBSERVER)) == stood_at
    assert all(town.bank.outcome(intent) is None for intent in waiting)
    assert any(fault.startswith("cut off: ") for fault in town.network.status().faults)
    town.network.heal()
    town.settle()


def test_a_minority_cut_off_stands_still_and_catches_up(town: Consortium) -> None:
    town.network.partition([[FOURTH, OBSERVER]])
    time.sleep(2)
    left_at = town.highest(FOURTH, OBSERVER)
    town.mint(3)
    town.settle()  # the other three go on
    town.network.until(lambda: town.network.head(FIRST) >= left_at + 5, "five blocks without the minority", 60)
    assert town.highest(FOURTH, OBSERVER) == left_at
    assert any(fault.startswith(f"{OBSERVER} is ") for fault in town.network.status().faults)
    town.network.heal()
    town.agree()
    assert town.network.head(OBSERVER) > left_at


def test_all_killed_at_once_come_back_with_all_that_was_final(town: Consortium) -> None:
    town.mint(3)
    town.settle()
    known, stood_at = town.wanted_kopecks, town.network.head(FIRST)
    for name in (*VALIDATORS, OBSERVER):
        assert town.network.kill(name)
    town.network.up()
    assert town.network.head(FIRST) >= stood_at
    assert town.balance(FIRST) == known


def test_a_stranger_with_the_right_first_block_is_let_in_by_nobody(town: Consortium, tmp_path: Path) -> None:
    program = engine()
    home, members = town.home, town.network.members
    node = Node("stranger", tmp_path / "stranger", f"127.0.0.1:{free_port()}", free_port(), CHAIN_ID)
    peers = allowlist(home, members)
    node.prepare(program, town.network.folder / "genesis.json", b"\x29" * 32, peers, peers)
    daemons = Daemons(tmp_path)
    daemons.start(node.spec(program))
    try:
        rpc = Rpc(node.url)
        town.network.until(lambda: chain_answers(node.url), "the stranger answers", 30)
        time.sleep(8)  # the members are in each other's company within three
        assert (rpc.call("net_peerCount"), rpc.call("eth_blockNumber")) == ("0x0", "0x0")
    finally:
        daemons.stop("stranger")
