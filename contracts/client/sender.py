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
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Engine

from contracts.client.deployments import WrongChain
from contracts.client.rpc import NodeBehind, NodeUnreachable, Rpc, RpcError
from contracts.client.sender_store import (
    AnotherSender,
    Attempt,
    IntentConflict,
    Pending,
    Queued,
    Store,
)
from contracts.client.sender_watch import ChainWentBack, KeyUsedElsewhere, Look, Watch
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
        self._watch = Watch(self.address, rpc, chain_id, self._store)
        self._claimed = False
        self._sent: dict[Hash, int] = {}  # block at which each attempt was last handed to the node
        self._first_sent: dict[Hash, int] = {}
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
            chain = self._watch.look()
            if not self._claimed:
                self._claim()
            if self._watch.follow(chain):
                self._sent.clear()
            self._watch.collect(chain)
            try:
                self._sign(chain)
            except SignerAway:
                self._send(chain)
                raise
            self._send(chain)

    def _claim(self) -> None:
        """Takes the key for this process; a key new to this database starts after what is in the node's pool."""
        on_chain = int(self._rpc.call("eth_getTransactionCount", "0x" + self.address.hex(), "pending"), 16)
        first_chain = self._store.take_key(self._chain_id, on_chain)
        if first_chain != self._chain_id:
            raise WrongChain(first_chain, self._chain_id)
        self._claimed = True

    # --- sign ---

    def _sign(self, chain: Look) -> None:
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

    def _gas(self, queued: list[Queued], chain: Look) -> list[int]:
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

    def _send(self, chain: Look) -> None:
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

    def _replace(self, pending: list[Pending], chain: Look) -> None:
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
