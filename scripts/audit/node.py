"""What a node says of the chain, believed only as far as it can be worked out again.

Every header is hashed, its parent is the header before, and the receipts of its block lead to the root in it. So a
node that leaves out a log, or alters one, has to change the block's hash; and that hash is held against the bundle's,
and against the one seen when the audit was last here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from contracts.client.deployments import Deployment, NotDeployed, WrongChain
from contracts.client.rpc import NodeError, NodeUnreachable, Rpc, RpcError
from contracts.wire.events import Event, LogError, decode_log, event_layouts
from contracts.wire.ids import NO_ADDRESS, Address, Hash, address_text
from contracts.wire.keccak import keccak
from contracts.wire.typed_data import SignatureError
from scripts.audit.finding import CannotAudit
from scripts.audit.roots import is_header_of, root_of_list, sender_of, transaction_bytes
from scripts.capsule.blocks import receipt_bytes

BLOCKS_AT_ONCE = 200
_MANY_TRANSACTIONS = 1_000
_OTHER_NODE = "Ask another node, and keep what this one said: it is evidence"


class Calls(Protocol):
    """What of a node is used; contracts.client.rpc.Rpc is one."""

    url: str

    def call(self, method: str, *params: object) -> Any:
        """The result of one call."""
        ...

    def batch(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        """The results of many calls."""
        ...


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction that one of our contracts logged something in; ``logs`` are raw, ours alone, in their order.
    ``sender`` is whoever signed it."""

    hash: str
    sender: Address
    to: str
    data: str
    logs: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class SeenBlock:
    """A block whose hash and receipts were worked out again."""

    number: int
    hash: Hash
    parent: Hash
    timestamp: int
    transactions: tuple[Transaction, ...]


class Node:
    """One node, read for one deployment. Every method raises CannotAudit where the node can't be used."""

    def __init__(self, rpc: Calls, deployment: Deployment) -> None:
        self._rpc = rpc
        self._deployment = deployment
        self._ours = {"0x" + address.hex(): name for name, address in deployment.addresses.items()}

    def check_deployment(self) -> None:
        """The node is of the bundle's chain, and the contracts are there with the code that the bundle names."""
        try:
            self._deployment.check(self._rpc)  # type: ignore[arg-type]  # it takes the calls that Calls has
        except WrongChain as error:
            raise CannotAudit(
                "other-chain",
                f"the bundle is of chain {error.expected}, the node at {self._rpc.url} of chain {error.found}",
                "Point to a node of the bundle's chain, or take the bundle of this network",
            ) from error
        except NotDeployed as error:
            raise CannotAudit(
                "other-network", f"the bundle's contracts are not on the node's chain: {error}",
                "Take the bundle of this network, or point to a node of the bundle's network",
            ) from error  # fmt: skip
        except NodeError as error:
            raise self._away(error) from error

    def finalized(self) -> tuple[int, Hash]:
        """Height and hash of the last final block."""
        raw = self._call("eth_getBlockByNumber", "finalized", False)
        if raw is None:
            raise CannotAudit(
                "no-finality", f"the node at {self._rpc.url} has no final block", "Wait until its chain has one"
            )
        return int(raw["number"], 16), Hash(_bytes(raw["hash"]))

    def hash_at(self, number: int) -> Hash:
        """The hash that the node gives for a height."""
        raw = self._call("eth_getBlockByNumber", hex(number), False)
        if raw is None:
            raise self._pruned(number, "block")
        return Hash(_bytes(raw["hash"]))

    def blocks(self, first: int, last: int, parent: Hash | None) -> Iterator[SeenBlock]:
        """The blocks from ``first`` to ``last``, both included, each proved to follow the one before."""
        at_once = BLOCKS_AT_ONCE
        while first <= last:
            numbers = range(first, min(first + at_once, last + 1))
            first = numbers.stop
            raws = self._batch([("eth_getBlockByNumber", [hex(number), True]) for number in numbers])
            busy = [raw["number"] for raw in raws if raw is not None and raw["transactions"]]
            found = self._batch([("eth_getBlockReceipts", [number]) for number in busy])
            receipts = dict(zip(busy, found, strict=True))
            at_once = _next_size(at_once, sum(len(raw["transactions"]) for raw in raws if raw is not None))
            for number, raw in zip(numbers, raws, strict=True):
                if raw is None:
                    raise self._pruned(number, "block")
                block = self._block(number, raw, receipts.get(raw["number"], []))
                if parent is not None and block.parent != parent:
                    raise self._lies(number, f"parent 0x{parent.hex()}", f"0x{block.parent.hex()}")
                parent = block.hash
                yield block

    def _block(self, number: int, raw: Mapping[str, Any], receipts: Sequence[Mapping[str, Any]] | None) -> SeenBlock:
        if receipts is None:
            raise self._pruned(number, "receipts")
        try:
            self._prove(number, raw, receipts)
            calls = {transaction["hash"]: transaction for transaction in raw["transactions"]}
            seen = [self._transaction(calls[receipt["transactionHash"]], receipt) for receipt in receipts]
        except (KeyError, TypeError, ValueError) as error:
            raise self._lies(
                number, "a whole header, transactions and receipts", f"what can't be read: {error!r}"
            ) from error
        block_hash, parent = Hash(_bytes(raw["hash"])), Hash(_bytes(raw["parentHash"]))
        ours = tuple(transaction for transaction in seen if transaction.logs)
        return SeenBlock(number, block_hash, parent, int(raw["timestamp"], 16), ours)

    def _prove(self, number: int, raw: Mapping[str, Any], receipts: Sequence[Mapping[str, Any]]) -> None:
        """What the node says of a block leads to the block's hash. Raises KeyError and ValueError too."""
        if not is_header_of(raw, raw["hash"]) or int(raw["number"], 16) != number:
            raise self._lies(number, f"a header that hashes to {raw['hash']}", "one that does not")
        transactions = [transaction_bytes(transaction) for transaction in raw["transactions"]]
        roots = {
            "receiptsRoot": root_of_list([receipt_bytes(receipt) for receipt in receipts]),
            "transactionsRoot": root_of_list(transactions),
        }
        for name, root in roots.items():
            if root != raw[name]:
                raise self._lies(number, f"{name} {raw[name]}, as the header says", f"what leads to {root}")
        for told, data, receipt in zip(raw["transactions"], transactions, receipts, strict=True):
            name = "0x" + keccak(data).hex()
            if (told["hash"], receipt["transactionHash"]) != (name, name):
                raise self._lies(
                    number, f"transaction {name}", f"{told['hash']} with a receipt of {receipt['transactionHash']}"
                )

    def _transaction(self, call: Mapping[str, Any], receipt: Mapping[str, Any]) -> Transaction:
        logs = tuple(
            {
                "address": log["address"].lower(), "topics": log["topics"], "data": log["data"],
                "blockNumber": receipt["blockNumber"], "blockHash": receipt["blockHash"],
                "transactionHash": call["hash"], "logIndex": log["logIndex"],
            }
            for log in receipt["logs"]
            if log["address"].lower() in self._ours
        )  # fmt: skip
        sender = NO_ADDRESS
        if logs:
            try:
                sender = sender_of(call)
            except SignatureError:
                sender = NO_ADDRESS  # nobody's: whatever needs a sender's will finds it missing
        return Transaction(call["hash"], sender, (call["to"] or "").lower(), call["input"], logs)

    # --- errors ---

    def _call(self, method: str, *params: object) -> Any:
        try:
            return self._rpc.call(method, *params)
        except NodeError as error:
            raise self._away(error) from error

    def _batch(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        try:
            return self._rpc.batch(calls)
        except RpcError as error:
            raise CannotAudit(
                "node-pruned", f"the node at {self._rpc.url} refuses history: {error}",
                "Ask a node that keeps all blocks and receipts, or one that serves eth_getBlockReceipts",
            ) from error  # fmt: skip
        except NodeError as error:
            raise self._away(error) from error

    def _away(self, error: NodeError) -> CannotAudit:
        slug = "node-unreachable" if isinstance(error, NodeUnreachable) else "node-wrong-answer"
        return CannotAudit(slug, str(error), "Start again once a node answers: what was read is kept")

    def _pruned(self, number: int, what: str) -> CannotAudit:
        return CannotAudit(
            "node-pruned", f"the node at {self._rpc.url} has no {what} for block {number}",
            "Ask a node that keeps all blocks and receipts: history is not pruned on it",
        )  # fmt: skip

    def _lies(self, number: int, expected: str, found: str) -> CannotAudit:
        return CannotAudit(
            "node-lies",
            f"block {number} of the node at {self._rpc.url} contradicts itself: expected {expected}, found {found}",
            _OTHER_NODE,
        )


def _next_size(size: int, transactions: int) -> int:
    """How many blocks to ask for next: fewer where they are full, so that an answer fits the memory."""
    return max(1, size // 4) if transactions > _MANY_TRANSACTIONS else min(BLOCKS_AT_ONCE, 2 * size)


def decode(
    transaction: Transaction, names: Mapping[str, str], wanted: Collection[type[Event]] | None = None
) -> list[Event]:
    """The events of a transaction, or those ``wanted``. ``names`` are the contracts by address. Raises CannotAudit:
    other contracts'."""
    topics = None if wanted is None else _topics(frozenset(wanted))
    logs = [raw for raw in transaction.logs if topics is None or topics.intersection(raw["topics"][:1])]
    return [event for event in (decode_one(raw, names) for raw in logs) if event is not None]


def decode_one(raw: Mapping[str, Any], names: Mapping[str, str]) -> Event | None:
    """The event of a log, None where it is none of the contract's that it stands under. Raises CannotAudit."""
    try:
        event = decode_log(raw)
    except LogError as error:
        raise CannotAudit(
            "other-contracts", f"a log in {raw['transactionHash']} is none of the contracts': {error}",
            "The contracts are not those that this audit knows: ask who deployed them",
        ) from error  # fmt: skip
    return event if event is not None and names[raw["address"]] == event.log.contract else None


@cache
def _topics(wanted: frozenset[type[Event]]) -> frozenset[str]:
    return frozenset(topic for topic, (event, _, _) in event_layouts().items() if event in wanted)


def connect(url: str, deployment: Deployment) -> Node:
    """The node at a URL."""
    return Node(Rpc(url, timeout_s=60.0), deployment)


def contract_names(deployment: Deployment) -> dict[str, str]:
    """Contracts by their address, lower-case hex."""
    return {"0x" + address.hex(): name for name, address in deployment.addresses.items()}


def show(address: bytes) -> str:
    """An address as findings write it."""
    return address_text(Address(address))


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])
