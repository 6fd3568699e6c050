"""A chain with a recorded history: a town's payments, grants, mints, runs and readings, made through the contracts.

Of a thousand bills nine hundred are paid in agents' batches of a hundred and a hundred by their payers' signed orders,
forty with a grant on one line. Every thousand bills are a part.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from contracts.wire import calls
from contracts.wire.ids import (
    NO_HASH,
    BillKey,
    GrantBatchId,
    Hash,
    Period,
    Reference,
    SourceClass,
    SourceId,
    SupplierId,
)
from contracts.wire.leaf import Grant, encode_grant
from contracts.wire.merkle import Tree, leaf_hash
from contracts.wire.structs import BatchBill, GrantClaim, Proposal, SignedSplit, SupplierTotal
from contracts.wire.typed_data import (
    BatchHeader,
    Purpose,
    SplitAuthorization,
    address_of,
    anchor_domain,
    rouble_domain,
    sign_digest,
)
from scripts.bench.chain import START
from scripts.bench.gas import BATCH, BILLS, RUN, SUPPLIERS, Town
from scripts.deploy import HOLDERS, Role

BATCHES, ORDERS, GRANTS, READINGS, PAYERS = 9, 100, 40, 10, 20
"""What one part holds: agents' batches, signed orders, grants, batches of readings, payers who get money."""
BILLS_OF_A_PART = BATCHES * BATCH + ORDERS
_EVER = 2**40 - 1

Call = tuple[str, str, bytes, int]
"""Party, contract, data, gas."""


class History:
    """Adds parts to a chain that a town was made on."""

    def __init__(self, town: Town, seed: int) -> None:
        self._bench = town.bench
        self._town = town
        self._drawn = random.Random(seed)
        self._free = self._drawn.sample(range(BILLS), BILLS)
        self._residents = [self._drawn.randbytes(32) for _ in range(10 * PAYERS)]
        self._heads: dict[SourceId, tuple[int, bytes]] = {}
        self._grant_batches = 0
        self._orders = 0
        self._carry_out([*self._sources(), *self._opening_balances()])

    def add_part(self) -> None:
        """One more thousand bills."""
        taken, self._free = self._free[:BILLS_OF_A_PART], self._free[BILLS_OF_A_PART:]
        ordered, batched = taken[:ORDERS], taken[ORDERS:]
        self._carry_out([*self._mints(), *self._run(), self._posted_grants(batched[:GRANTS])])
        self._carry_out([*self._applied_grants(), *self._readings()])
        self._carry_out([*self._batches(batched), *self._signed_orders(ordered)])

    def mine(self, blocks: int) -> None:
        """Empty blocks, so that what came before is final."""
        self._bench.rpc.call("anvil_mine", hex(blocks))

    def _carry_out(self, asked: Sequence[Call]) -> None:
        """Hands all over and waits until the last is mined; each must succeed."""
        bench, waiting = self._bench, []
        for party, contract, data, gas in asked:
            waiting.append((bench.sender(party), self._drawn.randbytes(8).hex()))
            waiting[-1][0].submit(waiting[-1][1], bench.at(contract), data, gas)
        senders = {id(sender): sender for sender, _ in waiting}.values()
        while waiting:
            for sender in senders:
                sender.advance()
            outcomes = [(sender, intent, sender.outcome(intent)) for sender, intent in waiting]
            waiting = [(sender, intent) for sender, intent, outcome in outcomes if outcome is None]
            for _, _, outcome in outcomes:
                if outcome is not None and outcome.error is not None:
                    raise outcome.error
            bench.rpc.call("evm_mine")

    # --- what is asked ---

    def _sources(self) -> Iterator[Call]:
        for source in range(1, READINGS + 1):
            address = address_of(self._bench.keys["source"])
            data = calls.encode_register_source(address, SourceClass.CONCENTRATOR, START)
            yield "operator", "Registry", data, 300_000
            self._heads[SourceId(source)] = (0, bytes(24))

    def _opening_balances(self) -> Iterator[Call]:
        for key in (*self._residents, self._bench.keys["welfare"]):
            yield self._mint(key, 10**12)
        data = calls.encode_approve(self._bench.at("Settlement"), 2**256 - 1)
        yield "welfare", "Rouble", data, 200_000

    def _mints(self) -> Iterator[Call]:
        for key in self._drawn.sample(self._residents, PAYERS):
            yield self._mint(key, 10**8)

    def _mint(self, key: bytes, kopecks: int) -> Call:
        data = calls.encode_mint(address_of(key), kopecks, Hash(self._drawn.randbytes(32)))
        return "bank", "Rouble", data, 200_000

    def _run(self) -> Iterator[Call]:
        totals = tuple(SupplierTotal(SupplierId(k + 1), 9, 1, Hash(b"\x01" * 32)) for k in range(SUPPLIERS))
        root = Hash(self._drawn.randbytes(32))
        proposal = Proposal(Period(2026, 1), 9, root, 0, NO_HASH, NO_HASH, totals, ())
        yield "biller", "ChargeBook", calls.encode_propose(proposal), 1_000_000

    def _posted_grants(self, bills: Sequence[int]) -> Call:
        self._granted = bills
        self._grant_batches += 1
        commits = [Hash(self._drawn.randbytes(32)) for _ in bills]
        grants = [Grant(c, BillKey(RUN, b), 0, 5_000, _EVER) for c, b in zip(commits, bills, strict=True)]
        self._grants = [encode_grant(grant) for grant in grants]
        root = Tree.of([leaf_hash(blob) for blob in self._grants]).root
        data = calls.encode_post_grants(root, len(bills), 5_000 * len(bills), Hash(self._drawn.randbytes(32)))
        return "welfare", "SubsidyBook", data, 500_000

    def _applied_grants(self) -> Iterator[Call]:
        tree = Tree.of([leaf_hash(blob) for blob in self._grants])
        batch = GrantBatchId(self._grant_batches)
        for start in range(0, len(self._granted), 10):
            claims = [
                GrantClaim(batch, i, self._grants[i], tuple(tree.proof(i)), self._town.proven(self._granted[i]))
                for i in range(start, min(start + 10, len(self._granted)))
            ]
            yield "payer", "Settlement", calls.encode_apply_grants(claims), 5_000_000

    def _readings(self) -> Iterator[Call]:
        """A batch of each source, and the acknowledgements of two holders."""
        bench, roots = self._bench, []
        domain = anchor_domain(bench.deployment.chain_id, bench.at("ReadingAnchor"))
        for source, (sequence, previous) in self._heads.items():
            root = Hash(self._drawn.randbytes(32))
            header = BatchHeader(source, 0, sequence + 1, previous, root, 300, START - 9, START, NO_HASH)
            signature = sign_digest(bench.keys["source"], domain.digest(header.struct_hash()))
            yield "oracle", "ReadingAnchor", calls.encode_anchor(header, signature), 300_000
            self._heads[source] = (sequence + 1, header.head())
            roots.append(root)
        for holder in HOLDERS[Role.HOLDER]:
            yield holder, "ReadingAnchor", calls.encode_acknowledge(roots), 2_000_000

    def _batches(self, bills: Sequence[int]) -> Iterator[Call]:
        for start in range(0, len(bills), BATCH):
            indices = sorted(bills[start : start + BATCH])
            asked = [BatchBill(i, 10**9, self._town.blobs[i]) for i in indices]
            reference = Reference(self._drawn.randbytes(32))
            data = calls.encode_pay_batch(reference, RUN, asked, self._town.tree.multiproof(indices))
            yield "agent", "Settlement", data, 20_000_000

    def _signed_orders(self, bills: Sequence[int]) -> Iterator[Call]:
        bench, settlement = self._bench, self._bench.at("Settlement")
        domain = rouble_domain(bench.deployment.chain_id, bench.at("Rouble"))
        for bill in bills:
            self._orders += 1
            key = self._drawn.choice(self._residents)
            purpose = Purpose("pay", RUN, bill)
            order = SplitAuthorization(address_of(key), settlement, 10**9, purpose, self._orders, _EVER)
            signed = SignedSplit.of(order, sign_digest(key, domain.digest(order.struct_hash())))
            yield "payer", "Settlement", calls.encode_pay_order(self._town.proven(bill), signed), 1_000_000
