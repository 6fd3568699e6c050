"""A holder's word on chain that it keeps files: each root once, many roots a transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import structlog
from sqlalchemy import Column, Engine, Integer, LargeBinary, MetaData, Table, Text, insert, select, update

from contracts.client.schema import Schema
from contracts.client.sender import Sender, UnknownIntent
from contracts.wire.calls import encode_acknowledge
from contracts.wire.ids import Address, Hash

ROOTS_AT_ONCE = 200

metadata = MetaData()
SCHEMA = Schema("acknowledge", metadata, Path(__file__).parent / "migrations" / "acknowledge")
_promises = Table(
    "acknowledging",
    metadata,
    Column("root", LargeBinary(32), primary_key=True),
    Column("intent", Text, nullable=False, index=True),
    Column("attempt", Integer, nullable=False),
    Column("is_final", Integer, nullable=False),
)
"""Roots that are to be acknowledged, with the sender's intent that does it."""

log = structlog.get_logger(__name__)


class Acknowledger:
    """Acknowledges roots with one holder's key. ``engine`` is the holder's own database, the sender's too."""

    def __init__(self, engine: Engine, sender: Sender, anchor: Address) -> None:
        SCHEMA.bring_up(engine)
        self._engine = engine
        self._sender = sender
        self._anchor = anchor
        self._open = self._unfinished()
        for intent, roots in self._open.items():
            # A process may have died between keeping the promise and handing it to the sender.
            self._submit(intent, roots)

    def offer(self, roots: Sequence[Hash]) -> None:
        """Has these roots acknowledged; those that were offered before change nothing."""
        with self._engine.begin() as connection:
            known = set(connection.execute(select(_promises.c.root)).scalars())
        new = sorted(set(roots) - known)
        for start in range(0, len(new), ROOTS_AT_ONCE):
            self._promise(new[start : start + ROOTS_AT_ONCE], attempt=1)

    def tick(self) -> None:
        """Drives the sending on. Raises what ``Sender.advance`` raises."""
        if not self._open:
            return
        self._sender.advance()
        for intent in list(self._open):
            outcome = self._sender.outcome(intent)
            if outcome is None:
                continue
            if not outcome.success and outcome.final:
                self._again(intent, outcome.error)
            elif outcome.final:
                self._finish(intent)

    def _promise(self, roots: Sequence[Hash], attempt: int) -> None:
        intent = f"acknowledge:{roots[0].hex()}:{attempt}"
        with self._engine.begin() as connection:
            for root in roots:
                values = {"intent": intent, "attempt": attempt, "is_final": 0}
                here = _promises.c.root == root
                if connection.execute(update(_promises).where(here).values(values)).rowcount == 0:
                    connection.execute(insert(_promises).values(root=root, **values))
        self._open[intent] = list(roots)
        self._submit(intent, roots)

    def _submit(self, intent: str, roots: Sequence[Hash]) -> None:
        try:
            self._sender.outcome(intent)
        except UnknownIntent:
            self._sender.submit(intent, self._anchor, encode_acknowledge(sorted(roots)))

    def _again(self, intent: str, error: Exception | None) -> None:
        """The chain refused: most likely the key has no holder's role yet."""
        log.error("acknowledgement refused; give this key the holder's role", intent=intent, error=str(error))
        roots = self._open.pop(intent)
        self._promise(roots, attempt=int(intent.rpartition(":")[2]) + 1)

    def _finish(self, intent: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(update(_promises).where(_promises.c.intent == intent).values(is_final=1))
        del self._open[intent]

    def _unfinished(self) -> dict[str, list[Hash]]:
        found: defaultdict[str, list[Hash]] = defaultdict(list)
        p = _promises.c
        with self._engine.begin() as connection:
            rows = connection.execute(select(p.intent, p.root).where(p.is_final == 0).order_by(p.intent, p.root))
            for row in rows:
                found[row.intent].append(Hash(row.root))
        return dict(found)
