"""The oracle's tables on PostgreSQL: the same batches end in the same state as on SQLite."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from contracts.client.files import FileStore
from contracts.wire.ids import MeterId
from oracle import quarantine, store
from oracle import schema as t
from oracle.batch import NO_BATCH
from oracle.errors import Equivocation, WrongSignature
from oracle.inbox import ManualReadings
from oracle.intake import Intake
from oracle.keys import SealingKeys
from oracle.refusals import InboxConflict
from tests.ledger.test_postgres import postgres_url  # noqa: F401
from tests.oracle.conftest import HOUR, NOW, Town, reading

pytestmark = pytest.mark.postgres


def test_both_databases_end_in_the_same_state(town: Town, postgres_url: str) -> None:  # noqa: F811
    engine = t.open_database(postgres_url)
    other = Intake(engine, FileStore(town.folder / "pg"), SealingKeys(town.folder / "keyring.db"), town.chain)
    source = town.signer(1)
    batches = [
        source.next(
            reading(town.meters[0], 100 + n - 50 * (n == 3), NOW - 20 * HOUR + n * HOUR),
            reading(MeterId(b"\x0d" * 16), n, NOW - 20 * HOUR + n * HOUR),
        )
        for n in range(8)
    ]
    twin = source.make(NO_BATCH, reading(town.meters[0], 1))
    for intake in (town.intake, other):
        for n in (0, 1, 4, 3, 2, 2, 7, 6, 5):
            intake.accept(batches[n])
        with pytest.raises(Equivocation):
            intake.accept(twin)
        with pytest.raises(WrongSignature):
            intake.accept(replace(batches[0], header=replace(batches[0].header, sequence=9)))
        inbox = ManualReadings(intake.engine, town.ring)
        inbox.submit("k", reading(town.meters[1], 5))
        with pytest.raises(InboxConflict):
            inbox.submit("k", reading(town.meters[1], 6))
    assert _state(other) == _state(town.intake)


def _state(intake: Intake) -> dict[str, object]:
    with intake.engine.begin() as connection:
        rows = connection.execute(
            select(t.batches.c.head, t.batches.c.state, t.batches.c.signature).order_by(t.batches.c.sequence)
        )
        judged = connection.execute(
            select(t.decisions.c.overlaid_head, t.decisions.c.overlaid_index, t.decisions.c.reason).order_by(
                t.decisions.c.id
            )
        )
        return {
            "batches": [tuple(row) for row in rows],
            "decisions": [tuple(row) for row in judged],
            "chain": store.chain_of(connection, 1),
            "quarantine": [(row.slug, row.reason) for row in quarantine.page(connection)],
            "equivocations": len(store.unreported_equivocations(connection)),
            "pending": len(store.pending_decisions(connection, 99)),
            "manual": len(store.pending_manual(connection, 99)),
        }
