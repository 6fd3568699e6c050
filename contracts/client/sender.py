"""Sending with one key: each intent carried out once, whatever stops or lies in between.

The order of things is the safety: the intent is durable before anything is signed; nonce and signed bytes are
durable, in one transaction, before anything is sent; and only finality ends the watch. So a process may die at any
point and the next one goes on: it asks for receipts first, and sends the same bytes again where there are none.
A nonce is used by one transaction on the chain, which is why nothing is carried out twice.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Engine

from contracts.client.deployments import WrongChain
from contracts.client.reader import revert_data
from contracts.client.rpc import NodeBehind, NodeUnreachable, Rpc, RpcError
from contracts.client.sender_store import (
    AnotherSender,
    Attempt,
    IntentConflict,
    Pending,
    Queued,
    Result,
    Store,
)
from contracts.client.signer import LocalSigner, Signer, SignerAway
from contracts.client.transactions import Transaction
from contracts.wire.errors import ContractError, decode_revert
from contracts.wire.ids import Address, Hash, address_text

__all__ = [
    "AnotherSender",
    "ChainWentBack",
    "IntentConflict",
    "KeyUsedElsewhere",
    "NotMinedYet",
    "Outcome",
    "Sender",
    "TransactionRefused",
    "UnknownIntent",
]

_IN_FLIGHT = 2000
_RESEND_BLOCKS = 3
_STUCK_BLOCKS = 8
_GAS_MARGIN = 40_000
_GAS_UNKNOWN = 12_000_000  # where an estimate fails, e.g. since an earlier intent is not mined yet
_TIP_MAX_WEI = 10**9
_POLL_S = 0.05
# Of these the watch or a replacement takes care: the node has it, its nonce is used, or the base fee rose past it.
_HARMLESS = (
    "already known",
    "already imported",
    "known transaction",
    "already exists",
    "nonce too low",
    "underpriced",
    "less than block base fee",
)

_log = structlog.get_logger()


def _least_gas(row: Queued) -> int:
    """What any node asks for such a transaction: with less it would be taken and never mined."""
    return 21_000 + 40 * len(row.data) + (34_000 + len(row.data) if row.to is None else 0)


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


class TransactionRefused(Exception):
    """The node takes no such transaction; it stays signed and is sent again."""

    def __init__(self, intent: str, reason: str) -> None:
        super().__init__(f"the node refuses intent {intent!r}: {reason}; mend the cause, it is sent again by itself")
        self.intent = intent
        self.reason = reason


class NotMinedYet(TimeoutError):
    """An intent was not mined in the time given; it is still being sent."""

    def __init__(self, intent: str, timeout_s: float) -> None:
        super().__init__(f"intent {intent!r} is not mined after {timeout_s:g} s; it goes on being sent")
        self.intent = intent


class UnknownIntent(LookupError):
    """Nobody submitted such an intent."""

    def __init__(self, intent: str) -> None:
        super().__init__(f"no intent {intent!r} was submitted to this sender")


@dataclass(frozen=True, slots=True)
class Outcome:
    """An intent was mined. Before ``final`` a reorganisation may still take it back, and it is mined again."""

    tx_hash: Hash
    block_number: int
    success: bool
    error: ContractError | None
    final: bool = False


@dataclass(frozen=True, slots=True)
class _Chain:
    """What one look at the node says."""

    head: int
    head_hash: str
    base_fee: int
    has_base_fee: bool  # False on a chain of rules before EIP-1559, which takes the older transactions only
    gas_limit: int
    finalized: int
    nonce: int  # transactions of this key in the latest block's state


class Sender:
    """Signs and sends with one key: a private key of 32 bytes, or whoever signs for it.

    One process a key: a second one is detected.
    """

    def __init__(self, engine: Engine, rpc: Rpc, chain_id: int, key: bytes | Signer) -> None:
        self._signer = LocalSigner(key) if isinstance(key, bytes) else key
        self.address: Address = self._signer.address
        self._rpc = rpc
        self._chain_id = chain_id
        self._store = Store(engine, self.address, secrets.token_hex(16))
        self._claimed = False
        self._sent: dict[Hash, int] = {}  # block at which each attempt was last handed to the node
        self._first_sent: dict[Hash, int] = {}
        self._checked_head = ""
        self._advancing = threading.Lock()

    # --- intents ---

    def submit(self, intent: str, to: Address | None, data: bytes, gas: int | None = None) -> None:
        """Keeps what is to be done, for good. The same intent again changes nothing. Raises IntentConflict.

        ``to`` None creates a contract; ``gas`` None has the node estimate.
        """
        self._store.submit([(intent, to, data, gas)])

    def submit_many(self, intents: Sequence[tuple[str, Address | None, bytes, int | None]]) -> None:
        """As ``submit``, for (intent, to, data, gas) each, in one transaction."""
        self._store.submit(intents)

    def outcome(self, intent: str) -> Outcome | None:
        """What became of an intent; None while it is not mined. Raises UnknownIntent."""
        row = self._store.row(intent)
        if row is None:
            raise UnknownIntent(intent)
        if row.block_number is None:
            return None
        error = None if row.success else decode_revert(bytes(row.error or b""))
        return Outcome(Hash(bytes(row.tx_hash)), row.block_number, row.success, error, row.settled)

    def wait(self, intent: str, timeout_s: float = 30, check: bool = False) -> Outcome:
        """Drives ``advance`` until the intent is mined; a silent node is asked again until the time is up.

        Raises NotMinedYet, NodeUnreachable, NodeBehind, SignerAway, UnknownIntent; with ``check`` the ContractError of
        a revert.
        """
        end = time.monotonic() + timeout_s
        while True:
            outcome = self.outcome(intent)
            if outcome is not None:
                if check and outcome.error is not None:
                    raise outcome.error
                return outcome
            try:
                self.advance()
            except (NodeUnreachable, NodeBehind, SignerAway):
                if time.monotonic() >= end:
                    raise
            if time.monotonic() >= end:
                raise NotMinedYet(intent, timeout_s)
            if self.outcome(intent) is None:
                time.sleep(_POLL_S)

    # --- the loop ---

    def advance(self) -> None:
        """One round: look, watch, sign, send, replace. Safe to call again whatever it raised.

        Raises NodeUnreachable, NodeBehind, SignerAway, SignerRefused, WrongChain, ChainWentBack, KeyUsedElsewhere,
        AnotherSender, TransactionRefused. While the signer is away what it signed before is still sent.
        """
        with self._advancing:
            chain = self._look()
            if not self._claimed:
                self._claim()
            self._watch(chain)
            try:
                self._sign(chain)
            except SignerAway:
                self._send(chain)
                raise
            self._send(chain)

    def _look(self) -> _Chain:
        account = "0x" + self.address.hex()
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
        return _Chain(
            head=int(head["number"], 16),
            head_hash=head["hash"],
            base_fee=int(head.get("baseFeePerGas") or "0x0", 16),
            has_base_fee="baseFeePerGas" in head,
            gas_limit=int(head["gasLimit"], 16),
            finalized=int(finalized["number"], 16) if finalized else 0,
            nonce=int(nonce, 16),
        )

    def _claim(self) -> None:
        """Takes the key for this process; a key new to this database starts after what is in the node's pool."""
        on_chain = int(self._rpc.call("eth_getTransactionCount", "0x" + self.address.hex(), "pending"), 16)
        first_chain = self._store.take_key(self._chain_id, on_chain)
        if first_chain != self._chain_id:
            raise WrongChain(first_chain, self._chain_id)
        self._claimed = True

    # --- watch ---

    def _watch(self, chain: _Chain) -> None:
        """Takes back what a reorganisation dropped, settles what is final, and asks for new receipts."""
        if chain.head_hash != self._checked_head:
            self._check_settled(chain)
            self._follow_mined(chain)
            self._checked_head = chain.head_hash
        passed = [row for row in self._store.pending() if row.nonce < chain.nonce]
        if passed:
            self._record(passed)
        if chain.nonce > self._store.next_nonce():
            raise KeyUsedElsewhere(self.address, self._store.next_nonce())

    def _check_settled(self, chain: _Chain) -> None:
        settled = self._store.last_settled()
        if settled is None:
            return
        nonce, block = settled
        if chain.head < block:
            raise NodeBehind(self._rpc.url, chain.head, block)
        if chain.nonce <= nonce:
            raise ChainWentBack(self.address, nonce, chain.nonce, block)

    def _follow_mined(self, chain: _Chain) -> None:
        mined = self._store.mined()
        if not mined:
            return
        numbers = sorted({row.block_number for row in mined})
        blocks = self._rpc.batch([("eth_getBlockByNumber", [hex(number), False]) for number in numbers])
        hashes = {n: block["hash"] if block else None for n, block in zip(numbers, blocks, strict=True)}
        kept = [row for row in mined if hashes[row.block_number] == "0x" + row.block_hash.hex()]
        dropped = [row.id for row in mined if hashes[row.block_number] != "0x" + row.block_hash.hex()]
        if dropped:
            _log.warning("sender.reorganisation", address=address_text(self.address), dropped=len(dropped))
            self._store.forget_results(dropped)
            self._sent.clear()
        final = [row.id for row in kept if row.block_number <= chain.finalized]
        if final:
            self._store.settle(final)

    def _record(self, passed: list[Pending]) -> None:
        receipts = self._receipts(passed)
        missing = [row for row in passed if row.id not in receipts]
        if missing and self._still_passed(missing):
            raise KeyUsedElsewhere(self.address, missing[0].nonce)
        results = [self._result(row_id, receipt) for row_id, receipt in receipts.items()]
        if results:
            self._store.record(results)

    def _receipts(self, rows: Sequence[Pending]) -> dict[int, Mapping[str, Any]]:
        """The receipt of each intent that has one, whichever of its attempts was mined."""
        asked = [(row.id, name) for row in rows for name in row.hashes]
        found = self._rpc.batch([("eth_getTransactionReceipt", ["0x" + name.hex()]) for _, name in asked])
        return {
            row_id: receipt
            for (row_id, _), receipt in zip(asked, found, strict=True)
            if receipt is not None and receipt.get("blockHash")
        }

    def _still_passed(self, missing: list[Pending]) -> bool:
        """Whether the nonces are used and still without a receipt of ours, on a second look."""
        nonce = self._look().nonce
        passed = [row for row in missing if row.nonce < nonce]
        return bool(passed) and len(self._receipts(passed)) < len(passed)

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

    # --- sign ---

    def _sign(self, chain: _Chain) -> None:
        """Gives waiting intents their nonces and signs them; all of it is durable before anything is sent."""
        room = _IN_FLIGHT - len(self._store.pending())
        queued = self._store.queued(room) if room > 0 else []
        if not queued:
            return
        gas = self._gas(queued, chain)
        tip = min(chain.base_fee, _TIP_MAX_WEI)
        first = self._store.next_nonce()
        signed = []
        for nonce, (row, limit) in enumerate(zip(queued, gas, strict=True), start=first):
            max_fee = 2 * chain.base_fee + tip
            tx = Transaction(
                self._chain_id, nonce, row.to, row.data, limit, max_fee, tip, is_legacy=not chain.has_base_fee
            )
            signed.append((nonce, self._attempt(row.id, tx)))
        self._store.assign(signed, first + len(signed))

    def _gas(self, queued: list[Queued], chain: _Chain) -> list[int]:
        """A gas limit for each: as asked, or estimated with a margin for what others change in between."""
        asked = [row for row in queued if row.gas is None]
        calls = []
        for row in asked:
            call = {"from": "0x" + self.address.hex(), "data": "0x" + row.data.hex()}
            if row.to is not None:
                call["to"] = "0x" + row.to.hex()
            calls.append(("eth_estimateGas", [call]))
        estimates = dict(zip((row.id for row in asked), self._rpc.batch_each(calls), strict=True))
        out = []
        for row in queued:
            limit = row.gas
            if limit is None:
                found = estimates[row.id]
                limit = _GAS_UNKNOWN if isinstance(found, RpcError) else int(found, 16) * 5 // 4 + _GAS_MARGIN
            out.append(min(max(limit, _least_gas(row)), chain.gas_limit))
        return out

    def _attempt(self, row_id: int, tx: Transaction) -> Attempt:
        raw, tx_hash = tx.sign(self._signer)
        return Attempt(row_id, tx_hash, raw, tx.gas, tx.max_fee, tx.priority_fee)

    # --- send ---

    def _send(self, chain: _Chain) -> None:
        """Hands the node what it may not have: new attempts, and old ones again every few blocks."""
        pending = self._store.pending()
        self._replace(pending, chain)
        due = [
            (row.intent, row.hashes[-1])
            for row in self._store.pending()
            if chain.head - self._sent.get(row.hashes[-1], -_RESEND_BLOCKS) >= _RESEND_BLOCKS
        ]
        if not due:
            return
        attempts = self._store.attempts([name for _, name in due])
        answers = self._rpc.batch_each([("eth_sendRawTransaction", ["0x" + a.raw.hex()]) for a in attempts])
        refused: TransactionRefused | None = None
        for (intent, name), answer in zip(due, answers, strict=True):
            self._sent[name] = chain.head
            self._first_sent.setdefault(name, chain.head)
            if isinstance(answer, RpcError) and not any(word in answer.message.lower() for word in _HARMLESS):
                refused = refused or TransactionRefused(intent, answer.message)
        if refused is not None:
            raise refused

    def _replace(self, pending: list[Pending], chain: _Chain) -> None:
        """Signs again, with the same nonce and higher fees, what has waited too long for a block."""
        stuck = [
            row for row in pending if chain.head - self._first_sent.get(row.hashes[-1], chain.head) >= _STUCK_BLOCKS
        ]
        if not stuck:
            return
        made = []
        for row, old in zip(stuck, self._store.attempts([row.hashes[-1] for row in stuck]), strict=True):
            # Without a fee problem only the first in line can be what holds up the rest.
            if old.max_fee >= chain.base_fee and row.nonce != chain.nonce:
                continue
            tip = max(old.priority_fee * 9 // 8 + 1, min(chain.base_fee, _TIP_MAX_WEI))
            max_fee = max(old.max_fee * 9 // 8 + 1, 2 * chain.base_fee + tip)
            to, data = self._store.content(row.id)
            tx = Transaction(
                self._chain_id, row.nonce, to, data, old.gas, max_fee, tip, is_legacy=not chain.has_base_fee
            )
            made.append(self._attempt(row.id, tx))
        affordable = self._affordable(made)
        if len(affordable) < len(made) and chain.base_fee:
            _log.error("sender.cannot_pay_fees", address=address_text(self.address), base_fee_wei=chain.base_fee)
        if affordable:
            _log.warning("sender.replacing", address=address_text(self.address), count=len(affordable))
            self._store.add_attempts(affordable)

    def _affordable(self, attempts: list[Attempt]) -> list[Attempt]:
        """Those whose fees the account can pay; on a chain with free gas it holds nothing and none is replaced."""
        if not attempts:
            return []
        left = int(self._rpc.call("eth_getBalance", "0x" + self.address.hex(), "latest"), 16)
        out = []
        for attempt in attempts:
            left -= attempt.gas * attempt.max_fee
            if left < 0:
                break
            out.append(attempt)
        return out
