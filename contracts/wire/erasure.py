"""The operator's signed word that a leaf's content was erased, docs/protocol.md §8."""

from __future__ import annotations

from contracts.wire.files import Erasure
from contracts.wire.ids import Address, Hash, KeyId
from contracts.wire.keccak import keccak
from contracts.wire.typed_data import recover, sign_digest

OPERATOR_ROLE = 1
"""The role in the AccessManager whose holders declare erasures, as contracts/src/libraries/Roles.sol numbers it."""


def erasure_text(leaf: Hash, key: KeyId, at: int, act: str) -> bytes:
    """The 99 bytes that are signed. Raises OverflowError where ``at`` is no time of five bytes."""
    return b"kopeck erasure" + leaf + key + at.to_bytes(5, "big") + keccak(act.encode())


def sign_erasure(private_key: bytes, leaf: Hash, key: KeyId, at: int, act: str) -> Erasure:
    """The record that stands in a leaf's place; ``at`` in seconds UTC, ``act`` what the erasure was ordered by."""
    digest = _personal_digest(erasure_text(leaf, key, at, act))
    return Erasure(key, at, act, sign_digest(private_key, digest))


def signer_of(leaf: Hash, erasure: Erasure) -> Address:
    """Who signed the erasure of this very leaf. Raises SignatureError."""
    text = erasure_text(leaf, erasure.key, erasure.at, erasure.act)
    return recover(_personal_digest(text), erasure.signature)


def _personal_digest(text: bytes) -> bytes:
    """EIP-191, version 0x45: what a wallet signs as a personal message."""
    return keccak(b"\x19Ethereum Signed Message:\n%d" % len(text) + text)
