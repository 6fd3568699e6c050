"""Gas of the money path in steady state, beside the usual ways to pay five suppliers, in one run on one Anvil.

Steady state: no balance and no word of states is written for the first time. Every measured call asserts the state it
leaves, since a call that silently did nothing would look cheap.
"""

from __future__ import annotations

import json
import random
import secrets
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from eth_abi.abi import encode as abi_encode
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from contracts.client.deployments import Deployment
from contracts.client.reader import Reader
from contracts.client.rpc import Rpc
from contracts.client.sender import Sender
from contracts.wire import calls
from contracts.wire.ids import (
    NO_HASH,
    Address,
    BillKey,
    BillState,
    Hash,
    Period,
    Reference,
    RunId,
    SourceClass,
    SourceId,
    SupplierId,
)
from contracts.wire.keccak import keccak
from contracts.wire.leaf import BillBlob, BillKind, BillLine, encode_bill
from contracts.wire.merkle import Tree, leaf_hash
from contracts.wire.structs import BatchBill, Proposal, ProvenBill, SignedSplit, SupplierTotal
from contracts.wire.typed_data import (
    BatchHeader,
    Purpose,
    SplitAuthorization,
    address_of,
    anchor_domain,
    rouble_domain,
    sign_digest,
)
from scripts.bench import Result
from scripts.bench.chain import START, own_chain
from scripts.chain import ROOT
from scripts.deploy import HOLDERS, OWNERS, Settings, deploy

BILLS = 131_072
SUPPLIERS = 5
BATCH = 100
READINGS = 10_000
RUN = RunId(1)


class WrongState(AssertionError):
    """A measured call did not leave the state it should."""


class Bench:
    """A deployment on an Anvil of its own, with one sender a party."""

    def __init__(self, rpc: Rpc, url: str) -> None:
        self.rpc = rpc
        names = {"deployer", "payer", "resident", "source", *OWNERS, *(n for ns in HOLDERS.values() for n in ns)}
        self.keys = {name: secrets.token_bytes(32) for name in names}
        self.deployment: Deployment = deploy(url, self.keys, Settings(activation_delay_s=0))
        self.reader = Reader(rpc, self.deployment)
        self.senders: dict[str, Sender] = {}
        self.suppliers = [Address(secrets.token_bytes(20)) for _ in range(SUPPLIERS)]

    def at(self, contract: str) -> Address:
        """Where a contract stands."""
        return self.deployment.addresses[contract]

    def sender(self, party: str) -> Sender:
        """Who sends with a party's key."""
        if party not in self.senders:
            engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
            self.senders[party] = Sender(engine, self.rpc, self.deployment.chain_id, self.keys[party])
        return self.senders[party]

    def send(self, party: str, to: Address | None, data: bytes) -> dict[str, Any]:
        """Sends from a party's key and gives the receipt. Raises the contract's error where it reverts."""
        intent = secrets.token_hex(8)
        self.sender(party).submit(intent, to, data, gas=60_000_000)
        outcome = self.sender(party).wait(intent, timeout_s=60, check=True)
        receipt: dict[str, Any] = self.rpc.call("eth_getTransactionReceipt", "0x" + outcome.tx_hash.hex())
        return receipt

    def gas(self, party: str, to: Address, data: bytes) -> int:
        """Gas that a call used."""
        return int(self.send(party, to, data)["gasUsed"], 16)

    def create(self, party: str, contract: str, arguments: bytes = b"") -> Address:
        """Deploys a baseline contract."""
        built = json.loads((ROOT / ".build" / "forge" / "Baselines.sol" / f"{contract}.json").read_text())
        code = bytes.fromhex(built["bytecode"]["object"].removeprefix("0x"))
        address = self.send(party, None, code + arguments)["contractAddress"]
        return Address(bytes.fromhex(address.removeprefix("0x")))


class Town:
    """One active run of 131,072 bills of five lines each, and balances that are not zero."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        drawn = random.Random(131_072)
        commits = sorted(drawn.randbytes(32) for _ in range(BILLS))
        self.blobs = [encode_bill(self._bill(commit, i)) for i, commit in enumerate(commits)]
        self.tree = Tree.of([leaf_hash(blob) for blob in self.blobs])
        self._register()
        self._post()
        self._fund()

    def proven(self, index: int) -> ProvenBill:
        """A bill with its proof."""
        return ProvenBill(RUN, index, self.blobs[index], tuple(self.tree.proof(index)))

    def state(self, index: int) -> BillState:
        """A bill's state on the chain."""
        return BillState(self.bench.reader.view("ChargeBook", "stateOf", RUN, index))

    def batch(self, indices: Sequence[int]) -> bytes:
        """Call data of an agent's batch."""
        bills = [BatchBill(i, 10**9, self.blobs[i]) for i in indices]
        return calls.encode_pay_batch(
            Reference(secrets.token_bytes(32)), RUN, bills, self.tree.multiproof(list(indices))
        )

    @staticmethod
    def _bill(commit: bytes, i: int) -> BillBlob:
        lines = tuple(BillLine(SupplierId(k + 1), 10_000 + (7 * i + 1_313 * k) % 300_000) for k in range(SUPPLIERS))
        return BillBlob(Hash(commit), BillKind.BILL, lines)

    def _register(self) -> None:
        for supplier in self.bench.suppliers:
            data = calls.encode_register_supplier(supplier, supplier, Hash(keccak(supplier)))
            self.bench.send("operator", self.bench.at("Registry"), data)

    def _post(self) -> None:
        totals = tuple(SupplierTotal(SupplierId(k + 1), BILLS, 1, Hash(b"\x01" * 32)) for k in range(SUPPLIERS))
        proposal = Proposal(Period(2026, 1), BILLS, self.tree.root, 0, Hash(keccak(b"bench")), NO_HASH, totals, ())
        self.bench.send("biller", self.bench.at("ChargeBook"), calls.encode_propose(proposal))
        self.bench.send("biller", self.bench.at("ChargeBook"), calls.encode_activate(RUN))

    def _fund(self) -> None:
        rouble, settlement = self.bench.at("Rouble"), self.bench.at("Settlement")
        accounts = [address_of(self.bench.keys[name]) for name in ("payer", "agent", "resident")]
        for account in (*accounts, *self.bench.suppliers):
            self.bench.send("bank", rouble, calls.encode_mint(account, 10**12, Hash(secrets.token_bytes(32))))
        for party in ("payer", "agent"):
            self.bench.send(party, rouble, calls.encode_approve(settlement, 2**256 - 1))


def measure() -> list[Result]:
    """gas.pay_one, gas.pay_order, gas.pay_batch100, gas.anchor_reading."""
    with tempfile.TemporaryDirectory() as folder, own_chain(Path(folder), block_time_s=0.1) as url:
        return _measure(Bench(Rpc(url, timeout_s=60), url))


def _measure(bench: Bench) -> list[Result]:
    town = Town(bench)
    plain = {
        "oz_five_transfers": _five_transfers(bench),
        "disperse_shaped": _disperse(bench),
        "oz49_payment_splitter": _splitter(bench),
    }
    return [
        Result("gas.pay_one", _pay(bench, town), "gas", "lower", 115_000, plain),
        Result("gas.pay_order", _pay_order(bench, town), "gas", "lower", 125_000, plain),
        Result("gas.pay_batch100", _pay_batch(bench, town), "gas/bill", "lower", 25_000, plain),
        Result("gas.anchor_reading", _anchor(bench), "gas/reading", "lower", 5),
    ]


def _pay(bench: Bench, town: Town) -> float:
    return _second(lambda i: _pay_one(bench, town, 5_000 + i))


def _pay_one(bench: Bench, town: Town, index: int) -> int:
    settlement = bench.at("Settlement")
    used = bench.gas("payer", settlement, calls.encode_pay(town.proven(index), 10**9))
    _require_paid(town, [index])
    return used


def _pay_order(bench: Bench, town: Town) -> float:
    return _second(lambda i: _pay_one_order(bench, town, 5_010 + i, i))


def _pay_one_order(bench: Bench, town: Town, index: int, nonce: int) -> int:
    key = bench.keys["resident"]
    order = SplitAuthorization(address_of(key), bench.at("Settlement"), 10**9, Purpose("pay", RUN, index), nonce, 2**40)
    digest = rouble_domain(bench.deployment.chain_id, bench.at("Rouble")).digest(order.struct_hash())
    signed = SignedSplit.of(order, sign_digest(key, digest))
    used = bench.gas("oracle", bench.at("Settlement"), calls.encode_pay_order(town.proven(index), signed))
    _require_paid(town, [index])
    return used


def _pay_batch(bench: Bench, town: Town) -> float:
    settlement = bench.at("Settlement")
    for first in range(0, BILLS // 128, 128):
        # One bill in each word of 128, so that no word is written for the first time below.
        bench.send("agent", settlement, town.batch([128 * word + 127 for word in range(first, first + 128)]))
    free = [i for i in range(BILLS) if i % 128 != 127 and not 5_000 <= i < 5_020]
    scattered = sorted(random.Random(100).sample(free, BATCH))
    used = bench.gas("agent", settlement, town.batch(scattered))
    _require_paid(town, scattered)
    return used / BATCH


def _anchor(bench: Bench) -> float:
    """A source's third batch: its head's slot was written before."""
    key, anchor = bench.keys["source"], bench.at("ReadingAnchor")
    data = calls.encode_register_source(address_of(key), SourceClass.CONCENTRATOR, START)
    bench.send("operator", bench.at("Registry"), data)
    domain = anchor_domain(bench.deployment.chain_id, anchor)
    previous, used = bytes(24), 0
    for sequence in (1, 2, 3):
        root = Hash(secrets.token_bytes(32))
        header = BatchHeader(SourceId(1), 0, sequence, previous, root, READINGS, START - 9, START, NO_HASH)
        signature = sign_digest(key, domain.digest(header.struct_hash()))
        used = bench.gas("oracle", anchor, calls.encode_anchor(header, signature))
        previous = header.head()
    if bench.reader.view("ReadingAnchor", "headOf", 1)[0] != 3:
        raise WrongState("the anchor's head is not at the third batch")
    return used / READINGS


def _five_transfers(bench: Bench) -> float:
    token = bench.create("payer", "PlainToken")
    return _second(lambda _: sum(bench.gas("payer", token, calls.encode_transfer(s, 100)) for s in bench.suppliers))


def _disperse(bench: Bench) -> float:
    token, disperse = bench.create("payer", "PlainToken"), bench.create("payer", "DisperseShaped")
    bench.send("payer", token, calls.encode_approve(disperse, 2**256 - 1))
    recipients = ["0x" + s.hex() for s in bench.suppliers]
    data = keccak(b"disperse(address,address[],uint256[])")[:4] + abi_encode(
        ["address", "address[]", "uint256[]"], ["0x" + token.hex(), recipients, [100] * SUPPLIERS]
    )
    return _second(lambda _: bench.gas("payer", disperse, data))


def _splitter(bench: Bench) -> float:
    """Fund with the chain's coin, then five releases; the payer is given coin by the node."""
    payees = ["0x" + s.hex() for s in bench.suppliers]
    splitter = bench.create("payer", "FiveSplitter", abi_encode(["address[]", "uint256[]"], [payees, [1] * SUPPLIERS]))
    funder = bench.rpc.call("eth_accounts")[0]

    def once(_: int) -> int:
        funding = {
            "from": funder,
            "to": "0x" + splitter.hex(),
            "value": hex(10**15),
            "gas": hex(10**6),
            "gasPrice": "0x0",
        }
        tx = bench.rpc.call("eth_sendTransaction", funding)
        used = 0
        for payee in payees:
            release = keccak(b"release(address)")[:4] + abi_encode(["address"], [payee])
            used += bench.gas("payer", splitter, release)
        return used + int(bench.rpc.call("eth_getTransactionReceipt", tx)["gasUsed"], 16)

    return _second(once)


def _second(once: Callable[[int], int]) -> float:
    """The second time is the steady state: the first writes slots that were zero."""
    once(0)
    return float(once(1))


def _require_paid(town: Town, indices: Sequence[int]) -> None:
    open_bills = [str(BillKey(RUN, i)) for i in indices if town.state(i) is not BillState.PAID]
    if open_bills:
        raise WrongState(f"not paid: {', '.join(open_bills)}")
