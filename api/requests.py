"""Asking billing for money to move: its inbox is durable, and takes the same key with the same content once."""

from __future__ import annotations

import hashlib
from typing import Literal

from api.models import Item as ItemModel
from api.problems import KeyReused, OrderRefused
from billing.debt.requests import AccountPayment, DisputeDecision, DisputeRequest
from billing.inbox import Inbox, InboxConflict, InboxError, Item, State
from billing.requests import AgentPayment, PayOrder, Prepayment
from contracts.wire.ids import BillKey, SupplierId
from contracts.wire.typed_data import SplitAuthorization

StateName = Literal["waiting", "sent", "done", "failed"]

STATES: dict[State, StateName] = {
    State.ACCEPTED: "waiting",
    State.WORKING: "sent",
    State.DONE: "done",
    State.FAILED: "failed",
}


class Requests:
    """Billing's inbox, as people use it: each person's keys are their own."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def item(self, item: str) -> ItemModel | None:
        """What became of a request."""
        found = self._inbox.get(int(item)) if is_number(item) else None
        return None if found is None else _model(found)

    def knows_payment(self, person: str, key: str) -> bool:
        """Whether the person asked for a payment under this key before."""
        return self._inbox.by_key(AgentPayment.kind, _client_key(person, key)) is not None

    def knows_dispute(self, person: str, key: str) -> bool:
        """Whether the person asked for a dispute under this key before."""
        return self._inbox.by_key(DisputeRequest.kind, _client_key(person, key)) is not None

    def pay(self, person: str, key: str, bill: BillKey, maximum_kopecks: int) -> ItemModel:
        """A payment through the pooled agent. Raises KeyReused where the key came with other content."""
        try:
            return _model(self._inbox.put(_client_key(person, key), AgentPayment(bill, maximum_kopecks)))
        except InboxConflict as error:
            raise KeyReused(f"the key was used for request {error.item}") from error

    def knows_account_payment(self, person: str, key: str) -> bool:
        """Whether the person asked for a payment of an account under this key before."""
        return self._inbox.by_key(AccountPayment.kind, _client_key(person, key)) is not None

    def pay_account(self, person: str, key: str, account: str, amount_kopecks: int) -> ItemModel:
        """A sum for an account, over its bills. Raises KeyReused."""
        try:
            return _model(self._inbox.put(_client_key(person, key), AccountPayment(account, amount_kopecks)))
        except InboxConflict as error:
            raise KeyReused(f"the key was used for request {error.item}") from error

    def prepay(self, person: str, key: str, account: str, supplier: SupplierId, amount_kopecks: int) -> ItemModel:
        """A prepayment through the pooled agent. Raises KeyReused."""
        try:
            return _model(self._inbox.put(_client_key(person, key), Prepayment(account, supplier, amount_kopecks)))
        except InboxConflict as error:
            raise KeyReused(f"the key was used for request {error.item}") from error

    def dispute(self, person: str, key: str, request: DisputeRequest) -> ItemModel:
        """A dispute of a line. Raises KeyReused."""
        try:
            return _model(self._inbox.put(_client_key(person, key), request))
        except InboxConflict as error:
            raise KeyReused(f"the key was used for request {error.item}") from error

    def decide(self, person: str, key: str, decision: DisputeDecision) -> ItemModel:
        """The decision of a dispute. Raises KeyReused."""
        try:
            return _model(self._inbox.put(_client_key(person, key), decision))
        except InboxConflict as error:
            raise KeyReused(f"the key was used for request {error.item}") from error

    def knows_decision(self, person: str, key: str) -> bool:
        """Whether the person sent a decision under this key before."""
        return self._inbox.by_key(DisputeDecision.kind, _client_key(person, key)) is not None

    def decision(self, item: str) -> DisputeDecision | None:
        """The decision that a request is; None where it is another kind of request."""
        found = self._inbox.get(int(item)) if is_number(item) else None
        return found.request if found is not None and isinstance(found.request, DisputeDecision) else None

    def order(self, person: str, authorization: SplitAuthorization, signature: str) -> ItemModel:
        """A wallet's signed order, to be relayed; what was signed is its key. Raises OrderRefused."""
        order = PayOrder(authorization, bytes.fromhex(signature.removeprefix("0x")))
        try:
            return _model(self._inbox.put(_client_key(person, authorization.struct_hash().hex()), order))
        except InboxError as error:
            raise OrderRefused(str(error)) from error


def is_number(text: str) -> bool:
    """Whether it can be the number of a request or of a case."""
    return text.isascii() and text.isdigit() and len(text) < 16


def _client_key(person: str, key: str) -> str:
    """The inbox's key: of this person, so that nobody meets another's request by guessing its key."""
    return f"{person}:{hashlib.sha256(key.encode()).hexdigest()}"


def _model(item: Item) -> ItemModel:
    request = item.request
    bill = request.bill if isinstance(request, AgentPayment | PayOrder) else None
    result = item.result or {}
    return ItemModel(
        id=str(item.id),
        kind=item.kind,
        state=STATES[item.state],
        bill=None if bill is None else str(bill),
        account=request.account if isinstance(request, Prepayment | DisputeRequest | AccountPayment) else None,
        supplier=request.supplier if isinstance(request, Prepayment) else None,
        maximum_kopecks=_sum(item),
        paid_kopecks=_whole(result.get("paid_kopecks")),
        tx_hash=str(result["tx"]) if "tx" in result else None,
        block_number=_whole(result.get("block")),
        finalised=item.is_settled,
        slug=item.slug,
        reason=item.reason,
    )


def _sum(item: Item) -> int | None:
    request = item.request
    if isinstance(request, AgentPayment):
        return request.maximum_kopecks
    if isinstance(request, Prepayment | AccountPayment):
        return request.amount_kopecks
    if isinstance(request, PayOrder):
        return request.authorization.maximum_kopecks
    return None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None
