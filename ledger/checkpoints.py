"""Checkpoints of the ledger, docs/protocol.md §11: what follows from the chain's events alone up to a final height.

Files and keys have no part in them: every observer with a node comes to the same checkpoint, whatever it may read, and
an erasure changes none. The files are held by the roots that the events name.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection, select

from contracts.client.deployments import Deployment
from contracts.wire.checkpoint import Checkpoint, block_blob
from contracts.wire.ids import Hash
from contracts.wire.merkle import Tree, leaf_hashes
from ledger.digest import rows_in_order
from ledger.models import FACTS, OF_FILES, event_blocks, faults
from ledger.store import read_position

OF_THE_CHAIN = tuple(table for table in FACTS if table not in OF_FILES and table is not faults)
"""Tables whose rows follow from events alone."""


class NothingFinal(LookupError):
    """There is nothing to make a checkpoint of yet."""

    def __init__(self) -> None:
        super().__init__("no block with an event of ours is final yet: wait for the ledger, and make it then")


@dataclass(frozen=True)
class EventBlocks:
    """The blocks up to a height that hold an event of ours, ascending, and the tree over them."""

    numbers: tuple[int, ...]
    tree: Tree

    @classmethod
    def read(cls, connection: Connection, height: int) -> EventBlocks:
        """As the ledger has them. Raises NothingFinal."""
        c = event_blocks.c
        query = select(c.block_number, c.hash).where(c.block_number <= height).order_by(c.block_number)
        rows = connection.execute(query).all()
        if not rows:
            raise NothingFinal
        tree = Tree(leaf_hashes(block_blob(row.block_number, Hash(row.hash)) for row in rows))
        return cls(tuple(row.block_number for row in rows), tree)


def chain_digest(connection: Connection, height: int) -> Hash:
    """SHA-256 over the names and rows of the tables that follow from events alone, up to ``height``."""
    whole = hashlib.sha256()
    for table in OF_THE_CHAIN:
        part = hashlib.sha256()
        for row in rows_in_order(connection, table, height):
            part.update(repr(row).encode())
        whole.update(table.name.encode() + b"\0" + part.digest())
    return Hash(whole.digest())


def make_checkpoint(connection: Connection, deployment: Deployment, height: int, block: Hash) -> Checkpoint:
    """The checkpoint at a final height, whose block is ``block``. Raises NothingFinal."""
    blocks = EventBlocks.read(connection, height)
    return Checkpoint(
        deployment.chain_id,
        deployment.addresses["Settlement"],
        height,
        block,
        len(blocks.numbers),
        blocks.tree.root,
        chain_digest(connection, height),
    )


def final_checkpoint(connection: Connection, deployment: Deployment) -> Checkpoint:
    """The checkpoint of the ledger's last final block. Raises NothingFinal."""
    position = read_position(connection)
    if position is None or position.finalized_number < 0:
        raise NothingFinal
    return make_checkpoint(connection, deployment, position.finalized_number, position.finalized_hash)
