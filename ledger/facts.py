"""What a stretch of blocks comes to, as it goes into the tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.client.reader import Block
from contracts.wire.events import Event
from contracts.wire.ids import Hash
from ledger.errors import ChainMoved
from ledger.models import event_blocks
from ledger.projection import project
from ledger.projection.known import Known
from ledger.store import FactRows


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts of the blocks after ``parent`` up to ``tip``, which held so many events."""

    parent: Hash
    tip: Block
    events: int
    rows: FactRows


def facts_of(known: Known, blocks: Sequence[Block], events: Sequence[Event]) -> Facts:
    """Facts of events that stand in ``blocks``; ``known`` moves along.

    Raises ChainMoved where a log is of another block, and what projecting raises.
    """
    by_number = {block.number: block for block in blocks}
    for event in events:
        if by_number[event.log.block_number].hash != event.log.block_hash:
            raise ChainMoved(event.log.block_number)
    rows = project(events, known)
    for number in dict.fromkeys(event.log.block_number for event in events):
        rows.add(event_blocks, number, by_number[number].hash, by_number[number].timestamp)
    return Facts(blocks[0].parent, blocks[-1], len(events), rows)
