"""Bringing accepted batches onto the chain and keeping them there.

Every step compares what this intake accepted with what stands on the chain and closes the difference, so a kill, a
lost transaction, a reorganisation or a stranger who relayed a batch first all end in the same state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import structlog
from sqlalchemy import Connection

from contracts.client.reader import Block, Reader
from contracts.client.sender import Outcome, Sender, UnknownIntent
from contracts.wire.calls import encode_anchor, encode_report_equivocation
from contracts.wire.errors import (
    ContractError,
    ReadingAnchorSourceRevoked,
    ReadingAnchorWrongSigner,
)
from contracts.wire.ids import Address, SourceClass
from oracle import store
from oracle.batch import ChainHead, signer_of
from oracle.desks import Desk, batch_pending
from oracle.intake import Intake, adopt
from oracle.store import BatchRow, BatchState

IN_FLIGHT = 200
"""How many batches of one source may be on their way at once."""

ANCHOR_GAS = 200_000
"""Gas for one batch, several times what it takes: it can't be estimated while the batch before it is on its way."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Look:
    """The chain as one step sees it."""

    head: Block
    finalized: int


class Anchoring:
    """The loop's body: ``tick`` as often as blocks come. One thread."""

    def __init__(
        self, intake: Intake, reader: Reader, sender: Sender, contract: Address, desks: Callable[[], Sequence[Desk]]
    ) -> None:
        self._intake = intake
        self._reader = reader
        self._sender = sender
        self._contract = contract
        self._desks = desks
        self._refused_reports: set[int] = set()
        self._seen: dict[int, object] = {}

    def tick(self) -> None:
        """One step. Raises ChainUnavailable or the client's errors while the node is away; call it again later.

        What to anchor is fixed before decisions are batched, and decisions go out first: no batch reaches the chain
        ahead of the decisions on its readings.
        """
        self._sender.advance()
        look = _Look(self._reader.head(), self._reader.finalized().number)
        ready = self._open_batches()
        desks = self._desks()
        for desk in desks:
            while batch_pending(desk, self._intake):
                pass
        own = {int(desk.source) for desk in desks}
        decided = [row for row in self._open_batches() if int(row.header.source) in own]
        others = [row for row in ready if int(row.header.source) not in own]
        others = [] if self._undecided() else others
        submitted = self._report_equivocations()
        for rows in (decided, others):
            for source, of_source in groupby(sorted(rows, key=_place), key=lambda row: int(row.header.source)):
                submitted |= self._bring(source, list(of_source), look)
        if submitted:
            self._sender.advance()

    def _open_batches(self) -> list[BatchRow]:
        with self._intake.engine.begin() as connection:
            return store.batches_in(connection, (BatchState.ACCEPTED, BatchState.ANCHORED))

    def _undecided(self) -> bool:
        """Whether decisions wait for a source to sign them; nothing is anchored ahead of them."""
        with self._intake.engine.begin() as connection:
            waiting = bool(store.pending_decisions(connection, 1))
        if waiting and not any(desk.kind is SourceClass.VALIDATION for desk in self._desks()):
            log.error("no validation source", remedy="register the key keys/validation.key as a validation source")
            return True
        return False

    def _bring(self, source: int, rows: list[BatchRow], look: _Look) -> bool:
        """Brings one source's batches as far as they can go; whether anything was submitted. ``rows`` ascend."""
        seen = (look.head.hash, tuple((row.id, row.state, row.attempt) for row in rows))
        if self._seen.get(source) == seen:
            return False  # neither the chain nor the batches moved since the last step
        on_chain = self._intake.chain.head_of(source)
        if any(row.header.epoch < on_chain.epoch for row in rows):
            with self._intake.engine.begin() as connection:
                adopt(connection, source, on_chain)
            rows = [row for row in rows if row.header.epoch >= on_chain.epoch or row.state is BatchState.ANCHORED]
        self._seen[source] = seen
        if not self._is_ours(source, on_chain):
            return False
        covered = [row for row in rows if _covered(row, on_chain)]
        self._note_covered(covered, look)
        return self._submit([row for row in rows if not _covered(row, on_chain)], on_chain)

    def _submit(self, rows: list[BatchRow], on_chain: ChainHead) -> bool:
        """Submits the batches that follow the chain's head, one after another."""
        ready: list[BatchRow] = []
        for row in rows:
            if row.state is BatchState.ANCHORED:
                self._taken_back(row)
                continue
            outcome = self._outcome(_intent(row))
            if outcome is not None and not outcome.success:
                if self._note_failed(row, outcome.error):
                    break
            elif row.header.sequence == on_chain.sequence + 1 + len(ready) and len(ready) < IN_FLIGHT:
                ready.append(row)
        self._sender.submit_many(
            [(_intent(row), self._contract, encode_anchor(row.header, row.signature), ANCHOR_GAS) for row in ready]
        )
        return bool(ready)

    def _outcome(self, intent: str) -> Outcome | None:
        try:
            return self._sender.outcome(intent)
        except UnknownIntent:
            return None

    def _is_ours(self, source: int, on_chain: ChainHead) -> bool:
        """Whether the chain's head is a batch known here, which proves every batch below it by the hash chain."""
        if on_chain.sequence == 0:
            return True
        with self._intake.engine.begin() as connection:
            standing = store.chain_of(connection, source)
            row = store.batch_in_chain(connection, source, on_chain.epoch, on_chain.sequence)
        if standing is not None and standing == on_chain:
            return True
        if row is None:
            log.error(
                "the chain is ahead of this intake",
                source=source,
                on_chain=on_chain.sequence,
                here=None if standing is None else standing.sequence,
                remedy="have the source send the batches between again, or restore oracle.db from its backup",
            )
            return False
        if row.header.head() != on_chain.head:
            log.error(
                "the chain holds another batch than the one accepted here",
                source=source,
                sequence=on_chain.sequence,
                on_chain=on_chain.head.hex(),
                here=row.header.head().hex(),
                remedy="the source signed twice: declare an epoch reset",
            )
            return False
        return True

    def _note_covered(self, rows: Sequence[BatchRow], look: _Look) -> None:
        """The chain holds these: anchored as of a block read after that was seen, final once that block is."""
        fresh = any(row.state is BatchState.ACCEPTED for row in rows)
        number = self._reader.head().number if fresh else look.head.number
        with self._intake.engine.begin() as connection:
            for row in rows:
                head, block = row.header.head(), row.anchored_block
                if row.state is BatchState.ACCEPTED:
                    store.set_state(connection, head, BatchState.ANCHORED, block=number)
                elif block is not None and block <= look.finalized:
                    store.set_state(connection, head, BatchState.FINAL, block=block)

    def _note_failed(self, row: BatchRow, error: ContractError | None) -> bool:
        """Takes note of an attempt that came to nothing; whether the source's later batches must wait for it."""
        head = row.header.head()
        with self._intake.engine.begin() as connection:
            if isinstance(error, ReadingAnchorWrongSigner):
                self._mark_stale(connection, row.header.source)
            elif isinstance(error, ReadingAnchorSourceRevoked):
                store.refuse_open(connection, row.header.source, str(error))
            else:
                store.next_attempt(connection, head)
        log.warning("anchoring failed", source=row.header.source, sequence=row.header.sequence, reason=str(error))
        return isinstance(error, ReadingAnchorWrongSigner | ReadingAnchorSourceRevoked)

    def _mark_stale(self, connection: Connection, source: int) -> None:
        """A source's key was rotated: everything that the old key signed must be signed again."""
        entry = self._intake.chain.source(source, fresh=True)
        reason = "its source's key was rotated; sign the same header again with the new key"
        for row in store.batches_in(connection, (BatchState.ACCEPTED,), source):
            if entry is None or signer_of(row.header, row.signature, self._intake.chain.domain) != entry.key:
                store.set_state(connection, row.header.head(), BatchState.STALE, reason)

    def _taken_back(self, row: BatchRow) -> None:
        """A reorganisation took it off the chain; the sender brings the same transaction again."""
        log.warning("batch taken back by a reorganisation", source=row.header.source, sequence=row.header.sequence)
        with self._intake.engine.begin() as connection:
            store.set_state(connection, row.header.head(), BatchState.ACCEPTED)

    def _report_equivocations(self) -> bool:
        """Submits evidence that the chain does not know of yet; whether there was any."""
        with self._intake.engine.begin() as connection:
            waiting = store.unreported_equivocations(connection)
        submitted = False
        for id_, first, second in waiting:
            if id_ in self._refused_reports:
                continue
            intent = f"equivocation:{id_}"
            outcome = self._outcome(intent)
            if outcome is None:
                data = encode_report_equivocation(first.header, first.signature, second.header, second.signature)
                self._sender.submit(intent, self._contract, data)
                submitted = True
            elif outcome.success:
                with self._intake.engine.begin() as connection:
                    store.set_reported(connection, id_)
            else:
                self._refused_reports.add(id_)
                log.error("the chain did not take evidence of equivocation", id=id_, reason=str(outcome.error))
        return submitted


def _intent(row: BatchRow) -> str:
    return f"anchor:{row.header.head().hex()}:{row.attempt}"


def _place(row: BatchRow) -> tuple[int, int, int]:
    return int(row.header.source), row.header.epoch, row.header.sequence


def _covered(row: BatchRow, on_chain: ChainHead) -> bool:
    if row.header.epoch < on_chain.epoch:
        return True  # anchored before the reset; what was not is abandoned already
    return row.header.epoch == on_chain.epoch and row.header.sequence <= on_chain.sequence
