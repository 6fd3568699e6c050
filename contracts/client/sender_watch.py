"""What the chain did with a key: its transactions' receipts, reorganisations, finality, and nonces that others used.

One look asks a node several things, and it may answer them at different heights: a block is being made in between, or
another node behind the same address answers. So nothing is an alarm that a block still to come could explain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from contracts.client.deployments import WrongChain
from contracts.client.reader import revert_data
from contracts.client.rpc import NodeBehind, Rpc, RpcError
from contracts.client.sender_store import Pending, Result, Store
from contracts.wire.ids import Address, Hash, address_text

_log = structlog.get_logger()


class KeyUsedElsewhere(Exception):
    """A nonce of ours is taken by a transaction that this sender did not sign."""

    def __init__(self, address: Address, nonce: int) -> None:
        super().__init__(
            f"nonce {nonce} of {address_text(address)} was used by a transaction that is not in this sender's "
            "database: it was restored from a backup, or somebody else sends with this key. `kopeck sender list` says "
            "which; `kopeck sender mend` takes over what the chain has carried out, and goes on"
        )
        self.address = address
        self.nonce = nonce


class ChainWentBack(Exception):
    """The chain does not know what was final on it: an older copy of it, or another chain under the same number."""

    def __init__(self, address: Address, settled: int, found: int, block: int) -> None:
        super().__init__(
            f"nonce {settled} of {address_text(address)} was final at block {block}, but the chain, which is past that "
            f"block, knows {found} transactions of it; restore the chain, or start over with new databases"
        )
        self.address = address


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the node says."""

    head: int
    head_hash: str
    base_fee: int
    has_base_fee: bool  # False on a chain of rules before EIP-1559, which takes the older transactions only
    gas_limit: int
    finalized: int
    nonce: int  # transactions of this key in the latest block's state


class Watch:
    """Follows the transactions of one key, and keeps in its books what became of them."""

    def __init__(self, address: Address, rpc: Rpc, chain_id: int, store: Store) -> None:
        self._address = address
        self._rpc = rpc
        self._chain_id = chain_id
        self._store = store
        self._checked_head = ""

    def look(self) -> Look:
        """What the node says now. Raises NodeError, WrongChain."""
        account = "0x" + self._address.hex()
        chain_id, head, finalized, nonce = self._rpc.batch(
            [
                ("eth_chainId", []),
                ("eth_getBlockByNumber", ["latest", False]),
                ("eth_getBlockByNumber", ["finalized", False]),
                ("eth_getTransactionCount", [account, "latest"]),
            ]
        )
        if int(chain_id, 16) != self._chain_id:
            raise WrongChain(self._chain_id, int(chain_id, 16))
        return Look(
            head=int(head["number"], 16),
            head_hash=head["hash"],
            base_fee=int(head.get("baseFeePerGas") or "0x0", 16),
            has_base_fee="baseFeePerGas" in head,
            gas_limit=int(head["gasLimit"], 16),
            finalized=int(finalized["number"], 16) if finalized else 0,
            nonce=int(nonce, 16),
        )

    def follow(self, chain: Look) -> bool:
        """Settles what is final and takes back what a reorganisation dropped; True where it dropped anything.

        Raises NodeError, NodeBehind, ChainWentBack, AnotherSender.
        """
        if chain.head_hash == self._checked_head:
            return False
        self._check_settled(chain)
        is_dropped = self._follow_mined(chain)
        self._checked_head = chain.head_hash
        return is_dropped

    def collect(self, chain: Look) -> None:
        """Keeps the receipts of what was mined. Raises NodeError, KeyUsedElsewhere, AnotherSender."""
        passed = [row for row in self._store.pending() if row.nonce < chain.nonce]
        if passed:
            self._record(passed)
        if chain.nonce > self._store.next_nonce():
            raise KeyUsedElsewhere(self._address, self._store.next_nonce())

    def _check_settled(self, chain: Look) -> None:
        settled = self._store.last_settled()
        if settled is None:
            return
        nonce, block = settled
        if chain.head < block:
            raise NodeBehind(self._rpc.url, chain.head, block)
        if chain.nonce <= nonce:
            raise ChainWentBack(self._address, nonce, chain.nonce, block)

    def _follow_mined(self, chain: Look) -> bool:
        mined = self._store.mined()
        if not mined:
            return False
        numbers = sorted({row.block_number for row in mined})
        blocks = self._rpc.batch([("eth_getBlockByNumber", [hex(number), False]) for number in numbers])
        hashes = {n: block["hash"] if block else None for n, block in zip(numbers, blocks, strict=True)}
        kept = [row for row in mined if hashes[row.block_number] == "0x" + row.block_hash.hex()]
        dropped = [row.id for row in mined if hashes[row.block_number] != "0x" + row.block_hash.hex()]
        final = [row.id for row in kept if row.block_number <= chain.finalized]
        if final:
            self._store.settle(final)
        if dropped:
            _log.warning("sender.reorganisation", address=address_text(self._address), dropped=len(dropped))
            self._store.forget_results(dropped)
        return bool(dropped)

    def _record(self, passed: list[Pending]) -> None:
        receipts = self._receipts(passed)
        results = [self._result(row_id, receipt) for row_id, receipt in receipts.items()]
        if results:
            self._store.record(results)
        missing = [row for row in passed if row.id not in receipts]
        if missing:
            self._look_closer(missing)

    def _receipts(self, rows: Sequence[Pending]) -> dict[int, Mapping[str, Any]]:
        """The receipt of each intent that has one, whichever of its attempts was mined."""
        asked = [(row.id, name) for row in rows for name in row.hashes]
        found = self._rpc.batch([("eth_getTransactionReceipt", ["0x" + name.hex()]) for _, name in asked])
        return {
            row_id: receipt
            for (row_id, _), receipt in zip(asked, found, strict=True)
            if receipt is not None and receipt.get("blockHash")
        }

    def _look_closer(self, missing: Sequence[Pending]) -> None:
        """Raises KeyUsedElsewhere where one of these nonces was used by a transaction of other bytes, beyond doubt.

        That the latest state counts a nonce is no proof: a node shows that state before the block that made it, and
        another node behind the same address may be a block behind. Proof is that the state below a block counts it, or
        that the block holds it with other bytes, while a node which has that block has no receipt of ours.
        """
        block = self._rpc.call("eth_getBlockByNumber", "latest", True)
        below = hex(max(int(block["number"], 16) - 1, 0))
        asked = [(row, name) for row in missing for name in row.hashes]
        here = ("eth_getBlockByNumber", [block["number"], False])
        first, counted, *receipts, last = self._rpc.batch_each(
            [
                here,
                ("eth_getTransactionCount", ["0x" + self._address.hex(), below]),
                *(("eth_getTransactionReceipt", ["0x" + name.hex()]) for _, name in asked),
                here,
            ]
        )
        if not all(isinstance(seen, dict) and seen["hash"] == block["hash"] for seen in (first, last)):
            return
        settled = 0 if isinstance(counted, RpcError) else int(counted, 16)
        used = self._used_in(block)
        answered = {row.id for (row, _), receipt in zip(asked, receipts, strict=True) if receipt is not None}
        for row in missing:
            in_block = used.get(row.nonce)
            is_foreign = in_block is not None and in_block not in row.hashes
            if row.id not in answered and (row.nonce < settled or is_foreign):
                raise KeyUsedElsewhere(self._address, row.nonce)
        _log.info("sender.receipt_awaited", address=address_text(self._address), nonce=missing[0].nonce)

    def _used_in(self, block: Mapping[str, Any]) -> dict[int, Hash]:
        """The key's nonces that a block uses, and by which transaction."""
        return {
            int(tx["nonce"], 16): Hash(bytes.fromhex(tx["hash"][2:]))
            for tx in block["transactions"]
            if int(tx["from"], 16) == int.from_bytes(self._address, "big")
        }

    def _result(self, row_id: int, receipt: Mapping[str, Any]) -> Result:
        success = receipt["status"] == "0x1"
        number = int(receipt["blockNumber"], 16)
        return Result(
            row_id,
            Hash(bytes.fromhex(receipt["transactionHash"][2:])),
            number,
            Hash(bytes.fromhex(receipt["blockHash"][2:])),
            success,
            None if success else self._revert_reason(row_id, receipt, number),
        )

    def _revert_reason(self, row_id: int, receipt: Mapping[str, Any], number: int) -> bytes:
        """Why it reverted: the call tried again on its block's state, then on the state before it.

        Receipts don't say it. In between, the same block may have moved things, so the reason is told, not proved.
        """
        to, data = self._store.content(row_id)
        call = {"from": receipt["from"], "to": "0x" + (to or b"").hex(), "data": "0x" + data.hex()}
        if to is None:
            del call["to"]
        for height in (number, number - 1):
            try:
                self._rpc.call("eth_call", call, hex(height))
            except RpcError as error:
                found = revert_data(error)
                if found:
                    return found
        return b""
