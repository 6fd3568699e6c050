"""What a contract says when it refuses, and what a person can do: Solidity error ↔ Python class ↔ problem.

One table: the declaration as the interface writes it, the HTTP status, and the remedy. The problem's type is the
class name in kebab case. The attributes of an error are its parameters in snake case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import ClassVar, TypeVar, dataclass_transform

from contracts.wire.declarations import Declaration, parse_declaration
from contracts.wire.ids import (
    Address,
    BillKey,
    BillState,
    Hash,
    Reference,
    RunId,
    SourceId,
    SupplierId,
    Tag,
    address_text,
)


class ContractError(Exception):
    """A contract refused. ``remedy`` says what to do, ``status`` and ``slug`` how HTTP puts it (RFC 9457)."""

    declaration: ClassVar[str] = ""
    status: ClassVar[int] = 500
    remedy: ClassVar[str] = ""
    slug: ClassVar[str] = "contract-error"

    def __str__(self) -> str:
        named = ", ".join(f"{f.name} {_text(getattr(self, f.name))}" for f in fields(self))  # type: ignore[arg-type]
        return f"{type(self).__name__}({named}): {self.remedy}" if named else f"{type(self).__name__}: {self.remedy}"


@dataclass(eq=False)
class UnknownRevert(ContractError):
    """A revert that no declaration of ours fits; empty data often means that the gas ran out."""

    data: bytes
    remedy: ClassVar[str] = "The contract gave no reason that is known here; look at the transaction in the node."
    slug: ClassVar[str] = "unknown-revert"


_C = TypeVar("_C", bound=ContractError)
_TABLE: dict[bytes, tuple[type[ContractError], Declaration]] = {}


@dataclass_transform(eq_default=False)
def _error(declaration: str, status: int, remedy: str) -> Callable[[type[_C]], type[_C]]:
    """Makes the class a dataclass and enters it into the table of selectors."""

    def enter(cls: type[_C]) -> type[_C]:
        made = dataclass(eq=False)(cls)
        made.declaration, made.status, made.remedy = declaration, status, remedy
        made.slug = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", cls.__name__).lower()
        parsed = parse_declaration(declaration)
        _TABLE[parsed.hash[:4]] = (made, parsed)
        return made

    return enter


def error_table() -> Mapping[bytes, tuple[type[ContractError], Declaration]]:
    """Selector → class and declaration."""
    return dict(_TABLE)


def decode_revert(data: bytes) -> ContractError:
    """The error that revert data holds; UnknownRevert where no declaration fits."""
    row = _TABLE.get(bytes(data[:4]))
    if row is None:
        return UnknownRevert(bytes(data))
    error, declaration = row
    body = bytes(data[4:])
    try:
        if len(body) < 32 * len(declaration.parameters):
            return UnknownRevert(bytes(data))
        return error(*(parameter.read(body, 32 * i) for i, parameter in enumerate(declaration.parameters)))
    except ValueError:
        return UnknownRevert(bytes(data))


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return address_text(value) if len(value) == 20 else "0x" + value.hex()
    return value.name.lower() if isinstance(value, BillState) else str(value)


# --- Registry ---


@_error("Registry_ZeroAddress()", 422, "Give an address that is not zero.")
class RegistryZeroAddress(ContractError):
    pass


@_error("Registry_UnknownSupplier(SupplierId supplier)", 404, "No such supplier; register it first.")
class RegistryUnknownSupplier(ContractError):
    supplier: SupplierId


@_error("Registry_TooManySuppliers()", 409, "The payout table is full; a new deployment is needed.")
class RegistryTooManySuppliers(ContractError):
    pass


@_error(
    "Registry_NotSupplierKey(SupplierId supplier, address caller)",
    403,
    "Only the supplier's own key may ask for this.",
)
class RegistryNotSupplierKey(ContractError):
    supplier: SupplierId
    caller: Address


@_error("Registry_NoProposal(SupplierId supplier)", 409, "Nothing was proposed for this supplier; propose it first.")
class RegistryNoProposal(ContractError):
    supplier: SupplierId


@_error("Registry_TooEarly(uint40 executableAt)", 409, "The delay still runs; come back when it ends.")
class RegistryTooEarly(ContractError):
    executable_at: int


@_error("Registry_AlreadyApproved(SupplierId supplier)", 409, "The change is approved already; wait for its delay.")
class RegistryAlreadyApproved(ContractError):
    supplier: SupplierId


@_error(
    "Registry_PayoutDiffers(SupplierId supplier, address proposed, address approved)",
    409,
    "Approve the wallet that the supplier proposed, or ask it to propose another.",
)
class RegistryPayoutDiffers(ContractError):
    supplier: SupplierId
    proposed: Address
    approved: Address


@_error("Registry_UnknownSource(uint32 source)", 404, "No such source of readings; register it first.")
class RegistryUnknownSource(ContractError):
    source: SourceId


@_error("Registry_SourceIsRevoked(uint32 source)", 409, "The source is revoked for good; register a new one.")
class RegistrySourceIsRevoked(ContractError):
    source: SourceId


@_error("Registry_MeterExists(bytes32 commitment)", 409, "This meter passport is registered already.")
class RegistryMeterExists(ContractError):
    commitment: Hash


@_error("Registry_UnknownMeter(bytes32 commitment)", 404, "No such meter passport; register it first.")
class RegistryUnknownMeter(ContractError):
    commitment: Hash


@_error("Registry_NotRouble(address caller)", 403, "Only the token tells the Registry of a freeze.")
class RegistryNotRouble(ContractError):
    caller: Address


# --- ReadingAnchor ---


@_error("ReadingAnchor_UnknownSource(uint32 source)", 404, "No such source of readings; register it first.")
class ReadingAnchorUnknownSource(ContractError):
    source: SourceId


@_error(
    "ReadingAnchor_SourceNotYetValid(uint32 source, uint40 validFrom)",
    409,
    "The source's key counts later; send the batch again then.",
)
class ReadingAnchorSourceNotYetValid(ContractError):
    source: SourceId
    valid_from: int


@_error(
    "ReadingAnchor_SourceRevoked(uint32 source, uint40 revokedAt)",
    409,
    "The source is revoked; its batches count no more.",
)
class ReadingAnchorSourceRevoked(ContractError):
    source: SourceId
    revoked_at: int


@_error(
    "ReadingAnchor_WrongSigner(uint32 source, address recovered)",
    422,
    "The header was not signed by the source's key as registered; sign it again with that key.",
)
class ReadingAnchorWrongSigner(ContractError):
    source: SourceId
    recovered: Address


@_error(
    "ReadingAnchor_WrongEpoch(uint32 source, uint16 expected, uint16 given)",
    409,
    "Send the batches of the source's present epoch.",
)
class ReadingAnchorWrongEpoch(ContractError):
    source: SourceId
    expected: int
    given: int


@_error(
    "ReadingAnchor_WrongSequence(uint32 source, uint48 expected, uint48 given)",
    409,
    "Send the batch with the sequence that is expected; a lost one is declared by an epoch reset.",
)
class ReadingAnchorWrongSequence(ContractError):
    source: SourceId
    expected: int
    given: int


@_error(
    "ReadingAnchor_BrokenChain(uint32 source, bytes24 expected, bytes24 given)",
    409,
    "The header names another predecessor than the one anchored; resume from the head on the chain.",
)
class ReadingAnchorBrokenChain(ContractError):
    source: SourceId
    expected: bytes
    given: bytes


@_error("ReadingAnchor_EmptyBatch(uint32 source, uint48 sequence)", 422, "A batch holds at least one reading.")
class ReadingAnchorEmptyBatch(ContractError):
    source: SourceId
    sequence: int


@_error(
    "ReadingAnchor_PeriodInFuture(uint32 source, uint40 periodEnd)",
    422,
    "The batch reaches past the chain's clock; set the concentrator's clock.",
)
class ReadingAnchorPeriodInFuture(ContractError):
    source: SourceId
    period_end: int


@_error(
    "ReadingAnchor_PeriodReversed(uint32 source, uint40 periodStart, uint40 periodEnd)",
    422,
    "A batch's period starts before it ends.",
)
class ReadingAnchorPeriodReversed(ContractError):
    source: SourceId
    period_start: int
    period_end: int


@_error("ReadingAnchor_NotOperator(address signer)", 403, "An epoch reset needs an operator's signature too.")
class ReadingAnchorNotOperator(ContractError):
    signer: Address


@_error("ReadingAnchor_NoEquivocation()", 422, "Give two different headers of one source, epoch and sequence.")
class ReadingAnchorNoEquivocation(ContractError):
    pass


@_error(
    "ReadingAnchor_HeadExists(uint32 source)",
    409,
    "The source has a head here already; carry over before its first batch.",
)
class ReadingAnchorHeadExists(ContractError):
    source: SourceId


# --- TariffBook ---


@_error("TariffBook_EmptyDocument()", 422, "Give the hashes of the document and of its act.")
class TariffBookEmptyDocument(ContractError):
    pass


@_error("TariffBook_DatesReversed(uint40 effectiveFrom, uint40 effectiveTo)", 422, "A tariff starts before it ends.")
class TariffBookDatesReversed(ContractError):
    effective_from: int
    effective_to: int


# --- ChargeBook ---


@_error("ChargeBook_EmptyRun()", 422, "A run holds at least one bill.")
class ChargeBookEmptyRun(ContractError):
    pass


@_error("ChargeBook_TooDeep(uint32 count)", 422, "Split the run: its tree is too deep.")
class ChargeBookTooDeep(ContractError):
    count: int


@_error("ChargeBook_BadPeriod(uint32 period)", 422, "Give the period as YYYYMM.")
class ChargeBookBadPeriod(ContractError):
    period: int


@_error(
    "ChargeBook_SuppliersNotAscending(SupplierId supplier)",
    422,
    "Name each supplier of a run once, in ascending order.",
)
class ChargeBookSuppliersNotAscending(ContractError):
    supplier: SupplierId


@_error("ChargeBook_UnknownTariffVersion(uint32 version)", 409, "Publish the tariff version before a run uses it.")
class ChargeBookUnknownTariffVersion(ContractError):
    version: int


@_error(
    "ChargeBook_UnknownReadings(uint32 source, uint48 sequence)",
    409,
    "The run names a head of readings that is not on this chain; rebuild it from the ledger.",
)
class ChargeBookUnknownReadings(ContractError):
    source: SourceId
    sequence: int


@_error("ChargeBook_UnknownRun(uint32 run)", 404, "No such billing run.")
class ChargeBookUnknownRun(ContractError):
    run: RunId


@_error("ChargeBook_RunNotActive(uint32 run)", 409, "The run is not active yet, or was vetoed.")
class ChargeBookRunNotActive(ContractError):
    run: RunId


@_error("ChargeBook_RunNotProposed(uint32 run)", 409, "The run is active already, or was vetoed.")
class ChargeBookRunNotProposed(ContractError):
    run: RunId


@_error(
    "ChargeBook_TooEarly(uint32 run, uint40 activatableAt)",
    409,
    "The time for a veto still runs; activate the run when it ends.",
)
class ChargeBookTooEarly(ContractError):
    run: RunId
    activatable_at: int


@_error(
    "ChargeBook_SupersededDiffer(uint32 run)",
    422,
    "Give the very list of bills whose hash the run was proposed with.",
)
class ChargeBookSupersededDiffer(ContractError):
    run: RunId


@_error("ChargeBook_SupersededNotAscending(BillKey bill)", 422, "Name each replaced bill once, in ascending order.")
class ChargeBookSupersededNotAscending(ContractError):
    bill: BillKey


@_error(
    "ChargeBook_BillNotOpen(BillKey bill, BillState state)",
    409,
    "Money moved on this bill or it was replaced; correct it with a debit or credit note.",
)
class ChargeBookBillNotOpen(ContractError):
    bill: BillKey
    state: BillState


@_error("ChargeBook_OwnBill(BillKey bill)", 422, "A run can't replace a bill of its own; leave it out of the list.")
class ChargeBookOwnBill(ContractError):
    bill: BillKey


@_error("ChargeBook_NoSuchBill(BillKey bill)", 404, "The run has no bill at this index.")
class ChargeBookNoSuchBill(ContractError):
    bill: BillKey


@_error(
    "ChargeBook_WrongProof(BillKey bill)",
    422,
    "The proof does not lead to the run's root; fetch bill and proof anew.",
)
class ChargeBookWrongProof(ContractError):
    bill: BillKey


@_error(
    "ChargeBook_WrongMultiproof(uint32 run)",
    422,
    "The proof of the batch does not lead to the run's root; fetch bills and proof anew.",
)
class ChargeBookWrongMultiproof(ContractError):
    run: RunId


@_error("ChargeBook_NotSettlement(address caller)", 403, "Only the Settlement moves a bill's state.")
class ChargeBookNotSettlement(ContractError):
    caller: Address


@_error("ChargeBook_StateIsFinal(BillKey bill, BillState state)", 409, "The bill is closed for good.")
class ChargeBookStateIsFinal(ContractError):
    bill: BillKey
    state: BillState


# --- Rouble ---


@_error("Rouble_ZeroAddress()", 422, "Give an address that is not zero.")
class RoubleZeroAddress(ContractError):
    pass


@_error("Rouble_NoReference()", 422, "Give the reference of the deposit, the redemption or the act.")
class RoubleNoReference(ContractError):
    pass


@_error("Rouble_DepositAlreadyMinted(bytes32 deposit)", 409, "This deposit was minted already.")
class RoubleDepositAlreadyMinted(ContractError):
    deposit: Hash


@_error("Rouble_RedemptionRepeated(bytes32 redemption)", 409, "This redemption was carried out already.")
class RoubleRedemptionRepeated(ContractError):
    redemption: Hash


@_error("Rouble_SupplyTooLarge(uint256 supply)", 422, "The sum is more than the token can hold.")
class RoubleSupplyTooLarge(ContractError):
    supply: int


@_error("Rouble_AccountFrozen(address account)", 409, "The bank froze the account; ask the bank for the act.")
class RoubleAccountFrozen(ContractError):
    account: Address


@_error("Rouble_AccountNotFrozen(address account)", 409, "The account is not frozen; freeze it under an act first.")
class RoubleAccountNotFrozen(ContractError):
    account: Address


@_error(
    "Rouble_BalanceTooLow(address account, uint256 balance, uint256 needed)",
    402,
    "The wallet holds too little; top it up and try again.",
)
class RoubleBalanceTooLow(ContractError):
    account: Address
    balance: int
    needed: int


@_error(
    "Rouble_AllowanceTooLow(address owner, address spender, uint256 allowance, uint256 needed)",
    402,
    "The wallet allowed too little; raise the allowance and try again.",
)
class RoubleAllowanceTooLow(ContractError):
    owner: Address
    spender: Address
    allowance: int
    needed: int


@_error("Rouble_Expired(uint256 deadline)", 409, "The signature's time is over; sign a new one.")
class RoubleExpired(ContractError):
    deadline: int


@_error("Rouble_NotYetValid(uint256 validAfter)", 409, "The signature counts later.")
class RoubleNotYetValid(ContractError):
    valid_after: int


@_error(
    "Rouble_WrongSigner(address expected, address recovered)",
    422,
    "The order was not signed by the wallet that pays, or for another bill, sum or chain; sign it again.",
)
class RoubleWrongSigner(ContractError):
    expected: Address
    recovered: Address


@_error(
    "Rouble_AuthorizationAlreadyUsed(address authorizer, bytes32 nonce)",
    409,
    "This authorisation was used or cancelled already.",
)
class RoubleAuthorizationAlreadyUsed(ContractError):
    authorizer: Address
    nonce: Hash


@_error("Rouble_CallerNotPayee(address caller, address payee)", 403, "Only the payee may use this authorisation.")
class RoubleCallerNotPayee(ContractError):
    caller: Address
    payee: Address


@_error(
    "Rouble_NonceAlreadyUsed(address payer, uint256 nonce)",
    409,
    "This order was carried out or cancelled already; nothing was taken twice.",
)
class RoubleNonceAlreadyUsed(ContractError):
    payer: Address
    nonce: int


@_error("Rouble_AboveMaximum(uint256 maximum, uint256 total)", 422, "The sum is more than the payer signed for.")
class RoubleAboveMaximum(ContractError):
    maximum: int
    total: int


# --- Settlement ---


@_error("Settlement_Paused(uint40 until)", 503, "Payments are stopped until the pause ends by itself.")
class SettlementPaused(ContractError):
    until: int


@_error("Settlement_PauseTooLong(uint40 maximum)", 422, "Give a moment no later than the maximum.")
class SettlementPauseTooLong(ContractError):
    maximum: int


@_error(
    "Settlement_BillClosed(BillKey bill, BillState state)",
    409,
    "The bill is paid or replaced: nothing is owed on it. Nothing was taken.",
)
class SettlementBillClosed(ContractError):
    bill: BillKey
    state: BillState


@_error(
    "Settlement_NothingToPay(BillKey bill)",
    409,
    "Nothing is open on the bill that can be paid now. Nothing was taken.",
)
class SettlementNothingToPay(ContractError):
    bill: BillKey


@_error(
    "Settlement_BadBill(BillKey bill)",
    422,
    "The bill's bytes are not of the layout of docs/protocol.md §4; fetch the bill anew.",
)
class SettlementBadBill(ContractError):
    bill: BillKey


@_error(
    "Settlement_NotPayable(BillKey bill, uint8 kind)",
    422,
    "A credit note is not paid; pay the bill it belongs to.",
)
class SettlementNotPayable(ContractError):
    bill: BillKey
    kind: int


@_error("Settlement_UnknownSupplier(SupplierId supplier)", 422, "The bill names a supplier that is not registered.")
class SettlementUnknownSupplier(ContractError):
    supplier: SupplierId


@_error(
    "Settlement_SupplierSuspended(SupplierId supplier)",
    409,
    "The supplier is suspended; try again when it is resumed.",
)
class SettlementSupplierSuspended(ContractError):
    supplier: SupplierId


@_error(
    "Settlement_ReferenceReused(address agent, bytes32 ref)",
    409,
    "This reference was used for another batch; send the same content again, or take a new reference.",
)
class SettlementReferenceReused(ContractError):
    agent: Address
    ref: Reference


@_error("Settlement_EmptyReference()", 422, "Give the batch a reference that is not zero.")
class SettlementEmptyReference(ContractError):
    pass


@_error("Settlement_LengthsDiffer()", 422, "Give one order for each bill.")
class SettlementLengthsDiffer(ContractError):
    pass


@_error(
    "Settlement_BadBatch(uint256 length, uint256 used)",
    422,
    "The packed list of bills is cut short or too long; encode the batch anew.",
)
class SettlementBadBatch(ContractError):
    length: int
    used: int


@_error(
    "Settlement_GrantForOtherBill(BillKey granted, BillKey given)",
    422,
    "The grant is bound to another bill; apply it there.",
)
class SettlementGrantForOtherBill(ContractError):
    granted: BillKey
    given: BillKey


@_error("Settlement_NoSuchLine(BillKey bill, uint8 line)", 422, "The bill has no such line.")
class SettlementNoSuchLine(ContractError):
    bill: BillKey
    line: int


@_error("Settlement_TagAlreadyUsed(bytes32 tag)", 409, "This prepayment was made already; take the next tag.")
class SettlementTagAlreadyUsed(ContractError):
    tag: Tag


@_error("Settlement_AmountOutOfRange(uint256 amount)", 422, "Give a sum from one kopeck to the most a line can hold.")
class SettlementAmountOutOfRange(ContractError):
    amount: int


@_error("Settlement_NotCreditNote(BillKey bill)", 422, "Only a credit note is refunded.")
class SettlementNotCreditNote(ContractError):
    bill: BillKey


@_error(
    "Settlement_NoteForOtherBill(BillKey named, BillKey given)",
    422,
    "The note belongs to another bill; give that one.",
)
class SettlementNoteForOtherBill(ContractError):
    named: BillKey
    given: BillKey


@_error(
    "Settlement_NothingToRefund(BillKey note, uint8 line)",
    409,
    "This line of the note was carried out already, or takes nothing off.",
)
class SettlementNothingToRefund(ContractError):
    note: BillKey
    line: int


@_error(
    "Settlement_NotSupplierWallet(SupplierId supplier, address wallet)",
    403,
    "A refund is signed by the supplier's payout wallet.",
)
class SettlementNotSupplierWallet(ContractError):
    supplier: SupplierId
    wallet: Address


@_error(
    "Settlement_WrongWallet(address expected, address given)",
    422,
    "Give the welfare wallet whose grant was applied to the line.",
)
class SettlementWrongWallet(ContractError):
    expected: Address
    given: Address


@_error("Settlement_NotRegistry(address caller)", 403, "Only the Registry tells the Settlement where money goes.")
class SettlementNotRegistry(ContractError):
    caller: Address


# --- SubsidyBook ---


@_error("SubsidyBook_EmptyBatch()", 422, "A batch of grants has a root, a count, a total and an act.")
class SubsidyBookEmptyBatch(ContractError):
    pass


@_error(
    "SubsidyBook_TotalNotAllowed(uint256 allowance, uint256 needed)",
    402,
    "The welfare wallet must allow the Settlement what its batches can still take; raise the allowance.",
)
class SubsidyBookTotalNotAllowed(ContractError):
    allowance: int
    needed: int


@_error("SubsidyBook_UnknownBatch(uint32 batch)", 404, "No such batch of grants.")
class SubsidyBookUnknownBatch(ContractError):
    batch: int


@_error("SubsidyBook_BatchReversed(uint32 batch)", 409, "The batch was reversed; its grants are void.")
class SubsidyBookBatchReversed(ContractError):
    batch: int


@_error(
    "SubsidyBook_NotWallet(uint32 batch, address caller)",
    403,
    "Only the wallet that posted a batch may reverse it.",
)
class SubsidyBookNotWallet(ContractError):
    batch: int
    caller: Address


@_error("SubsidyBook_NoSuchGrant(uint32 batch, uint32 index)", 404, "The batch has no grant at this index.")
class SubsidyBookNoSuchGrant(ContractError):
    batch: int
    index: int


@_error(
    "SubsidyBook_WrongProof(uint32 batch, uint32 index)",
    422,
    "The proof does not lead to the batch's root; fetch grant and proof anew.",
)
class SubsidyBookWrongProof(ContractError):
    batch: int
    index: int


@_error(
    "SubsidyBook_WrongLength(uint256 length)",
    422,
    "The grant's bytes are not of the layout of docs/protocol.md §5.",
)
class SubsidyBookWrongLength(ContractError):
    length: int


@_error("SubsidyBook_GrantSpent(uint32 batch, uint32 index)", 409, "The grant was used or reversed already.")
class SubsidyBookGrantSpent(ContractError):
    batch: int
    index: int


@_error(
    "SubsidyBook_GrantExpired(uint32 batch, uint32 index, uint40 expiresAt)",
    409,
    "The grant's time is over; welfare may post a new one.",
)
class SubsidyBookGrantExpired(ContractError):
    batch: int
    index: int
    expires_at: int


@_error(
    "SubsidyBook_TotalExceeded(uint32 batch, uint64 left, uint48 amount)",
    409,
    "The batch has less left than the grant would take.",
)
class SubsidyBookTotalExceeded(ContractError):
    batch: int
    left: int
    amount: int


@_error("SubsidyBook_NotSettlement(address caller)", 403, "Only the Settlement uses a grant.")
class SubsidyBookNotSettlement(ContractError):
    caller: Address


# --- Multisig ---


@_error("Multisig_WrongNumberOfSignatures(uint256 given)", 422, "Give the signatures of exactly two owners.")
class MultisigWrongNumberOfSignatures(ContractError):
    given: int


@_error(
    "Multisig_NotOwner(address signer)",
    403,
    "A signature is of nobody among the owners, or of an old nonce; sign again.",
)
class MultisigNotOwner(ContractError):
    signer: Address


@_error(
    "Multisig_SignersNotAscending(address signer)",
    422,
    "Give the signatures of two different owners in ascending order of address.",
)
class MultisigSignersNotAscending(ContractError):
    signer: Address


@_error("Multisig_OwnersNotAscending()", 422, "Give three different owners in ascending order.")
class MultisigOwnersNotAscending(ContractError):
    pass


@_error("Multisig_OnlyItself()", 403, "Owners are replaced through execute only.")
class MultisigOnlyItself(ContractError):
    pass


# --- Libraries ---


@_error("Allocation_NoWeight()", 409, "Nothing is open that a sum could be divided over.")
class AllocationNoWeight(ContractError):
    pass


@_error(
    "Merkle_WrongProofLength(uint256 needed, uint256 given)",
    422,
    "The proof is not as long as the tree asks for; fetch it anew.",
)
class MerkleWrongProofLength(ContractError):
    needed: int
    given: int


# --- OpenZeppelin ---


@_error(
    "AccessManagedUnauthorized(address caller)",
    403,
    "The account lacks the role for this; the timelock can grant it.",
)
class AccessManagedUnauthorized(ContractError):
    caller: Address


@_error(
    "AccessManagedRequiredDelay(address caller, uint32 delay)",
    403,
    "The account must schedule this call and wait for its delay.",
)
class AccessManagedRequiredDelay(ContractError):
    caller: Address
    delay: int


@_error(
    "AccessManagerUnauthorizedAccount(address msgsender, uint64 roleId)",
    403,
    "The account lacks the role that governs this; go through the multisig and the timelock.",
)
class AccessManagerUnauthorizedAccount(ContractError):
    msgsender: Address
    role_id: int


@_error("AccessManagerLockedRole(uint64 roleId)", 422, "This role can't be changed.")
class AccessManagerLockedRole(ContractError):
    role_id: int


@_error("AccessManagerBadConfirmation()", 422, "A role is renounced by the account itself.")
class AccessManagerBadConfirmation(ContractError):
    pass


@_error(
    "TimelockInsufficientDelay(uint256 delay, uint256 minDelay)",
    422,
    "Schedule with the timelock's least delay or more.",
)
class TimelockInsufficientDelay(ContractError):
    delay: int
    min_delay: int


@_error(
    "TimelockUnexpectedOperationState(bytes32 operationId, bytes32 expectedStates)",
    409,
    "The operation is not scheduled, not ready yet, or done.",
)
class TimelockUnexpectedOperationState(ContractError):
    operation_id: Hash
    expected_states: Hash


@_error("TimelockUnauthorizedCaller(address caller)", 403, "Only the timelock itself may change its delay.")
class TimelockUnauthorizedCaller(ContractError):
    caller: Address


@_error(
    "AccessControlUnauthorizedAccount(address account, bytes32 neededRole)",
    403,
    "The account lacks the timelock's role for this; go through the multisig.",
)
class AccessControlUnauthorizedAccount(ContractError):
    account: Address
    needed_role: Hash


@_error("ECDSAInvalidSignature()", 422, "The signature recovers to nobody; sign again.")
class ECDSAInvalidSignature(ContractError):
    pass


@_error("ECDSAInvalidSignatureLength(uint256 length)", 422, "A signature is 65 bytes.")
class ECDSAInvalidSignatureLength(ContractError):
    length: int


@_error(
    "ECDSAInvalidSignatureS(bytes32 s)",
    422,
    "The signature is the malleable twin of a valid one; send the one that was signed.",
)
class ECDSAInvalidSignatureS(ContractError):
    s: Hash


@_error("FailedCall()", 422, "The inner call failed without a reason.")
class FailedCall(ContractError):
    pass


@_error("InsufficientBalance(uint256 balance, uint256 needed)", 402, "The account holds too little.")
class InsufficientBalance(ContractError):
    balance: int
    needed: int


@_error("Error(string message)", 422, "See the message.")
class RevertMessage(ContractError):
    message: str


@_error("Panic(uint256 code)", 500, "The contract stopped at an assertion; report it with the transaction.")
class RevertPanic(ContractError):
    code: int
