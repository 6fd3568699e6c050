"""A small town on a real Anvil, played by hand: every party acts with its own account, files lie in one folder."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from contracts.client.files import FileStore
from contracts.client.keyring import KeyRing
from contracts.client.reader import Reader
from contracts.client.rpc import Rpc
from contracts.wire import calls
from contracts.wire.canonical import canonical_json
from contracts.wire.files import LeafLine, encode_file
from contracts.wire.ids import (
    NO_HASH,
    Address,
    BillId,
    BillKey,
    GrantBatchId,
    Hash,
    KeyId,
    Period,
    Reference,
    RunId,
    SourceClass,
    SourceId,
    SupplierId,
    Tag,
)
from contracts.wire.keccak import keccak
from contracts.wire.leaf import (
    BillBlob,
    BillKind,
    BillLine,
    Credit,
    Grant,
    Record,
    SupplierLine,
    bill_commit,
    encode_bill,
    encode_grant,
    encode_supplier_line,
    grant_commit,
    reading_blob,
)
from contracts.wire.merkle import Tree, leaf_hash
from contracts.wire.sealed import seal
from contracts.wire.structs import (
    BatchBill,
    GrantClaim,
    Proposal,
    ProvenBill,
    SignedSplit,
    SupplierTotal,
    UsedHead,
    supersession_hash,
)
from contracts.wire.typed_data import (
    BatchHeader,
    Purpose,
    SplitAuthorization,
    address_of,
    anchor_domain,
    rouble_domain,
    sign_digest,
)
from scripts.deploy import HOLDERS, OWNERS, Settings, deploy

PARTIES = ("deployer", *OWNERS, *sorted({name for names in HOLDERS.values() for name in names}))
EVER = 1 << 62
PERIOD = Period(2026, 1)


def key_of(name: str) -> bytes:
    """A private key drawn from a name."""
    return hashlib.sha256(name.encode()).digest()


def bytes_of(name: str, size: int = 32) -> bytes:
    """Bytes drawn from a name."""
    return hashlib.sha256(b"bytes" + name.encode()).digest()[:size]


class Reverted(Exception):
    """A transaction of the test reverted."""


@dataclass
class PostedRun:
    """A run as the test posted it."""

    run: RunId
    bills: list[BillBlob]
    tree: Tree

    def key(self, index: int) -> BillKey:
        return BillKey(self.run, index)

    def proven(self, index: int) -> ProvenBill:
        blob = encode_bill(self.bills[index])
        return ProvenBill(self.run, index, blob, tuple(self.tree.proof(index)))

    def order_of(self, commit: Hash) -> int:
        """Index of the bill with this commitment."""
        return next(i for i, bill in enumerate(self.bills) if bill.commit == commit)


@dataclass
class Draft:
    """A bill to be posted: what is charged, and the record that is sealed."""

    name: str
    lines: Sequence[tuple[int, int]]
    kind: BillKind = BillKind.BILL
    credits: Sequence[Credit] = ()
    original: BillKey | None = None

    @property
    def bill_id(self) -> BillId:
        return BillId(bytes_of("bill" + self.name))

    @property
    def salt(self) -> bytes:
        return bytes_of("salt" + self.name)

    @property
    def document(self) -> bytes:
        return canonical_json({"bill": self.name})

    @property
    def blob(self) -> BillBlob:
        lines = tuple(BillLine(SupplierId(supplier), amount) for supplier, amount in self.lines)
        commit = bill_commit(self.bill_id, self.salt, self.document)
        return BillBlob(commit, self.kind, lines, tuple(self.credits), self.original)


@dataclass
class Town:
    """The parties' hands. ``files`` is what the oracle and billing serve."""

    rpc: Rpc
    reader: Reader
    files: FileStore
    keys: KeyRing
    heads: dict[int, tuple[int, int, bytes]] = field(default_factory=dict)
    grant_batches: int = 0

    @classmethod
    def build(cls, rpc: Rpc, folder: Path, automine: bool = True) -> Town:
        """Deploys on a chain with a block time; with ``automine`` each transaction is mined at once from then on."""
        deployment = deploy(rpc.url, {name: key_of(name) for name in PARTIES}, Settings(activation_delay_s=0))
        if automine:
            rpc.call("evm_setAutomine", True)
        rpc.call("anvil_autoImpersonateAccount", True)
        return cls(rpc, Reader(rpc, deployment), FileStore(folder / "served"), KeyRing(folder / "keyring.db"))

    # --- sending ---

    def account(self, name: str) -> Address:
        return address_of(key_of(name))

    def send(self, party: str, contract: str, data: bytes) -> str:
        """Sends and mines. Raises Reverted."""
        return self.send_from(self.account(party), contract, data)

    def send_from(self, sender: Address, contract: str, data: bytes) -> str:
        """Sends as any account, a contract's too, and mines. Raises Reverted."""
        request = {
            "from": "0x" + sender.hex(),
            "to": "0x" + self.reader.deployment.addresses[contract].hex(),
            "data": "0x" + data.hex(),
            "gas": hex(5_000_000),
            "maxFeePerGas": "0x0",
            "maxPriorityFeePerGas": "0x0",
        }
        name: str = self.rpc.call("eth_sendTransaction", request)
        receipt = self._receipt(name)
        if receipt["status"] != "0x1":
            try:
                self.reader.simulate(sender, contract, data)
            except Exception as error:
                raise Reverted(f"{contract}: {error}") from error
            raise Reverted(contract)
        return name

    def _receipt(self, name: str) -> dict[str, object]:
        """The receipt; Anvil mines a moment after it takes a transaction."""
        for _ in range(500):
            receipt: dict[str, object] | None = self.rpc.call("eth_getTransactionReceipt", name)
            if receipt is not None:
                return receipt
            time.sleep(0.01)
        raise TimeoutError(f"{name} is not mined")

    def mine(self, blocks: int) -> None:
        self.rpc.call("anvil_mine", hex(blocks))

    def finalise(self) -> None:
        """Mines until all there is now is final."""
        self.mine(13)

    # --- registry ---

    def add_supplier(self, name: str) -> SupplierId:
        data = calls.encode_register_supplier(self.account(name + "-key"), self.account(name), Hash(bytes_of(name)))
        self.send("operator", "Registry", data)
        return SupplierId(self.reader.view("Registry", "supplierCount"))

    def add_source(self, name: str, kind: SourceClass = SourceClass.CONCENTRATOR) -> SourceId:
        self.send("operator", "Registry", calls.encode_register_source(self.account(name), kind, 0))
        source = SourceId(len(self.heads) + 1)
        self.heads[source] = (0, 0, bytes(24))
        return source

    # --- readings ---

    def anchor(
        self, name: str, source: SourceId, records: Sequence[Record], key: KeyId, is_served: bool = True
    ) -> Hash:
        """Signs, serves and anchors a batch of records, all sealed under one key."""
        epoch, sequence, previous = self.heads[source]
        salts = [bytes_of(f"{source}/{epoch}/{sequence}/{i}") for i in range(len(records))]
        blobs = [reading_blob(salt, record) for salt, record in zip(salts, records, strict=True)]
        lines = self.sealed(blobs, key)
        root = Tree.of([line.leaf for line in lines]).root
        if is_served:
            self.files.put("readings", root, encode_file({"kind": "readings"}, lines))
        header = BatchHeader(source, epoch, sequence + 1, previous, root, len(records), 0, 0, NO_HASH)
        domain = anchor_domain(self.reader.deployment.chain_id, self.reader.deployment.addresses["ReadingAnchor"])
        signature = sign_digest(key_of(name), domain.digest(header.struct_hash()))
        self.send("relay", "ReadingAnchor", calls.encode_anchor(header, signature))
        self.heads[source] = (epoch, sequence + 1, header.head())
        return root

    def sealed(self, blobs: Sequence[bytes], key: KeyId) -> list[LeafLine]:
        secret = self.keys.create(key)
        leaves = [leaf_hash(blob) for blob in blobs]
        return [LeafLine(leaf, None, key, seal(secret, leaf, blob)) for leaf, blob in zip(leaves, blobs, strict=True)]

    def acknowledge(self, *roots: Hash, holders: Sequence[str] = ("holder-ledger", "holder-archive")) -> None:
        for holder in holders:
            self.send(holder, "ReadingAnchor", calls.encode_acknowledge(roots))

    # --- bills ---

    def post_run(
        self,
        drafts: Sequence[Draft],
        key: KeyId,
        *,
        heads: Sequence[UsedHead] = (),
        superseded: Sequence[BillKey] = (),
        is_activated: bool = True,
        claimed_too_much_kopecks: int = 0,
    ) -> PostedRun:
        """Serves, proposes and activates a run."""
        drafts = sorted(drafts, key=lambda draft: draft.blob.commit)
        bills = [draft.blob for draft in drafts]
        blobs = [encode_bill(bill) for bill in bills]
        secret = self.keys.create(key)
        lines = [
            LeafLine(leaf_hash(blob), blob, key, seal(secret, leaf_hash(blob), d.bill_id + d.salt + d.document))
            for d, blob in zip(drafts, blobs, strict=True)
        ]
        tree = Tree.of([line.leaf for line in lines])
        self.files.put("bills", tree.root, encode_file({"kind": "bills"}, lines))
        first, *others = _totals(bills)
        first = replace(first, total_kopecks=first.total_kopecks + claimed_too_much_kopecks)
        replaced = supersession_hash(superseded)
        proposal = Proposal(PERIOD, len(bills), tree.root, 0, NO_HASH, replaced, (first, *others), tuple(heads))
        self.send("biller", "ChargeBook", calls.encode_propose(proposal))
        run = RunId(self.reader.view("ChargeBook", "runCount"))
        if is_activated:
            self.send("relay", "ChargeBook", calls.encode_activate(run, sorted(superseded)))
        return PostedRun(run, bills, tree)

    # --- money ---

    def mint(self, party: str, kopecks: int, deposit: str) -> None:
        self.send("bank", "Rouble", calls.encode_mint(self.account(party), kopecks, Hash(bytes_of(deposit))))
        self.allow(party)

    def allow(self, party: str) -> None:
        settlement = self.reader.deployment.addresses["Settlement"]
        self.send(party, "Rouble", calls.encode_approve(settlement, 1 << 90))

    def transfer(self, party: str, to: str, kopecks: int) -> None:
        self.send(party, "Rouble", calls.encode_transfer(self.account(to), kopecks))

    def redeem(self, party: str, kopecks: int, redemption: str) -> None:
        self.send(party, "Rouble", calls.encode_redeem(kopecks, Hash(bytes_of(redemption))))

    def pay(self, party: str, run: PostedRun, index: int, maximum: int = EVER) -> None:
        self.send(party, "Settlement", calls.encode_pay(run.proven(index), maximum))

    def pay_batch(self, reference: Reference, run: PostedRun, maxima: dict[int, int]) -> None:
        bills = [BatchBill(i, maxima[i], encode_bill(run.bills[i])) for i in sorted(maxima)]
        data = calls.encode_pay_batch(reference, run.run, bills, run.tree.multiproof(sorted(maxima)))
        self.send("agent", "Settlement", data)

    def sign(self, payer: str, purpose: Purpose, maximum: int, nonce: int) -> tuple[SignedSplit, Reference]:
        addresses = self.reader.deployment.addresses
        split = SplitAuthorization(self.account(payer), addresses["Settlement"], maximum, purpose, nonce, EVER)
        digest = rouble_domain(self.reader.deployment.chain_id, addresses["Rouble"]).digest(split.struct_hash())
        return SignedSplit.of(split, sign_digest(key_of(payer), digest)), Reference(digest)

    def pay_order(self, payer: str, run: PostedRun, index: int, maximum: int, nonce: int) -> Reference:
        order, digest = self.sign(payer, Purpose("pay", run.run, index), maximum, nonce)
        self.send("relay", "Settlement", calls.encode_pay_order(run.proven(index), order))
        return digest

    def prepay(self, party: str, supplier: SupplierId, kopecks: int, tag: Tag) -> Hash:
        """Pays ahead; gives the prepayment's id."""
        self.send(party, "Settlement", calls.encode_prepay(supplier, kopecks, tag))
        return Hash(keccak(self.account(party) + tag))

    def post_grants(self, grants: Sequence[tuple[BillKey, int, int]], act: str) -> tuple[GrantBatchId, list[bytes]]:
        """Serves and posts grants of (bill, line, maximum)."""
        blobs = [
            encode_grant(Grant(grant_commit(bytes_of(f"{act}{i}"), bytes_of(act)), bill, line, maximum, (1 << 40) - 1))
            for i, (bill, line, maximum) in enumerate(grants)
        ]
        lines = [LeafLine(leaf_hash(blob), blob) for blob in blobs]
        root = Tree.of([line.leaf for line in lines]).root
        self.files.put("grants", root, encode_file({"kind": "grants"}, lines))
        total = sum(maximum for _, _, maximum in grants)
        data = calls.encode_post_grants(root, len(blobs), total, Hash(bytes_of(act)))
        self.send("welfare", "SubsidyBook", data)
        self.grant_batches += 1
        return GrantBatchId(self.grant_batches), blobs

    def apply_grant(self, batch: GrantBatchId, blobs: Sequence[bytes], index: int, run: PostedRun, bill: int) -> None:
        proof = Tree.of([leaf_hash(blob) for blob in blobs]).proof(index)
        claim = GrantClaim(batch, index, blobs[index], tuple(proof), run.proven(bill))
        self.send("relay", "Settlement", calls.encode_apply_grants([claim]))

    def refund(self, supplier: str, note: ProvenBill, bill: ProvenBill, line: int, nonce: int) -> None:
        """Carries out one line of a credit note; the payer's part goes to the agent."""
        recipient = self.account("agent")
        purpose = Purpose("refund", note.run, note.index, line, recipient)
        authorization, _ = self.sign(supplier, purpose, EVER, nonce)
        data = calls.encode_refund(note, bill, line, recipient, self.account("welfare"), authorization)
        self.send("relay", "Settlement", data)


def _totals(bills: Sequence[BillBlob]) -> tuple[SupplierTotal, ...]:
    own: dict[int, list[SupplierLine]] = {}
    for index, bill in enumerate(bills):
        for number, line in enumerate(bill.lines):
            own.setdefault(line.supplier, []).append(SupplierLine(index, number, bill.kind, line.amount_kopecks))
    return tuple(
        SupplierTotal(
            SupplierId(supplier),
            len(lines),
            sum(-x.amount_kopecks if x.kind is BillKind.CREDIT_NOTE else x.amount_kopecks for x in lines),
            Tree.of([leaf_hash(encode_supplier_line(x)) for x in lines]).root,
        )
        for supplier, lines in sorted(own.items())
    )
