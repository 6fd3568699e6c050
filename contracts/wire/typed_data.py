"""EIP-712: what sources, payers and suppliers sign, docs/protocol.md §3 and §6."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from coincurve import PrivateKey, PublicKey

from contracts.wire.ids import NO_ADDRESS, Address, Hash, SourceId
from contracts.wire.keccak import keccak

_DOMAIN_TYPE = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_HEADER_TYPE = keccak(
    b"BatchHeader(uint32 source,uint16 epoch,uint48 sequence,bytes24 previous,bytes32 root,uint32 count,"
    b"uint40 periodStart,uint40 periodEnd,bytes32 document)"
)
_RESET_TYPE = keccak(b"EpochReset(uint32 source,uint16 epoch,bytes24 previous,bytes32 reason)")
_PURPOSE = b"Purpose(string action,uint32 run,uint32 index,uint8 line,address recipient)"
_PURPOSE_TYPE = keccak(_PURPOSE)
_SPLIT_TYPE = keccak(
    b"SplitAuthorization(address payer,address spender,uint256 maximum,Purpose purpose,uint256 nonce,"
    b"uint256 validBefore)" + _PURPOSE
)
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


class SignatureError(ValueError):
    """A signature is malformed, or high-s, or recovers to nobody."""


@dataclass(frozen=True, slots=True)
class Domain:
    """Where a signature counts: one contract on one chain."""

    name: str
    chain_id: int
    contract: Address

    @property
    def separator(self) -> bytes:
        """EIP-712 domain separator."""
        return _separator(self.name, self.chain_id, self.contract)

    def digest(self, struct_hash: bytes) -> Hash:
        """What is signed for a struct under this domain."""
        return Hash(keccak(b"\x19\x01" + self.separator + struct_hash))


@lru_cache(maxsize=64)
def _separator(name: str, chain_id: int, contract: bytes) -> bytes:
    return keccak(_DOMAIN_TYPE + keccak(name.encode()) + keccak(b"1") + _word(chain_id) + _word(contract))


def anchor_domain(chain_id: int, contract: Address) -> Domain:
    """Domain of batch headers and epoch resets."""
    return Domain("Kopeck ReadingAnchor", chain_id, contract)


def rouble_domain(chain_id: int, contract: Address) -> Domain:
    """Domain of everything that moves a payer's money."""
    return Domain("Kopeck Rouble", chain_id, contract)


@dataclass(frozen=True, slots=True)
class BatchHeader:
    """What a source signs for a batch of readings."""

    source: SourceId
    epoch: int
    sequence: int
    previous: bytes
    root: Hash
    count: int
    period_start: int
    period_end: int
    document: Hash

    def struct_hash(self) -> Hash:
        """EIP-712 struct hash."""
        return Hash(
            keccak(
                _HEADER_TYPE
                + _word(self.source)
                + _word(self.epoch)
                + _word(self.sequence)
                + self.previous.ljust(32, b"\x00")
                + self.root
                + _word(self.count)
                + _word(self.period_start)
                + _word(self.period_end)
                + self.document
            )
        )

    def head(self) -> bytes:
        """The 24 bytes that the next header names as ``previous``."""
        return self.struct_hash()[:24]


@dataclass(frozen=True, slots=True)
class EpochReset:
    """A declared gap in a source's chain; ``epoch`` is the new one."""

    source: SourceId
    epoch: int
    previous: bytes
    reason: Hash

    def struct_hash(self) -> Hash:
        """EIP-712 struct hash."""
        return Hash(
            keccak(
                _RESET_TYPE + _word(self.source) + _word(self.epoch) + self.previous.ljust(32, b"\x00") + self.reason
            )
        )

    def head(self) -> bytes:
        """The 24 bytes that the next header names as ``previous``."""
        return self.struct_hash()[:24]


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a payer agrees to: ``pay`` a bill, or ``refund`` a line of a credit note to someone."""

    action: str
    run: int
    index: int
    line: int = 0
    recipient: Address = NO_ADDRESS

    def struct_hash(self) -> Hash:
        """EIP-712 struct hash."""
        return Hash(
            keccak(
                _PURPOSE_TYPE
                + keccak(self.action.encode())
                + _word(self.run)
                + _word(self.index)
                + _word(self.line)
                + _word(self.recipient)
            )
        )


@dataclass(frozen=True, slots=True)
class SplitAuthorization:
    """A payer's permission for one spender to split at most ``maximum_kopecks``, once, before ``valid_before``."""

    payer: Address
    spender: Address
    maximum_kopecks: int
    purpose: Purpose
    nonce: int
    valid_before: int

    def struct_hash(self) -> Hash:
        """EIP-712 struct hash."""
        return Hash(
            keccak(
                _SPLIT_TYPE
                + _word(self.payer)
                + _word(self.spender)
                + _word(self.maximum_kopecks)
                + self.purpose.struct_hash()
                + _word(self.nonce)
                + _word(self.valid_before)
            )
        )


def address_of(private_key: bytes) -> Address:
    """The account of a private key."""
    return _address(PrivateKey(private_key).public_key)


def sign_digest(private_key: bytes, digest: bytes) -> bytes:
    """A 65-byte signature r ‖ s ‖ v with v 27 or 28 and low s (RFC 6979: the same input, the same bytes)."""
    raw = PrivateKey(private_key).sign_recoverable(digest, hasher=None)
    return raw[:64] + bytes((raw[64] + 27,))


def recover(digest: bytes, signature: bytes) -> Address:
    """Who signed. Raises SignatureError; high-s twins are refused as OpenZeppelin's ECDSA refuses them."""
    if len(signature) != 65 or signature[64] not in (27, 28):
        raise SignatureError("a signature is 65 bytes that end in 27 or 28")
    if int.from_bytes(signature[32:64], "big") > _HALF_ORDER:
        raise SignatureError("the signature has a high s: the same signature in its malleable twin")
    try:
        key = PublicKey.from_signature_and_message(signature[:64] + bytes((signature[64] - 27,)), digest, hasher=None)
    except Exception as error:
        raise SignatureError("the signature recovers to nobody") from error
    return _address(key)


def _address(key: PublicKey) -> Address:
    return Address(keccak(key.format(compressed=False)[1:])[12:])


def _word(value: int | bytes) -> bytes:
    return int(value).to_bytes(32, "big") if isinstance(value, int) else value.rjust(32, b"\x00")
