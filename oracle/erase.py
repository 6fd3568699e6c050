"""Erasing an account from what the oracle keeps: its files, its windows, its desks, its quarantine."""

from __future__ import annotations

import json
from base64 import b64decode
from collections import Counter
from collections.abc import Collection

from sqlalchemy import Connection, Engine, delete, select, update

from contracts.client.erasing import Sign, erase_in_files
from contracts.client.files import FileStore
from contracts.client.keyring import KeyRing
from contracts.wire.ids import Hash, KeyId, MeterId
from contracts.wire.leaf import LeafError, split_reading_blob
from contracts.wire.sealed import SealError, unseal
from oracle import schema as t
from oracle.batch import meter_of
from oracle.batch_files import READINGS
from oracle.keys import UNCLAIMED


def erase(engine: Engine, files: FileStore, ring: KeyRing, key: KeyId, sign: Sign) -> Counter[str]:
    """Takes out what the destroyed ``key`` had sealed; gives what was taken, by kind. The same again changes nothing.

    What waits for a batch under the key is dropped: nobody can read it any more, and no file is to name it.
    Batches in quarantine are sealed under a key of their own; those that tell of the account's meters lose their body.
    """
    done = erase_in_files(files, [READINGS], key, sign)
    with engine.begin() as connection:
        for table in (t.meter_windows, t.decisions, t.manual_readings):
            here = table.c.key == key
            if table is not t.meter_windows:
                here &= table.c.batch_head.is_(None)
            done[table.name] += connection.execute(delete(table).where(here)).rowcount
        done["quarantine"] += _empty_quarantine(connection, ring.secret(UNCLAIMED), set(ring.meters_of(key)))
    return +done


def _empty_quarantine(connection: Connection, secret: bytes | None, meters: Collection[MeterId]) -> int:
    emptied = 0
    q = t.quarantine.c
    for row in connection.execute(select(q.id, q.digest, q.sealed)).all():
        if secret is not None and row.sealed and _tells_of(secret, Hash(bytes(row.digest)), bytes(row.sealed), meters):
            connection.execute(update(t.quarantine).where(q.id == row.id).values(sealed=b""))
            emptied += 1
    return emptied


def _tells_of(secret: bytes, digest: Hash, sealed: bytes, meters: Collection[MeterId]) -> bool:
    """Whether a quarantined batch holds a reading of one of the meters; what can't be read is kept from nobody."""
    try:
        leaves = json.loads(unseal(secret, digest, sealed))["leaves"]
    except (SealError, ValueError, KeyError):
        return False
    for leaf in leaves:
        try:
            if meter_of(split_reading_blob(b64decode(leaf))[1]) in meters:
                return True
        except (LeafError, ValueError):
            continue
    return False
