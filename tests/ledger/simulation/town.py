"""What happens in the simulated town: transactions with the logs that its contracts would write.

Logs are encoded by eth-abi from the compiler's own ABIs, so that the ledger's decoders are held against both.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from eth_abi.abi import encode

from contracts.client import abi
from contracts.client.deployments import CONTRACTS, Deployment
from contracts.wire.files import LeafLine, encode_file
from contracts.wire.ids import Address, BillKey, Hash, KeyId, MeterId, RunId, SupplierId
from contracts.wire.keccak import keccak
from contracts.wire.leaf import (
    BillBlob,
    BillKind,
    BillLine,
    Grant,
    RegisterReading,
    SupplierLine,
    bill_commit,
    encode_bill,
    encode_grant,
    encode_supplier_line,
    reading_blob,
)
from contracts.wire.merkle import Tree, leaf_hash
from contracts.wire.units import Unit
from tests.ledger.simulation.model import Model

NOBODY = bytes(20)
KEY = KeyId(b"k" * 16)
SECRET = b"s" * 32
PAID, GRANTED, NETTED, WRITTEN_OFF, REFUNDED = 1, 2, 3, 4, 5
OPEN, PARTIAL, FULL, SUPERSEDED = 0, 1, 2, 3

Change = tuple[str, tuple[Any, ...]]
"""A method of the model and its arguments."""


def named(what: str, size: int = 32) -> bytes:
    """Bytes drawn from a name."""
    return hashlib.sha256(what.encode()).digest()[:size]


DEPLOYMENT = Deployment(31337, 1, {name: Address(named(name, 20)) for name in CONTRACTS})
PAYERS = [named(name, 20) for name in ("agent", "resident", "welfare")]


class TheKeys:
    """A key ring of one key."""

    def secret(self, key_id: KeyId) -> bytes | None:
        return SECRET if key_id == KEY else None


@dataclass(frozen=True)
class Transaction:
    """The logs of a transaction without their place, and what it changed."""

    hash: str
    logs: tuple[dict[str, Any], ...]
    changes: tuple[Change, ...]


@lru_cache(maxsize=256)
def _entry(contract: str, event: str) -> tuple[str, tuple[tuple[str, bool], ...]]:
    for row in abi.artifact(contract)["abi"]:
        if row["type"] == "event" and row["name"] == event:
            types = tuple((abi.type_of(part), part["indexed"]) for part in row["inputs"])
            topic = keccak(f"{event}({','.join(kind for kind, _ in types)})".encode()).hex()
            return "0x" + topic, types
    raise KeyError(event)


def log_of(contract: str, event: str, *values: object, by: str | None = None) -> dict[str, Any]:
    """A log as eth-abi encodes it; ``by`` another contract of ours writes it."""
    topic, types = _entry(contract, event)
    topics, plain_types, plain = [topic], [], []
    for (kind, indexed), value in zip(types, values, strict=True):
        if indexed:
            topics.append("0x" + encode([kind], [value]).hex())
        else:
            plain_types.append(kind)
            plain.append(value)
    address = "0x" + DEPLOYMENT.addresses[by or contract].hex()
    return {"address": address, "topics": topics, "data": "0x" + encode(plain_types, plain).hex()}


@dataclass
class _Draft:
    logs: list[dict[str, Any]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    def log(self, contract: str, event: str, *values: object) -> None:
        self.logs.append(log_of(contract, event, *values))

    def change(self, what: str, *arguments: Any) -> None:
        self.changes.append((what, arguments))

    def transfer(self, sender: bytes, to: bytes, kopecks: int) -> None:
        self.log("Rouble", "Transfer", sender, to, kopecks)
        self.change("move", sender, to, kopecks)


class Town:
    """Draws transactions by one source of chance; ``served`` are the files that it published."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._counter = 0
        self.served: dict[tuple[str, Hash], bytes] = {}
        self._actions: list[Callable[[Model, _Draft], None]] = [
            self._supplier, self._payout, self._source, self._anchor, self._anchor, self._reset, self._acknowledge,
            self._run, self._run, self._pay, self._pay, self._pay, self._batch, self._batch, self._prepay, self._net,
            self._grants, self._grants, self._apply, self._apply, self._refund, self._write_off, self._supersede,
            self._mint, self._redeem, self._seize, self._transfer, self._others, self._noise,
        ]  # fmt: skip

    def opening(self, model: Model) -> list[Transaction]:
        """What a town begins with."""
        firsts = (self._supplier, self._supplier, self._supplier, self._source, self._mint, self._mint)
        out = []
        for action in firsts:
            made = self._made(model, action)
            assert made is not None
            out.append(made)
        return out

    def transaction(self, model: Model) -> Transaction:
        """Something that can happen as the town stands; the model moves along."""
        while True:
            action = self._chance.choice(self._actions)
            # A reorganisation may have taken what a town begins with.
            if len(model.wallets) < 2:
                action = self._supplier
            elif not model.heads:
                action = self._source
            made = self._made(model, action)
            if made is not None:
                return made

    def _made(self, model: Model, action: Callable[[Model, _Draft], None]) -> Transaction | None:
        draft = _Draft()
        self._counter += 1
        action(model, draft)
        if not draft.logs:
            return None
        apply(model, draft.changes)
        return Transaction(self._word().hex(), tuple(draft.logs), tuple(draft.changes))

    def _word(self, size: int = 32) -> bytes:
        return self._chance.randbytes(size)

    def _serve(self, kind: str, lines: list[LeafLine]) -> Hash:
        root = Tree.of([line.leaf for line in lines]).root
        self.served[kind, root] = encode_file({"kind": kind}, lines)
        return root

    def _sealed(self, leaf: Hash, plaintext: bytes) -> bytes:
        nonce = self._word(12)
        return nonce + AESGCM(SECRET).encrypt(nonce, plaintext, leaf)

    # --- registry and readings ---

    def _supplier(self, model: Model, draft: _Draft) -> None:
        if len(model.wallets) < 5:
            number, wallet = len(model.wallets) + 1, self._word(20)
            draft.log("Registry", "SupplierRegistered", number, self._word(20), wallet, self._word())
            draft.change("supplier", number, wallet)

    def _payout(self, model: Model, draft: _Draft) -> None:
        number, wallet = self._chance.choice(sorted(model.wallets)), self._word(20)
        if self._chance.random() < 0.5:
            draft.log("Registry", "PayoutChanged", number, wallet)
            draft.change("supplier", number, wallet)
        else:
            active = self._chance.randrange(2)
            draft.log("Registry", "SupplierStatusChanged", number, bool(active))
            draft.change("status", number, active)

    def _source(self, model: Model, draft: _Draft) -> None:
        if len(model.heads) < 3:
            number = len(model.heads) + 1
            draft.log("Registry", "SourceRegistered", number, self._word(20), self._chance.randrange(5), 0)
            draft.change("source", number)

    def _anchor(self, model: Model, draft: _Draft) -> None:
        source = self._chance.choice(sorted(model.heads))
        epoch, sequence = model.heads[source]
        lines = []
        for _ in range(self._chance.randrange(1, 4)):
            meter, value = self._word(16), self._chance.randrange(1 << 40)
            blob = reading_blob(self._word(), RegisterReading(MeterId(meter), 0, self._counter, value, Unit.LITRE))
            leaf = leaf_hash(blob)
            is_sealed = self._chance.random() < 0.3
            lines.append(LeafLine(leaf, None, KEY, self._sealed(leaf, blob)) if is_sealed else LeafLine(leaf, blob))
            draft.change("read", meter, value)
        root = self._serve("readings", lines)
        head = self._word(24)
        draft.log("ReadingAnchor", "Anchored", source, root, bytes(32), epoch, sequence + 1, head, len(lines), 1, 2)
        draft.change("anchored", source, epoch, sequence + 1, root)

    def _reset(self, model: Model, draft: _Draft) -> None:
        source = self._chance.choice(sorted(model.heads))
        epoch = model.heads[source][0] + 1
        draft.log("ReadingAnchor", "EpochReset", source, epoch, self._word(24), self._word())
        draft.change("reset", source, epoch)

    def _acknowledge(self, model: Model, draft: _Draft) -> None:
        if model.roots:
            root, holder = self._chance.choice(model.roots), self._chance.choice(PAYERS)
            draft.log("ReadingAnchor", "Acknowledged", root, holder)
            draft.change("acknowledge", root, holder)

    # --- runs ---

    def _run(self, model: Model, draft: _Draft) -> None:
        number = len(model.runs) + 1
        names = [(self._word(), self._word()) for _ in range(self._chance.randrange(1, 4))]
        names.sort(key=lambda n: bill_commit(n[0], n[1], b"{}"))
        bills, lines, own = [], [], dict[int, list[SupplierLine]]()
        for index, (bill_id, salt) in enumerate(names):
            suppliers = self._chance.sample(sorted(model.wallets), k=2)
            charged = tuple((s, self._chance.randrange(1, 3_000)) for s in sorted(suppliers))
            blob = encode_bill(
                BillBlob(
                    bill_commit(bill_id, salt, b"{}"),
                    BillKind.BILL,
                    tuple(BillLine(SupplierId(s), a) for s, a in charged),
                )
            )
            leaf = leaf_hash(blob)
            lines.append(LeafLine(leaf, blob, KEY, self._sealed(leaf, bill_id + salt + b"{}")))
            bills.append(charged)
            for line, (supplier, amount) in enumerate(charged):
                own.setdefault(supplier, []).append(SupplierLine(index, line, BillKind.BILL, amount))
        totals = [
            (s, len(x), sum(y.amount_kopecks for y in x), Tree.of([leaf_hash(encode_supplier_line(y)) for y in x]).root)
            for s, x in sorted(own.items())
        ]
        root = self._serve("bills", lines)
        proposal = (202601, len(lines), root, 0, bytes(32), bytes(32), totals, [])
        draft.log("ChargeBook", "RunProposed", number, self._word(20), self._counter, proposal)
        draft.change("run", number, tuple(bills))
        if self._chance.random() < 0.8:
            draft.log("ChargeBook", "RunActivated", number)

    def _supersede(self, model: Model, draft: _Draft) -> None:
        bill = self._bill(model)
        if bill and model.states.get(bill, OPEN) == OPEN and len(model.runs) > 1:
            draft.log("ChargeBook", "BillSuperseded", bill[0] << 32 | bill[1], len(model.runs))
            draft.change("state", *bill, SUPERSEDED)

    def _bill(self, model: Model) -> tuple[int, int] | None:
        if not model.runs:
            return None
        run = self._chance.choice(sorted(model.runs))
        return run, self._chance.randrange(len(model.runs[run]))

    # --- money ---

    def _legs(self, model: Model, draft: _Draft, payer: bytes, bill: tuple[int, int], ref: bytes) -> dict[bytes, int]:
        """Writes a receipt for what is paid on a bill; gives kopecks by the wallets to be paid."""
        due: dict[bytes, int] = {}
        places = model.open_of(*bill)
        lines = model.runs[bill[0]][bill[1]]
        legs = [0] * len(lines)
        for line, supplier, left in places:
            if not model.active[supplier]:
                draft.log("Settlement", "LegSkipped", bill[0] << 32 | bill[1], line, supplier, left)
                continue
            amount = left if self._chance.random() < 0.8 else self._chance.randrange(1, left + 1)
            legs[line] = amount
            wallet = model.wallets[supplier]
            due[wallet] = due.get(wallet, 0) + amount
            draft.change("line", *bill, line, PAID, amount)
            draft.change("receipt", supplier, amount)
        packed = b"".join(s.to_bytes(2, "big") + a.to_bytes(6, "big") for (s, _), a in zip(lines, legs, strict=True))
        state = FULL if sum(legs) == sum(left for _, _, left in places) else PARTIAL
        draft.log("Settlement", "BillPaid", bill[0] << 32 | bill[1], payer, ref, packed, state)
        draft.change("state", *bill, state)
        return due

    def _pay(self, model: Model, draft: _Draft) -> None:
        bill, payer = self._bill(model), self._chance.choice(PAYERS)
        if bill is None or not model.open_of(*bill):
            return
        due = self._legs(model, draft, payer, bill, self._word())
        for wallet, amount in due.items():
            # Sometimes more moves between the two than the receipt says: a plain transfer beside it.
            for part in (amount, 7) if self._chance.random() < 0.1 else (amount,):
                draft.transfer(payer, wallet, part)

    def _batch(self, model: Model, draft: _Draft) -> None:
        bills = sorted({bill for bill in (self._bill(model) for _ in range(3)) if bill})
        if not bills:
            return
        agent, ref, due = PAYERS[0], self._word(), dict[bytes, int]()
        for bill in bills:
            if not model.open_of(*bill):
                state = model.states.get(bill, OPEN)
                draft.log("Settlement", "BillSkipped", bill[0] << 32 | bill[1], ref, state)
                draft.change("state", *bill, state)
                continue
            for wallet, amount in self._legs(model, draft, agent, bill, ref).items():
                due[wallet] = due.get(wallet, 0) + amount
        for wallet, amount in due.items():
            draft.transfer(agent, wallet, amount)
        draft.log("Settlement", "BatchSettled", agent, ref, self._word(), sum(due.values()))
        draft.change("count", "batches")

    def _prepay(self, model: Model, draft: _Draft) -> None:
        payer, tag = self._chance.choice(PAYERS), self._word()
        supplier, amount = self._chance.choice(sorted(model.wallets)), self._chance.randrange(1, 500)
        name = keccak(payer + tag)
        draft.transfer(payer, model.wallets[supplier], amount)
        draft.log("Settlement", "Prepaid", name, payer, supplier, amount, tag)
        draft.change("prepay", name, supplier, amount)
        draft.change("receipt", supplier, amount)

    def _net(self, model: Model, draft: _Draft) -> None:
        bill = self._bill(model)
        for line, supplier, left in model.open_of(*bill) if bill else ():
            for name, (owner, amount) in model.prepaid.items():
                if bill and owner == supplier and amount <= left:
                    key = bill[0] << 32 | bill[1]
                    draft.log("Settlement", "PrepaymentNetted", name, key, line, supplier, amount)
                    draft.log("Settlement", "BillStateChanged", key, PARTIAL)
                    draft.change("net", name)
                    draft.change("line", *bill, line, NETTED, amount)
                    draft.change("state", *bill, PARTIAL)
                    return

    def _grants(self, model: Model, draft: _Draft) -> None:
        if not model.runs:
            return
        batch, wallet, items, lines = len(model.grants) + 1, self._chance.choice(PAYERS), [], []
        for _ in range(self._chance.randrange(1, 4)):
            bill = self._bill(model)
            assert bill is not None
            line, maximum = self._chance.randrange(2), self._chance.randrange(1, 900)
            items.append((bill, line, maximum))
            key = BillKey(RunId(bill[0]), bill[1])
            blob = encode_grant(Grant(Hash(self._word()), key, line, maximum, (1 << 40) - 1))
            lines.append(LeafLine(leaf_hash(blob), blob))
        root = self._serve("grants", lines)
        total = sum(maximum for _, _, maximum in items)
        draft.log("SubsidyBook", "GrantsPosted", batch, wallet, root, len(lines), total, self._word())
        draft.change("grant", batch, wallet, items)

    def _apply(self, model: Model, draft: _Draft) -> None:
        if not model.grants:
            return
        batch = self._chance.choice(sorted(model.grants))
        wallet, items = model.grants[batch]
        index = self._chance.randrange(len(items))
        bill, line, maximum = items[index]
        found = [(s, left) for at, s, left in model.open_of(*bill) if at == line] if bill[0] in model.runs else []
        if (batch, index) in model.used or not found:
            return
        supplier, amount = found[0][0], min(maximum, found[0][1])
        key = bill[0] << 32 | bill[1]
        draft.transfer(wallet, model.wallets[supplier], amount)
        draft.log("SubsidyBook", "GrantUsed", batch, index, key, line, amount)
        draft.log("Settlement", "GrantApplied", batch, index, key, line, supplier, amount, PARTIAL)
        draft.change("use", batch, index)
        draft.change("line", *bill, line, GRANTED, amount)
        draft.change("state", *bill, PARTIAL)
        draft.change("receipt", supplier, amount)

    def _refund(self, model: Model, draft: _Draft) -> None:
        bill = self._bill(model)
        if bill is None:
            return
        line = self._chance.randrange(len(model.runs[bill[0]][bill[1]]))
        supplier = model.runs[bill[0]][bill[1]][line][0]
        paid = model.moved[*bill, line, PAID] - model.moved[*bill, line, REFUNDED]
        if paid <= 0:
            return
        to_payer, to_welfare = self._chance.randrange(1, paid + 1), self._chance.choice((0, 3))
        wallet, key = model.wallets[supplier], bill[0] << 32 | bill[1]
        note = key + (1 << 40)
        for to, amount in ((PAYERS[1], to_payer), (PAYERS[2], to_welfare)):
            if amount:
                draft.transfer(wallet, to, amount)
        draft.log("Settlement", "Refunded", note, key, line, supplier, PAYERS[1], to_payer, PAYERS[2], to_welfare)
        draft.change("line", *bill, line, REFUNDED, to_payer + to_welfare)
        draft.change("receipt", supplier, -to_payer - to_welfare)

    def _write_off(self, model: Model, draft: _Draft) -> None:
        bill = self._bill(model)
        places = model.open_of(*bill) if bill else []
        if bill and places:
            line, _, left = self._chance.choice(places)
            off, key = self._chance.randrange(left + 1), bill[0] << 32 | bill[1]
            draft.log("Settlement", "CreditApplied", key + (1 << 40), key, line, off)
            draft.change("line", *bill, line, WRITTEN_OFF, off)

    # --- the token, and what is only kept ---

    def _mint(self, _model: Model, draft: _Draft) -> None:
        to, amount = self._chance.choice(PAYERS), self._chance.randrange(1, 100_000)
        draft.transfer(NOBODY, to, amount)
        draft.log("Rouble", "Minted", to, amount, self._word())

    def _redeem(self, model: Model, draft: _Draft) -> None:
        wallet, amount = model.wallets[self._chance.choice(sorted(model.wallets))], self._chance.randrange(1, 90)
        draft.transfer(wallet, NOBODY, amount)
        draft.log("Rouble", "Redeemed", wallet, amount, self._word())

    def _seize(self, _model: Model, draft: _Draft) -> None:
        sender, to = self._chance.sample(PAYERS, 2)
        amount = self._chance.randrange(1, 90)
        draft.transfer(sender, to, amount)
        draft.log("Rouble", "Seized", sender, to, amount, self._word())

    def _transfer(self, _model: Model, draft: _Draft) -> None:
        for _ in range(self._chance.randrange(1, 3)):
            draft.transfer(*self._chance.sample(PAYERS, 2), self._chance.choice((0, 1, 999)))
        draft.log("Rouble", "Approval", *self._chance.sample(PAYERS, 2), 1 << 90)

    def _others(self, _model: Model, draft: _Draft) -> None:
        if self._chance.random() < 0.5:
            draft.log("AccessManager", "RoleGranted", 7, self._word(20), 0, 1, True)
        else:
            draft.log("Rouble", "Frozen", self._word(20), self._word())
        draft.change("count", "acts")

    def _noise(self, _model: Model, draft: _Draft) -> None:
        """Logs that are no events of ours: another contract's of ours under the same topic, and an unknown topic."""
        draft.logs.append(log_of("Rouble", "Transfer", PAYERS[0], PAYERS[1], 5, by="Settlement"))
        stranger = log_of("Rouble", "Transfer", PAYERS[0], PAYERS[1], 5)
        stranger["topics"] = ["0x" + self._word().hex()]
        draft.logs.append(stranger)
        foreign = log_of("Rouble", "Transfer", PAYERS[0], PAYERS[1], 5)
        foreign["address"] = "0x" + self._word(20).hex()
        draft.logs.append(foreign)


def apply(model: Model, changes: list[Change] | tuple[Change, ...]) -> None:
    """Tells the model of changes."""
    for what, arguments in changes:
        getattr(model, what)(*arguments)
