"""Reorganisations on a real Anvil: what left the chain leaves the ledger, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.errors import ChainOlderThanLedger, FinalityCrossed
from tests.client.chain import anvil
from tests.ledger.indexed import Indexed
from tests.ledger.random_town import RandomTown
from tests.ledger.test_indexing import KEY, METER, posted, register, two_suppliers
from tests.ledger.town import Town


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """A town on an Anvil of its own: reorganisations and snapshots do not go together."""
    with anvil(block_time_s=0.1) as node:
        yield Town.build(node.rpc, tmp_path)


@pytest.mark.parametrize("depth", range(1, 11))
def test_any_depth_below_finality_leaves_ledger_and_chain_equal(indexed: Indexed, depth: int) -> None:
    world = RandomTown(indexed.town, seed=depth)
    for _ in range(12):
        world.act()
        indexed.sync()
    indexed.town.mine(10)
    world.act()
    indexed.sync()
    world.reorg(depth)
    indexed.sync()
    indexed.assert_right()


def test_facts_of_a_file_go_with_the_block_that_named_it(indexed: Indexed) -> None:
    town = indexed.town
    two_suppliers(town)
    town.mint("agent", 100_000, "d1")
    source = town.add_source("c1")
    town.mine(12)
    before = indexed.sync().digest()
    town.anchor("c1", source, [register(100, 5)], KEY)
    run = posted(town, ((1, 1_000), (2, 2_000)))
    town.pay("agent", run, 0)
    ledger = indexed.sync()
    assert ledger.totals().readings == 1
    assert ledger.totals().paid_kopecks == 3_000
    town.rpc.call("anvil_reorg", 4, [])
    ledger = indexed.sync()
    assert ledger.bill(run.key(0)) is None
    assert ledger.receipts(run.key(0)) == []
    assert ledger.totals().readings == 0
    assert ledger.digest() == before
    indexed.assert_right()


def test_a_payment_that_is_mined_again_counts_once(indexed: Indexed) -> None:
    town = indexed.town
    two_suppliers(town)
    town.mint("agent", 100_000, "d1")
    run = posted(town, ((1, 1_000), (2, 2_000)))
    town.mine(12)
    town.pay("agent", run, 0)
    first = indexed.sync().receipts(run.key(0))
    town.rpc.call("anvil_reorg", 1, [])
    town.mine(1)
    town.pay("agent", run, 0)
    ledger = indexed.sync()
    (again,) = ledger.receipts(run.key(0))
    assert again.amount_kopecks == 3_000
    assert again.block_hash != first[0].block_hash
    assert ledger.totals().paid_kopecks == 3_000
    indexed.assert_right()


def test_readings_come_back_with_the_block_that_anchors_them_again(indexed: Indexed) -> None:
    town = indexed.town
    source = town.add_source("c1")
    town.mine(12)
    start = town.heads[source]
    root = town.anchor("c1", source, [register(100, 5)], KEY)
    indexed.sync()
    town.rpc.call("anvil_reorg", 1, [])
    indexed.sync()
    town.heads[source] = start
    assert town.anchor("c1", source, [register(100, 5)], KEY) == root
    town.acknowledge(root)
    town.finalise()
    assert [r.value for r in indexed.sync().registers([METER], 0, 1_000)] == [5]
    indexed.assert_right()


def test_crossing_finality_halts_and_names_both_blocks(indexed: Indexed) -> None:
    town = indexed.town
    town.mine(12)
    town.mint("agent", 1, "in the block that becomes final")
    town.mine(12)
    ledger = indexed.sync()
    final = ledger.finalized_height()
    before = ledger.digest()
    town.rpc.call("anvil_reorg", town.reader.head().number - final + 1, [])
    with pytest.raises(FinalityCrossed, match=f"block {final} is final.*rebuilds itself"):
        indexed.sync()
    assert ledger.digest() == before


def test_a_chain_older_than_the_ledger_halts_and_names_both_heights(indexed: Indexed) -> None:
    town = indexed.town
    snapshot = town.rpc.call("evm_snapshot")
    head = town.reader.head().number
    town.mine(40)
    final = indexed.sync().finalized_height()
    town.rpc.call("evm_revert", snapshot)
    with pytest.raises(ChainOlderThanLedger, match=f"{head}.*{final}"):
        indexed.sync()


@pytest.mark.parametrize("seed", range(3))
def test_seeded_town_with_reorgs_equals_a_fresh_rebuild(town: Town, tmp_path: Path, seed: int) -> None:
    indexed = Indexed(town, tmp_path)
    world = RandomTown(town, seed)
    for step in range(60):
        world.act()
        if world.random.random() < 0.5:
            indexed.sync()
        if step > 10 and world.random.random() < 0.12:
            town.mine(1)
            world.reorg(world.random.randrange(1, 11))
            if world.random.random() < 0.5:
                indexed.sync()
    indexed.sync()
    indexed.assert_right()
    assert world.refused < 50
    totals = indexed.ledger.totals()
    assert totals.paid_kopecks > 0
    assert totals.prepaid_kopecks > 0
