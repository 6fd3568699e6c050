"""Logs of our contracts, decoded by their fixed layouts into frozen dataclasses of the events' own names.

The declarations are the interfaces' own lines; the fields are their parameters in snake case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, dataclass_transform

from contracts.wire.declarations import Declaration, Read, parse_declaration
from contracts.wire.ids import (
    Address,
    BillKey,
    BillState,
    GrantBatchId,
    Hash,
    Reference,
    RunId,
    SourceClass,
    SourceId,
    SupplierId,
    Tag,
)
from contracts.wire.layouts import Event as Event  # noqa: PLC0414  told on, with the events themselves
from contracts.wire.layouts import Layout
from contracts.wire.layouts import LogError as LogError  # noqa: PLC0414
from contracts.wire.layouts import LogRef as LogRef  # noqa: PLC0414
from contracts.wire.receipts import PROPOSAL_TYPE, Leg, legs_at, proposal_at
from contracts.wire.structs import Proposal

_E = TypeVar("_E", bound=Event)
_LAYOUTS: dict[str, Layout] = {}
_STRUCTS: dict[str, tuple[str, Read]] = {"Proposal": (PROPOSAL_TYPE, proposal_at), "Legs": ("bytes", legs_at)}


@dataclass_transform(frozen_default=True)
def _event(contract: str, declaration: str) -> Callable[[type[_E]], type[_E]]:
    """Makes the class a frozen dataclass and enters it into the table of topics."""

    def enter(cls: type[_E]) -> type[_E]:
        made = dataclass(frozen=True, slots=True)(cls)
        parsed = parse_declaration(declaration, _STRUCTS)
        _LAYOUTS["0x" + parsed.hash.hex()] = Layout(made, contract, parsed)
        return made

    return enter


def event_layouts() -> Mapping[str, tuple[type[Event], str, Declaration]]:
    """The table: topic (hex with 0x) → class, contract, declaration."""
    return {topic: (row.event, row.contract, row.declaration) for topic, row in _LAYOUTS.items()}


def decode_log(raw: Mapping[str, Any]) -> Event | None:
    """The event in a log as ``eth_getLogs`` gives it; None for an event of no contract of ours.

    Raises LogError where topic and data do not fit.
    """
    topics = raw["topics"]
    layout = _LAYOUTS.get(topics[0]) if topics else None
    return None if layout is None else layout.read(raw, topics)


# --- Registry ---


@_event("Registry", "SupplierRegistered(SupplierId indexed supplier, address key, address payout, bytes32 details)")
class SupplierRegistered(Event):
    """A supplier was added."""

    supplier: SupplierId
    key: Address
    payout: Address
    details: Hash


@_event("Registry", "SupplierStatusChanged(SupplierId indexed supplier, bool active)")
class SupplierStatusChanged(Event):
    """A supplier was suspended or resumed."""

    supplier: SupplierId
    active: bool


@_event("Registry", "PayoutChangeProposed(SupplierId indexed supplier, address payout)")
class PayoutChangeProposed(Event):
    """A supplier's key asked for another payout wallet."""

    supplier: SupplierId
    payout: Address


@_event("Registry", "PayoutChangeApproved(SupplierId indexed supplier, address payout, uint40 executableAt)")
class PayoutChangeApproved(Event):
    """The operator agreed; the delay runs."""

    supplier: SupplierId
    payout: Address
    executable_at: int


@_event("Registry", "PayoutChangeCancelled(SupplierId indexed supplier, address payout)")
class PayoutChangeCancelled(Event):
    """The guardian stopped a payout change."""

    supplier: SupplierId
    payout: Address


@_event("Registry", "PayoutChanged(SupplierId indexed supplier, address payout)")
class PayoutChanged(Event):
    """A supplier's money goes to another wallet from here on."""

    supplier: SupplierId
    payout: Address


@_event("Registry", "SupplierKeyChangeProposed(SupplierId indexed supplier, address key, uint40 executableAt)")
class SupplierKeyChangeProposed(Event):
    """The timelock started the replacement of a lost key."""

    supplier: SupplierId
    key: Address
    executable_at: int


@_event("Registry", "SupplierKeyChangeCancelled(SupplierId indexed supplier, address key)")
class SupplierKeyChangeCancelled(Event):
    """The guardian stopped the replacement of a key."""

    supplier: SupplierId
    key: Address


@_event("Registry", "SupplierKeyChanged(SupplierId indexed supplier, address key)")
class SupplierKeyChanged(Event):
    """A supplier has another key."""

    supplier: SupplierId
    key: Address


@_event("Registry", "SourceRegistered(uint32 indexed source, address key, SourceClass class, uint40 validFrom)")
class SourceRegistered(Event):
    """A source of readings was added."""

    source: SourceId
    key: Address
    class_: SourceClass
    valid_from: int


@_event("Registry", "SourceRotated(uint32 indexed source, address key, uint40 validFrom)")
class SourceRotated(Event):
    """A source signs with another key."""

    source: SourceId
    key: Address
    valid_from: int


@_event("Registry", "SourceRevoked(uint32 indexed source, uint40 revokedAt)")
class SourceRevoked(Event):
    """A source signs no more."""

    source: SourceId
    revoked_at: int


@_event(
    "Registry",
    "MeterRegistered(bytes32 indexed commitment, uint8 service, uint40 installedAt, uint40 verificationDue, "
    "bytes32 replaces)",
)
class MeterRegistered(Event):
    """A meter's passport, as a salted commitment."""

    commitment: Hash
    service: int
    installed_at: int
    verification_due: int
    replaces: Hash


@_event("Registry", "MeterRetired(bytes32 indexed commitment, uint40 retiredAt)")
class MeterRetired(Event):
    """A meter was taken out of service."""

    commitment: Hash
    retired_at: int


@_event("Registry", "PayoutTableWritten(address table)")
class PayoutTableWritten(Event):
    """The payout table was written anew."""

    table: Address


# --- ReadingAnchor ---


@_event(
    "ReadingAnchor",
    "Anchored(uint32 indexed source, bytes32 indexed root, bytes32 indexed document, uint16 epoch, uint48 "
    "sequence, bytes24 head, uint32 count, uint40 periodStart, uint40 periodEnd)",
)
class Anchored(Event):
    """A signed batch of readings stands on the chain; ``head`` is 24 bytes."""

    source: SourceId
    root: Hash
    document: Hash
    epoch: int
    sequence: int
    head: bytes
    count: int
    period_start: int
    period_end: int


@_event("ReadingAnchor", "EpochReset(uint32 indexed source, uint16 epoch, bytes24 head, bytes32 reason)")
class EpochReset(Event):
    """A source and an operator declared a gap; ``epoch`` is the new one."""

    source: SourceId
    epoch: int
    head: bytes
    reason: Hash


@_event("ReadingAnchor", "Acknowledged(bytes32 indexed root, address indexed holder)")
class Acknowledged(Event):
    """A holder keeps the file of a root and recomputed it."""

    root: Hash
    holder: Address


@_event(
    "ReadingAnchor",
    "Equivocation(uint32 indexed source, uint16 epoch, uint48 sequence, bytes24 first, bytes24 second, address "
    "reporter)",
)
class Equivocation(Event):
    """A source signed two headers with one sequence."""

    source: SourceId
    epoch: int
    sequence: int
    first: bytes
    second: bytes
    reporter: Address


@_event("ReadingAnchor", "HeadCarriedOver(uint32 indexed source, uint16 epoch, uint48 sequence, bytes24 head)")
class HeadCarriedOver(Event):
    """A head taken over from an older deployment."""

    source: SourceId
    epoch: int
    sequence: int
    head: bytes


# --- TariffBook ---


@_event(
    "TariffBook",
    "TariffPublished(uint32 indexed version, bytes32 indexed document, bytes32 act, uint40 effectiveFrom, "
    "uint40 effectiveTo, address publisher)",
)
class TariffPublished(Event):
    """A version of tariffs and norms was published; ``effective_to`` 0 is open-ended."""

    version: int
    document: Hash
    act: Hash
    effective_from: int
    effective_to: int
    publisher: Address


# --- ChargeBook ---


@_event(
    "ChargeBook",
    "RunProposed(uint32 indexed run, address indexed biller, uint40 activatableAt, Proposal proposal)",
)
class RunProposed(Event):
    """A billing run was proposed; anyone may activate it from ``activatable_at`` on."""

    run: RunId
    biller: Address
    activatable_at: int
    proposal: Proposal


@_event("ChargeBook", "RunActivated(uint32 indexed run)")
class RunActivated(Event):
    """A run's bills count from here on."""

    run: RunId


@_event("ChargeBook", "RunVetoed(uint32 indexed run, bytes32 reason)")
class RunVetoed(Event):
    """The guardian stopped a run."""

    run: RunId
    reason: Hash


@_event("ChargeBook", "BillSuperseded(BillKey indexed bill, uint32 indexed byRun)")
class BillSuperseded(Event):
    """A correcting run replaced a bill."""

    bill: BillKey
    by_run: RunId


# --- SubsidyBook ---


@_event(
    "SubsidyBook",
    "GrantsPosted(uint32 indexed batch, address indexed wallet, bytes32 indexed root, uint32 count, uint64 "
    "total, bytes32 act)",
)
class GrantsPosted(Event):
    """A welfare wallet posted a batch of grants."""

    batch: GrantBatchId
    wallet: Address
    root: Hash
    count: int
    total: int
    act: Hash


@_event("SubsidyBook", "BatchReversed(uint32 indexed batch, bytes32 act)")
class BatchReversed(Event):
    """What was left of a batch of grants ended."""

    batch: GrantBatchId
    act: Hash


@_event("SubsidyBook", "GrantReversed(uint32 indexed batch, uint32 indexed index, bytes32 act)")
class GrantReversed(Event):
    """One unused grant ended."""

    batch: GrantBatchId
    index: int
    act: Hash


@_event(
    "SubsidyBook",
    "GrantUsed(uint32 indexed batch, uint32 indexed index, BillKey indexed bill, uint8 line, uint48 amount)",
)
class GrantUsed(Event):
    """A grant was used up; what it did not take is void."""

    batch: GrantBatchId
    index: int
    bill: BillKey
    line: int
    amount: int


# --- Rouble ---


@_event("Rouble", "Minted(address indexed account, uint256 amount, bytes32 indexed deposit)")
class Minted(Event):
    """The bank minted against a deposit."""

    account: Address
    amount: int
    deposit: Hash


@_event("Rouble", "Redeemed(address indexed account, uint256 amount, bytes32 indexed redemption)")
class Redeemed(Event):
    """Tokens were burned for a payout in money."""

    account: Address
    amount: int
    redemption: Hash


@_event("Rouble", "Frozen(address indexed account, bytes32 indexed act)")
class Frozen(Event):
    """The bank froze an account under an act."""

    account: Address
    act: Hash


@_event("Rouble", "Unfrozen(address indexed account, bytes32 indexed act)")
class Unfrozen(Event):
    """The bank lifted a freeze under an act."""

    account: Address
    act: Hash


@_event("Rouble", "Seized(address indexed from, address indexed to, uint256 amount, bytes32 indexed act)")
class Seized(Event):
    """The bank moved a frozen account's money under an act."""

    from_: Address
    to: Address
    amount: int
    act: Hash


@_event("Rouble", "AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce)")
class AuthorizationUsed(Event):
    """An EIP-3009 authorisation was used up."""

    authorizer: Address
    nonce: Hash


@_event("Rouble", "AuthorizationCanceled(address indexed authorizer, bytes32 indexed nonce)")
class AuthorizationCanceled(Event):
    """An EIP-3009 authorisation was voided."""

    authorizer: Address
    nonce: Hash


@_event("Rouble", "SplitCancelled(address indexed payer, uint256 indexed nonce)")
class SplitCancelled(Event):
    """A payer voided an order of its own."""

    payer: Address
    nonce: int


# --- Settlement ---


@_event(
    "Settlement",
    "BillPaid(BillKey indexed bill, address indexed payer, bytes32 indexed ref, Legs legs, BillState state)",
)
class BillPaid(Event):
    """A receipt: which line got how much of one payment."""

    bill: BillKey
    payer: Address
    ref: Reference
    legs: tuple[Leg, ...]
    state: BillState


@_event("Settlement", "BillSkipped(BillKey indexed bill, bytes32 indexed ref, BillState state)")
class BillSkipped(Event):
    """Nothing was taken for a bill that an order, a batch or a grant named."""

    bill: BillKey
    ref: Reference
    state: BillState


@_event("Settlement", "LegSkipped(BillKey indexed bill, uint8 line, SupplierId supplier, uint48 amount)")
class LegSkipped(Event):
    """A line was left open: its supplier is suspended or its payout frozen."""

    bill: BillKey
    line: int
    supplier: SupplierId
    amount: int


@_event("Settlement", "BatchSettled(address indexed agent, bytes32 indexed ref, bytes32 content, uint256 total)")
class BatchSettled(Event):
    """An agent's batch was carried out."""

    agent: Address
    ref: Reference
    content: Hash
    total: int


@_event("Settlement", "BatchRepeated(address indexed agent, bytes32 indexed ref)")
class BatchRepeated(Event):
    """An agent's batch came again with the same content, and changed nothing."""

    agent: Address
    ref: Reference


@_event(
    "Settlement",
    "GrantApplied(uint32 indexed batch, uint32 indexed index, BillKey indexed bill, uint8 line, SupplierId "
    "supplier, uint48 amount, BillState state)",
)
class GrantApplied(Event):
    """A grant moved from the welfare wallet to the supplier."""

    batch: GrantBatchId
    index: int
    bill: BillKey
    line: int
    supplier: SupplierId
    amount: int
    state: BillState


@_event(
    "Settlement",
    "Prepaid(bytes32 indexed prepayment, address indexed payer, SupplierId indexed supplier, uint48 amount, "
    "bytes32 tag)",
)
class Prepaid(Event):
    """A supplier was paid ahead; ``prepayment`` is H(payer ‖ tag)."""

    prepayment: Hash
    payer: Address
    supplier: SupplierId
    amount: int
    tag: Tag


@_event(
    "Settlement",
    "PrepaymentNetted(bytes32 indexed prepayment, BillKey indexed bill, uint8 line, SupplierId supplier, "
    "uint48 amount)",
)
class PrepaymentNetted(Event):
    """A bill took a prepayment on one of its lines."""

    prepayment: Hash
    bill: BillKey
    line: int
    supplier: SupplierId
    amount: int


@_event("Settlement", "CreditApplied(BillKey indexed note, BillKey indexed bill, uint8 line, uint48 writtenOff)")
class CreditApplied(Event):
    """A credit note wrote off what was open on a line."""

    note: BillKey
    bill: BillKey
    line: int
    written_off: int


@_event(
    "Settlement",
    "Refunded(BillKey indexed note, BillKey indexed bill, uint8 line, SupplierId indexed supplier, address "
    "recipient, uint48 toPayer, address wallet, uint48 toWelfare)",
)
class Refunded(Event):
    """A credit note's line went back: to the payer's side and to welfare."""

    note: BillKey
    bill: BillKey
    line: int
    supplier: SupplierId
    recipient: Address
    to_payer: int
    wallet: Address
    to_welfare: int


@_event("Settlement", "BillStateChanged(BillKey indexed bill, BillState state)")
class BillStateChanged(Event):
    """A bill's state after a netting or a credit; receipts carry it themselves."""

    bill: BillKey
    state: BillState


@_event("Settlement", "PausedUntil(uint40 until)")
class PausedUntil(Event):
    """Payments are stopped until a moment; 0 resumes."""

    until: int


# --- Multisig ---


@_event("Multisig", "Executed(address indexed to, bytes data, uint256 indexed nonce)")
class Executed(Event):
    """The multisig made a call under two signatures."""

    to: Address
    data: bytes
    nonce: int


@_event("Rouble", "Transfer(address indexed from, address indexed to, uint256 value)")
class Transfer(Event):
    """Tokens moved; from the zero address they were minted, to it burned."""

    from_: Address
    to: Address
    value: int


@_event("Rouble", "Approval(address indexed owner, address indexed spender, uint256 value)")
class Approval(Event):
    """An allowance was set."""

    owner: Address
    spender: Address
    value: int


# --- AccessManager, OpenZeppelin's ---


@_event(
    "AccessManager",
    "RoleGranted(uint64 indexed roleId, address indexed account, uint32 delay, uint48 since, bool newMember)",
)
class RoleGranted(Event):
    """An account has a role from ``since`` on."""

    role_id: int
    account: Address
    delay: int
    since: int
    new_member: bool


@_event("AccessManager", "RoleRevoked(uint64 indexed roleId, address indexed account)")
class RoleRevoked(Event):
    """An account lost a role."""

    role_id: int
    account: Address
