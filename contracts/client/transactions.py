"""Signed transactions, encoded and signed by hand; eth-account is the judge in the tests.

Type 2 (EIP-1559), and the older form of EIP-155 for chains whose blocks have no base fee, as GoQuorum's."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.client.signer import Signer
from contracts.wire.ids import Address, Hash
from contracts.wire.keccak import keccak


@dataclass(frozen=True, slots=True)
class Transaction:
    """What is signed. ``to`` None creates a contract; fees are wei per gas.

    ``is_legacy`` is for a chain without base fees: the older form, whose gas price is ``max_fee``.
    """

    chain_id: int
    nonce: int
    to: Address | None
    data: bytes
    gas: int
    max_fee: int = 0
    priority_fee: int = 0
    is_legacy: bool = False

    def sign(self, signer: Signer) -> tuple[bytes, Hash]:
        """The raw bytes and their hash. Raises SignerAway, SignerRefused."""
        return self._sign_legacy(signer) if self.is_legacy else self._sign_type_2(signer)

    def _sign_type_2(self, signer: Signer) -> tuple[bytes, Hash]:
        fields = (
            _uint(self.chain_id)
            + _uint(self.nonce)
            + _uint(self.priority_fee)
            + _uint(self.max_fee)
            + _uint(self.gas)
            + _string(self.to or b"")
            + _uint(0)  # value: no contract of ours takes the chain's own coin
            + _string(self.data)
            + b"\xc0"  # access list: none
        )
        signature = signer.sign(b"\x02" + _list(fields))
        signed = (
            fields
            + _uint(signature[64])
            + _uint(int.from_bytes(signature[:32], "big"))
            + _uint(int.from_bytes(signature[32:64], "big"))
        )
        raw = b"\x02" + _list(signed)
        return raw, Hash(keccak(raw))

    def _sign_legacy(self, signer: Signer) -> tuple[bytes, Hash]:
        """EIP-155: the chain id is signed along, and shows again in what stands for the recovery bit."""
        fields = (
            _uint(self.nonce)
            + _uint(self.max_fee)
            + _uint(self.gas)
            + _string(self.to or b"")
            + _uint(0)  # value: as above
            + _string(self.data)
        )
        signed_fields = _list(fields + _uint(self.chain_id) + _uint(0) + _uint(0))
        signature = signer.sign(signed_fields)
        raw = _list(
            fields
            + _uint(2 * self.chain_id + 35 + signature[64])
            + _uint(int.from_bytes(signature[:32], "big"))
            + _uint(int.from_bytes(signature[32:64], "big"))
        )
        return raw, Hash(keccak(raw))


def create_address(sender: Address, nonce: int) -> Address:
    """Where a contract lands that ``sender`` creates with ``nonce``."""
    return Address(keccak(_list(_string(sender) + _uint(nonce)))[12:])


def _uint(value: int) -> bytes:
    return _string(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _string(value: bytes) -> bytes:
    if len(value) == 1 and value[0] < 0x80:
        return value
    return _prefix(0x80, len(value)) + value


def _list(body: bytes) -> bytes:
    return _prefix(0xC0, len(body)) + body


def _prefix(base: int, size: int) -> bytes:
    if size < 56:
        return bytes((base + size,))
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((base + 55 + len(length),)) + length
