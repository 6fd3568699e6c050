"""What failed as a whole batch: kept with its reason, sealed, within an allowance."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Row, and_, delete, func, insert, select

from contracts.wire.ids import Hash
from contracts.wire.typed_data import BatchHeader
from oracle import schema as t
from oracle.errors import OracleError


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A batch that failed: its body sealed as unclaimed, under the digest that stands for all its bytes."""

    digest: Hash
    sealed: bytes
    error: OracleError


UNPROVEN = ("unknown-source", "source-revoked", "wrong-signature")
"""Faults of batches that anybody may have sent in a source's name: these share one allowance."""
QUARANTINE_ROW_BYTES = 1024
"""What a row weighs beside its body, generously."""


def bytes_kept(connection: Connection, source: int, slug: str) -> int:
    """What is kept on the allowance that a source's batch with this fault would go on."""
    q = t.quarantine.c
    mine = q.slug.in_(UNPROVEN) if slug in UNPROVEN else and_(q.source == source, q.slug.not_in(UNPROVEN))
    weight = func.coalesce(func.sum(func.length(q.sealed) + QUARANTINE_ROW_BYTES), 0)
    return int(connection.execute(select(weight).where(mine)).scalar_one())


def is_kept(connection: Connection, digest: Hash) -> bool:
    """Whether these very bytes are kept."""
    return connection.execute(select(t.quarantine.c.id).where(t.quarantine.c.digest == digest)).first() is not None


def release(connection: Connection, digest: Hash) -> bool:
    """Lets go of a quarantined batch; whether it was there."""
    return connection.execute(delete(t.quarantine).where(t.quarantine.c.digest == digest)).rowcount > 0


def add(connection: Connection, batch: Quarantined, header: BatchHeader, received_at: int) -> None:
    """Keeps a quarantined batch; the same again changes nothing."""
    if not is_kept(connection, batch.digest):
        connection.execute(
            insert(t.quarantine).values(
                digest=batch.digest,
                source=header.source,
                sequence=header.sequence,
                root=header.root,
                slug=batch.error.slug,
                reason=str(batch.error),
                sealed=batch.sealed,
                received_at=received_at,
            )
        )


def page(connection: Connection, after: int = 0, limit: int = 1000) -> list[Row[tuple[object, ...]]]:
    """What is in quarantine but the bodies, in order of arrival: at most ``limit`` after the one numbered ``after``."""
    columns = [column for column in t.quarantine.c if column.name != "sealed"]
    query = select(*columns).where(t.quarantine.c.id > after).order_by(t.quarantine.c.id).limit(limit)
    return list(connection.execute(query))


def latest_at(connection: Connection, source: int, sequence: int) -> Row[tuple[object, ...]] | None:
    """The last quarantined batch under a source's sequence."""
    query = select(t.quarantine).where(t.quarantine.c.source == source, t.quarantine.c.sequence == sequence)
    return connection.execute(query.order_by(t.quarantine.c.id.desc()).limit(1)).first()
