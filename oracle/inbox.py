"""Readings that people give by hand: durable before the answer, idempotent by the client's key.

The API calls this with the oracle's database and key ring; the oracle's process batches and signs what waits here.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from sqlalchemy import Connection, Engine, insert, select
from sqlalchemy.exc import IntegrityError

from contracts.client.keyring import KeyRing
from contracts.wire.ids import Hash
from contracts.wire.leaf import LeafError, Quality, RegisterReading, reading_blob, split_reading_blob
from contracts.wire.merkle import leaf_hash
from contracts.wire.sealed import seal, unseal
from oracle import schema as t
from oracle.refusals import InboxConflict, ManualReadingRefused


@dataclass(frozen=True, slots=True)
class ManualReading:
    """Where a manual reading stands: its leaf, and the head of the batch it went into (None while it waits)."""

    client_key: str
    leaf: Hash
    taken_at: int
    batch_head: bytes | None


class ManualReadings:
    """The inbox of manual readings."""

    def __init__(self, engine: Engine, keys: KeyRing) -> None:
        self._engine = engine
        self._keys = keys

    def submit(self, client_key: str, reading: RegisterReading) -> ManualReading:
        """Keeps a reading as self-reported. The same key with the same reading again changes nothing.

        ``client_key`` is the caller's own, at most 128 characters. Raises InboxConflict where the key stands for
        another reading, ManualReadingRefused where the meter is bound to no account or a field does not fit.
        """
        reading = replace(reading, quality=Quality.SELF_REPORTED)
        if not 0 < len(client_key) <= 128:
            raise ManualReadingRefused(client_key, "its key has not 1 to 128 characters")
        key = self._keys.key_of_meter(reading.meter)
        secret = None if key is None else self._keys.secret(key)
        if key is None or secret is None:
            raise ManualReadingRefused(client_key, f"meter {reading.meter.hex()} is bound to no account")
        try:
            blob = reading_blob(secrets.token_bytes(32), reading)
        except LeafError as error:
            raise ManualReadingRefused(client_key, str(error)) from error
        leaf = leaf_hash(blob)
        row = {
            "client_key": client_key,
            "leaf": leaf,
            "key": key,
            "sealed": seal(secret, leaf, blob),
            "taken_at": reading.taken_at,
        }
        try:
            with self._engine.begin() as connection:
                known = self._known(connection, client_key, reading)
                if known is not None:
                    return known
                connection.execute(insert(t.manual_readings).values(**row))
        except IntegrityError:  # the same key at the same moment in another process
            with self._engine.begin() as connection:
                known = self._known(connection, client_key, reading)
            if known is None:
                raise
            return known
        return ManualReading(client_key, leaf, reading.taken_at, None)

    def find(self, client_key: str) -> ManualReading | None:
        """Where a reading stands."""
        with self._engine.begin() as connection:
            row = connection.execute(
                select(t.manual_readings).where(t.manual_readings.c.client_key == client_key)
            ).first()
        if row is None:
            return None
        return ManualReading(client_key, Hash(row.leaf), row.taken_at, row.batch_head)

    def _known(self, connection: Connection, client_key: str, reading: RegisterReading) -> ManualReading | None:
        row = connection.execute(select(t.manual_readings).where(t.manual_readings.c.client_key == client_key)).first()
        if row is None:
            return None
        secret = self._keys.secret(row.key)
        if secret is None or split_reading_blob(unseal(secret, row.leaf, row.sealed))[1] != reading:
            raise InboxConflict(client_key)
        return ManualReading(client_key, Hash(row.leaf), row.taken_at, row.batch_head)
