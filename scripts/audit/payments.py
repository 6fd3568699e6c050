"""Settlement's events in their order: to whose wallet each leg went, who willed a refund (invariants 1, 8, 9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from contracts.wire import events as chain
from contracts.wire.ids import Address
from scripts.audit.bills import Bills
from scripts.audit.calls import CallError, Order, read_call
from scripts.audit.case import Case, Moment
from scripts.audit.grants import Grants
from scripts.audit.receipts import is_receipt, packed_legs, plain_receipt
from scripts.audit.registry import Registry
from scripts.audit.tokens import Tokens
from scripts.audit.will import REMEDY


class Payments:
    """The receipts as their transactions make them."""

    def __init__(self, case: Case, registry: Registry, grants: Grants, bills: Bills, tokens: Tokens) -> None:
        self._case = case
        self._registry = registry
        self._grants = grants
        self._bills = bills
        self._tokens = tokens
        self._settlement = "0x" + case.deployment.addresses["Settlement"].hex()
        self._refunds: list[chain.Refunded] = []

    def take_plain(self, raw: Mapping[str, Any]) -> bool:
        """Takes the log of a receipt that pays an untouched bill whole; False for any other, which is to be decoded."""
        receipt = plain_receipt(raw) if is_receipt(raw, self._settlement) else None
        if receipt is None:
            return False
        legs = [(self._registry.payout(supplier), paid) for supplier, paid in packed_legs(receipt.legs) if paid]
        if None in [payout for payout, _ in legs] or not self._bills.paid_whole(receipt):
            return False
        self._tokens.claim_legs(Address(receipt.payer), legs)
        self._case.findings.count("legs", len(legs))
        return True

    def take(self, event: chain.Event, at: Moment) -> None:
        """The next event of the Settlement."""
        if isinstance(event, chain.BillPaid):
            self._bills.paid(event, at)
            for leg in event.legs:
                self._leg(event.payer, leg.supplier, leg.amount_kopecks, event, at)
        elif isinstance(event, chain.LegSkipped):
            self._skipped_leg(event, at)
        elif isinstance(event, chain.GrantApplied):
            self._granted(event, at)
        elif isinstance(event, chain.Prepaid):
            self._bills.prepaid(event)
            self._leg(event.payer, event.supplier, event.amount, event, at)
        elif isinstance(event, chain.PrepaymentNetted):
            self._bills.netted(event, at)
        elif isinstance(event, chain.CreditApplied):
            self._bills.credited(event, at)
        elif isinstance(event, chain.Refunded):
            self._refunded(event, at)
        elif isinstance(event, chain.BillStateChanged):
            self._bills.state_changed(event, at)

    def end_transaction(self, at: Moment) -> None:
        """Holds the refunds of a transaction against what suppliers signed."""
        if not self._refunds:
            return
        refunds, self._refunds = self._refunds, []
        try:
            shown = read_call(bytes.fromhex(at.transaction.data[2:])) if at.transaction.to == self._settlement else None
        except CallError:
            return  # that was told
        orders = [order for order in shown if order.action == "refund"] if isinstance(shown, list) else []
        for refund in refunds:
            self._refund_willed(refund, orders, at)

    # --- legs ---

    def _leg(self, payer: Address, supplier: int, kopecks: int, event: chain.Event, at: Moment) -> None:
        payout = self._registry.payout(supplier)
        if payout is None:
            record, found = f"leg to supplier {supplier}", "no such supplier"
            self._wrong("wrong-supplier", record, "a registered supplier", found, event, at, invariant=9)
            return
        self._tokens.claim(payer, payout, kopecks)

    def _skipped_leg(self, event: chain.LegSkipped, at: Moment) -> None:
        self._bills.skipped_leg(event)
        payout = self._registry.payout(event.supplier)
        if event.supplier not in self._registry.suspended and payout not in self._tokens.frozen:
            record = f"line {event.line} of bill {event.bill}"
            expected = f"supplier {event.supplier} suspended or its payout frozen"
            self._wrong("leg-withheld", record, expected, "a line left open for nothing", event, at, invariant=1)

    def _granted(self, event: chain.GrantApplied, at: Moment) -> None:
        known = self._grants.applied(event, at)
        if known is None:
            return
        wallet, maximum = known
        self._bills.granted(event, wallet, maximum, at)
        self._leg(wallet, event.supplier, event.amount, event, at)

    def _refunded(self, event: chain.Refunded, at: Moment) -> None:
        self._bills.refunded(event, at)
        self._refunds.append(event)
        payout = self._registry.payout(event.supplier)
        if payout is not None:
            self._tokens.claim(payout, event.recipient, event.to_payer)
            self._tokens.claim(payout, event.wallet, event.to_welfare)

    # --- will ---

    def _refund_willed(self, event: chain.Refunded, orders: Sequence[Order], at: Moment) -> None:
        payout = self._registry.payout(event.supplier)
        place = event.note.run, event.note.index, event.line, payout, event.recipient
        if place not in {(o.bill.run, o.bill.index, o.line, o.payer, o.recipient) for o in orders}:
            record = f"refund by line {event.line} of credit note {event.note}"
            expected = f"an authorisation signed by supplier {event.supplier}"
            self._wrong("signature-not-shown", record, expected, "none in its call", event, at)

    def _wrong(  # noqa: PLR0917
        self, slug: str, record: str, expected: str, found: str, event: chain.Event | None, at: Moment,
        *, invariant: int = 8,
    ) -> None:  # fmt: skip
        self._case.tell("payments", slug, record, expected, found, REMEDY, place=at.place(event), invariant=invariant)
