"""Call data of our contracts by fixed layouts: what web3 does in a millisecond done in microseconds.

Every function takes the values in the order of the Solidity parameters and returns selector ‖ arguments; eth-abi
is the judge in the tests. Raises OverflowError where a number does not fit its type's word.
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.wire.ids import (
    Address,
    BillKey,
    GrantBatchId,
    Hash,
    Reference,
    RunId,
    Service,
    SourceClass,
    SourceId,
    SupplierId,
    Tag,
)
from contracts.wire.keccak import keccak
from contracts.wire.receipts import PROPOSAL_TYPE
from contracts.wire.structs import BatchBill, GrantClaim, Proposal, ProvenBill, SignedSplit
from contracts.wire.typed_data import BatchHeader

_HEADER = "(uint32,uint16,uint48,bytes24,bytes32,uint32,uint40,uint40,bytes32)"
_PROVEN = "(uint32,uint32,bytes,bytes32[])"
_SPLIT = "(address,uint256,uint256,uint256,bytes)"
_CLAIM = f"(uint32,uint32,bytes,bytes32[],{_PROVEN})"


def selector(signature: str) -> bytes:
    """First four bytes of the hash of a function's canonical signature."""
    return keccak(signature.encode())[:4]


# --- words and dynamic parts ---

_WORD = 32


def _uint(value: int) -> bytes:
    return int(value).to_bytes(_WORD, "big")


def _int(value: int) -> bytes:
    return int(value).to_bytes(_WORD, "big", signed=True)


def _left(value: bytes) -> bytes:
    """A fixed-size bytes value, padded on the right."""
    return value.ljust(_WORD, b"\x00")


def _right(value: bytes) -> bytes:
    """An address, padded on the left."""
    return value.rjust(_WORD, b"\x00")


def _bytes(value: bytes) -> bytes:
    return _uint(len(value)) + value + bytes(-len(value) % _WORD)


def _hashes(values: Sequence[bytes]) -> bytes:
    return _uint(len(values)) + b"".join(values)


def _tuple(parts: Sequence[bytes | tuple[bytes]]) -> bytes:
    """Heads and tails: a part in a one-tuple is dynamic and leaves its offset in the head."""
    offset = sum(_WORD if isinstance(part, tuple) else len(part) for part in parts)
    heads, tails = [], []
    for part in parts:
        if isinstance(part, tuple):
            heads.append(_uint(offset))
            tails.append(part[0])
            offset += len(part[0])
        else:
            heads.append(part)
    return b"".join(heads + tails)


def _array(items: Sequence[bytes]) -> bytes:
    """An array of dynamic items."""
    return _uint(len(items)) + _tuple([(item,) for item in items])


def _static_array(items: Sequence[bytes]) -> bytes:
    return _uint(len(items)) + b"".join(items)


# --- structs ---


def _header(header: BatchHeader) -> bytes:
    return (
        _uint(header.source)
        + _uint(header.epoch)
        + _uint(header.sequence)
        + _left(header.previous)
        + header.root
        + _uint(header.count)
        + _uint(header.period_start)
        + _uint(header.period_end)
        + header.document
    )


def _proven(bill: ProvenBill) -> bytes:
    return _tuple((_uint(bill.run), _uint(bill.index), (_bytes(bill.blob),), (_hashes(bill.proof),)))


def _split(split: SignedSplit) -> bytes:
    return _tuple(
        (
            _right(split.payer),
            _uint(split.maximum_kopecks),
            _uint(split.nonce),
            _uint(split.valid_before),
            (_bytes(split.signature),),
        )
    )


def _batch_bill(bill: BatchBill) -> bytes:
    head = int(bill.index).to_bytes(4, "big") + bill.maximum_kopecks.to_bytes(6, "big")
    return head + len(bill.blob).to_bytes(2, "big") + bill.blob


def _batch(bills: Sequence[BatchBill]) -> bytes:
    return b"".join(map(_batch_bill, bills))


def _claim(claim: GrantClaim) -> bytes:
    return _tuple(
        (
            _uint(claim.batch),
            _uint(claim.index),
            (_bytes(claim.blob),),
            (_hashes(claim.proof),),
            (_proven(claim.bill),),
        )
    )


def _proposal(proposal: Proposal) -> bytes:
    suppliers = [
        _uint(row.supplier) + _uint(row.lines) + _int(row.total_kopecks) + row.root for row in proposal.suppliers
    ]
    heads = [_uint(row.source) + _uint(row.epoch) + _uint(row.sequence) + _left(row.hash) for row in proposal.heads]
    return _tuple(
        (
            _uint(proposal.period.number),
            _uint(proposal.count),
            proposal.root,
            _uint(proposal.tariff_version),
            proposal.engine,
            proposal.superseded,
            (_static_array(suppliers),),
            (_static_array(heads),),
        )
    )


# --- ReadingAnchor ---

_ANCHOR = selector(f"anchor({_HEADER},bytes)")
_RESET = selector("resetEpoch(uint32,bytes32,bytes,bytes)")
_EQUIVOCATION = selector(f"reportEquivocation({_HEADER},bytes,{_HEADER},bytes)")
_ACKNOWLEDGE = selector("acknowledge(bytes32[])")


def encode_anchor(header: BatchHeader, signature: bytes) -> bytes:
    """Anchors one signed batch."""
    return _ANCHOR + _tuple((_header(header), (_bytes(signature),)))


def encode_reset_epoch(source: SourceId, reason: Hash, source_signature: bytes, operator_signature: bytes) -> bytes:
    """Declares a gap in a source's chain."""
    return _RESET + _tuple((_uint(source), reason, (_bytes(source_signature),), (_bytes(operator_signature),)))


def encode_report_equivocation(
    first: BatchHeader, first_signature: bytes, second: BatchHeader, second_signature: bytes
) -> bytes:
    """Leaves evidence that a source signed two headers with one sequence."""
    return _EQUIVOCATION + _tuple(
        (_header(first), (_bytes(first_signature),), _header(second), (_bytes(second_signature),))
    )


def encode_acknowledge(roots: Sequence[Hash]) -> bytes:
    """A holder says that it keeps these files."""
    return _ACKNOWLEDGE + _tuple(((_hashes(roots),),))


# --- ChargeBook ---

_PROPOSE = selector(f"propose({PROPOSAL_TYPE})")
_ACTIVATE = selector("activate(uint32,uint64[])")
_VETO = selector("veto(uint32,bytes32)")


def encode_propose(proposal: Proposal) -> bytes:
    """Proposes a billing run."""
    return _PROPOSE + _tuple(((_proposal(proposal),),))


def encode_activate(run: RunId, superseded: Sequence[BillKey] = ()) -> bytes:
    """Activates a proposed run; the bills it replaces in ascending order."""
    return _ACTIVATE + _tuple((_uint(run), (_static_array([_uint(bill.number) for bill in superseded]),)))


def encode_veto(run: RunId, reason: Hash) -> bytes:
    """Stops a proposed run."""
    return _VETO + _uint(run) + reason


# --- Settlement ---

_PAY = selector(f"pay({_PROVEN},uint256)")
_PAY_BATCH = selector("payBatch(bytes32,uint32,uint256,bytes,bytes32[])")
_PAY_ORDER = selector(f"payOrder({_PROVEN},{_SPLIT})")
_PAY_ORDERS = selector(f"payOrders({_PROVEN}[],{_SPLIT}[])")
_APPLY_GRANTS = selector(f"applyGrants({_CLAIM}[])")
_REFUND = selector(f"refund({_PROVEN},{_PROVEN},uint8,address,address,{_SPLIT})")
_PREPAY = selector("prepay(uint16,uint48,bytes32)")
_NET = selector(f"net({_PROVEN})")
_PAUSE = selector("pause(uint40)")


def encode_pay(bill: ProvenBill, maximum_kopecks: int) -> bytes:
    """Pays what is open on a bill, at most ``maximum_kopecks``, from the caller's balance."""
    return _PAY + _tuple(((_proven(bill),), _uint(maximum_kopecks)))


def encode_pay_batch(reference: Reference, run: RunId, bills: Sequence[BatchBill], multiproof: Sequence[Hash]) -> bytes:
    """Pays many bills of one run from an agent's balance."""
    packed = _batch(bills)
    return _PAY_BATCH + _tuple(
        (bytes(reference), _uint(run), _uint(len(bills)), (_bytes(packed),), (_hashes(multiproof),))
    )


def pay_batch_content(run: RunId, bills: Sequence[BatchBill]) -> Hash:
    """The content hash that the Settlement keeps for a batch's reference: H of the run and the packed bills."""
    return Hash(keccak(int(run).to_bytes(4, "big") + _batch(bills)))


def encode_pay_order(bill: ProvenBill, order: SignedSplit) -> bytes:
    """Carries out a resident's signed order."""
    return _PAY_ORDER + _tuple(((_proven(bill),), (_split(order),)))


def encode_pay_orders(bills: Sequence[ProvenBill], orders: Sequence[SignedSplit]) -> bytes:
    """Carries out several orders, one for each bill."""
    return _PAY_ORDERS + _tuple(
        ((_array([_proven(bill) for bill in bills]),), (_array([_split(order) for order in orders]),))
    )


def encode_apply_grants(claims: Sequence[GrantClaim]) -> bytes:
    """Applies grants straight from the welfare wallet."""
    return _APPLY_GRANTS + _tuple(((_array([_claim(claim) for claim in claims]),),))


def encode_refund(  # noqa: PLR0917  the order of the Solidity parameters
    note: ProvenBill, bill: ProvenBill, line: int, recipient: Address, wallet: Address, authorization: SignedSplit
) -> bytes:
    """Carries out one line of a credit note under the supplier's signature."""
    return _REFUND + _tuple(
        (
            (_proven(note),),
            (_proven(bill),),
            _uint(line),
            _right(recipient),
            _right(wallet),
            (_split(authorization),),
        )
    )


def encode_prepay(supplier: SupplierId, amount_kopecks: int, tag: Tag) -> bytes:
    """Pays a supplier ahead from the caller's balance."""
    return _PREPAY + _uint(supplier) + _uint(amount_kopecks) + tag


def encode_net(bill: ProvenBill) -> bytes:
    """Nets the prepayments that a bill names."""
    return _NET + _tuple(((_proven(bill),),))


def encode_pause(until: int) -> bytes:
    """Stops payments until a moment; 0 resumes."""
    return _PAUSE + _uint(until)


# --- SubsidyBook ---

_POST = selector("post(bytes32,uint32,uint64,bytes32)")
_REVERSE_BATCH = selector("reverseBatch(uint32,bytes32)")
_REVERSE_GRANT = selector("reverseGrant(uint32,uint32,bytes32)")


def encode_post_grants(root: Hash, count: int, total_kopecks: int, act: Hash) -> bytes:
    """Posts a batch of grants from the welfare wallet."""
    return _POST + root + _uint(count) + _uint(total_kopecks) + act


def encode_reverse_batch(batch: GrantBatchId, act: Hash) -> bytes:
    """Ends what is left of a batch of grants."""
    return _REVERSE_BATCH + _uint(batch) + act


def encode_reverse_grant(batch: GrantBatchId, index: int, act: Hash) -> bytes:
    """Ends one unused grant."""
    return _REVERSE_GRANT + _uint(batch) + _uint(index) + act


# --- Rouble ---

_APPROVE = selector("approve(address,uint256)")
_TRANSFER = selector("transfer(address,uint256)")
_MINT = selector("mint(address,uint256,bytes32)")
_REDEEM = selector("redeem(uint256,bytes32)")
_FREEZE = selector("freeze(address,bytes32)")
_UNFREEZE = selector("unfreeze(address,bytes32)")
_SEIZE = selector("seize(address,address,uint256,bytes32)")
_CANCEL_SPLIT = selector("cancelSplit(uint256)")


def encode_approve(spender: Address, amount_kopecks: int) -> bytes:
    """Allows a spender a sum from the caller's balance."""
    return _APPROVE + _right(spender) + _uint(amount_kopecks)


def encode_transfer(to: Address, amount_kopecks: int) -> bytes:
    """Moves the caller's tokens."""
    return _TRANSFER + _right(to) + _uint(amount_kopecks)


def encode_mint(account: Address, amount_kopecks: int, deposit: Hash) -> bytes:
    """Mints against a bank deposit, once for each reference."""
    return _MINT + _right(account) + _uint(amount_kopecks) + deposit


def encode_redeem(amount_kopecks: int, redemption: Hash) -> bytes:
    """Burns the caller's tokens for a payout in money."""
    return _REDEEM + _uint(amount_kopecks) + redemption


def encode_freeze(account: Address, act: Hash) -> bytes:
    """Freezes an account under an act."""
    return _FREEZE + _right(account) + act


def encode_unfreeze(account: Address, act: Hash) -> bytes:
    """Lifts a freeze under an act."""
    return _UNFREEZE + _right(account) + act


def encode_seize(account: Address, to: Address, amount_kopecks: int, act: Hash) -> bytes:
    """Moves a frozen account's money under an act."""
    return _SEIZE + _right(account) + _right(to) + _uint(amount_kopecks) + act


def encode_cancel_split(nonce: int) -> bytes:
    """Voids one of the caller's own orders."""
    return _CANCEL_SPLIT + _uint(nonce)


# --- TariffBook ---

_PUBLISH = selector("publish(bytes32,bytes32,uint40,uint40)")


def encode_publish_tariff(document: Hash, act: Hash, effective_from: int, effective_to: int = 0) -> bytes:
    """Publishes a version of tariffs and norms."""
    return _PUBLISH + document + act + _uint(effective_from) + _uint(effective_to)


# --- Registry ---

_REGISTER_SUPPLIER = selector("registerSupplier(address,address,bytes32)")
_SET_SUPPLIER_ACTIVE = selector("setSupplierActive(uint16,bool)")
_PROPOSE_PAYOUT = selector("proposePayout(uint16,address)")
_APPROVE_PAYOUT = selector("approvePayout(uint16,address)")
_EXECUTE_PAYOUT = selector("executePayout(uint16)")
_CANCEL_PAYOUT = selector("cancelPayout(uint16)")
_REGISTER_SOURCE = selector("registerSource(address,uint8,uint40)")
_ROTATE_SOURCE = selector("rotateSource(uint32,address,uint40)")
_REVOKE_SOURCE = selector("revokeSource(uint32)")
_REGISTER_METER = selector("registerMeter(bytes32,uint8,uint40,uint40,bytes32)")
_REGISTER_METERS = selector("registerMeters(bytes32[],uint8,uint40,uint40)")


def encode_register_supplier(key: Address, payout: Address, details: Hash) -> bytes:
    """Adds a supplier with its own key and its payout wallet."""
    return _REGISTER_SUPPLIER + _right(key) + _right(payout) + details


def encode_set_supplier_active(supplier: SupplierId, active: bool) -> bytes:
    """Suspends or resumes a supplier."""
    return _SET_SUPPLIER_ACTIVE + _uint(supplier) + _uint(active)


def encode_propose_payout(supplier: SupplierId, payout: Address) -> bytes:
    """First step of a payout change, by the supplier's own key."""
    return _PROPOSE_PAYOUT + _uint(supplier) + _right(payout)


def encode_approve_payout(supplier: SupplierId, payout: Address) -> bytes:
    """Second step of a payout change, by the operator."""
    return _APPROVE_PAYOUT + _uint(supplier) + _right(payout)


def encode_execute_payout(supplier: SupplierId) -> bytes:
    """Third step of a payout change, by anyone after the delay."""
    return _EXECUTE_PAYOUT + _uint(supplier)


def encode_cancel_payout(supplier: SupplierId) -> bytes:
    """Stops a payout change, by the guardian."""
    return _CANCEL_PAYOUT + _uint(supplier)


def encode_register_source(key: Address, source_class: SourceClass, valid_from: int) -> bytes:
    """Adds a source of readings."""
    return _REGISTER_SOURCE + _right(key) + _uint(source_class) + _uint(valid_from)


def encode_rotate_source(source: SourceId, key: Address, valid_from: int) -> bytes:
    """Gives a source a new key."""
    return _ROTATE_SOURCE + _uint(source) + _right(key) + _uint(valid_from)


def encode_revoke_source(source: SourceId) -> bytes:
    """Ends a source for good."""
    return _REVOKE_SOURCE + _uint(source)


def encode_register_meter(
    commitment: Hash, service: Service, installed_at: int, verification_due: int, replaces: Hash
) -> bytes:
    """Records a meter's passport."""
    return _REGISTER_METER + commitment + _uint(service) + _uint(installed_at) + _uint(verification_due) + replaces


def encode_register_meters(
    commitments: Sequence[Hash], service: Service, installed_at: int, verification_due: int
) -> bytes:
    """Records many passports of one kind."""
    return _REGISTER_METERS + _tuple(
        ((_hashes(commitments),), _uint(service), _uint(installed_at), _uint(verification_due))
    )
