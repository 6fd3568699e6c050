"""The wire's bytes against the contracts themselves: one small run, billed, paid three ways and verified in JavaScript.

What is compared is what two parties must agree on: struct hashes, digests, roots, proofs, content hashes, receipts.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from contracts.client.deployments import Deployment
from contracts.client.reader import Reader
from contracts.client.rpc import Rpc
from contracts.client.sender import Sender
from contracts.wire import calls
from contracts.wire.errors import (
    ChargeBookWrongProof,
    ReadingAnchorWrongSigner,
    RoubleNonceAlreadyUsed,
    RoubleWrongSigner,
    SettlementBillClosed,
    SettlementReferenceReused,
)
from contracts.wire.events import Anchored, BatchRepeated, BillPaid, Event, RunProposed
from contracts.wire.ids import NO_HASH, BillState, Hash, Period, Reference, RunId, SourceClass, SourceId, SupplierId
from contracts.wire.keccak import keccak
from contracts.wire.leaf import (
    BillBlob,
    BillKind,
    BillLine,
    SupplierLine,
    bill_commit,
    encode_bill,
    encode_supplier_line,
)
from contracts.wire.merkle import Tree, leaf_hash
from contracts.wire.structs import BatchBill, Proposal, ProvenBill, SignedSplit, SupplierTotal, UsedHead
from contracts.wire.typed_data import (
    BatchHeader,
    Purpose,
    SplitAuthorization,
    address_of,
    anchor_domain,
    rouble_domain,
    sign_digest,
)
from tests.client.chain import CHAIN_ID, Node
from tests.client.conftest import KEYS, open_engine

ROOT = Path(__file__).resolve().parents[2]
METER_KEY, PAYER_KEY, PERSON_KEY = b"\x51" * 32, b"\x52" * 32, b"\x53" * 32
RUN = RunId(1)
AMOUNTS = [(60432, 23393), (10001, 0), (1, 2), (30000, 40000), (500, 700)]
REFERENCE = Reference(b"\x0f" * 32)
Do = Callable[[str, str, bytes], list[Event]]


@dataclass
class Town:
    """A chain with one active run of five bills."""

    reader: Reader
    do: Do
    header: BatchHeader
    signature: bytes
    bills: list[BillBlob]
    documents: list[tuple[bytes, bytes, bytes]]
    tree: Tree
    proposal: Proposal

    def proven(self, index: int) -> ProvenBill:
        return ProvenBill(RUN, index, encode_bill(self.bills[index]), tuple(self.tree.proof(index)))


@pytest.fixture(scope="module")
def town(node: Node, deployment: Deployment, reader: Reader, tmp_path_factory: pytest.TempPathFactory) -> Town:
    engine = open_engine(tmp_path_factory.mktemp("town") / "sender.db")
    keys = KEYS | {"payer": PAYER_KEY, "person": PERSON_KEY}
    senders = {name: Sender(engine, Rpc(node.url), CHAIN_ID, key) for name, key in keys.items()}

    def do(party: str, contract: str, data: bytes) -> list[Event]:
        """Sends, expects success, and gives the events of the transaction."""
        intent = f"{contract}-{keccak(data).hex()}-{reader.head().number}"
        senders[party].submit(intent, deployment.addresses[contract], data)
        outcome = senders[party].wait(intent, check=True)
        events = reader.events(outcome.block_number, outcome.block_number)
        return [event for event in events if event.log.tx_hash == outcome.tx_hash]

    for name in ("bank", "welfare"):
        account = address_of(KEYS[name])
        do("operator", "Registry", calls.encode_register_supplier(account, account, NO_HASH))
    do(
        "operator",
        "Registry",
        calls.encode_register_source(address_of(METER_KEY), SourceClass.CONCENTRATOR, reader.head().timestamp),
    )
    header = BatchHeader(SourceId(1), 0, 1, bytes(24), Hash(b"\x77" * 32), 60, 1767225600, 1767225601, NO_HASH)
    domain = anchor_domain(CHAIN_ID, deployment.addresses["ReadingAnchor"])
    signature = sign_digest(METER_KEY, domain.digest(header.struct_hash()))
    do("oracle", "ReadingAnchor", calls.encode_anchor(header, signature))
    do("operator", "TariffBook", calls.encode_publish_tariff(Hash(b"\x01" * 32), Hash(b"\x02" * 32), 1))
    documents, bills = make_bills()
    tree = Tree.of([leaf_hash(encode_bill(bill)) for bill in bills])
    proposal = propose(bills, tree, UsedHead(header.source, 0, 1, header.head()))
    do("biller", "ChargeBook", calls.encode_propose(proposal))
    do("person", "ChargeBook", calls.encode_activate(RUN))
    for name, amount in (("agent", 10**6), ("payer", 10**6), ("person", 10**6)):
        data = calls.encode_mint(address_of(keys[name]), amount, Hash(keccak(name.encode())))
        do("bank", "Rouble", data)
        do(name, "Rouble", calls.encode_approve(deployment.addresses["Settlement"], amount))
    return Town(reader, do, header, signature, bills, documents, tree, proposal)


def make_bills() -> tuple[list[tuple[bytes, bytes, bytes]], list[BillBlob]]:
    """Secrets (bill id, salt, document) and bills, in ascending order of their commitment."""
    rows = []
    for number, amounts in enumerate(AMOUNTS):
        secret = (keccak(b"id%d" % number), keccak(b"salt%d" % number), b'{"n":%d}' % number)
        lines = tuple(BillLine(SupplierId(i + 1), amount) for i, amount in enumerate(amounts))
        rows.append((secret, BillBlob(bill_commit(*secret), BillKind.BILL, lines)))
    rows.sort(key=lambda row: row[1].commit)
    return [secret for secret, _ in rows], [bill for _, bill in rows]


def propose(bills: list[BillBlob], tree: Tree, head: UsedHead) -> Proposal:
    totals = []
    for supplier in (0, 1):
        own = [SupplierLine(i, supplier, BillKind.BILL, b.lines[supplier].amount_kopecks) for i, b in enumerate(bills)]
        root = Tree.of([leaf_hash(encode_supplier_line(line)) for line in own]).root
        total = sum(line.amount_kopecks for line in own)
        totals.append(SupplierTotal(SupplierId(supplier + 1), len(own), total, root))
    return Proposal(Period(2026, 1), len(bills), tree.root, 1, Hash(b"\x03" * 32), NO_HASH, tuple(totals), (head,))


def receipt(events: list[Event]) -> BillPaid:
    found = [event for event in events if isinstance(event, BillPaid)]
    assert len(found) == 1
    return found[0]


def amounts(paid: BillPaid) -> dict[int, int]:
    return {leg.line: leg.amount_kopecks for leg in paid.legs}


def expected(bill: BillBlob) -> dict[int, int]:
    return {i: line.amount_kopecks for i, line in enumerate(bill.lines) if line.amount_kopecks}


def test_a_header_has_the_hash_and_the_digest_that_the_contract_computes(town: Town, deployment: Deployment) -> None:
    h = town.header
    row = (h.source, h.epoch, h.sequence, h.previous, h.root, h.count, h.period_start, h.period_end, h.document)
    domain = anchor_domain(CHAIN_ID, deployment.addresses["ReadingAnchor"])
    assert town.reader.view("ReadingAnchor", "hashHeader", row) == (h.struct_hash(), domain.digest(h.struct_hash()))
    assert town.reader.view("ReadingAnchor", "headOf", 1) == (1, 0, h.head())
    anchored = [e for e in town.reader.events(0, town.reader.head().number) if isinstance(e, Anchored)]
    assert [(e.root, e.head, e.count) for e in anchored] == [(h.root, h.head(), 60)]


def test_an_altered_header_is_signed_by_nobody(town: Town) -> None:
    altered = replace(town.header, sequence=2, previous=town.header.head())
    with pytest.raises(ReadingAnchorWrongSigner):
        town.reader.simulate(address_of(KEYS["oracle"]), "ReadingAnchor", calls.encode_anchor(altered, town.signature))


def test_a_run_is_read_back_as_it_was_proposed(town: Town) -> None:
    proposed = [e for e in town.reader.events(0, town.reader.head().number) if isinstance(e, RunProposed)]
    assert [e.proposal for e in proposed] == [town.proposal]
    assert town.reader.view("ChargeBook", "runOf", 1)[:2] == (town.tree.root, len(AMOUNTS))
    for index in range(len(AMOUNTS)):
        bill = town.proven(index)
        state = town.reader.view("ChargeBook", "proveBill", 1, index, leaf_hash(bill.blob), bill.proof)
        assert state in BillState
    bill = town.proven(4)
    with pytest.raises(ChargeBookWrongProof):
        town.reader.simulate(address_of(PERSON_KEY), "Settlement", calls.encode_pay(replace(bill, index=3), 10**6))


def test_an_agents_batch_by_multiproof(town: Town) -> None:
    indices = [0, 2]
    bills = [BatchBill(i, 10**6, encode_bill(town.bills[i])) for i in indices]
    call = calls.encode_pay_batch(REFERENCE, RUN, bills, town.tree.multiproof(indices))
    events = town.do("agent", "Settlement", call)
    receipts = [event for event in events if isinstance(event, BillPaid)]
    assert [(r.bill.index, r.ref, r.state) for r in receipts] == [(i, REFERENCE, BillState.PAID) for i in indices]
    assert [amounts(r) for r in receipts] == [expected(town.bills[i]) for i in indices]
    agent = address_of(KEYS["agent"])
    assert town.reader.view("Settlement", "contentOf", agent, REFERENCE) == calls.pay_batch_content(RUN, bills)
    again = town.do("agent", "Settlement", call)
    assert [type(event) for event in again] == [BatchRepeated]
    other = calls.encode_pay_batch(REFERENCE, RUN, bills[:1], town.tree.multiproof(indices[:1]))
    with pytest.raises(SettlementReferenceReused):
        town.reader.simulate(agent, "Settlement", other)


def test_an_order_is_carried_out_once_under_its_digest(town: Town, deployment: Deployment) -> None:
    settlement = deployment.addresses["Settlement"]
    authorization = SplitAuthorization(
        address_of(PAYER_KEY), settlement, 10**6, Purpose("pay", RUN, 1), nonce=515, valid_before=2**40
    )
    digest = rouble_domain(CHAIN_ID, deployment.addresses["Rouble"]).digest(authorization.struct_hash())
    order = SignedSplit.of(authorization, sign_digest(PAYER_KEY, digest))
    row = (order.payer, order.maximum_kopecks, order.nonce, order.valid_before, order.signature)
    purpose = authorization.purpose.struct_hash()
    assert town.reader.view("Rouble", "splitDigest", row, settlement, purpose) == digest
    call = calls.encode_pay_order(town.proven(1), order)
    paid = receipt(town.do("person", "Settlement", call))
    assert (paid.ref, paid.payer, paid.state) == (digest, address_of(PAYER_KEY), BillState.PAID)
    assert amounts(paid) == expected(town.bills[1])
    assert town.reader.view("Rouble", "splitNonceUsed", address_of(PAYER_KEY), 515) is True
    with pytest.raises(RoubleNonceAlreadyUsed):
        town.reader.simulate(address_of(PERSON_KEY), "Settlement", call)
    stolen = calls.encode_pay_order(town.proven(4), order)  # the same signature, for another bill
    with pytest.raises(RoubleWrongSigner):
        town.reader.simulate(address_of(PERSON_KEY), "Settlement", stolen)


def test_a_plain_payment_in_part_and_in_full(town: Town) -> None:
    bill = town.proven(3)
    total = sum(expected(town.bills[3]).values())
    first = receipt(town.do("person", "Settlement", calls.encode_pay(bill, total // 3)))
    assert first.state is BillState.PARTIAL
    second = receipt(town.do("person", "Settlement", calls.encode_pay(bill, total)))
    assert second.state is BillState.PAID
    moved = {line: amounts(first).get(line, 0) + amounts(second).get(line, 0) for line in (0, 1)}
    assert {line: amount for line, amount in moved.items() if amount} == expected(town.bills[3])
    with pytest.raises(SettlementBillClosed) as caught:
        town.reader.simulate(address_of(PERSON_KEY), "Settlement", calls.encode_pay(bill, total))
    assert (caught.value.bill, caught.value.state) == (bill.key, BillState.PAID)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.parametrize(("field", "step"), [("", "ok"), ("document", "document"), ("index", "root"), ("run", "root")])
def test_the_javascript_verifier_follows_a_bill_to_this_chain(
    town: Town, node: Node, deployment: Deployment, field: str, step: str
) -> None:
    bill_id, salt, document = town.documents[0]
    given = {
        "run": 1,
        "index": 0,
        "blob": "0x" + encode_bill(town.bills[0]).hex(),
        "proof": ["0x" + proof.hex() for proof in town.tree.proof(0)],
        "billId": "0x" + bill_id.hex(),
        "salt": "0x" + salt.hex(),
        "document": "0x" + document.hex(),
    }
    lies = {"document": given["document"] + "20", "index": 1, "run": 9}
    if field:
        given[field] = lies[field]
    book = "0x" + deployment.addresses["ChargeBook"].hex()
    code = f"""
import {{ verifyBill }} from "./webapp/static/verify.mjs";
const found = await verifyBill({node.url!r}, {book!r}, {json.dumps(given)}).catch((error) => ({{ step: error.step }}));
console.log(JSON.stringify(found));
"""
    done = subprocess.run(
        ["node", "--input-type=module", "-e", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    )
    found = json.loads(done.stdout)
    assert found.get("step", "ok") == step
    if step == "ok":
        state = town.reader.view("ChargeBook", "stateOf", 1, 0)
        assert found["state"] == state.name.lower()
        assert [line["amount"] for line in found["bill"]["lines"]] == [x.amount_kopecks for x in town.bills[0].lines]
