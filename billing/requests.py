"""What billing can be asked for, and how each request is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from billing.debt.requests import (
    AccountPayment,
    DisputeDecision,
    DisputeRequest,
    InstalmentEnd,
    InstalmentRequest,
    PenaltyRequest,
)
from contracts.wire.ids import Address, BillKey, GrantBatchId, Hash, Period, Service, SupplierId
from contracts.wire.typed_data import Purpose, SplitAuthorization


@dataclass(frozen=True, slots=True)
class Hand:
    """Who did an act of the office: the name that the policy knows it by, and its key's signature under the act."""

    name: str
    signature: bytes

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {"name": self.name, "signature": self.signature.hex()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Hand:
        """The hand that plain values hold."""
        return cls(str(value["name"]), bytes.fromhex(value["signature"]))


@dataclass(frozen=True, slots=True)
class PayOrder:
    """A payer's signed order: at most its maximum of what is open on one bill, once."""

    kind: ClassVar[str] = "order"
    authorization: SplitAuthorization
    signature: bytes

    @property
    def bill(self) -> BillKey:
        """The bill that the order names."""
        return BillKey.from_number(self.authorization.purpose.run << 32 | self.authorization.purpose.index)

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {"authorization": _authorization(self.authorization), "signature": self.signature.hex()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> PayOrder:
        """The request that plain values hold."""
        return cls(_parse_authorization(value["authorization"]), bytes.fromhex(value["signature"]))


@dataclass(frozen=True, slots=True)
class AgentPayment:
    """The pooled agent pays at most so much of what is open on a bill, from its own balance."""

    kind: ClassVar[str] = "payment"
    bill: BillKey
    maximum_kopecks: int

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {"bill": str(self.bill), "maximum_kopecks": self.maximum_kopecks}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> AgentPayment:
        """The request that plain values hold."""
        return cls(BillKey.parse(value["bill"]), int(value["maximum_kopecks"]))


@dataclass(frozen=True, slots=True)
class Prepayment:
    """The pooled agent pays a supplier ahead for an account; later bills of the account net it."""

    kind: ClassVar[str] = "prepayment"
    account: str
    supplier: SupplierId
    amount_kopecks: int

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {"account": self.account, "supplier": int(self.supplier), "amount_kopecks": self.amount_kopecks}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Prepayment:
        """The request that plain values hold."""
        return cls(value["account"], SupplierId(value["supplier"]), int(value["amount_kopecks"]))


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """A supplier's signed refund of one line of a credit note; the authorisation names note, line and recipient."""

    kind: ClassVar[str] = "refund"
    authorization: SplitAuthorization
    signature: bytes

    @property
    def note(self) -> BillKey:
        """The credit note."""
        return BillKey.from_number(self.authorization.purpose.run << 32 | self.authorization.purpose.index)

    @property
    def line(self) -> int:
        """The line of the note."""
        return self.authorization.purpose.line

    @property
    def recipient(self) -> Address:
        """Where the payer's part goes."""
        return self.authorization.purpose.recipient

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {"authorization": _authorization(self.authorization), "signature": self.signature.hex()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> RefundOrder:
        """The request that plain values hold."""
        return cls(_parse_authorization(value["authorization"]), bytes.fromhex(value["signature"]))


@dataclass(frozen=True, slots=True)
class RunRequest:
    """Bill a period: all accounts that have no bill for it yet, or those named.

    Where an account can't be billed nothing is, unless ``leaves_out_problems`` says to go on for the rest. A month that
    is not over is billed only ``before_end``. ``hand`` is who asks, where a run has to be approved by another.
    """

    kind: ClassVar[str] = "run"
    period: Period
    accounts: tuple[str, ...] | None = None
    leaves_out_problems: bool = False
    before_end: bool = False
    hand: Hand | None = None

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {**self.signed(), **({} if self.hand is None else {"hand": self.hand.to_json()})}

    def signed(self) -> dict[str, object]:
        """What a hand signs. A choice not made is left out: a request of before that choice reads the same."""
        named = None if self.accounts is None else list(self.accounts)
        choices = {"leaves_out_problems": self.leaves_out_problems, "before_end": self.before_end}
        chosen = {name: True for name, is_chosen in choices.items() if is_chosen}
        return {"period": str(self.period), "accounts": named, **chosen}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> RunRequest:
        """The request that plain values hold."""
        named, hand = value["accounts"], value.get("hand")
        return cls(
            Period.parse(value["period"]),
            None if named is None else tuple(named),
            bool(value.get("leaves_out_problems", False)),
            bool(value.get("before_end", False)),
            None if hand is None else Hand.from_json(hand),
        )


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """Approve a run that waits, or refuse it for ``reason``. ``root`` says which bills the approver saw, and
    ``leaves_out_problems`` that the accounts left out were seen too."""

    kind: ClassVar[str] = "approval"
    run: int
    root: Hash
    hand: Hand
    approves: bool = True
    leaves_out_problems: bool = False
    reason: str = ""

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {**self.signed(), "hand": self.hand.to_json()}

    def signed(self) -> dict[str, object]:
        """What a hand signs."""
        return {
            "run": self.run,
            "root": self.root.hex(),
            "approves": self.approves,
            "leaves_out_problems": self.leaves_out_problems,
            "reason": self.reason,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ApprovalRequest:
        """The request that plain values hold."""
        return cls(
            int(value["run"]),
            Hash(bytes.fromhex(value["root"])),
            Hand.from_json(value["hand"]),
            bool(value["approves"]),
            bool(value["leaves_out_problems"]),
            str(value["reason"]),
        )


@dataclass(frozen=True, slots=True)
class CorrectionRequest:
    """Work out a period again for some accounts, under an act, and correct what differs. ``hand`` is who asks, where
    a correction has to be approved by another."""

    kind: ClassVar[str] = "correction"
    period: Period
    accounts: tuple[str, ...]
    act: str
    hand: Hand | None = None

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {**self.signed(), **({} if self.hand is None else {"hand": self.hand.to_json()})}

    def signed(self) -> dict[str, object]:
        """What a hand signs."""
        return {"period": str(self.period), "accounts": list(self.accounts), "act": self.act}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> CorrectionRequest:
        """The request that plain values hold."""
        hand = value.get("hand")
        return cls(
            Period.parse(value["period"]),
            tuple(value["accounts"]),
            value["act"],
            None if hand is None else Hand.from_json(hand),
        )


@dataclass(frozen=True, slots=True)
class GrantItem:
    """A benefit for a purpose: at most so much on an account's line for a service in a period, until a moment."""

    account: str
    period: Period
    service: Service
    maximum_kopecks: int
    expires_at: int
    decision: str


@dataclass(frozen=True, slots=True)
class GrantsRequest:
    """A batch of grants that the welfare body posts from its own wallet, under an act."""

    kind: ClassVar[str] = "grants"
    act: str
    grants: tuple[GrantItem, ...]

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "act": self.act,
            "grants": [
                {
                    "account": g.account,
                    "period": str(g.period),
                    "service": int(g.service),
                    "maximum_kopecks": g.maximum_kopecks,
                    "expires_at": g.expires_at,
                    "decision": g.decision,
                }
                for g in self.grants
            ],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> GrantsRequest:
        """The request that plain values hold."""
        return cls(
            value["act"],
            tuple(
                GrantItem(
                    g["account"],
                    Period.parse(g["period"]),
                    Service(g["service"]),
                    int(g["maximum_kopecks"]),
                    int(g["expires_at"]),
                    g["decision"],
                )
                for g in value["grants"]
            ),
        )


@dataclass(frozen=True, slots=True)
class ReverseGrants:
    """The welfare body ends what is left of a batch that it posted, under an act; what was used stays."""

    kind: ClassVar[str] = "reversal"
    batch: GrantBatchId
    act: str

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {"batch": int(self.batch), "act": self.act}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ReverseGrants:
        """The request that plain values hold."""
        return cls(GrantBatchId(value["batch"]), value["act"])


Request = (
    PayOrder
    | AgentPayment
    | Prepayment
    | RefundOrder
    | RunRequest
    | ApprovalRequest
    | CorrectionRequest
    | GrantsRequest
    | ReverseGrants
    | AccountPayment
    | DisputeRequest
    | DisputeDecision
    | InstalmentRequest
    | InstalmentEnd
    | PenaltyRequest
)

REQUESTS: dict[str, type[Request]] = {
    cls.kind: cls
    for cls in (
        *(PayOrder, AgentPayment, Prepayment, RefundOrder),
        *(RunRequest, ApprovalRequest, CorrectionRequest, GrantsRequest, ReverseGrants),
        *(AccountPayment, DisputeRequest, DisputeDecision, InstalmentRequest, InstalmentEnd, PenaltyRequest),
    )
}


def _authorization(a: SplitAuthorization) -> dict[str, object]:
    return {
        "payer": a.payer.hex(),
        "spender": a.spender.hex(),
        "maximum_kopecks": a.maximum_kopecks,
        "nonce": str(a.nonce),
        "valid_before": str(a.valid_before),
        "action": a.purpose.action,
        "run": a.purpose.run,
        "index": a.purpose.index,
        "line": a.purpose.line,
        "recipient": a.purpose.recipient.hex(),
    }


def _parse_authorization(value: Mapping[str, Any]) -> SplitAuthorization:
    purpose = Purpose(
        value["action"],
        int(value["run"]),
        int(value["index"]),
        int(value["line"]),
        Address(bytes.fromhex(value["recipient"])),
    )
    return SplitAuthorization(
        Address(bytes.fromhex(value["payer"])),
        Address(bytes.fromhex(value["spender"])),
        int(value["maximum_kopecks"]),
        purpose,
        int(value["nonce"]),
        int(value["valid_before"]),
    )
