"""Hand-made call data against eth-abi, which reads the argument types from the compiler's ABI."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.client import abi
from contracts.wire import calls
from contracts.wire.ids import (
    Address,
    BillKey,
    GrantBatchId,
    Hash,
    Period,
    Reference,
    RunId,
    Service,
    SourceClass,
    SourceId,
    SupplierId,
    Tag,
)
from contracts.wire.keccak import keccak
from contracts.wire.structs import (
    BatchBill,
    GrantClaim,
    Proposal,
    ProvenBill,
    SignedSplit,
    SupplierTotal,
    UsedHead,
)
from contracts.wire.typed_data import BatchHeader

HASH = st.binary(min_size=32, max_size=32).map(Hash)
ADDRESS = st.binary(min_size=20, max_size=20).map(Address)
U32 = st.integers(0, 2**32 - 1)
U48 = st.integers(0, 2**48 - 1)
U256 = st.integers(0, 2**256 - 1)
PROOF = st.lists(HASH, max_size=20).map(tuple)
BLOB = st.binary(max_size=300)

BILLS = st.builds(ProvenBill, U32.map(RunId), U32, BLOB, PROOF)
SPLITS = st.builds(SignedSplit, ADDRESS, U256, U256, U256, st.binary(max_size=80))
CLAIMS = st.builds(GrantClaim, U32.map(GrantBatchId), U32, BLOB, PROOF, BILLS)
BATCH_BILLS = st.builds(BatchBill, U32, U48, BLOB)
HEADERS = st.builds(
    BatchHeader,
    U32.map(SourceId),
    st.integers(0, 2**16 - 1),
    U48,
    st.binary(min_size=24, max_size=24),
    HASH,
    U32,
    st.integers(0, 2**40 - 1),
    st.integers(0, 2**40 - 1),
    HASH,
)
PROPOSALS = st.builds(
    Proposal,
    st.builds(Period, st.integers(2000, 9999), st.integers(1, 12)),
    U32,
    HASH,
    U32,
    HASH,
    HASH,
    st.lists(
        st.builds(SupplierTotal, st.integers(0, 2**16 - 1), U32, st.integers(-(2**63), 2**63 - 1), HASH), max_size=5
    ).map(tuple),
    st.lists(
        st.builds(UsedHead, U32, st.integers(0, 2**16 - 1), U48, st.binary(min_size=24, max_size=24)), max_size=5
    ).map(tuple),
)


def bill(value: ProvenBill) -> tuple[Any, ...]:
    return (value.run, value.index, value.blob, value.proof)


def split(value: SignedSplit) -> tuple[Any, ...]:
    return (value.payer, value.maximum_kopecks, value.nonce, value.valid_before, value.signature)


def header(value: BatchHeader) -> tuple[Any, ...]:
    return (
        value.source,
        value.epoch,
        value.sequence,
        value.previous,
        value.root,
        value.count,
        value.period_start,
        value.period_end,
        value.document,
    )


def claim(value: GrantClaim) -> tuple[Any, ...]:
    return (value.batch, value.index, value.blob, value.proof, bill(value.bill))


@given(header_=HEADERS, signature=st.binary(max_size=70), other=HEADERS)
@settings(max_examples=40, deadline=None)
def test_reading_anchor_calls(header_: BatchHeader, signature: bytes, other: BatchHeader) -> None:
    judge = abi.encode("ReadingAnchor", "anchor", header(header_), signature)
    assert calls.encode_anchor(header_, signature) == judge
    judge = abi.encode("ReadingAnchor", "reportEquivocation", header(header_), signature, header(other), b"x")
    assert calls.encode_report_equivocation(header_, signature, other, b"x") == judge
    judge = abi.encode("ReadingAnchor", "resetEpoch", header_.source, header_.root, signature, b"op")
    assert calls.encode_reset_epoch(header_.source, header_.root, signature, b"op") == judge
    assert calls.encode_acknowledge([header_.root, other.root]) == abi.encode(
        "ReadingAnchor", "acknowledge", [header_.root, other.root]
    )


@given(proposal=PROPOSALS, run=U32.map(RunId), bills=st.lists(st.integers(0, 2**64 - 1), max_size=5))
@settings(max_examples=40, deadline=None)
def test_charge_book_calls(proposal: Proposal, run: RunId, bills: list[int]) -> None:
    given_ = (
        proposal.period.number,
        proposal.count,
        proposal.root,
        proposal.tariff_version,
        proposal.engine,
        proposal.superseded,
        [(s.supplier, s.lines, s.total_kopecks, s.root) for s in proposal.suppliers],
        [(h.source, h.epoch, h.sequence, h.hash) for h in proposal.heads],
    )
    assert calls.encode_propose(proposal) == abi.encode("ChargeBook", "propose", given_)
    keys = [BillKey.from_number(number) for number in bills]
    assert calls.encode_activate(run, keys) == abi.encode("ChargeBook", "activate", run, keys)


@given(
    bill_=BILLS,
    order=SPLITS,
    bills=st.lists(BILLS, max_size=4),
    orders=st.lists(SPLITS, max_size=4),
    claims=st.lists(CLAIMS, max_size=4),
    maximum=U256,
    account=ADDRESS,
)
@settings(max_examples=40, deadline=None)
def test_settlement_calls(  # noqa: PLR0917  hypothesis draws each
    bill_: ProvenBill,
    order: SignedSplit,
    bills: list[ProvenBill],
    orders: list[SignedSplit],
    claims: list[GrantClaim],
    maximum: int,
    account: Address,
) -> None:
    name = "Settlement"
    assert calls.encode_pay(bill_, maximum) == abi.encode(name, "pay", bill(bill_), maximum)
    assert calls.encode_pay_order(bill_, order) == abi.encode(name, "payOrder", bill(bill_), split(order))
    judge = abi.encode(name, "payOrders", [bill(b) for b in bills], [split(o) for o in orders])
    assert calls.encode_pay_orders(bills, orders) == judge
    assert calls.encode_apply_grants(claims) == abi.encode(name, "applyGrants", [claim(c) for c in claims])
    judge = abi.encode(name, "refund", bill(bill_), bill(bill_), 3, account, account, split(order))
    assert calls.encode_refund(bill_, bill_, 3, account, account, order) == judge
    assert calls.encode_net(bill_) == abi.encode(name, "net", bill(bill_))


@given(reference=HASH, run=U32.map(RunId), bills=st.lists(BATCH_BILLS, max_size=6), proof=PROOF)
@settings(max_examples=40, deadline=None)
def test_pay_batch(reference: Hash, run: RunId, bills: list[BatchBill], proof: tuple[Hash, ...]) -> None:
    made = calls.encode_pay_batch(Reference(reference), run, bills, proof)
    packed = b"".join(
        b.index.to_bytes(4, "big") + b.maximum_kopecks.to_bytes(6, "big") + len(b.blob).to_bytes(2, "big") + b.blob
        for b in bills
    )
    assert made == abi.encode("Settlement", "payBatch", reference, run, len(bills), packed, proof)
    assert calls.pay_batch_content(run, bills) == keccak(int(run).to_bytes(4, "big") + packed)


A, B, H = Address(b"\xaa" * 20), Address(b"\xbb" * 20), Hash(b"\x33" * 32)
STATIC = [
    (calls.encode_veto(RunId(7), H), ("ChargeBook", "veto", 7, H)),
    (calls.encode_prepay(SupplierId(3), 5_00, Tag(H)), ("Settlement", "prepay", 3, 500, H)),
    (calls.encode_pause(9), ("Settlement", "pause", 9)),
    (calls.encode_post_grants(H, 4, 2**40, H), ("SubsidyBook", "post", H, 4, 2**40, H)),
    (calls.encode_reverse_batch(GrantBatchId(2), H), ("SubsidyBook", "reverseBatch", 2, H)),
    (calls.encode_reverse_grant(GrantBatchId(2), 5, H), ("SubsidyBook", "reverseGrant", 2, 5, H)),
    (calls.encode_approve(A, 5), ("Rouble", "approve", A, 5)),
    (calls.encode_transfer(A, 5), ("Rouble", "transfer", A, 5)),
    (calls.encode_mint(A, 5, H), ("Rouble", "mint", A, 5, H)),
    (calls.encode_redeem(5, H), ("Rouble", "redeem", 5, H)),
    (calls.encode_freeze(A, H), ("Rouble", "freeze", A, H)),
    (calls.encode_unfreeze(A, H), ("Rouble", "unfreeze", A, H)),
    (calls.encode_seize(A, B, 5, H), ("Rouble", "seize", A, B, 5, H)),
    (calls.encode_cancel_split(5), ("Rouble", "cancelSplit", 5)),
    (calls.encode_publish_tariff(H, H, 1, 2), ("TariffBook", "publish", H, H, 1, 2)),
    (calls.encode_register_supplier(A, B, H), ("Registry", "registerSupplier", A, B, H)),
    (calls.encode_set_supplier_active(SupplierId(3), True), ("Registry", "setSupplierActive", 3, True)),
    (calls.encode_propose_payout(SupplierId(3), A), ("Registry", "proposePayout", 3, A)),
    (calls.encode_approve_payout(SupplierId(3), A), ("Registry", "approvePayout", 3, A)),
    (calls.encode_execute_payout(SupplierId(3)), ("Registry", "executePayout", 3)),
    (calls.encode_cancel_payout(SupplierId(3)), ("Registry", "cancelPayout", 3)),
    (calls.encode_register_source(A, SourceClass.IMPORTER, 9), ("Registry", "registerSource", A, 1, 9)),
    (calls.encode_rotate_source(SourceId(3), A, 9), ("Registry", "rotateSource", 3, A, 9)),
    (calls.encode_revoke_source(SourceId(3)), ("Registry", "revokeSource", 3)),
    (calls.encode_register_meter(H, Service.GAS, 1, 2, H), ("Registry", "registerMeter", H, 5, 1, 2, H)),
    (calls.encode_register_meters([H, H], Service.GAS, 1, 2), ("Registry", "registerMeters", [H, H], 5, 1, 2)),
]


@pytest.mark.parametrize(("made", "judge"), STATIC, ids=[f"{row[1][0]}.{row[1][1]}" for row in STATIC])
def test_static_calls(made: bytes, judge: tuple[Any, ...]) -> None:
    contract, function, *arguments = judge
    assert made == abi.encode(contract, function, *arguments)


def test_a_number_too_large_for_a_word_is_refused() -> None:
    with pytest.raises(OverflowError):
        calls.encode_redeem(2**256, Hash(secrets.token_bytes(32)))
