"""A month of receipts of every source on a real Anvil, and the node kept for verifiers that have nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from contracts.client.files import FileStore
from contracts.client.keyring import KeyRing
from contracts.wire.ids import BillKey, KeyId, SupplierId
from ledger.queries import Ledger
from tests.capsule.story import KEY, _play
from tests.client.chain import anvil
from tests.ledger.indexed import Indexed
from tests.ledger.town import Town

WATER, HEAT = SupplierId(1), SupplierId(2)


@dataclass(frozen=True)
class Month:
    """The town after its story, the ledger that followed it, and its last moment."""

    town: Town
    ledger: Ledger
    keys: dict[str, BillKey]
    last: int
    folder: Path
    key: KeyId


@pytest.fixture(scope="session")
def month(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Month]:
    folder = tmp_path_factory.mktemp("statement")
    with anvil(block_time_s=0.1) as node:
        town = Town.build(node.rpc, folder)
        town.files, town.keys = FileStore(folder / "served"), KeyRing(folder / "keyring.db")
        node.rpc.call("anvil_setBlockTimestampInterval", 3_600)  # so that the story can be cut between any two blocks
        town.add_supplier("water")
        town.add_supplier("heat")
        town.mint("agent", 1_000_000, "d1")
        town.mint("welfare", 500_000, "d2")
        keys = _play(town)
        town.transfer("agent", "heat", 77)
        town.finalise()
        ledger = Indexed(town, folder).sync()
        yield Month(town, ledger, keys, town.reader.head().timestamp, folder, KEY)
