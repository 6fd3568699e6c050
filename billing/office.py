"""What every desk of the collector works with, put together once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from sqlalchemy import Engine

from billing.accounts import Accounts
from billing.debt.books import DebtBooks
from billing.debt.cases import Cases
from billing.debt.penalty_rules import Rules, shipped_rules, town_rules
from billing.inbox import Inbox
from billing.run import Runs, RunStage, StoredBill
from billing.store import database_url, open_database
from billing.tariffs import Tariffs
from contracts.client.deployments import Deployment
from contracts.client.files import FileStore
from contracts.client.keyring import KeyRing
from contracts.client.reader import Reader
from contracts.client.rpc import NodeBehind, Rpc
from contracts.client.sender import Outcome, Sender, UnknownIntent
from contracts.client.signer import Signer
from contracts.wire.errors import ContractError
from contracts.wire.events import Event
from contracts.wire.ids import Address, BillKey, BillState, Hash
from contracts.wire.leaf import BillKind
from contracts.wire.merkle import Tree
from contracts.wire.structs import ProvenBill
from contracts.wire.typed_data import rouble_domain
from ledger.queries import Ledger

BILLER, RELAY, AGENT, WELFARE = "biller", "relay", "agent", "welfare"
TREES_KEPT = 8


class NoSuchBill(LookupError):
    """No active or proposed run of ours has such a bill."""

    def __init__(self, key: BillKey) -> None:
        super().__init__(f"no bill {key} was posted from here; check its number")
        self.key = key


@dataclass(slots=True)
class Office:
    """Books, files, ledger, chain and keys. One process holds one."""

    engine: Engine
    register: Accounts
    keyring: KeyRing
    files: FileStore
    tariffs: Tariffs
    runs: Runs
    inbox: Inbox
    ledger: Ledger
    reader: Reader
    senders: Mapping[str, Sender]
    read_rules: Callable[[], Rules] = shipped_rules
    """Calendars and rates as they are now: the data may have changed since the last look."""
    head_number: int = -1
    """The block that the collector's round began at."""
    waiting_senders: set[str] = field(default_factory=set)
    """Senders that were given something since the last round of sending."""
    _trees: dict[int, Tree] = field(default_factory=dict)
    _events: dict[int, list[Event]] = field(default_factory=dict)

    @classmethod
    def open(cls, home: Path, rpc: Rpc, deployment: Deployment, signers: Mapping[str, Signer]) -> Office:
        """The office of a running town on a node of its chain; signers are biller's, relay's, agent's and welfare's."""
        engine = open_database(database_url(home))
        # A sender reads before it writes, and the API writes to the inbox meanwhile: take the write lock at once.
        writes = engine.execution_options(writes=True)
        keyring = KeyRing(home / "keyring.db")
        files = FileStore(home / "billing" / "files")
        return cls(
            engine=engine,
            register=Accounts(engine, keyring),
            keyring=keyring,
            files=files,
            tariffs=Tariffs(engine, files),
            runs=Runs(engine, keyring),
            inbox=open_inbox(engine, deployment),
            ledger=Ledger.open(home),
            reader=Reader(rpc, deployment),
            senders={
                name: Sender(writes, rpc, deployment.chain_id, signers[name])
                for name in (BILLER, RELAY, AGENT, WELFARE)
            },
            read_rules=partial(town_rules, home),
        )

    def address_of(self, contract: str) -> Address:
        """Where a contract stands."""
        return self.reader.deployment.addresses[contract]

    # --- debts ---

    def debts(self) -> DebtBooks:
        """What accounts owe, by the rules as they are now. Raises RulesError."""
        return DebtBooks(self.engine, self.register, self.runs, self.ledger, self.read_rules())

    def cases(self) -> Cases:
        """Disputes and instalment agreements."""
        return Cases(self.engine, self.keyring)

    # --- bills ---

    def bill(self, key: BillKey) -> StoredBill:
        """A bill as it was posted. Raises NoSuchBill."""
        found = self.runs.bill(key)
        if found is None:
            raise NoSuchBill(key)
        return found

    def tree(self, run: int) -> Tree:
        """The tree of a run of ours, kept for the next who asks."""
        if run not in self._trees:
            if len(self._trees) >= TREES_KEPT:
                self._trees.pop(next(iter(self._trees)))
            self._trees[run] = self.runs.tree(run)
        return self._trees[run]

    def proven(self, key: BillKey) -> ProvenBill:
        """A bill with its proof. Raises NoSuchBill."""
        stored = self.bill(key)
        return ProvenBill(key.run, key.index, stored.blob, tuple(self.tree(stored.run).proof(key.index)))

    def why_closed(self, key: BillKey) -> str:
        """Why nothing could be paid on a bill, and what to do."""
        begin, state = (
            f"nothing was taken for bill {key}",
            self.reader.view("ChargeBook", "stateOf", key.run, key.index),
        )
        if state is BillState.PAID:
            return f"{begin}: it is paid already; there is nothing left to pay on it"
        if state is BillState.SUPERSEDED:
            new = self._successor(self.bill(key))
            return f"{begin}: bill {new} replaced it; pay bill {new}"
        return f"{begin}: what is open on it is for suppliers that can't be paid now; pay it when they are resumed"

    def _successor(self, old: StoredBill) -> BillKey | None:
        """The bill in force of the same account and period: a correction replaces a bill by one later one."""
        active = [
            key
            for key, stored, run in self.runs.of_account(old.account, old.period)
            if run.stage is RunStage.ACTIVE and stored.kind is BillKind.BILL
        ]
        return active[-1] if active else None

    # --- intents ---

    def refusal(self, sender: str, contract: str, data: bytes, block: str = "latest") -> ContractError | None:
        """Why a call would revert if it were sent now (or would have on the ``finalized`` state), or None."""
        try:
            self.reader.simulate(self.senders[sender].address, contract, data, block)
        except ContractError as error:
            return error
        return None

    def outcome(self, sender: str, intent: str) -> Outcome | None:
        """What became of an intent; None where it was not mined, or never submitted."""
        try:
            return self.senders[sender].outcome(intent)
        except UnknownIntent:
            return None

    def knows(self, sender: str, intent: str) -> bool:
        """Whether an intent was submitted."""
        try:
            self.senders[sender].outcome(intent)
        except UnknownIntent:
            return False
        return True

    def submit(self, sender: str, intent: str, contract: str, data: bytes) -> None:
        """Keeps a call to be sent, for good."""
        self.senders[sender].submit(intent, self.address_of(contract), data)
        self.waiting_senders.add(sender)

    def events_of(self, outcome: Outcome) -> Iterator[Event]:
        """What a mined transaction wrote."""
        if outcome.block_number not in self._events:
            self._events[outcome.block_number] = self.reader.events(outcome.block_number, outcome.block_number)
        yield from (e for e in self._events[outcome.block_number] if e.log.tx_hash == outcome.tx_hash)

    def look(self) -> int:
        """Begins a round at the latest block, whose time it gives; blocks are read anew, one may be another now.

        What a node refuses that is behind our books may be right a block later, and a refusal is for good: so with
        such a node no round begins. Raises NodeBehind.
        """
        head, read = self.reader.head(), self.ledger.head()
        known = max(self.head_number, read.number if read else 0)
        if head.number < known:
            raise NodeBehind(self.reader.rpc.url, head.number, known)
        if head.number != self.head_number:
            self.waiting_senders.update(self.senders)
        self.head_number = head.number
        self._events.clear()
        return head.timestamp


def open_inbox(engine: Engine, deployment: Deployment) -> Inbox:
    """The inbox of a town, for whoever puts requests in."""
    domain = rouble_domain(deployment.chain_id, deployment.addresses["Rouble"])
    return Inbox(engine, domain, deployment.addresses["Settlement"])


def transaction(outcome: Outcome) -> dict[str, object]:
    """How a result names the transaction behind it."""
    return {"tx": "0x" + outcome.tx_hash.hex(), "block": outcome.block_number}


def hex_of(value: Hash | bytes) -> str:
    """Bytes for people and for JSON."""
    return "0x" + value.hex()
