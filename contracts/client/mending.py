"""A sender whose database the chain went past: what its key did on the chain is found there and put into the books.

So it is after a database was restored from a backup: the key goes on from where the chain is, what the chain has
already carried out is not carried out again, and what it has not is. Nobody's signature is needed. Each transaction
is matched by what it does (receiver and data), since its bytes were signed after the backup was taken.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from contracts.client.deployments import WrongChain
from contracts.client.rpc import NodeBehind, Rpc
from contracts.client.sender_store import Adopted, Store
from contracts.wire.ids import Address, Hash, address_text

_BLOCKS_AT_ONCE = 200


class NotFinalYet(Exception):
    """The key has transactions on the chain or in the node's pool that may still go another way."""

    def __init__(self, address: Address, final: int, pending: int) -> None:
        super().__init__(
            f"{pending - final} transactions of {address_text(address)} are not final yet; stop whoever sends with "
            "this key, wait until they are, and do the same again"
        )
        self.address = address


class NotInTheBlocks(Exception):
    """The node counts transactions of a key that its blocks do not show."""

    def __init__(self, address: Address, missing: int) -> None:
        super().__init__(
            f"the node counts {missing} more transactions of {address_text(address)} than its blocks hold; it does "
            "not keep all blocks (or is not honest): point to a full node"
        )
        self.address = address


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a key's books and the chain are: nonces used by the books, by final blocks, and with the node's pool."""

    address: Address
    books: int
    final: int
    pending: int

    @property
    def unknown(self) -> int:
        """Transactions of the key that the books do not have. 0 where books and chain are in step."""
        return max(0, self.pending - self.books)


@dataclass(frozen=True, slots=True)
class Found:
    """A final transaction of a key, as the chain has it."""

    nonce: int
    tx_hash: Hash
    to: Address | None
    data: bytes
    block_number: int
    block_hash: Hash
    success: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What mending would do: intents that the chain has carried out, those that start again, and transactions that
    no intent of the books asked for."""

    adopted: tuple[tuple[str, Found], ...]
    restarted: tuple[str, ...]
    strangers: tuple[Found, ...]


class Mender:
    """Mends the books of one key. The process that sends with the key is stopped; one that is not stops by itself."""

    def __init__(self, engine: Engine, rpc: Rpc, chain_id: int, address: Address) -> None:
        self.address = address
        self._rpc = rpc
        self._chain_id = chain_id
        self._store = Store(engine, address, secrets.token_hex(16))

    def standing(self) -> Standing | None:
        """How far books and chain are; None for a key that this database never sent with. Changes nothing.

        Raises WrongChain, NodeError.
        """
        books = self._store.peek_nonce()
        if books is None:
            return None
        final, pending = self._counts()
        return Standing(self.address, books, final, pending)

    def plan(self) -> Plan:
        """What ``mend`` would do. Changes nothing. Raises NotFinalYet, NotInTheBlocks, WrongChain, NodeError."""
        final, pending = self._counts()
        if pending > final:
            raise NotFinalYet(self.address, final, pending)
        lost = [row for row in self._store.pending() if row.nonce < final]
        ours = {row.nonce for row in lost} | set(range(self._store.peek_nonce() or 0, final))
        found = self._find(ours)
        waiting: dict[tuple[bytes | None, bytes], list[str]] = defaultdict(list)
        for row in lost:
            waiting[self._store.content(row.id)].append(row.intent)
        for queued in self._store.queued(None):
            waiting[queued.to, queued.data].append(queued.intent)
        adopted, strangers = [], []
        for tx in found:
            asked = waiting[tx.to, tx.data]
            if asked:
                adopted.append((asked.pop(0), tx))
            else:
                strangers.append(tx)
        carried_out = {intent for intent, _ in adopted}
        restarted = tuple(row.intent for row in lost if row.intent not in carried_out)
        return Plan(tuple(adopted), restarted, tuple(strangers))

    def mend(self, plan: Plan) -> None:
        """Puts a plan into the books, in one transaction. Raises AnotherSender, NotFinalYet, WrongChain, NodeError."""
        final, pending = self._counts()
        if pending > final:
            raise NotFinalYet(self.address, final, pending)
        self._store.take_key(self._chain_id, final)
        done = [_adopted(intent, tx) for intent, tx in plan.adopted]
        done += [_adopted(f"stranger:{tx.nonce}", tx) for tx in plan.strangers]
        self._store.adopt(done, plan.restarted, final)

    # --- the chain ---

    def _counts(self) -> tuple[int, int]:
        account = "0x" + self.address.hex()
        chain_id, final, pending = self._rpc.batch(
            [
                ("eth_chainId", []),
                ("eth_getTransactionCount", [account, "finalized"]),
                ("eth_getTransactionCount", [account, "pending"]),
            ]
        )
        if int(chain_id, 16) != self._chain_id:
            raise WrongChain(self._chain_id, int(chain_id, 16))
        return int(final, 16), int(pending, 16)

    def _find(self, nonces: set[int]) -> list[Found]:
        """The key's transactions of these nonces, in their order."""
        if not nonces:
            return []
        settled = self._store.last_settled()
        seen: dict[int, dict[str, Any]] = {}
        for block in self._final_blocks(settled[1] if settled else 0):
            for tx in block["transactions"]:
                if int(tx["from"], 16) == int.from_bytes(self.address, "big") and int(tx["nonce"], 16) in nonces:
                    seen[int(tx["nonce"], 16)] = tx
            if len(seen) == len(nonces):
                break
        if len(seen) < len(nonces):
            raise NotInTheBlocks(self.address, len(nonces) - len(seen))
        in_order = [seen[nonce] for nonce in sorted(seen)]
        receipts = self._rpc.batch([("eth_getTransactionReceipt", [tx["hash"]]) for tx in in_order])
        return [_found(tx, receipt) for tx, receipt in zip(in_order, receipts, strict=True)]

    def _final_blocks(self, first: int) -> Iterator[dict[str, Any]]:
        head = self._rpc.call("eth_getBlockByNumber", "finalized", False)
        last = int(head["number"], 16) if head else 0
        for start in range(first, last + 1, _BLOCKS_AT_ONCE):
            numbers = range(start, min(start + _BLOCKS_AT_ONCE, last + 1))
            for block in self._rpc.batch([("eth_getBlockByNumber", [hex(number), True]) for number in numbers]):
                if block is None:
                    raise NodeBehind(self._rpc.url, start, last)
                yield block


def _found(tx: dict[str, Any], receipt: dict[str, Any]) -> Found:
    return Found(
        int(tx["nonce"], 16),
        Hash(bytes.fromhex(tx["hash"][2:])),
        None if tx["to"] is None else Address(bytes.fromhex(tx["to"][2:])),
        bytes.fromhex(tx["input"][2:]),
        int(receipt["blockNumber"], 16),
        Hash(bytes.fromhex(receipt["blockHash"][2:])),
        receipt["status"] == "0x1",
    )


def _adopted(intent: str, tx: Found) -> Adopted:
    return Adopted(intent, tx.nonce, tx.tx_hash, tx.to, tx.data, tx.block_number, tx.block_hash, tx.success)
