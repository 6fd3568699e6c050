"""Settlement's transactions: who willed each payment, and to whose wallet each leg went (invariants 1, 8, 9)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from contracts.wire import events as chain
from contracts.wire.ids import Address, BillKey, Hash, RunId
from contracts.wire.merkle import ProofError, leaf_hash, root_of, root_of_many
from contracts.wire.typed_data import Purpose, SignatureError, SplitAuthorization, recover, rouble_domain
from scripts.audit.bills import Bills
from scripts.audit.calls import AgentBatch, CallError, Order, Shown, read_call
from scripts.audit.case import Case, Moment
from scripts.audit.grants import Grants
from scripts.audit.node import show
from scripts.audit.registry import Registry
from scripts.audit.runs import Runs
from scripts.audit.tokens import Tokens

_REMEDY = "Stop payments, and ask payer and relay for what was signed: without the payer's word the money goes back"
_PLAIN = bytes(32)


class Payments:
    """The receipts as their transactions make them."""

    def __init__(  # noqa: PLR0917  the books that a payment touches
        self, case: Case, registry: Registry, runs: Runs, grants: Grants, bills: Bills, tokens: Tokens
    ) -> None:
        self._case = case
        self._registry = registry
        self._runs = runs
        self._grants = grants
        self._bills = bills
        self._tokens = tokens
        self._settlement = case.deployment.addresses["Settlement"]
        self._domain = rouble_domain(case.deployment.chain_id, case.deployment.addresses["Rouble"])
        self._references: set[tuple[bytes, bytes]] = set()
        self._orders_used: set[bytes] = set()
        self._receipts: list[chain.BillPaid] = []
        self._skips: list[chain.BillSkipped] = []
        self._settled: list[chain.BatchSettled] = []
        self._refunds: list[chain.Refunded] = []

    def take(self, event: chain.Event, at: Moment) -> None:
        """The next event of the Settlement."""
        if isinstance(event, chain.BillPaid):
            self._receipts.append(event)
            self._bills.paid(event, at)
            for leg in event.legs:
                self._leg(event.payer, leg.supplier, leg.amount_kopecks, event, at)
        elif isinstance(event, chain.BillSkipped):
            self._skips.append(event)
        elif isinstance(event, chain.LegSkipped):
            self._skipped_leg(event, at)
        elif isinstance(event, chain.BatchSettled):
            self._settled.append(event)
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
        """Holds the receipts of a transaction against what was signed."""
        if self._receipts or self._settled or self._refunds or self._skips:
            self._willed(at)
        self._receipts, self._skips, self._settled, self._refunds = [], [], [], []

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

    def _willed(self, at: Moment) -> None:
        is_direct = at.transaction.to == "0x" + self._settlement.hex()
        try:
            shown = read_call(at.transaction.data) if is_direct else None
        except CallError as error:
            record = f"call in {at.transaction.hash}"
            self._wrong("call-malformed", record, "a call of its function's layout", str(error), None, at)
            return
        batches = {(e.agent, e.ref): e for e in self._settled}
        if isinstance(shown, Shown):
            self._shown(shown, at)
            self._proof([shown], shown.proof, at, is_single=True)
        orders = {self._digest(order): order for order in shown} if isinstance(shown, list) else {}
        for digest, order in orders.items():
            self._order(digest, order, at)
        sums: Counter[tuple[Address, bytes]] = Counter()
        for receipt in self._receipts:
            sums[receipt.payer, receipt.ref] += sum(leg.amount_kopecks for leg in receipt.legs)
            if (receipt.payer, receipt.ref) not in batches:
                self._single(receipt, orders, is_direct, at)
        for (agent, reference), event in batches.items():
            self._batch(event, sums[agent, reference], shown if isinstance(shown, AgentBatch) else None, at)
        for refund in self._refunds:
            self._refund_willed(refund, orders, at)

    def _single(self, receipt: chain.BillPaid, orders: dict[bytes, Order], is_direct: bool, at: Moment) -> None:
        record, total = f"receipt of bill {receipt.bill}", sum(leg.amount_kopecks for leg in receipt.legs)
        if receipt.ref == _PLAIN:
            if is_direct and at.transaction.sender != receipt.payer:
                found = f"a call by {show(at.transaction.sender)}"
                self._wrong("unwilled-payment", record, f"a call by {show(receipt.payer)}", found, receipt, at)
            return
        order = orders.get(receipt.ref)
        if order is None:
            expected = f"the signed order of digest 0x{receipt.ref.hex()} in its call"
            self._wrong("signature-not-shown", record, expected, "none", receipt, at)
            return
        if receipt.ref in self._orders_used:
            self._wrong("order-used-twice", record, "an order used once", "one used before", receipt, at)
        self._orders_used.add(receipt.ref)
        if (order.payer, order.bill.run, order.bill.index) != (receipt.payer, receipt.bill.run, receipt.bill.index):
            found = f"an order of {show(order.payer)} for bill {order.bill.run}-{order.bill.index}"
            self._wrong("order-differs", record, f"an order of {show(receipt.payer)} for it", found, receipt, at)
        if total > order.maximum or at.timestamp > order.valid_before:
            expected = f"at most {order.maximum} kopecks until {order.valid_before}"
            self._wrong("above-maximum", record, expected, f"{total} kopecks at {at.timestamp}", receipt, at)

    def _digest(self, order: Order) -> bytes:
        purpose = Purpose(order.action, order.bill.run, order.bill.index, order.line, Address(order.recipient))
        authorization = SplitAuthorization(
            Address(order.payer), self._settlement, order.maximum, purpose, order.nonce, order.valid_before
        )
        return self._domain.digest(authorization.struct_hash())

    def _order(self, digest: bytes, order: Order, at: Moment) -> None:
        self._case.findings.count("signatures of orders")
        record = f"{order.action} order 0x{digest.hex()} for bill {order.bill.run}-{order.bill.index}"
        try:
            signer = recover(digest, order.signature)
        except SignatureError as error:
            self._wrong("signature-wrong", record, f"a signature by {show(order.payer)}", str(error), None, at)
            return
        if signer != order.payer:
            expected = f"a signature by {show(order.payer)}"
            self._wrong("signature-wrong", record, expected, f"a signature by {show(signer)}", None, at)
        self._shown(order.bill, at)
        self._proof([order.bill], order.bill.proof, at, is_single=True)

    def _shown(self, shown: Shown, at: Moment) -> None:
        """A bill in a call is the bill of the bundle."""
        key = BillKey(RunId(shown.run), shown.index)
        book = self._runs.book(key)
        blob = None if book is None or shown.index >= len(book.blobs) else book.blobs[shown.index]
        self._case.findings.count("bills proved in calls")
        if book is not None and blob is not None and blob != shown.blob:
            found = f"0x{blob.hex()} in {book.named.path}"
            self._wrong("blob-differs", f"bill {key}", f"0x{shown.blob.hex()}, as it was proved", found, None, at)

    def _proof(self, bills: Sequence[Shown], proof: Sequence[bytes], at: Moment, *, is_single: bool = False) -> None:
        """The bills of a call lead, by the proof that it carries, to their run's root."""
        book = self._runs.books.get(bills[0].run) if bills else None
        if book is None:
            return
        self._case.findings.count("proofs")
        leaves, path, count = (
            [leaf_hash(bill.blob) for bill in bills],
            [Hash(word) for word in proof],
            book.proposal.count,
        )
        try:
            root = (
                root_of(leaves[0], bills[0].index, path, count)
                if is_single
                else root_of_many(leaves, [bill.index for bill in bills], path, count)
            )
            found = f"root 0x{root.hex()}"
        except ProofError as error:
            root, found = None, str(error)
        if root != book.proposal.root:
            names = f"bill {bills[0].run}-{bills[0].index}" + (f" and {len(bills) - 1} more" if bills[1:] else "")
            record = f"proof of {names} in {at.transaction.hash}"
            self._wrong("proof-wrong", record, f"root 0x{book.proposal.root.hex()}", found, None, at)

    def _batch(self, event: chain.BatchSettled, total: int, shown: AgentBatch | None, at: Moment) -> None:
        record = f"agent's batch 0x{event.ref.hex()}"
        self._case.findings.count("agents' batches")
        if (event.agent, event.ref) in self._references:
            self._wrong("batch-repeated", record, "a reference used once", "one used before", event, at)
        self._references.add((event.agent, event.ref))
        if total != event.total:
            self._wrong("total-differs", record, f"{total} kopecks, as its receipts hold", str(event.total), event, at)
        if shown is None:
            return
        if (shown.reference, shown.content) != (event.ref, event.content) or at.transaction.sender != event.agent:
            expected = f"content 0x{shown.content.hex()} by {show(at.transaction.sender)}"
            found = f"content 0x{event.content.hex()} by {show(event.agent)}"
            self._wrong("content-differs", record, expected, found, event, at)
        self._proof([bill for bill, _ in shown.bills], shown.multiproof, at)
        told = {e.bill for e in self._receipts} | {e.bill for e in self._skips}
        for bill, _ in shown.bills:
            self._shown(bill, at)
            key = BillKey(RunId(bill.run), bill.index)
            if key not in told:
                expected = "a receipt, or a word why it was skipped"
                self._wrong("receipt-missing", f"bill {key} of {record}", expected, "neither", event, at)

    def _refund_willed(self, event: chain.Refunded, orders: dict[bytes, Order], at: Moment) -> None:
        payout = self._registry.payout(event.supplier)
        place = event.note.run, event.note.index, event.line, payout, event.recipient
        signed = {
            (o.bill.run, o.bill.index, o.line, o.payer, o.recipient) for o in orders.values() if o.action == "refund"
        }
        if place not in signed:
            record = f"refund by line {event.line} of credit note {event.note}"
            expected = f"an authorisation signed by supplier {event.supplier}"
            self._wrong("signature-not-shown", record, expected, "none in its call", event, at)

    def _wrong(  # noqa: PLR0917
        self, slug: str, record: str, expected: str, found: str, event: chain.Event | None, at: Moment,
        *, invariant: int = 8,
    ) -> None:  # fmt: skip
        self._case.tell("payments", slug, record, expected, found, _REMEDY, place=at.place(event), invariant=invariant)
