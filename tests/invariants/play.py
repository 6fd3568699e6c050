"""Every operation twice: on the real chain and in the model; then the two are held against each other."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from contracts.wire import calls
from contracts.wire.errors import ContractError
from contracts.wire.events import Event
from contracts.wire.files import LeafLine, encode_file
from contracts.wire.ids import Address, BillKey, Hash, KeyId, Reference, SupplierId, Tag
from contracts.wire.keccak import keccak
from contracts.wire.leaf import Credit, encode_bill, encode_grant, grant_commit
from contracts.wire.leaf import Grant as GrantLeaf
from contracts.wire.merkle import Tree, leaf_hash
from contracts.wire.structs import BatchBill, GrantClaim, ProvenBill, SignedSplit
from contracts.wire.typed_data import Purpose, SplitAuthorization, rouble_domain, sign_digest
from tests.invariants.books import Bill, Grant, Refused, Supplier
from tests.invariants.compare import CUSTODY, compare_books, compare_receipts
from tests.invariants.model import Model, Signed
from tests.ledger.town import EVER, Draft, PostedRun, Reverted, Town, bytes_of, key_of

KEY = KeyId(bytes_of("account", 16))
PARTIES = ("agent", "resident", "welfare", "stranger")
SUPPLIERS = ("water", "heat", "power", "fund")


@dataclass(frozen=True)
class Order:
    """A signed order, as it may be sent, sent again, or sent by a thief."""

    payer: str
    key: BillKey
    maximum: int
    nonce: int
    valid_before: int
    signed_by: str


@dataclass
class PostedGrants:
    """A batch of grants with its leaves."""

    batch: int
    grants: list[Grant]
    blobs: list[bytes]


class PlayedTown(Town):
    """A town in which contracts can act too: the timelock stands for the multisig that owns it."""

    def account(self, name: str) -> Address:
        return self.reader.deployment.addresses.get(name) or super().account(name)


@dataclass
class Play:
    """The town, the model of it, and what was made so far. ``fork`` gives a copy to go on from."""

    town: Town
    model: Model
    runs: list[PostedRun] = field(default_factory=list)
    grants: list[PostedGrants] = field(default_factory=list)
    prepayments: list[tuple[int, bytes]] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    counter: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)

    @classmethod
    def open(cls, town: Town) -> Play:
        """Four suppliers, money for those who pay, an allowance for the Settlement."""
        play = cls(town, Model(town.reader.deployment.addresses["Settlement"]))
        play.model.money.frozen |= {town.reader.deployment.addresses[name] for name in CUSTODY}
        for i, name in enumerate(SUPPLIERS, start=1):
            town.add_supplier(name)
            play.model.suppliers[i] = Supplier(town.account(name + "-key"), town.account(name))
        for party in ("agent", "resident", "welfare"):
            play.mint(party, 5_000_000, f"first {party}")
            play.allow(party, 1 << 60)
        return play

    def fork(self) -> Play:
        """A copy with books of its own; the chain is the caller's to put back."""
        town = replace(self.town, heads=dict(self.town.heads))
        made = (copy.deepcopy(self.model), list(self.runs), list(self.grants), list(self.prepayments))
        return Play(town, *made, counter=self.counter)

    def fresh(self) -> int:
        """A number not used before."""
        self.counter += 1
        return self.counter

    # --- both sides ---

    def both(self, party: str, contract: str, data: bytes, act: Callable[[Model], None]) -> bool:
        """Sends a call, lets the model do the same, and requires one verdict. True where both accepted."""
        error: ContractError | None = None
        try:
            self.town.send(party, contract, data)
        except Reverted as reverted:
            if not isinstance(reverted.__cause__, ContractError):
                raise
            error = reverted.__cause__
        head = self.town.reader.head()
        found = type(error).__name__ if error else None
        expected = self._model_does(head.timestamp, act)
        assert found == expected, f"the chain says {error or 'done'}, the model {expected or 'done'}"
        (self.refusals if expected else self.accepted)[expected or _name_of(act)] += 1
        self._compare(self.town.reader.events(head.number, head.number))
        return expected is None

    def _model_does(self, now: int, act: Callable[[Model], None]) -> str | None:
        tried = copy.deepcopy(self.model)
        tried.now, tried.receipts = now, []
        try:
            act(tried)
        except Refused as refused:
            self.model.now, self.model.receipts = now, []
            return refused.name
        self.model = tried
        return None

    def _compare(self, events: Sequence[Event]) -> None:
        compare_receipts(self.model, events)
        compare_books(self.model, self.town.reader)

    # --- the bank ---

    def mint(self, party: str, amount: int, deposit: str) -> bool:
        account, name = self.town.account(party), bytes_of(deposit)
        data = calls.encode_mint(account, amount, Hash(name))
        return self.both("bank", "Rouble", data, lambda m: m.money.mint(account, amount, name))

    def allow(self, party: str, amount: int) -> bool:
        owner, spender = self.town.account(party), self.model.settlement

        def approve(model: Model) -> None:
            model.money.allowances[owner, spender] = amount

        return self.both(party, "Rouble", calls.encode_approve(spender, amount), approve)

    def redeem(self, party: str, amount: int, redemption: str) -> bool:
        account, name = self.town.account(party), bytes_of(redemption)
        data = calls.encode_redeem(amount, Hash(name))
        return self.both(party, "Rouble", data, lambda m: m.money.redeem(account, amount, name))

    def transfer(self, party: str, to: Address, amount: int) -> bool:
        payer = self.town.account(party)
        data = calls.encode_transfer(to, amount)
        return self.both(party, "Rouble", data, lambda m: m.money.transfer(payer, to, amount))

    def set_frozen(self, party: str, is_frozen: bool, by: str = "bank") -> bool:
        account, act = self.town.account(party), Hash(bytes_of(f"act {self.fresh()}"))
        data = calls.encode_freeze(account, act) if is_frozen else calls.encode_unfreeze(account, act)

        def freeze(model: Model) -> None:
            authorised(by, "bank")
            (model.money.frozen.add if is_frozen else model.money.frozen.discard)(account)

        return self.both(by, "Rouble", data, freeze)

    def seize(self, party: str, to: str, amount: int, by: str = "bank", act: str | None = "order") -> bool:
        account, recipient = self.town.account(party), self.town.account(to)
        data = calls.encode_seize(account, recipient, amount, Hash(bytes_of(act) if act else bytes(32)))

        def seize(model: Model) -> None:
            authorised(by, "bank")
            if act is None:
                raise Refused("RoubleNoReference")
            model.money.seize(account, recipient, amount)

        return self.both(by, "Rouble", data, seize)

    # --- runs ---

    def propose(
        self,
        amounts: Sequence[Sequence[tuple[int, int]]],
        superseded: Sequence[BillKey] = (),
        credits: Sequence[Sequence[Credit]] = (),
    ) -> PostedRun:
        """Proposes a run of plain bills, one for each list of (supplier, kopecks)."""
        drafts = [
            Draft(f"{self.fresh()}", lines, credits=credits[i] if i < len(credits) else ())
            for i, lines in enumerate(amounts)
        ]
        return self._propose(drafts, superseded)

    def propose_note(self, run: PostedRun, index: int, amounts: Sequence[int], kind: int) -> PostedRun:
        """Proposes a note to a bill, with a sum for each of its lines."""
        lines = [(x.supplier, amount) for x, amount in zip(run.bills[index].lines, amounts, strict=True)]
        return self._propose([Draft(f"{self.fresh()}", lines, kind, original=run.key(index))])  # type: ignore[arg-type]

    def _propose(self, drafts: Sequence[Draft], superseded: Sequence[BillKey] = ()) -> PostedRun:
        run = self.town.post_run(drafts, KEY, superseded=superseded, is_activated=False)
        self.model.propose(run.run, [Bill.of(blob) for blob in run.bills], sorted(superseded))
        self.runs.append(run)
        return run

    def activate(self, run: PostedRun, superseded: Sequence[BillKey] = ()) -> bool:
        keys = sorted(superseded)
        data = calls.encode_activate(run.run, keys)
        return self.both("relay", "ChargeBook", data, lambda m: m.activate(run.run, keys))

    def run_of(self, key: BillKey) -> PostedRun:
        return next(run for run in self.runs if run.run == key.run)

    # --- payments ---

    def pay(self, party: str, key: BillKey, maximum: int) -> bool:
        payer = self.town.account(party)
        data = calls.encode_pay(self.run_of(key).proven(key.index), maximum)
        return self.both(party, "Settlement", data, lambda m: m.pay(payer, key, maximum))

    def pay_forged(self, party: str, key: BillKey, proven: ProvenBill, name: str) -> bool:
        """A bill that is not the one in the tree."""

        def refuse(_: Model) -> None:
            raise Refused(name)

        assert proven != self.run_of(key).proven(key.index)
        return self.both(party, "Settlement", calls.encode_pay(proven, EVER), refuse)

    def pay_batch(self, ref: Reference, run: PostedRun, maxima: dict[int, int], by: str = "agent") -> bool:
        bills = [BatchBill(i, maxima[i], encode_bill(run.bills[i])) for i in sorted(maxima)]
        data = calls.encode_pay_batch(ref, run.run, bills, run.tree.multiproof(sorted(maxima)))
        agent = self.town.account(by)

        def pay(model: Model) -> None:
            authorised(by, "agent")
            model.pay_batch(agent, ref, run.run, maxima)

        return self.both(by, "Settlement", data, pay)

    def pay_order(self, order: Order, key: BillKey | None = None, maximum: int | None = None) -> bool:
        """Sends an order; a thief sends it for another bill (``key``) or for more (``maximum``)."""
        key = key or order.key
        split, signed = self._order(order, key, order.maximum if maximum is None else maximum)
        data = calls.encode_pay_order(self.run_of(key).proven(key.index), split)
        return self.both("relay", "Settlement", data, lambda m: m.pay_order(key, signed))

    def pay_orders(self, orders: Sequence[Order]) -> bool:
        """Several orders in one call: all or nothing."""
        made = [self._order(order, order.key, order.maximum) for order in orders]
        proven = [self.run_of(order.key).proven(order.key.index) for order in orders]
        data = calls.encode_pay_orders(proven, [split for split, _ in made])

        def pay(model: Model) -> None:
            for order, (_, signed) in zip(orders, made, strict=True):
                model.pay_order(order.key, signed)

        return self.both("stranger", "Settlement", data, pay)

    def _order(self, order: Order, key: BillKey, maximum: int) -> tuple[SignedSplit, Signed]:
        purpose = Purpose("pay", order.key.run, order.key.index)
        split, digest = self._sign(order.payer, order.signed_by, purpose, order)
        is_genuine = order.signed_by == order.payer and key == order.key and maximum == order.maximum
        signed = Signed(split.payer, maximum, order.nonce, order.valid_before, is_genuine, digest)
        return replace(split, maximum_kopecks=maximum), signed

    def _sign(self, payer: str, signer: str, purpose: Purpose, order: Order) -> tuple[SignedSplit, bytes]:
        deployment = self.town.reader.deployment
        split = SplitAuthorization(
            self.town.account(payer), self.model.settlement, order.maximum, purpose, order.nonce, order.valid_before
        )
        digest = rouble_domain(deployment.chain_id, deployment.addresses["Rouble"]).digest(split.struct_hash())
        return SignedSplit.of(split, sign_digest(key_of(signer), digest)), digest

    # --- prepayments ---

    def prepay(self, party: str, supplier: int, amount: int, tag: str) -> bool:
        payer, name = self.town.account(party), Tag(bytes_of(tag))
        prepayment = self.prepayment(party, tag)
        self.prepayments.append((supplier, prepayment))
        data = calls.encode_prepay(SupplierId(supplier), amount, name)
        return self.both(party, "Settlement", data, lambda m: m.prepay(payer, supplier, amount, prepayment, name))

    def prepayment(self, party: str, tag: str) -> bytes:
        """H(payer ‖ tag)."""
        return keccak(self.town.account(party) + bytes_of(tag))

    def net(self, key: BillKey) -> bool:
        data = calls.encode_net(self.run_of(key).proven(key.index))
        return self.both("stranger", "Settlement", data, lambda m: m.net(key))

    # --- grants ---

    def post_grants(self, grants: Sequence[Grant], total: int) -> bool:
        """Posts from the welfare wallet; ``total`` may be less than the maxima."""
        act = f"grants {self.fresh()}"
        blobs = [
            encode_grant(
                GrantLeaf(grant_commit(bytes_of(f"{act}{i}"), bytes_of(act)), g.bill, g.line, g.maximum, g.expires_at)
            )
            for i, g in enumerate(grants)
        ]
        lines = [LeafLine(leaf_hash(blob), blob) for blob in blobs]
        root = Tree.of([line.leaf for line in lines]).root
        self.town.files.put("grants", root, encode_file({"kind": "grants"}, lines))
        data = calls.encode_post_grants(root, len(blobs), total, Hash(bytes_of(act)))
        wallet, batch = self.town.account("welfare"), len(self.grants) + 1
        posted = [replace(grant) for grant in grants]
        is_done = self.both("welfare", "SubsidyBook", data, lambda m: m.post_grants(wallet, batch, posted, total))
        if is_done:
            self.grants.append(PostedGrants(batch, list(grants), blobs))
        return is_done

    def apply_grants(self, picked: Sequence[tuple[PostedGrants, int, BillKey]]) -> bool:
        """Applies grants in one call, each on the bill given with it."""
        claims = []
        for posted, index, key in picked:
            proof = Tree.of([leaf_hash(blob) for blob in posted.blobs]).proof(index)
            proven = self.run_of(key).proven(key.index)
            claims.append(GrantClaim(posted.batch, index, posted.blobs[index], tuple(proof), proven))  # type: ignore[arg-type]

        def apply(model: Model) -> None:
            for posted, index, key in picked:
                model.apply_grant(posted.batch, index, key)

        return self.both("relay", "Settlement", calls.encode_apply_grants(claims), apply)

    def reverse_grant(self, posted: PostedGrants, index: int, by: str = "welfare") -> bool:
        data = calls.encode_reverse_grant(posted.batch, index, Hash(bytes_of("reversal")))  # type: ignore[arg-type]
        caller = self.town.account(by)
        return self.both(by, "SubsidyBook", data, lambda m: m.reverse_grant(caller, posted.batch, index))

    def reverse_batch(self, posted: PostedGrants, by: str = "welfare") -> bool:
        data = calls.encode_reverse_batch(posted.batch, Hash(bytes_of("reversal")))  # type: ignore[arg-type]
        caller = self.town.account(by)
        return self.both(by, "SubsidyBook", data, lambda m: m.reverse_batch(caller, posted.batch))

    # --- refunds ---

    def refund(  # noqa: PLR0917  who and what, as the protocol names them
        self, note: BillKey, key: BillKey, line: int, signer: str, wallet: str = "welfare", recipient: str = "resident"
    ) -> bool:
        """Carries out one line of a note, signed by ``signer``, who should be the supplier's wallet."""
        to, back = self.town.account(recipient), self.town.account(wallet)
        order = Order(signer, key, EVER, self.fresh(), EVER, signer)
        split, digest = self._sign(signer, signer, Purpose("refund", note.run, note.index, line, to), order)
        signed = Signed(split.payer, EVER, order.nonce, EVER, True, digest)
        proven = self.run_of(note).proven(note.index), self.run_of(key).proven(key.index)
        data = calls.encode_refund(*proven, line, to, back, split)
        return self.both("relay", "Settlement", data, lambda m: m.refund(note, key, line, to, back, signed))

    # --- the guardian and the clock ---

    def pause(self, until: int, by: str = "guardian") -> bool:
        def pause(model: Model) -> None:
            authorised(by, "guardian")
            model.paused_until = until

        return self.both(by, "Settlement", calls.encode_pause(until), pause)

    def jump(self, seconds: int) -> None:
        """Lets time pass."""
        self.town.rpc.call("evm_increaseTime", seconds)
        self.town.mine(1)
        self.model.now = self.town.reader.head().timestamp

    # --- suppliers ---

    def supply(self, party: str, data: bytes, act: Callable[[Model], None]) -> bool:
        """A call to the Registry."""
        return self.both(party, "Registry", data, act)

    def set_active(self, supplier: int, is_active: bool) -> bool:
        def act(model: Model) -> None:
            model.suppliers[supplier].is_active = is_active

        return self.supply("operator", calls.encode_set_supplier_active(SupplierId(supplier), is_active), act)


def authorised(by: str, role: str) -> None:
    if by != role:
        raise Refused("AccessManagedUnauthorized")


def _name_of(act: Callable[[Model], None]) -> str:
    return act.__qualname__.split(".")[-3]
