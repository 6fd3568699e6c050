"""What payers and agents willed, transaction by transaction: signatures, proofs and batches in the calls (invariant 8).

Nothing here stands on what came before on the chain, so that stretches of the history are checked beside each other.
What does, that no order and no reference counts twice, is held together at the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from contracts.client.deployments import Deployment
from contracts.wire import events as chain
from contracts.wire.ids import Address, BillKey, Hash, RunId
from contracts.wire.merkle import HASH_SIZE, ProofError, leaf_hash, root_of, root_of_many
from contracts.wire.structs import Proposal
from contracts.wire.typed_data import Purpose, SignatureError, SplitAuthorization, recover, rouble_domain
from scripts.audit.calls import AgentBatch, CallError, Order, Shown, read_call
from scripts.audit.case import Moment
from scripts.audit.finding import Finding, Findings, Place
from scripts.audit.leaves import NamedFile
from scripts.audit.node import Transaction, decode, show
from scripts.audit.receipts import Receipt, is_receipt, receipt_of, receipt_of_event
from scripts.audit.run_file import RunFile

REMEDY = "Stop payments, and ask payer and relay for what was signed: without the payer's word the money goes back"
_PLAIN = bytes(32)
_WANTED = (chain.BillSkipped, chain.BatchSettled, chain.Refunded)


@dataclass(frozen=True, slots=True)
class ShownRun:
    """A run as calls are held against it."""

    proposal: Proposal
    named: NamedFile
    file: RunFile


@dataclass
class Willed:
    """What a stretch of history comes to. ``references`` (agent's address and reference) and ``orders`` (digests) are
    those that were used, with the records that used them."""

    findings: Findings = field(default_factory=Findings)
    references: list[tuple[bytes, str, Place]] = field(default_factory=list)
    orders: list[tuple[bytes, str, Place]] = field(default_factory=list)


class Will:
    """Holds the receipts of transactions against what was signed."""

    def __init__(self, deployment: Deployment, names: Mapping[str, str], runs: Mapping[int, ShownRun]) -> None:
        self._settlement = deployment.addresses["Settlement"]
        self._called = "0x" + self._settlement.hex()
        self._domain = rouble_domain(deployment.chain_id, deployment.addresses["Rouble"])
        self._names = names
        self._runs = runs
        self._found = Willed()

    @property
    def found(self) -> Willed:
        """What came out so far."""
        return self._found

    def take(self, at: Moment) -> None:
        """The next transaction."""
        receipts = list(self._receipts(at.transaction))
        events = decode(at.transaction, self._names, _WANTED)
        if not events and not receipts:
            return
        is_direct = at.transaction.to == self._called
        try:
            shown = read_call(bytes.fromhex(at.transaction.data[2:])) if is_direct else None
        except CallError as error:
            record = f"call in {at.transaction.hash}"
            self._wrong("call-malformed", record, "a call of its function's layout", str(error), at.place())
            return
        if isinstance(shown, Shown):
            self._shown([shown], at)
            self._proof([shown], shown.proof, at, is_single=True)
        orders = {self._digest(order): order for order in shown} if isinstance(shown, list) else {}
        for digest, order in orders.items():
            self._order(digest, order, at)
        batch = shown if isinstance(shown, AgentBatch) else None
        settled = {(e.agent, e.ref): e for e in events if isinstance(e, chain.BatchSettled)}
        sums: Counter[tuple[bytes, bytes]] = Counter()
        for receipt in receipts:
            sums[receipt.payer, receipt.ref] += receipt.total_kopecks
            if (receipt.payer, receipt.ref) not in settled:
                self._single(receipt, orders, is_direct, at)
        told = {receipt.bill for receipt in receipts}
        told |= {event.bill.number for event in events if isinstance(event, chain.BillSkipped)}
        for (agent, reference), event in settled.items():
            self._batch(event, sums[agent, reference], batch, told, at)

    def _receipts(self, transaction: Transaction) -> Iterator[Receipt]:
        for raw in transaction.logs:
            if is_receipt(raw, self._called):
                found = receipt_of(raw)
                if found is not None:
                    yield found
                    continue
                one = replace(transaction, logs=(raw,))
                yield from (receipt_of_event(e) for e in decode(one, self._names) if isinstance(e, chain.BillPaid))

    # --- orders ---

    def _single(self, receipt: Receipt, orders: Mapping[bytes, Order], is_direct: bool, at: Moment) -> None:
        bill = BillKey.from_number(receipt.bill)
        record, place = f"receipt of bill {bill}", Place(at.block, receipt.log, at.transaction.hash)
        if receipt.ref == _PLAIN:
            if is_direct and at.transaction.sender != receipt.payer:
                found = f"a call by {show(at.transaction.sender)}"
                self._wrong("unwilled-payment", record, f"a call by {show(receipt.payer)}", found, place)
            return
        order = orders.get(receipt.ref)
        if order is None:
            expected = f"the signed order of digest 0x{receipt.ref.hex()} in its call"
            self._wrong("signature-not-shown", record, expected, "none", place)
            return
        self._found.orders.append((receipt.ref, record, place))
        if (order.payer, order.bill.run, order.bill.index) != (receipt.payer, bill.run, bill.index):
            found = f"an order of {show(order.payer)} for bill {order.bill.run}-{order.bill.index}"
            self._wrong("order-differs", record, f"an order of {show(receipt.payer)} for it", found, place)
        total = receipt.total_kopecks
        if total > order.maximum or at.timestamp > order.valid_before:
            expected = f"at most {order.maximum} kopecks until {order.valid_before}"
            self._wrong("above-maximum", record, expected, f"{total} kopecks at {at.timestamp}", place)

    def _digest(self, order: Order) -> bytes:
        purpose = Purpose(order.action, order.bill.run, order.bill.index, order.line, Address(order.recipient))
        authorization = SplitAuthorization(
            Address(order.payer), self._settlement, order.maximum, purpose, order.nonce, order.valid_before
        )
        return self._domain.digest(authorization.struct_hash())

    def _order(self, digest: bytes, order: Order, at: Moment) -> None:
        self._found.findings.count("signatures of orders")
        record = f"{order.action} order 0x{digest.hex()} for bill {order.bill.run}-{order.bill.index}"
        try:
            signer = recover(digest, order.signature)
        except SignatureError as error:
            self._wrong("signature-wrong", record, f"a signature by {show(order.payer)}", str(error), at.place())
            return
        if signer != order.payer:
            expected = f"a signature by {show(order.payer)}"
            self._wrong("signature-wrong", record, expected, f"a signature by {show(signer)}", at.place())
        self._shown([order.bill], at)
        self._proof([order.bill], order.bill.proof, at, is_single=True)

    # --- bills that calls show ---

    def _shown(self, bills: Sequence[Shown], at: Moment) -> None:
        """The bills in a call are those of the bundle."""
        self._found.findings.count("bills proved in calls", len(bills))
        for shown in bills:
            run = self._runs.get(shown.run)
            blob = None if run is None or shown.index >= len(run.file.blobs) else run.file.blobs[shown.index]
            if run is not None and blob is not None and blob != shown.blob:
                key = BillKey(RunId(shown.run), shown.index)
                found = f"0x{blob.hex()} in {run.named.path}"
                self._wrong("blob-differs", f"bill {key}", f"0x{shown.blob.hex()}, as it was proved", found, at.place())

    def _proof(self, bills: Sequence[Shown], proof: bytes, at: Moment, *, is_single: bool = False) -> None:
        """The bills of a call lead, by the proof that it carries, to their run's root."""
        run = self._runs.get(bills[0].run) if bills else None
        if run is None:
            return
        self._found.findings.count("proofs")
        if _is_of_tree(run, bills, proof):
            return
        leaves, indices = [leaf_hash(bill.blob) for bill in bills], [bill.index for bill in bills]
        path = [Hash(proof[i : i + HASH_SIZE]) for i in range(0, len(proof), HASH_SIZE)]
        try:
            root = (
                root_of(leaves[0], indices[0], path, run.proposal.count)
                if is_single
                else root_of_many(leaves, indices, path, run.proposal.count)
            )
            found = f"root 0x{root.hex()}"
        except ProofError as error:
            root, found = None, str(error)
        if root != run.proposal.root:
            names = f"bill {bills[0].run}-{bills[0].index}" + (f" and {len(bills) - 1} more" if bills[1:] else "")
            record = f"proof of {names} in {at.transaction.hash}"
            self._wrong("proof-wrong", record, f"root 0x{run.proposal.root.hex()}", found, at.place())

    # --- agents' batches ---

    def _batch(
        self, event: chain.BatchSettled, total: int, shown: AgentBatch | None, told: set[int], at: Moment
    ) -> None:
        record = f"agent's batch 0x{event.ref.hex()}"
        self._found.findings.count("agents' batches")
        self._found.references.append((event.agent + event.ref, record, at.place(event)))
        if total != event.total:
            self._wrong(
                "total-differs", record, f"{total} kopecks, as its receipts hold", str(event.total), at.place(event)
            )
        if shown is None:
            return
        if (shown.reference, shown.content) != (event.ref, event.content) or at.transaction.sender != event.agent:
            expected = f"content 0x{shown.content.hex()} by {show(at.transaction.sender)}"
            found = f"content 0x{event.content.hex()} by {show(event.agent)}"
            self._wrong("content-differs", record, expected, found, at.place(event))
        self._proof(shown.bills, shown.multiproof, at)
        self._shown(shown.bills, at)
        for bill in shown.bills:
            if bill.run << 32 | bill.index not in told:
                key = BillKey(RunId(bill.run), bill.index)
                expected = "a receipt, or a word why it was skipped"
                self._wrong("receipt-missing", f"bill {key} of {record}", expected, "neither", at.place(event))

    def _wrong(self, slug: str, record: str, expected: str, found: str, place: Place) -> None:
        self._found.findings.add(Finding("payments", slug, record, expected, found, REMEDY, place, 8))


def _is_of_tree(run: ShownRun, bills: Sequence[Shown], proof: bytes) -> bool:
    """Whether a proof is, word for word, the one of these very bills in the tree of their run: it then leads to the
    root without being walked."""
    tree, blobs = run.file.tree, run.file.blobs
    if tree is None or tree.root != run.proposal.root or tree.count != run.proposal.count or tree.count != len(blobs):
        return False
    if any(bill.index >= tree.count or blobs[bill.index] != bill.blob for bill in bills):
        return False
    try:
        return b"".join(tree.multiproof([bill.index for bill in bills])) == proof
    except ProofError:
        return False


# --- together ---


def hold_together(findings: Findings, parts: Sequence[Willed]) -> None:
    """Takes over what the stretches of a history came to, and tells what they used twice between them."""
    references: set[bytes] = set()
    orders: set[bytes] = set()
    for part in parts:
        findings.merge(part.findings)
        for what, record, place in part.references:
            if what in references:
                expected = "a reference used once"
                findings.add(
                    Finding("payments", "batch-repeated", record, expected, "one used before", REMEDY, place, 8)
                )
            references.add(what)
        for what, record, place in part.orders:
            if what in orders:
                expected = "an order used once"
                findings.add(
                    Finding("payments", "order-used-twice", record, expected, "one used before", REMEDY, place, 8)
                )
            orders.add(what)
