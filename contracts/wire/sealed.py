"""Encryption of records at rest: one key per account, bound to the leaf it stands for."""

from __future__ import annotations

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class SealError(ValueError):
    """A sealed record does not open: another key, another leaf, or altered bytes."""


def seal(key: bytes, leaf: bytes, plaintext: bytes) -> bytes:
    """nonce(12) ‖ AES-256-GCM of ``plaintext``, authenticated together with its leaf hash."""
    nonce = secrets.token_bytes(12)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, leaf)


def unseal(key: bytes, leaf: bytes, sealed: bytes) -> bytes:
    """The plaintext. Raises SealError."""
    try:
        return AESGCM(key).decrypt(sealed[:12], sealed[12:], leaf)
    except (InvalidTag, ValueError) as error:
        raise SealError("the sealed record does not open under this key for this leaf") from error
