"""The structs that calls and events carry, in Python's names; see contracts/src/types/Types.sol and IChargeBook."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from contracts.wire.ids import NO_HASH, Address, BillKey, GrantBatchId, Hash, Period, RunId, SourceId, SupplierId
from contracts.wire.keccak import keccak
from contracts.wire.typed_data import SplitAuthorization


@dataclass(frozen=True, slots=True)
class SupplierTotal:
    """What a supplier is claimed to be owed by a run: debits less credits, so ``total_kopecks`` may be negative."""

    supplier: SupplierId
    lines: int
    total_kopecks: int
    root: Hash


@dataclass(frozen=True, slots=True)
class UsedHead:
    """The head of a chain of readings that a run used; ``hash`` is 24 bytes."""

    source: SourceId
    epoch: int
    sequence: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Proposal:
    """A run as proposed. ``superseded`` is the hash of the list of bills it replaces, or zero."""

    period: Period
    count: int
    root: Hash
    tariff_version: int
    engine: Hash
    superseded: Hash
    suppliers: tuple[SupplierTotal, ...]
    heads: tuple[UsedHead, ...]


@dataclass(frozen=True, slots=True)
class ProvenBill:
    """A bill with the proof that it stands in its run's tree."""

    run: RunId
    index: int
    blob: bytes
    proof: tuple[Hash, ...]

    @property
    def key(self) -> BillKey:
        """Its place."""
        return BillKey(self.run, self.index)


@dataclass(frozen=True, slots=True)
class BatchBill:
    """One bill of an agent's batch: at most ``maximum_kopecks`` of what is open on it."""

    index: int
    maximum_kopecks: int
    blob: bytes


@dataclass(frozen=True, slots=True)
class GrantClaim:
    """A grant with its proof, and the bill it pays on."""

    batch: GrantBatchId
    index: int
    blob: bytes
    proof: tuple[Hash, ...]
    bill: ProvenBill


@dataclass(frozen=True, slots=True)
class SignedSplit:
    """A payer's authorisation as the Settlement takes it: spender and purpose follow from the call."""

    payer: Address
    maximum_kopecks: int
    nonce: int
    valid_before: int
    signature: bytes

    @classmethod
    def of(cls, authorization: SplitAuthorization, signature: bytes) -> SignedSplit:
        """What to send for an authorisation that was signed."""
        return cls(
            authorization.payer,
            authorization.maximum_kopecks,
            authorization.nonce,
            authorization.valid_before,
            signature,
        )


def supersession_hash(bills: Iterable[BillKey]) -> Hash:
    """What a correcting run names: the hash of the ascending keys of the bills it replaces; zero for none."""
    keys = b"".join(bill.number.to_bytes(32, "big") for bill in sorted(bills))
    return Hash(keccak(keys)) if keys else NO_HASH
