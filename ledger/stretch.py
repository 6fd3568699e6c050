"""Stretches of blocks with their events: what the ledger asks of a node, and takes in one transaction."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from contracts.client.reader import Block
from contracts.wire.events import Event
from contracts.wire.ids import Hash
from ledger.errors import ChainMoved


class Chain(Protocol):
    """What the ledger asks of a node; contracts.client.reader.Reader is one."""

    def head(self) -> Block: ...
    def finalized(self) -> Block: ...
    def block(self, number: int) -> Block | None: ...
    def blocks(self, first: int, last: int) -> list[Block]: ...
    def events(self, first: int, last: int, tip: Hash | None = None) -> list[Event]: ...
    def events_of_each(self, block_hashes: Sequence[Hash]) -> list[list[Event]]: ...


@dataclass(frozen=True, slots=True)
class Stretch:
    """Blocks, each the child of the one before, with all their events."""

    blocks: Sequence[Block]
    events: Sequence[Event]

    @property
    def tip(self) -> Block:
        """The last block."""
        return self.blocks[-1]


def read_stretch(chain: Chain, parent: Hash, number: int, last: int) -> Stretch:
    """The blocks after ``number``, named by its hash, up to ``last``, with their events.

    Raises ChainMoved, NodeError, LogError.
    """
    blocks = chained(chain, parent, number, last)
    return Stretch(blocks, chain.events(number + 1, last, blocks[-1].hash))


def chained(chain: Chain, parent: Hash, number: int, last: int) -> list[Block]:
    """The blocks after ``number`` up to ``last``, each the child of the one before. Raises ChainMoved."""
    blocks = chain.blocks(number + 1, last)
    for block in blocks:
        if block.parent != parent:
            raise ChainMoved(block.number)
        parent = block.hash
    if len(blocks) != last - number:
        raise ChainMoved(last)
    return blocks


@contextmanager
def uncollected() -> Iterator[None]:
    """Keeps Python from looking for cycles meanwhile: a stretch makes a hundred thousand objects and no cycle among
    them, and looking through them again and again is a fifth of reading it."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
