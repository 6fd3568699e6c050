"""Under which key a meter's records are sealed, and what to do with meters that belong to nobody."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

from contracts.client.keyring import KeyDestroyed, KeyRing
from contracts.wire.ids import KeyId, MeterId

UNCLAIMED = KeyId(b"kopeck/unclaimed")
"""The key of records whose meter is bound to no account, and of quarantined batches: never in the clear at rest."""

SealingKey = tuple[KeyId, bytes]

_REMEMBERED = 200_000


class SealingKeys:
    """The key ring as the oracle sees it: bindings and secrets of meters.

    What was found is remembered until the ring's file changes, so that a destroyed key is not used again and a
    binding made since is found. Thread-safe.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ring = KeyRing(path)
        self._ring.create(UNCLAIMED)
        self._lock = threading.Lock()
        self._seen: tuple[int, ...] = ()
        self._found: dict[MeterId, SealingKey | None] = {}

    def unclaimed(self) -> SealingKey:
        """The key for what belongs to no account. Raises KeyDestroyed."""
        secret = self._ring.secret(UNCLAIMED)
        if secret is None:
            raise KeyDestroyed(UNCLAIMED)
        return UNCLAIMED, secret

    def of_meters(self, meters: Iterable[MeterId]) -> dict[MeterId, SealingKey]:
        """The keys of the meters that are bound to an account whose key still exists; others are left out."""
        found: dict[MeterId, SealingKey] = {}
        with self._lock:
            self._forget_if_changed()
            for meter in meters:
                if meter not in self._found:
                    self._found[meter] = self._ask(meter)
                key = self._found[meter]
                if key is not None:
                    found[meter] = key
        return found

    def secret(self, key: KeyId) -> bytes | None:
        """A key's secret, None once it is destroyed. Raises UnknownKey."""
        return self._ring.secret(key)

    def _ask(self, meter: MeterId) -> SealingKey | None:
        key = self._ring.key_of_meter(meter)
        secret = None if key is None else self._ring.secret(key)
        return None if key is None or secret is None else (key, secret)

    def _forget_if_changed(self) -> None:
        """Every commit to the ring touches its file or its write-ahead log."""
        stamp: list[int] = []
        for path in (self._path, self._path.with_name(self._path.name + "-wal")):
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue
            stamp += [stat.st_mtime_ns, stat.st_size]
        if tuple(stamp) != self._seen or len(self._found) > _REMEMBERED:
            self._found.clear()
            self._seen = tuple(stamp)
