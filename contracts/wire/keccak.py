"""Keccak-256, by the fastest library at hand."""

from __future__ import annotations

try:
    from sha3 import keccak_256 as _keccak_256

    def keccak(data: bytes) -> bytes:
        """Keccak-256 of ``data``: 32 bytes."""
        return bytes(_keccak_256(data).digest())

except ImportError:  # safe-pysha3 has no build for some Pythons; the same hash, six times slower
    from eth_hash.auto import keccak as _auto_keccak

    def keccak(data: bytes) -> bytes:
        """Keccak-256 of ``data``: 32 bytes."""
        return bytes(_auto_keccak(data))
