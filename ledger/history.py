"""Final blocks with their events, in stretches of about as many events whatever stands in a block: so neither memory
nor a transaction grows with the history, or with how busy the chain was."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from contracts.client.reader import Block
from contracts.wire.events import Event
from contracts.wire.ids import Hash
from ledger.errors import ChainMoved

EVENTS_AT_ONCE = 5_000
"""What a stretch is to hold; a single block may hold more."""
BLOCKS_AT_ONCE = 2_000
_FIRST_BLOCKS = 16
_GROWTH = 2


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

    @property
    def is_full(self) -> bool:
        """Whether it holds about as much as a stretch may: events, or blocks with next to none."""
        return 2 * len(self.events) >= EVENTS_AT_ONCE or len(self.blocks) == BLOCKS_AT_ONCE


@dataclass(frozen=True, slots=True)
class _Ahead:
    """A stretch that was asked for, by the block it follows."""

    parent: Hash
    stretch: Future[Stretch]


class History:
    """Reads stretch after stretch. With ``is_ahead`` it asks the node for the next while the last one is written."""

    def __init__(self, chain: Chain, is_ahead: bool = False) -> None:
        self._chain = chain
        self._blocks_at_once = _FIRST_BLOCKS
        self._reader = ThreadPoolExecutor(1, "history") if is_ahead else None
        self._ahead: _Ahead | None = None

    def after(self, parent: Hash, number: int, final: int) -> Stretch:
        """What follows block ``number``, named by its hash, up to the height ``final`` at most.

        Raises ChainMoved, NodeError, LogError.
        """
        ahead, self._ahead = self._ahead, None
        is_there = ahead is not None and ahead.parent == parent
        stretch = ahead.stretch.result() if ahead and is_there else self._read(parent, number, final)
        self._measure(stretch)
        tip = stretch.tip
        if self._reader is not None and tip.number < final:
            self._ahead = _Ahead(tip.hash, self._reader.submit(self._read, tip.hash, tip.number, final))
        return stretch

    def close(self) -> None:
        """Lets go of what was asked ahead; waits for an answer that is under way."""
        if self._reader is not None:
            self._reader.shutdown(cancel_futures=True)

    def _read(self, parent: Hash, number: int, final: int) -> Stretch:
        last = min(final, number + self._blocks_at_once)
        blocks = chained(self._chain, parent, number, last)
        return Stretch(blocks, self._chain.events(number + 1, last, blocks[-1].hash))

    def _measure(self, stretch: Stretch) -> None:
        """Sets how many blocks the next stretch has: as many as hold the events wanted, if they are like these."""
        wanted = EVENTS_AT_ONCE * len(stretch.blocks) // max(1, len(stretch.events))
        self._blocks_at_once = max(1, min(wanted, _GROWTH * self._blocks_at_once, BLOCKS_AT_ONCE))


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
