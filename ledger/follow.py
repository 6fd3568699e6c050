"""Follows the chain: finalised blocks in bulk, the others one by one on a parent-linked list that can be rolled back.

Rows, list and cursor are written in one transaction, so a process killed at any point goes on from a whole state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection, Engine

from contracts.client.cycles import uncollected
from contracts.client.reader import Block
from contracts.wire.ids import Hash
from ledger.ahead import Ahead
from ledger.errors import ChainMoved, ChainOlderThanLedger, FinalityCrossed
from ledger.facts import Facts, facts_of
from ledger.history import Chain, History, chained
from ledger.indexes import put_back, take_down
from ledger.projection.known import Known
from ledger.store import (
    Link,
    Position,
    delete_above,
    history_transaction,
    insert_rows,
    read_links,
    read_position,
    write_links,
    write_position,
)

DEEPEST_BRANCH = 300
"""Blocks below the final one in which a node that stayed behind may still be on a branch of its own."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """What one look at the chain did."""

    number: int
    """Height the ledger now stands at."""
    head: int
    """Height of the chain when looked at."""
    events: int = 0
    rolled_back_to: int | None = None

    @property
    def is_caught_up(self) -> bool:
        """Nothing more to read for now."""
        return self.number >= self.head


class Follower:
    """Reads one chain into one database. One process at a time."""

    def __init__(self, engine: Engine, chain: Chain, first_block: int, reads_ahead: bool = False) -> None:
        """With ``reads_ahead`` a long history is read in a process of its own, while what came before is written;
        ``chain`` is pickled for it."""
        self._engine = engine
        self._chain = chain
        self._first_block = first_block
        self._reads_ahead = reads_ahead
        self._history = History(chain)
        self._ahead: Ahead | None = None
        self._known: tuple[Hash, Known] | None = None
        self._has_indexes = False
        self._final_branch: frozenset[Hash] = frozenset()

    def step(self) -> Step:
        """Takes back what left the chain, then reads the next batch of blocks.

        Raises ChainMoved (read again), FinalityCrossed, ChainOlderThanLedger, SequenceBroken, Unreconciled.
        """
        head, finalized = self._chain.head(), self._chain.finalized()
        with self._engine.begin() as connection:
            position = read_position(connection) or self._start(connection)
            links = read_links(connection)
        if head.number < position.finalized_number:
            raise ChainOlderThanLedger(head.number, position.finalized_number)
        ancestor = self._common_ancestor(position, links, head)
        if ancestor is not None:
            return self._roll_back(position, ancestor, head)
        if position.number < finalized.number and position.number < head.number:
            return self._read_finalised(position, finalized, head)
        self._put_indexes_back()
        if head.number <= position.number:
            self._finalise(position, finalized)
            return Step(position.number, head.number)
        return self._read_unfinalised(position, finalized, head)

    def catch_up(self) -> int:
        """Steps until the head is reached; gives the height. For rebuilding and tests."""
        while True:
            step = self.step()
            if step.is_caught_up:
                return step.number

    def close(self) -> None:
        """Ends what reads ahead."""
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None

    def _start(self, connection: Connection) -> Position:
        """Stands before the deployment's first block, which is final by being the beginning."""
        before = self._chain.block(self._first_block - 1)
        if before is None:
            raise ChainOlderThanLedger(self._chain.head().number, self._first_block - 1)
        position = Position(before.number, before.hash, before.number, before.hash)
        write_position(connection, position)
        write_links(connection, [_link(before)], before.number)
        return position

    def _common_ancestor(self, position: Position, links: Sequence[Link], head: Block) -> Link | None:
        """The highest block of ours that the chain still has; None where that is our tip (or our tip is ahead of a
        node that is merely behind). Raises FinalityCrossed, ChainMoved."""
        if head.hash == position.hash:
            return None
        for link in reversed(links):
            if link.number > head.number:
                continue
            there = self._chain.block(link.number)
            if there is None:
                # Below the head that was shown, and gone: another node answered, or the chain moved meanwhile.
                raise ChainMoved(link.number)
            if there.hash == link.hash:
                is_tip = link.number == min(position.number, head.number)
                return None if is_tip else link
            if link.number <= position.finalized_number:
                raise FinalityCrossed(link.number, link.hash, there.hash)
        raise AssertionError("the list of unfinalised blocks does not reach down to the finalised one")

    def _roll_back(self, position: Position, ancestor: Link, head: Block) -> Step:
        """Takes back everything above the common ancestor, in one transaction."""
        with self._engine.begin() as connection:
            delete_above(connection, ancestor.number)
            write_position(
                connection,
                Position(ancestor.number, ancestor.hash, position.finalized_number, position.finalized_hash),
            )
        log.warning("rolled back", from_block=position.number, to_block=ancestor.number)
        return Step(ancestor.number, head.number, rolled_back_to=ancestor.number)

    def _read_finalised(self, position: Position, finalized: Block, head: Block) -> Step:
        """Reads blocks that can't leave, by range."""
        with uncollected():
            return self._take_stretch(position, finalized, head)

    def _take_stretch(self, position: Position, finalized: Block, head: Block) -> Step:
        facts = self._read_ahead(position, finalized) or self._read_here(position, finalized)
        tip = facts.tip
        self._require_below(tip, finalized)
        is_first_of_many = position.number == self._first_block - 1 and tip.number < finalized.number
        with history_transaction(self._engine) as connection:
            if is_first_of_many:
                take_down(connection)
                self._has_indexes = False
            insert_rows(connection, facts.rows)
            write_links(connection, [_link(tip)], tip.number)
            write_position(connection, Position(tip.number, tip.hash, tip.number, tip.hash))
        return Step(tip.number, head.number, facts.events)

    def _read_ahead(self, position: Position, finalized: Block) -> Facts | None:
        """What the other process made of the next stretch; it is ended where it has nothing, or no more."""
        if self._ahead is None or not self._ahead.is_under_way:
            return None
        facts = self._ahead.take(position.hash)
        if facts is None or facts.tip.number >= finalized.number:
            self.close()
        return facts

    def _read_here(self, position: Position, finalized: Block) -> Facts:
        """The next stretch, read by this process. The other is worth its start once one is full and not the last."""
        stretch = self._history.after(position.hash, position.number, finalized.number)
        carried, self._known = self._known, None
        if carried is not None and carried[0] == position.hash:
            known = carried[1]
        else:
            with self._engine.begin() as connection:
                known = Known.read(connection)
        facts = facts_of(known, stretch.blocks, stretch.events)
        self._known = facts.tip.hash, known
        if facts.tip.number >= finalized.number:
            self.close()
        elif self._ahead is None and self._reads_ahead and stretch.is_full:
            self._ahead = Ahead(self._chain)
        if self._ahead is not None:
            self._ahead.send_off(known, facts.tip, finalized.number)
        return facts

    def _require_below(self, tip: Block, finalized: Block) -> None:
        """The final block stands on ``tip``, or is it: a node may have stayed behind on a branch that another left, and
        give blocks of it up to the height that is final there. Raises ChainMoved."""
        if finalized.number - tip.number > DEEPEST_BRANCH or tip.hash in self._final_branch:
            return
        branch = [tip, *chained(self._chain, tip.hash, tip.number, finalized.number)]
        if branch[-1].hash != finalized.hash:
            raise ChainMoved(tip.number)
        self._final_branch = frozenset(block.hash for block in branch)

    def _put_indexes_back(self) -> None:
        """Once history is read. A ledger stopped before this point gets them by its next start."""
        if not self._has_indexes:
            if built := put_back(self._engine):
                log.info("indexes built after reading history", indexes=built)
            self._has_indexes = True

    def _read_unfinalised(self, position: Position, finalized: Block, head: Block) -> Step:
        """Reads blocks that may leave: the events of each by its hash, so that none of a sibling's slips in."""
        blocks = chained(self._chain, position.hash, position.number, head.number)
        tip = blocks[-1]
        events = [e for found in self._chain.events_of_each([block.hash for block in blocks]) for e in found]
        with self._engine.begin() as connection:
            insert_rows(connection, facts_of(Known.read(connection), blocks, events).rows)
            write_links(connection, map(_link, blocks), 0)
            _write_final(connection, Position(tip.number, tip.hash, *_final_of(position)), finalized)
        return Step(tip.number, head.number, len(events))

    def _finalise(self, position: Position, finalized: Block) -> None:
        """Moves finality on where no block was new."""
        if position.finalized_number < finalized.number <= position.number:
            with self._engine.begin() as connection:
                _write_final(connection, position, finalized)


def _final_of(position: Position) -> tuple[int, Hash]:
    return position.finalized_number, position.finalized_hash


def _write_final(connection: Connection, position: Position, finalized: Block) -> None:
    """Writes the cursor with finality moved on to the node's. Raises ChainMoved where the node's block is another."""
    if finalized.number > position.finalized_number:
        own = next(link for link in read_links(connection) if link.number == finalized.number)
        if own.hash != finalized.hash:
            raise ChainMoved(finalized.number)
        position = Position(position.number, position.hash, own.number, own.hash)
    write_position(connection, position)
    write_links(connection, [], position.finalized_number)


def _link(block: Block) -> Link:
    return Link(block.number, block.hash, block.parent, block.timestamp)
