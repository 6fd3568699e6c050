"""The town's hands on the chain: each party signs with its own key, many transactions to a block."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.client.deployments import Deployment
from contracts.client.rpc import Rpc
from contracts.client.signer import LocalSigner
from contracts.client.transactions import Transaction
from contracts.wire.ids import Address
from contracts.wire.typed_data import address_of
from scripts.bench.chain import own_chain, paced
from scripts.deploy import HOLDERS, OWNERS, Settings, deploy

PARTIES = ("deployer", "relay", *OWNERS, *sorted({name for names in HOLDERS.values() for name in names}))
_PACE_S = 0.02
_TIMEOUT_S = 300.0
_CALLS_AT_ONCE = 200
_FINAL = 14
"""Blocks that make all before them final."""


class Refused(AssertionError):
    """A transaction of the generated town failed, or was never mined."""


def key_of(name: str) -> bytes:
    """A private key drawn from a name: nobody's but this town's."""
    return hashlib.sha256(b"kopeck bench " + name.encode()).digest()


class Hands:
    """Queues signed transactions and mines them; ``flush`` waits until all of them are in and asserts their success."""

    def __init__(self, rpc: Rpc, deployment: Deployment) -> None:
        self.rpc = rpc
        self.deployment = deployment
        self._nonces: defaultdict[str, int] = defaultdict(int)
        self._raw: list[tuple[str, bytes]] = []

    def address(self, party: str) -> Address:
        """A party's account."""
        return address_of(key_of(party))

    def queue(self, party: str, contract: str, data: bytes, gas: int) -> None:
        """One more transaction; those of a party are mined in the order in which they came."""
        nonce, self._nonces[party] = self._nonces[party], self._nonces[party] + 1
        to = self.deployment.addresses[contract]
        raw, name = Transaction(self.deployment.chain_id, nonce, to, data, gas).sign(LocalSigner(key_of(party)))
        self._raw.append(("0x" + name.hex(), raw))

    def send(self, party: str, contract: str, data: bytes, gas: int = 3_000_000) -> None:
        """One transaction, mined at once."""
        self.queue(party, contract, data, gas)
        self.flush()

    def flush(self) -> None:
        """Sends and mines what is queued. Raises Refused."""
        raw, self._raw = self._raw, []
        for start in range(0, len(raw), _CALLS_AT_ONCE):
            part = raw[start : start + _CALLS_AT_ONCE]
            self.rpc.batch([("eth_sendRawTransaction", ["0x" + data.hex()]) for _, data in part])
            self._mine([name for name, _ in part])

    def wait_until(self, timestamp: int) -> None:
        """The next block's time, seconds UTC."""
        self.rpc.call("evm_setNextBlockTimestamp", hex(timestamp))

    def finalise(self) -> None:
        """Mines until all there is now is final."""
        self.rpc.call("anvil_mine", hex(_FINAL))

    def _mine(self, names: list[str]) -> None:
        waiting = names
        for _ in range(len(names) + 1):
            self.rpc.call("evm_mine")
            receipts = self.rpc.batch([("eth_getTransactionReceipt", [name]) for name in waiting])
            failed = next((name for name, r in zip(waiting, receipts, strict=True) if r and r["status"] != "0x1"), None)
            if failed is not None:
                raise Refused(f"transaction {failed} reverted")
            waiting = [name for name, receipt in zip(waiting, receipts, strict=True) if receipt is None]
            if not waiting:
                return
        raise Refused(f"{len(waiting)} transactions are not mined, first {waiting[0]}")


@contextmanager
def new_chain(folder: Path) -> Iterator[Hands]:
    """A chain of its own with everything deployed; it ends with the context."""
    with own_chain(folder) as url:
        with paced(url, _PACE_S):
            deployment = deploy(url, {name: key_of(name) for name in PARTIES}, Settings(activation_delay_s=0))
        yield Hands(Rpc(url, timeout_s=_TIMEOUT_S), deployment)
