"""Keccak-256, by the fastest library at hand."""

from __future__ import annotations

from collections.abc import Iterable

try:
    from sha3 import keccak_256 as _keccak_256

    def keccak(data: bytes) -> bytes:
        """Keccak-256 of ``data``: 32 bytes."""
        return bytes(_keccak_256(data).digest())

    def keccak_many(messages: Iterable[bytes]) -> bytes:
        """The hashes of ``messages``, 32 bytes each, one after another: what a level of a tree is made of."""
        make = _keccak_256
        return b"".join([make(data).digest() for data in messages])

    def keccak_of(parts: Iterable[bytes]) -> bytes:
        """Keccak-256 of parts one after another, of which only one need be at hand."""
        whole = _keccak_256()
        for part in parts:
            whole.update(part)
        return bytes(whole.digest())

except ImportError:  # safe-pysha3 has no build for some Pythons; the same hash, six times slower
    from eth_hash.auto import keccak as _auto_keccak

    def keccak(data: bytes) -> bytes:
        """Keccak-256 of ``data``: 32 bytes."""
        return bytes(_auto_keccak(data))

    def keccak_many(messages: Iterable[bytes]) -> bytes:
        """The hashes of ``messages``, 32 bytes each, one after another: what a level of a tree is made of."""
        return b"".join([keccak(data) for data in messages])

    def keccak_of(parts: Iterable[bytes]) -> bytes:
        """Keccak-256 of parts one after another, of which only one need be at hand."""
        whole = _auto_keccak.new(b"")
        for part in parts:
            whole.update(part)
        return bytes(whole.digest())
