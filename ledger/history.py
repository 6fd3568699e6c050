"""History read stretch after stretch; a long one with a process that reads the next while the last is written."""

from __future__ import annotations

from contracts.wire.ids import Hash
from ledger.ahead import Ahead
from ledger.stretch import Chain, Stretch, read_stretch

EVENTS_AT_ONCE = 5_000
"""What a stretch is to hold; a single block may hold more."""
BLOCKS_AT_ONCE = 2_000
_FIRST_BLOCKS = 16
_GROWTH = 4


class History:
    """Final blocks in order. With ``reads_ahead`` two processes share a history of many stretches."""

    def __init__(self, chain: Chain, reads_ahead: bool = False) -> None:
        self._chain = chain
        self._reads_ahead = reads_ahead
        self._blocks_at_once = _FIRST_BLOCKS
        self._ahead: Ahead | None = None

    def after(self, parent: Hash, number: int, final: int) -> Stretch:
        """What follows block ``number``, named by its hash, up to the height ``final`` at most.

        Raises ChainMoved, NodeError, LogError.
        """
        found = self._ahead.take(parent) if self._ahead else None
        stretch = found or read_stretch(self._chain, parent, number, self._end(number, final))
        self._measure(stretch)
        self._look_ahead(stretch, final)
        return stretch

    def close(self) -> None:
        """Ends the process that reads ahead, if there is one."""
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None

    def _look_ahead(self, stretch: Stretch, final: int) -> None:
        """Asks for the next stretch. The process is worth its start once a stretch is full and not the last."""
        tip = stretch.tip
        if tip.number >= final:
            self.close()
            return
        if self._ahead is None and self._reads_ahead and _is_full(stretch):
            self._ahead = Ahead(self._chain)
        if self._ahead is not None:
            self._ahead.ask(tip.hash, tip.number, self._end(tip.number, final))

    def _end(self, number: int, final: int) -> int:
        return min(final, number + self._blocks_at_once)

    def _measure(self, stretch: Stretch) -> None:
        """Sets how many blocks the next stretch has: as many as hold the events wanted, if they are like these."""
        wanted = EVENTS_AT_ONCE * len(stretch.blocks) // max(1, len(stretch.events))
        self._blocks_at_once = max(1, min(wanted, _GROWTH * self._blocks_at_once, BLOCKS_AT_ONCE))


def _is_full(stretch: Stretch) -> bool:
    """Whether it holds about as much as a stretch may: events, or blocks with next to none."""
    return 2 * len(stretch.events) >= EVENTS_AT_ONCE or len(stretch.blocks) == BLOCKS_AT_ONCE
