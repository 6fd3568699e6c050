"""Under which key a meter's records are sealed, and what to do with meters that belong to nobody."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.client.keyring import KeyRing

from contracts.wire.ids import KeyId, MeterId

UNCLAIMED = KeyId(b"kopeck/unclaimed")
"""The key of records whose meter is bound to no account, and of quarantined batches: never in the clear at rest."""

SealingKey = tuple[KeyId, bytes]


class SealingKeys:
    """The key ring as the oracle sees it: bindings and secrets, asked anew for every batch, so that a key
    destroyed a moment ago is not used again."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        if ring.secret(UNCLAIMED) is None:
            ring.create(UNCLAIMED)

    def unclaimed(self) -> SealingKey:
        """The key for what belongs to no account."""
        secret = self._ring.secret(UNCLAIMED)
        if secret is None:
            raise LookupError(f"the key ring lost its key {UNCLAIMED.hex()}; restore keyring.db from its backup")
        return UNCLAIMED, secret

    def of_meters(self, meters: Iterable[MeterId]) -> dict[MeterId, SealingKey]:
        """The keys of the meters that are bound to an account whose key still exists; others are left out."""
        found: dict[MeterId, SealingKey] = {}
        secrets: dict[KeyId, bytes | None] = {}
        for meter in meters:
            key = self._ring.key_of_meter(meter)
            if key is None:
                continue
            if key not in secrets:
                secrets[key] = self._ring.secret(key)
            secret = secrets[key]
            if secret is not None:
                found[meter] = (key, secret)
        return found

    def secret(self, key: KeyId) -> bytes | None:
        """A key's secret, None once it is destroyed."""
        return self._ring.secret(key)
