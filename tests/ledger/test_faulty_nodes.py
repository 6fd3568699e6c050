"""Nodes that fail, lag, and change their mind in the middle of a read: the ledger ends where a fresh one ends."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from contracts.client.files import FileStore, SourceUnreachable
from contracts.client.reader import Block, Reader
from contracts.client.rpc import NodeError, NodeUnreachable
from contracts.wire.events import Event
from contracts.wire.ids import Hash
from ledger.errors import ChainMoved
from ledger.follow import Follower
from ledger.ingest import Ingestor
from tests.client.chain import anvil
from tests.ledger.indexed import Indexed
from tests.ledger.random_town import RandomTown
from tests.ledger.town import Town


class FaultyNode:
    """Between any two answers it may not answer, show an old head, or have the chain reorganised under the reader."""

    def __init__(self, reader: Reader, world: RandomTown, chance: random.Random) -> None:
        self._reader = reader
        self._world = world
        self._chance = chance
        self.is_faulty = True
        self.reorgs = 0

    def _stumble(self) -> None:
        if not self.is_faulty:
            return
        drawn = self._chance.random()
        if drawn < 0.06:
            raise NodeUnreachable("http://nowhere", "test", sent=True)
        if drawn < 0.09:
            self._world.town.mine(1)
            self._world.reorg(self._chance.randrange(1, 8))
            self.reorgs += 1

    def head(self) -> Block:
        self._stumble()
        head = self._reader.head()
        if self.is_faulty and self._chance.random() < 0.1:
            old = self._reader.block(max(head.number - self._chance.randrange(1, 4), self.finalized().number))
            assert old is not None
            return old
        return head

    def finalized(self) -> Block:
        return self._reader.finalized()

    def block(self, number: int) -> Block | None:
        self._stumble()
        return self._reader.block(number)

    def blocks(self, first: int, last: int) -> list[Block]:
        self._stumble()
        return self._reader.blocks(first, last)

    def events(self, first: int, last: int, tip: Hash | None = None) -> list[Event]:
        self._stumble()
        return self._reader.events(first, last, tip)

    def events_of_each(self, block_hashes: Sequence[Hash]) -> list[list[Event]]:
        self._stumble()
        return self._reader.events_of_each(block_hashes)


class FaultyFiles:
    """A server of files that is away, has not got it yet, or cuts it short."""

    def __init__(self, store: FileStore, chance: random.Random) -> None:
        self._store = store
        self._chance = chance
        self.is_faulty = True

    def get(self, kind: str, name: Hash) -> bytes | None:
        data = self._store.get(kind, name)
        if not self.is_faulty or data is None:
            return data
        drawn = self._chance.random()
        if drawn < 0.2:
            raise SourceUnreachable("test")
        if drawn < 0.4:
            return None
        return data[: self._chance.randrange(len(data))] if drawn < 0.6 else data


@pytest.mark.parametrize("seed", range(3))
def test_a_ledger_over_faulty_nodes_and_files_equals_a_fresh_one(tmp_path: Path, seed: int) -> None:
    with anvil(block_time_s=0.1) as node:
        town = Town.build(node.rpc, tmp_path)
        indexed = Indexed(town, tmp_path)
        world = RandomTown(town, seed)
        chance = random.Random(seed)
        faulty, files = FaultyNode(town.reader, world, chance), FaultyFiles(town.files, chance)
        follower = Follower(indexed.engine, faulty, town.reader.deployment.first_block)
        ingestor = Ingestor(indexed.engine, FileStore(tmp_path / "copies"), files, town.keys)
        failures = 0
        for _ in range(50):
            world.act()
            for _ in range(3):
                try:
                    follower.step()
                except (NodeError, ChainMoved):
                    failures += 1
                ingestor.run(is_patient=False)
        assert failures > 5
        assert faulty.reorgs > 2
        faulty.is_faulty = files.is_faulty = False
        indexed.sync()
        ingestor.run(is_patient=False)
        assert indexed.ledger.missing_files() == []
        indexed.assert_right()
