"""Plays the town month by month, and lays it open as a bundle with everything that an audit reads of its chain.

Made once and kept under ``var/`` by a key of its shape. Ten months of a hundredth of the bills' number of houses: nine
flats of ten are paid at an agent, in batches of a hundred bills drawn at random, every tenth by its resident's signed
order.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from billing.domain.calendar import month_span
from contracts.client.files import FileStore
from contracts.client.private import private_folder
from contracts.client.rpc import Rpc
from contracts.wire import calls
from contracts.wire.canonical import canonical_json
from contracts.wire.ids import Hash, Period, Reference, RunId, SourceClass, address_text
from contracts.wire.keccak import keccak
from contracts.wire.merkle import Tree, leaf_hash
from contracts.wire.structs import BatchBill, ProvenBill, SignedSplit
from contracts.wire.typed_data import Purpose, SplitAuthorization, address_of, rouble_domain, sign_digest
from scripts.audit.bundle import DEPLOYMENT, KEYS, KEYS_FORMAT, LEAVES, MANIFEST, TREES, Bundle, Listed, Manifest
from scripts.audit.history import History
from scripts.audit.node import Node
from scripts.bench.city import ZONE, code
from scripts.bench.million.books import SERVICES, PreparedBill, SignedBatch, TownBooks, leaf_hashes_of
from scripts.bench.million.chain import Hands, key_of, new_chain

MONTHS = 10
FIRST = Period(2026, 1)
VERSION = 1
"""Raised with every change of what is generated: a town of another version is not used."""
BATCH = 100
_BY_ORDER = 10
"""Every tenth flat is paid by its resident's order."""
_ORDERS_AT_ONCE = 25
_ROOTS_AT_ONCE = 100
_EVER = 1 << 40
_MINTED_KOPECKS = 10**13
_GAS_BATCH, _GAS_ORDERS, _GAS_ANCHOR, _GAS_RUN = 12_000_000, 11_000_000, 400_000, 110_000_000


@dataclass(frozen=True, slots=True)
class AuditTown:
    """A town laid open: ``bundle`` as published with its keys, ``state`` with the history that an audit read, and what
    the node answered besides."""

    folder: Path

    @property
    def bundle(self) -> Path:
        """The folder of the bundle."""
        return self.folder / "bundle"

    @property
    def state(self) -> Path:
        """The audit's own folder."""
        return self.folder / "state"

    @property
    def answers(self) -> dict[str, Any]:
        """What the node said that is not in the state, by method and parameters."""
        found: dict[str, Any] = json.loads((self.folder / "answers.json").read_bytes())
        return found


def town_of(count: int, var: Path) -> AuditTown:
    """The town of ``count`` bills, out of ``var`` or made there now."""
    folder = var / f"audit-town-{count}-v{VERSION}"
    town = AuditTown(folder)
    if not (folder / "answers.json").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _make(town, count)
    return town


def _make(town: AuditTown, count: int) -> None:
    flats = count // MONTHS
    if flats * MONTHS != count or flats < _BY_ORDER:
        raise ValueError(f"{count} bills are no {MONTHS} months of whole flats; ask for a multiple of 100")
    private_folder(town.folder)
    work = private_folder(town.folder / "work")
    try:
        with new_chain(work) as hands:
            files = FileStore(private_folder(town.bundle))
            play = _Play(hands, TownBooks(work, files, hands.deployment, flats, seed=count), flats)
            play.open()
            for number in range(1, MONTHS + 1):
                play.month(number)
            hands.finalise()
            _publish(town, hands, play.books)
            _read(town, hands)
    finally:
        shutil.rmtree(work, ignore_errors=True)


class _Play:
    """What the parties do."""

    def __init__(self, hands: Hands, books: TownBooks, flats: int) -> None:
        self.books = books
        self._hands = hands
        self._flats = flats
        self._period = FIRST
        self._drawn = random.Random(flats)
        addresses = hands.deployment.addresses
        self._settlement = addresses["Settlement"]
        self._domain = rouble_domain(hands.deployment.chain_id, addresses["Rouble"])

    def open(self) -> None:
        """Suppliers, sources, tariffs, wallets, and what the counters show at first."""
        hands = self._hands
        for service in SERVICES:
            key, payout = (hands.address(f"{service.name} {what}") for what in ("key", "payout"))
            details = Hash(keccak(service.name.encode()))
            hands.queue("operator", "Registry", calls.encode_register_supplier(key, payout, details), 500_000)
        for number in range(self.books.houses):
            source = hands.address(code(number))
            call = calls.encode_register_source(source, SourceClass.CONCENTRATOR, 0)
            hands.queue("operator", "Registry", call, 300_000)
        for call in self.books.open(FIRST):
            hands.queue("operator", "TariffBook", call, 500_000)
        for name in ("agent", *(_resident(flat) for flat in range(0, self._flats, _BY_ORDER))):
            call = calls.encode_mint(hands.address(name), _MINTED_KOPECKS, Hash(keccak(name.encode())))
            hands.queue("bank", "Rouble", call, 300_000)
        hands.queue("agent", "Rouble", calls.encode_approve(self._settlement, 1 << 90), 300_000)
        hands.flush()
        self._anchor(self.books.read_counters(month_span(FIRST, ZONE).start_ts, is_first=True))

    def month(self, number: int) -> None:
        """Counters at the month's end, the run, and all of it paid."""
        end = month_span(self._period, ZONE).end_ts
        self._hands.wait_until(end + 1)
        self._anchor(self.books.read_counters(end))
        run, bills = self.books.bill(self._period, number)
        self._hands.send("biller", "ChargeBook", calls.encode_propose(run.proposal), _GAS_RUN)
        self._hands.send("relay", "ChargeBook", calls.encode_activate(RunId(number)))
        tree = Tree.of([leaf_hash(bill.blob) for bill in bills])
        self._pay_at_agent(RunId(number), tree, [bill for bill in bills if bill.flat % _BY_ORDER])
        self._pay_by_order(RunId(number), tree, [bill for bill in bills if not bill.flat % _BY_ORDER])
        self._period = self._period.next()

    def _anchor(self, batches: Sequence[SignedBatch]) -> None:
        for batch in batches:
            call = calls.encode_anchor(batch.header, batch.signature)
            self._hands.queue("oracle", "ReadingAnchor", call, _GAS_ANCHOR)
        self._hands.flush()
        roots = [batch.header.root for batch in batches]
        for start in range(0, len(roots), _ROOTS_AT_ONCE):
            call = calls.encode_acknowledge(roots[start : start + _ROOTS_AT_ONCE])
            for holder in ("holder-ledger", "holder-archive"):
                self._hands.queue(holder, "ReadingAnchor", call, 10_000_000)
        self._hands.flush()

    def _pay_at_agent(self, run: RunId, tree: Tree, bills: list[PreparedBill]) -> None:
        self._drawn.shuffle(bills)
        for start in range(0, len(bills), BATCH):
            batch = sorted(bills[start : start + BATCH], key=lambda bill: bill.index)
            shown = [BatchBill(bill.index, 10**9, bill.blob) for bill in batch]
            proof = tree.multiproof([bill.index for bill in batch])
            call = calls.encode_pay_batch(Reference(self._drawn.randbytes(32)), run, shown, proof)
            self._hands.queue("agent", "Settlement", call, _GAS_BATCH)
        self._hands.flush()

    def _pay_by_order(self, run: RunId, tree: Tree, bills: Sequence[PreparedBill]) -> None:
        for start in range(0, len(bills), _ORDERS_AT_ONCE):
            part = bills[start : start + _ORDERS_AT_ONCE]
            proven = [ProvenBill(run, bill.index, bill.blob, tuple(tree.proof(bill.index))) for bill in part]
            orders = [self._order(run, bill) for bill in part]
            self._hands.queue("relay", "Settlement", calls.encode_pay_orders(proven, orders), _GAS_ORDERS)
        self._hands.flush()

    def _order(self, run: RunId, bill: PreparedBill) -> SignedSplit:
        key = key_of(_resident(bill.flat))
        purpose = Purpose("pay", run, bill.index)
        split = SplitAuthorization(address_of(key), self._settlement, 10**9, purpose, int(run), _EVER)
        return SignedSplit.of(split, sign_digest(key, self._domain.digest(split.struct_hash())))


def _resident(flat: int) -> str:
    return f"resident {flat}"


# --- laid open -------------------------------------------------------------------------------------------------------


def _publish(town: AuditTown, hands: Hands, books: TownBooks) -> None:
    """Leaf hashes, keys, deployment and manifest beside the files, which lie in the bundle from the first."""
    listed: dict[str, Listed] = {}
    leaves = private_folder(town.bundle / LEAVES)
    for kind in (*TREES, "tariffs"):
        for path in sorted((town.bundle / kind).glob("0x*")):
            data = path.read_bytes()
            listed[f"{kind}/{path.name}"] = Listed(len(data), Hash(keccak(data)))
            if kind in TREES:
                (leaves / path.name.partition(".")[0]).write_bytes(leaf_hashes_of(data))
    hands.deployment.save(town.bundle / DEPLOYMENT)
    keys = {key.hex(): "0x" + secret.hex() for key, secret in books.secrets.items()}
    (town.bundle / KEYS).write_bytes(canonical_json({"format": KEYS_FORMAT, "keys": keys}))
    final = hands.rpc.call("eth_getBlockByNumber", "finalized", False)
    settlement = address_text(hands.deployment.addresses["Settlement"]).lower()
    manifest = Manifest(
        hands.deployment.chain_id, settlement, int(final["number"], 16), Hash(bytes.fromhex(final["hash"][2:])), listed
    )
    (town.bundle / MANIFEST).write_text(json.dumps(manifest.value()) + "\n")


class Recording:
    """A node whose small answers are written down; the history itself is kept by the audit's state."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc
        self.url = rpc.url
        self.answers: dict[str, Any] = {}

    def call(self, method: str, *params: object) -> Any:
        """The result of one call."""
        found = self.answers[asked(method, params)] = self._rpc.call(method, *params)
        return found

    def batch(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        """The results of many calls."""
        found = self._rpc.batch(calls)
        if calls and calls[0][0] == "eth_getCode":
            self.answers |= {asked(*call): answer for call, answer in zip(calls, found, strict=True)}
        return found


def asked(method: str, params: Sequence[object]) -> str:
    """A call's name among the answers."""
    return json.dumps([method, list(params)])


def _read(town: AuditTown, hands: Hands) -> None:
    """Reads the chain as an audit does, and writes down what it asks besides."""
    bundle, recording = Bundle(town.bundle), Recording(hands.rpc)
    node = Node(recording, bundle.deployment)
    node.check_deployment()
    node.finalized()
    node.hash_at(bundle.manifest.height)
    manifest = bundle.manifest
    history = History(node, bundle.deployment.first_block, f"{manifest.chain_id}/{manifest.settlement}", town.state)
    history.read(manifest.height)
    aside = town.folder / "answers.new"
    aside.write_text(json.dumps(recording.answers))
    aside.replace(town.folder / "answers.json")
