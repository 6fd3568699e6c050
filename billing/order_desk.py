"""Carries out what payers and suppliers signed: residents' orders, and refunds of credit notes."""

from __future__ import annotations

from functools import partial

from billing.desk import Desk
from billing.inbox import Item, State
from billing.office import RELAY, NoSuchBill, transaction
from billing.requests import PayOrder, RefundOrder
from contracts.client.sender import Outcome
from contracts.wire.calls import encode_pay_order, encode_refund
from contracts.wire.errors import ContractError
from contracts.wire.events import BillPaid, Refunded
from contracts.wire.ids import NO_ADDRESS, Address, BillKey
from contracts.wire.structs import SignedSplit


class OrderDesk(Desk):
    """Signed orders, by the relay's key: it can delay them, not alter them."""

    def step(self) -> None:
        """One round: what was sent is followed to its end, what came in is tried and sent."""
        self._orders()
        self._refunds()

    # --- signed orders ---

    def _orders(self) -> None:
        for item in self.to_do(PayOrder.kind):
            request = item.request
            if not isinstance(request, PayOrder) or item.digest is None:
                continue
            intent = f"order:{item.digest.hex()}"
            if item.state is State.ACCEPTED and not self.office.knows(RELAY, intent):
                self._send_order(item, request, intent)
                continue
            self.follow(item, RELAY, intent, partial(self._paid, request.bill))

    def _send_order(self, item: Item, order: PayOrder, intent: str) -> None:
        split = SignedSplit.of(order.authorization, order.signature)
        try:
            data = encode_pay_order(self.office.proven(order.bill), split)
            taken = self.office.reader.simulate(self.office.senders[RELAY].address, "Settlement", data)
        except (ContractError, NoSuchBill) as error:
            self.refuse([item], error)
            return
        if int.from_bytes(taken, "big") == 0:
            self.inbox.failed([item.id], "bill-closed", self.office.why_closed(order.bill))
            return
        self.office.submit(RELAY, intent, "Settlement", data)
        self.inbox.working([item.id])

    def _paid(self, bill: BillKey, outcome: Outcome) -> dict[str, object]:
        paid = 0
        for event in self.office.events_of(outcome):
            if isinstance(event, BillPaid) and event.bill == bill:
                paid += sum(leg.amount_kopecks for leg in event.legs)
        return {"bill": str(bill), "paid_kopecks": paid, **transaction(outcome)}

    # --- refunds ---

    def _refunds(self) -> None:
        for item in self.to_do(RefundOrder.kind):
            request = item.request
            if not isinstance(request, RefundOrder) or item.digest is None:
                continue
            intent = f"refund:{item.digest.hex()}"
            if item.state is State.ACCEPTED and not self.office.knows(RELAY, intent):
                self._send_refund(item, request, intent)
                continue
            self.follow(item, RELAY, intent, self._refunded)

    def _send_refund(self, item: Item, order: RefundOrder, intent: str) -> None:
        split = SignedSplit.of(order.authorization, order.signature)
        try:
            note = self.office.bill(order.note)
            if note.original is None:
                self.inbox.failed([item.id], "not-a-note", f"bill {order.note} is no credit note; name the note")
                return
            bill = self.office.proven(note.original)
            wallet = self._granter(note.original, order.line)
            data = encode_refund(self.office.proven(order.note), bill, order.line, order.recipient, wallet, split)
        except NoSuchBill as error:
            self.refuse([item], error)
            return
        refusal = self.office.refusal(RELAY, "Settlement", data)
        if refusal is not None:
            self.refuse([item], refusal)
            return
        self.office.submit(RELAY, intent, "Settlement", data)
        self.inbox.working([item.id])

    def _granter(self, bill: BillKey, line: int) -> Address:
        """The welfare wallet whose grant was applied on a line: what of it comes back returns there."""
        for grant in self.office.ledger.grants(bill):
            if grant.line == line and grant.used_kopecks:
                return grant.wallet
        return NO_ADDRESS

    def _refunded(self, outcome: Outcome) -> dict[str, object]:
        result = transaction(outcome)
        for event in self.office.events_of(outcome):
            if isinstance(event, Refunded):
                result |= {"to_payer_kopecks": event.to_payer, "to_welfare_kopecks": event.to_welfare}
        return result
