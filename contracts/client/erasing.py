"""Puts signed records of erasure in the place of what was sealed under a destroyed key, file by file."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable

from sqlalchemy import Engine

from contracts.client.files import FileStore
from contracts.wire.files import Erasure, LeafLine, encode_file, parse_file
from contracts.wire.ids import Hash, KeyId

_FOLD_TRIES = 50
Sign = Callable[[Hash], Erasure]
"""The record of a leaf's erasure, signed by the operator."""


def erase_in_files(store: FileStore, kinds: Iterable[str], key: KeyId, sign: Sign) -> Counter[str]:
    """Replaces every leaf sealed under ``key``; gives the leaves of each kind that were replaced.

    Each file is replaced whole, under its name, so that it may be killed and repeated. Raises FileError for a file
    that is not what its name says: its keeper mends it first.
    """
    done: Counter[str] = Counter()
    for kind in kinds:
        for name in store.names(kind):
            data = store.get(kind, name)
            if data is None or key.hex().encode() not in data:
                continue
            head, lines = parse_file(data, name)
            replaced = sum(_is_sealed(line, key) for line in lines)
            if replaced:
                left = [LeafLine(x.leaf, x.blob, erased=sign(x.leaf)) if _is_sealed(x, key) else x for x in lines]
                store.put(kind, name, encode_file(head, left))
                done[kind] += replaced
    return done


def fold_log(engine: Engine) -> None:
    """Folds SQLite's log of changes into the database and cuts it: it still holds pages as they were.

    A reader of another process may stand on it for a while; after five seconds it is left as it is.
    """
    if engine.dialect.name != "sqlite":
        return
    connection = engine.raw_connection()
    try:
        for _ in range(_FOLD_TRIES):
            busy, *_rest = connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not busy:
                return
            time.sleep(0.1)
    finally:
        connection.close()


def _is_sealed(line: LeafLine, key: KeyId) -> bool:
    return line.key == key and line.sealed is not None
