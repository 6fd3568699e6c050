"""What a contract says when it refuses, and what a person can do: Solidity error ↔ Python class ↔ problem.

One table: the declaration as the interface writes it, the HTTP status, and the remedy. A class is named as the error
is, without the underscore; the problem's type is that name in kebab case; the attributes of an error are its
parameters in snake case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from contracts.wire.declarations import Declaration, parse_declaration
from contracts.wire.ids import BillState, address_text


class ContractError(Exception):
    """A contract refused. ``remedy`` says what to do, ``status`` and ``slug`` how HTTP puts it (RFC 9457)."""

    declaration: ClassVar[Declaration]
    status: ClassVar[int] = 500
    remedy: ClassVar[str] = ""
    slug: ClassVar[str] = "contract-error"

    def __init__(self, *values: object) -> None:
        super().__init__(*values)
        for parameter, value in zip(self.declaration.parameters, values, strict=True):
            setattr(self, parameter.name, value)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    @property
    def values(self) -> dict[str, object]:
        """The error's parameters by name."""
        return {parameter.name: getattr(self, parameter.name) for parameter in self.declaration.parameters}

    def __str__(self) -> str:
        named = ", ".join(f"{name} {_text(value)}" for name, value in self.values.items())
        return f"{type(self).__name__}({named}): {self.remedy}" if named else f"{type(self).__name__}: {self.remedy}"


_TABLE: dict[bytes, type[ContractError]] = {}


def _error(declaration: str, status: int, remedy: str) -> type[ContractError]:
    """A class for one error, entered into the table of selectors."""
    parsed = parse_declaration(declaration)
    name = {"Error": "RevertMessage", "Panic": "RevertPanic"}.get(parsed.name, parsed.name.replace("_", ""))
    members = {
        "__doc__": declaration,
        "__module__": __name__,
        "declaration": parsed,
        "status": status,
        "remedy": remedy,
        "slug": re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower(),
    }
    made = type(name, (ContractError,), members)
    _TABLE[parsed.hash[:4]] = made
    return made


def error_table() -> Mapping[bytes, type[ContractError]]:
    """Selector → class."""
    return dict(_TABLE)


def decode_revert(data: bytes) -> ContractError:
    """The error that revert data holds; UnknownRevert where no declaration fits."""
    data = bytes(data)
    error = _TABLE.get(data[:4])
    if error is None or len(data) < 4 + 32 * len(error.declaration.parameters):
        return UnknownRevert(data)
    try:
        return error(*(parameter.read(data[4:], 32 * i) for i, parameter in enumerate(error.declaration.parameters)))
    except ValueError:
        return UnknownRevert(data)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return address_text(value) if len(value) == 20 else "0x" + value.hex()
    return value.name.lower() if isinstance(value, BillState) else str(value)


UnknownRevert = _error(
    "UnknownRevert(bytes data)",
    500,
    "The contract gave no reason that is known here; often the gas ran out. Look at the transaction in the node.",
)

# --- Registry ---

RegistryZeroAddress = _error("Registry_ZeroAddress()", 422, "Give an address that is not zero.")
RegistryUnknownSupplier = _error(
    "Registry_UnknownSupplier(SupplierId supplier)", 404, "No such supplier; register it first."
)
RegistryTooManySuppliers = _error(
    "Registry_TooManySuppliers()", 409, "The payout table is full; a new deployment is needed."
)
RegistryNotSupplierKey = _error(
    "Registry_NotSupplierKey(SupplierId supplier, address caller)", 403, "Only the supplier's own key may ask for this."
)
RegistryNoProposal = _error(
    "Registry_NoProposal(SupplierId supplier)", 409, "Nothing was proposed for this supplier; propose it first."
)
RegistryTooEarly = _error(
    "Registry_TooEarly(uint40 executableAt)", 409, "The delay still runs; come back when it ends."
)
RegistryAlreadyApproved = _error(
    "Registry_AlreadyApproved(SupplierId supplier)", 409, "The change is approved already; wait for its delay."
)
RegistryPayoutDiffers = _error(
    "Registry_PayoutDiffers(SupplierId supplier, address proposed, address approved)",
    409,
    "Approve the wallet that the supplier proposed, or ask it to propose another.",
)
RegistryUnknownSource = _error(
    "Registry_UnknownSource(uint32 source)", 404, "No such source of readings; register it first."
)
RegistrySourceIsRevoked = _error(
    "Registry_SourceIsRevoked(uint32 source)", 409, "The source is revoked for good; register a new one."
)
RegistryMeterExists = _error(
    "Registry_MeterExists(bytes32 commitment)", 409, "This meter passport is registered already."
)
RegistryUnknownMeter = _error(
    "Registry_UnknownMeter(bytes32 commitment)", 404, "No such meter passport; register it first."
)
RegistryNotRouble = _error("Registry_NotRouble(address caller)", 403, "Only the token tells the Registry of a freeze.")

# --- ReadingAnchor ---

ReadingAnchorUnknownSource = _error(
    "ReadingAnchor_UnknownSource(uint32 source)", 404, "No such source of readings; register it first."
)
ReadingAnchorSourceNotYetValid = _error(
    "ReadingAnchor_SourceNotYetValid(uint32 source, uint40 validFrom)",
    409,
    "The source's key counts later; send the batch again then.",
)
ReadingAnchorSourceRevoked = _error(
    "ReadingAnchor_SourceRevoked(uint32 source, uint40 revokedAt)",
    409,
    "The source is revoked; its batches count no more.",
)
ReadingAnchorWrongSigner = _error(
    "ReadingAnchor_WrongSigner(uint32 source, address recovered)",
    422,
    "The header was not signed by the source's key as registered; sign it again with that key.",
)
ReadingAnchorWrongEpoch = _error(
    "ReadingAnchor_WrongEpoch(uint32 source, uint16 expected, uint16 given)",
    409,
    "Send the batches of the source's present epoch.",
)
ReadingAnchorWrongSequence = _error(
    "ReadingAnchor_WrongSequence(uint32 source, uint48 expected, uint48 given)",
    409,
    "Send the batch with the sequence that is expected; a lost one is declared by an epoch reset.",
)
ReadingAnchorBrokenChain = _error(
    "ReadingAnchor_BrokenChain(uint32 source, bytes24 expected, bytes24 given)",
    409,
    "The header names another predecessor than the one anchored; resume from the head on the chain.",
)
ReadingAnchorEmptyBatch = _error(
    "ReadingAnchor_EmptyBatch(uint32 source, uint48 sequence)", 422, "A batch holds at least one reading."
)
ReadingAnchorPeriodInFuture = _error(
    "ReadingAnchor_PeriodInFuture(uint32 source, uint40 periodEnd)",
    422,
    "The batch reaches past the chain's clock; set the concentrator's clock.",
)
ReadingAnchorPeriodReversed = _error(
    "ReadingAnchor_PeriodReversed(uint32 source, uint40 periodStart, uint40 periodEnd)",
    422,
    "A batch's period starts before it ends.",
)
ReadingAnchorNotOperator = _error(
    "ReadingAnchor_NotOperator(address signer)", 403, "An epoch reset needs an operator's signature too."
)
ReadingAnchorNoEquivocation = _error(
    "ReadingAnchor_NoEquivocation()", 422, "Give two different headers of one source, epoch and sequence."
)
ReadingAnchorHeadExists = _error(
    "ReadingAnchor_HeadExists(uint32 source)",
    409,
    "The source has a head here already; carry over before its first batch.",
)

# --- TariffBook ---

TariffBookEmptyDocument = _error("TariffBook_EmptyDocument()", 422, "Give the hashes of the document and of its act.")
TariffBookDatesReversed = _error(
    "TariffBook_DatesReversed(uint40 effectiveFrom, uint40 effectiveTo)", 422, "A tariff starts before it ends."
)

# --- ChargeBook ---

ChargeBookEmptyRun = _error("ChargeBook_EmptyRun()", 422, "A run holds at least one bill.")
ChargeBookTooDeep = _error("ChargeBook_TooDeep(uint32 count)", 422, "Split the run: its tree is too deep.")
ChargeBookBadPeriod = _error("ChargeBook_BadPeriod(uint32 period)", 422, "Give the period as YYYYMM.")
ChargeBookSuppliersNotAscending = _error(
    "ChargeBook_SuppliersNotAscending(SupplierId supplier)",
    422,
    "Name each supplier of a run once, in ascending order.",
)
ChargeBookUnknownTariffVersion = _error(
    "ChargeBook_UnknownTariffVersion(uint32 version)", 409, "Publish the tariff version before a run uses it."
)
ChargeBookUnknownReadings = _error(
    "ChargeBook_UnknownReadings(uint32 source, uint48 sequence)",
    409,
    "The run names a head of readings that is not on this chain; rebuild it from the ledger.",
)
ChargeBookUnknownRun = _error("ChargeBook_UnknownRun(uint32 run)", 404, "No such billing run.")
ChargeBookRunNotActive = _error("ChargeBook_RunNotActive(uint32 run)", 409, "The run is not active yet, or was vetoed.")
ChargeBookRunNotProposed = _error(
    "ChargeBook_RunNotProposed(uint32 run)", 409, "The run is active already, or was vetoed."
)
ChargeBookTooEarly = _error(
    "ChargeBook_TooEarly(uint32 run, uint40 activatableAt)",
    409,
    "The time for a veto still runs; activate the run when it ends.",
)
ChargeBookSupersededDiffer = _error(
    "ChargeBook_SupersededDiffer(uint32 run)", 422, "Give the very list of bills whose hash the run was proposed with."
)
ChargeBookSupersededNotAscending = _error(
    "ChargeBook_SupersededNotAscending(BillKey bill)", 422, "Name each replaced bill once, in ascending order."
)
ChargeBookBillNotOpen = _error(
    "ChargeBook_BillNotOpen(BillKey bill, BillState state)",
    409,
    "Money moved on this bill or it was replaced; correct it with a debit or credit note.",
)
ChargeBookOwnBill = _error(
    "ChargeBook_OwnBill(BillKey bill)", 422, "A run can't replace a bill of its own; leave it out of the list."
)
ChargeBookNoSuchBill = _error("ChargeBook_NoSuchBill(BillKey bill)", 404, "The run has no bill at this index.")
ChargeBookWrongProof = _error(
    "ChargeBook_WrongProof(BillKey bill)", 422, "The proof does not lead to the run's root; fetch bill and proof anew."
)
ChargeBookWrongMultiproof = _error(
    "ChargeBook_WrongMultiproof(uint32 run)",
    422,
    "The proof of the batch does not lead to the run's root; fetch bills and proof anew.",
)
ChargeBookNotSettlement = _error(
    "ChargeBook_NotSettlement(address caller)", 403, "Only the Settlement moves a bill's state."
)
ChargeBookStateIsFinal = _error(
    "ChargeBook_StateIsFinal(BillKey bill, BillState state)", 409, "The bill is closed for good."
)

# --- Rouble ---

RoubleZeroAddress = _error("Rouble_ZeroAddress()", 422, "Give an address that is not zero.")
RoubleNoReference = _error("Rouble_NoReference()", 422, "Give the reference of the deposit, the redemption or the act.")
RoubleDepositAlreadyMinted = _error(
    "Rouble_DepositAlreadyMinted(bytes32 deposit)", 409, "This deposit was minted already."
)
RoubleRedemptionRepeated = _error(
    "Rouble_RedemptionRepeated(bytes32 redemption)", 409, "This redemption was carried out already."
)
RoubleSupplyTooLarge = _error("Rouble_SupplyTooLarge(uint256 supply)", 422, "The sum is more than the token can hold.")
RoubleAccountFrozen = _error(
    "Rouble_AccountFrozen(address account)", 409, "The bank froze the account; ask the bank for the act."
)
RoubleAccountNotFrozen = _error(
    "Rouble_AccountNotFrozen(address account)", 409, "The account is not frozen; freeze it under an act first."
)
RoubleBalanceTooLow = _error(
    "Rouble_BalanceTooLow(address account, uint256 balance, uint256 needed)",
    402,
    "The wallet holds too little; top it up and try again.",
)
RoubleAllowanceTooLow = _error(
    "Rouble_AllowanceTooLow(address owner, address spender, uint256 allowance, uint256 needed)",
    402,
    "The wallet allowed too little; raise the allowance and try again.",
)
RoubleExpired = _error("Rouble_Expired(uint256 deadline)", 409, "The signature's time is over; sign a new one.")
RoubleNotYetValid = _error("Rouble_NotYetValid(uint256 validAfter)", 409, "The signature counts later.")
RoubleWrongSigner = _error(
    "Rouble_WrongSigner(address expected, address recovered)",
    422,
    "The order was not signed by the wallet that pays, or for another bill, sum or chain; sign it again.",
)
RoubleAuthorizationAlreadyUsed = _error(
    "Rouble_AuthorizationAlreadyUsed(address authorizer, bytes32 nonce)",
    409,
    "This authorisation was used or cancelled already.",
)
RoubleCallerNotPayee = _error(
    "Rouble_CallerNotPayee(address caller, address payee)", 403, "Only the payee may use this authorisation."
)
RoubleNonceAlreadyUsed = _error(
    "Rouble_NonceAlreadyUsed(address payer, uint256 nonce)",
    409,
    "This order was carried out or cancelled already; nothing was taken twice.",
)
RoubleAboveMaximum = _error(
    "Rouble_AboveMaximum(uint256 maximum, uint256 total)", 422, "The sum is more than the payer signed for."
)

# --- Settlement ---

SettlementPaused = _error(
    "Settlement_Paused(uint40 until)", 503, "Payments are stopped until the pause ends by itself."
)
SettlementPauseTooLong = _error(
    "Settlement_PauseTooLong(uint40 maximum)", 422, "Give a moment no later than the maximum."
)
SettlementBillClosed = _error(
    "Settlement_BillClosed(BillKey bill, BillState state)",
    409,
    "The bill is paid or replaced: nothing is owed on it. Nothing was taken.",
)
SettlementNothingToPay = _error(
    "Settlement_NothingToPay(BillKey bill)", 409, "Nothing is open on the bill that can be paid now. Nothing was taken."
)
SettlementBadBill = _error(
    "Settlement_BadBill(BillKey bill)",
    422,
    "The bill's bytes are not of the layout of docs/protocol.md §4; fetch the bill anew.",
)
SettlementNotPayable = _error(
    "Settlement_NotPayable(BillKey bill, uint8 kind)", 422, "A credit note is not paid; pay the bill it belongs to."
)
SettlementUnknownSupplier = _error(
    "Settlement_UnknownSupplier(SupplierId supplier)", 422, "The bill names a supplier that is not registered."
)
SettlementSupplierSuspended = _error(
    "Settlement_SupplierSuspended(SupplierId supplier)", 409, "The supplier is suspended; try again when it is resumed."
)
SettlementReferenceReused = _error(
    "Settlement_ReferenceReused(address agent, bytes32 ref)",
    409,
    "This reference was used for another batch; send the same content again, or take a new reference.",
)
SettlementEmptyReference = _error("Settlement_EmptyReference()", 422, "Give the batch a reference that is not zero.")
SettlementLengthsDiffer = _error("Settlement_LengthsDiffer()", 422, "Give one order for each bill.")
SettlementBadBatch = _error(
    "Settlement_BadBatch(uint256 length, uint256 used)",
    422,
    "The packed list of bills is cut short or too long; encode the batch anew.",
)
SettlementGrantForOtherBill = _error(
    "Settlement_GrantForOtherBill(BillKey granted, BillKey given)",
    422,
    "The grant is bound to another bill; apply it there.",
)
SettlementNoSuchLine = _error("Settlement_NoSuchLine(BillKey bill, uint8 line)", 422, "The bill has no such line.")
SettlementTagAlreadyUsed = _error(
    "Settlement_TagAlreadyUsed(bytes32 tag)", 409, "This prepayment was made already; take the next tag."
)
SettlementAmountOutOfRange = _error(
    "Settlement_AmountOutOfRange(uint256 amount)", 422, "Give a sum from one kopeck to the most a line can hold."
)
SettlementNotCreditNote = _error("Settlement_NotCreditNote(BillKey bill)", 422, "Only a credit note is refunded.")
SettlementNoteForOtherBill = _error(
    "Settlement_NoteForOtherBill(BillKey named, BillKey given)", 422, "The note belongs to another bill; give that one."
)
SettlementNothingToRefund = _error(
    "Settlement_NothingToRefund(BillKey note, uint8 line)",
    409,
    "This line of the note was carried out already, or takes nothing off.",
)
SettlementNotSupplierWallet = _error(
    "Settlement_NotSupplierWallet(SupplierId supplier, address wallet)",
    403,
    "A refund is signed by the supplier's payout wallet.",
)
SettlementWrongWallet = _error(
    "Settlement_WrongWallet(address expected, address given)",
    422,
    "Give the welfare wallet whose grant was applied to the line.",
)
SettlementNotRegistry = _error(
    "Settlement_NotRegistry(address caller)", 403, "Only the Registry tells the Settlement where money goes."
)

# --- SubsidyBook ---

SubsidyBookEmptyBatch = _error(
    "SubsidyBook_EmptyBatch()", 422, "A batch of grants has a root, a count, a total and an act."
)
SubsidyBookTotalNotAllowed = _error(
    "SubsidyBook_TotalNotAllowed(uint256 allowance, uint256 needed)",
    402,
    "The welfare wallet must allow the Settlement what its batches can still take; raise the allowance.",
)
SubsidyBookUnknownBatch = _error("SubsidyBook_UnknownBatch(uint32 batch)", 404, "No such batch of grants.")
SubsidyBookBatchReversed = _error(
    "SubsidyBook_BatchReversed(uint32 batch)", 409, "The batch was reversed; its grants are void."
)
SubsidyBookNotWallet = _error(
    "SubsidyBook_NotWallet(uint32 batch, address caller)", 403, "Only the wallet that posted a batch may reverse it."
)
SubsidyBookNoSuchGrant = _error(
    "SubsidyBook_NoSuchGrant(uint32 batch, uint32 index)", 404, "The batch has no grant at this index."
)
SubsidyBookWrongProof = _error(
    "SubsidyBook_WrongProof(uint32 batch, uint32 index)",
    422,
    "The proof does not lead to the batch's root; fetch grant and proof anew.",
)
SubsidyBookWrongLength = _error(
    "SubsidyBook_WrongLength(uint256 length)", 422, "The grant's bytes are not of the layout of docs/protocol.md §5."
)
SubsidyBookGrantSpent = _error(
    "SubsidyBook_GrantSpent(uint32 batch, uint32 index)", 409, "The grant was used or reversed already."
)
SubsidyBookGrantExpired = _error(
    "SubsidyBook_GrantExpired(uint32 batch, uint32 index, uint40 expiresAt)",
    409,
    "The grant's time is over; welfare may post a new one.",
)
SubsidyBookTotalExceeded = _error(
    "SubsidyBook_TotalExceeded(uint32 batch, uint64 left, uint48 amount)",
    409,
    "The batch has less left than the grant would take.",
)
SubsidyBookNotSettlement = _error("SubsidyBook_NotSettlement(address caller)", 403, "Only the Settlement uses a grant.")

# --- Multisig ---

MultisigWrongNumberOfSignatures = _error(
    "Multisig_WrongNumberOfSignatures(uint256 given)", 422, "Give the signatures of exactly two owners."
)
MultisigNotOwner = _error(
    "Multisig_NotOwner(address signer)",
    403,
    "A signature is of nobody among the owners, or of an old nonce; sign again.",
)
MultisigSignersNotAscending = _error(
    "Multisig_SignersNotAscending(address signer)",
    422,
    "Give the signatures of two different owners in ascending order of address.",
)
MultisigOwnersNotAscending = _error(
    "Multisig_OwnersNotAscending()", 422, "Give three different owners in ascending order."
)
MultisigOnlyItself = _error("Multisig_OnlyItself()", 403, "Owners are replaced through execute only.")

# --- Libraries ---

AllocationNoWeight = _error("Allocation_NoWeight()", 409, "Nothing is open that a sum could be divided over.")
MerkleWrongProofLength = _error(
    "Merkle_WrongProofLength(uint256 needed, uint256 given)",
    422,
    "The proof is not as long as the tree asks for; fetch it anew.",
)

# --- OpenZeppelin ---

AccessManagedUnauthorized = _error(
    "AccessManagedUnauthorized(address caller)", 403, "The account lacks the role for this; the timelock can grant it."
)
AccessManagedRequiredDelay = _error(
    "AccessManagedRequiredDelay(address caller, uint32 delay)",
    403,
    "The account must schedule this call and wait for its delay.",
)
AccessManagerUnauthorizedAccount = _error(
    "AccessManagerUnauthorizedAccount(address msgsender, uint64 roleId)",
    403,
    "The account lacks the role that governs this; go through the multisig and the timelock.",
)
AccessManagerLockedRole = _error("AccessManagerLockedRole(uint64 roleId)", 422, "This role can't be changed.")
AccessManagerBadConfirmation = _error(
    "AccessManagerBadConfirmation()", 422, "A role is renounced by the account itself."
)
TimelockInsufficientDelay = _error(
    "TimelockInsufficientDelay(uint256 delay, uint256 minDelay)",
    422,
    "Schedule with the timelock's least delay or more.",
)
TimelockUnexpectedOperationState = _error(
    "TimelockUnexpectedOperationState(bytes32 operationId, bytes32 expectedStates)",
    409,
    "The operation is not scheduled, not ready yet, or done.",
)
TimelockUnauthorizedCaller = _error(
    "TimelockUnauthorizedCaller(address caller)", 403, "Only the timelock itself may change its delay."
)
AccessControlUnauthorizedAccount = _error(
    "AccessControlUnauthorizedAccount(address account, bytes32 neededRole)",
    403,
    "The account lacks the timelock's role for this; go through the multisig.",
)
ECDSAInvalidSignature = _error("ECDSAInvalidSignature()", 422, "The signature recovers to nobody; sign again.")
ECDSAInvalidSignatureLength = _error("ECDSAInvalidSignatureLength(uint256 length)", 422, "A signature is 65 bytes.")
ECDSAInvalidSignatureS = _error(
    "ECDSAInvalidSignatureS(bytes32 s)",
    422,
    "The signature is the malleable twin of a valid one; send the one that was signed.",
)
FailedCall = _error("FailedCall()", 422, "The inner call failed without a reason.")
InsufficientBalance = _error(
    "InsufficientBalance(uint256 balance, uint256 needed)", 402, "The account holds too little."
)
RevertMessage = _error("Error(string message)", 422, "See the message.")
RevertPanic = _error(
    "Panic(uint256 code)", 500, "The contract stopped at an assertion; report it with the transaction."
)
