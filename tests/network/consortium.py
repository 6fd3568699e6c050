"""A network with the contracts on it, a writer that mints, and a ledger that reads from the observer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event, Lock, Thread

from sqlalchemy import Engine, create_engine

from contracts.client.deployments import Deployment
from contracts.client.files import FileStore
from contracts.client.keyring import KeyRing
from contracts.client.reader import Reader
from contracts.client.rpc import NodeError
from contracts.client.sender import Sender
from contracts.wire.calls import encode_mint
from contracts.wire.ids import Address, Hash
from contracts.wire.keccak import keccak
from ledger.follow import Follower
from ledger.fsck import Report, check_against_chain, rebuild
from ledger.store import open_database
from scripts.deploy import Settings, deploy
from scripts.home import Home
from scripts.network.members import OBSERVER, VALIDATORS
from scripts.network.network import Network
from scripts.town.running import deploy_keys

PAYEE = Address(b"\x77" * 20)


@dataclass
class Consortium:
    """What the tests act on. ``minted`` are the intents so far, each of as many kopecks as its number."""

    home: Home
    network: Network
    deployment: Deployment
    bank: Sender
    ledger: Engine
    follower: Follower
    following: Lock = field(default_factory=Lock)
    minted: list[str] = field(default_factory=list)

    def reader(self, name: str) -> Reader:
        """The chain as one node tells it."""
        return Reader(self.network.rpc(name), self.deployment)

    def mint(self, count: int) -> list[str]:
        """Asks the bank for so many deposits; they are sent by ``bank.advance``."""
        made = []
        for _ in range(count):
            number = len(self.minted) + 1
            intent = f"deposit {number}"
            data = encode_mint(PAYEE, number, Hash(keccak(intent.encode())))
            self.bank.submit(intent, self.deployment.addresses["Rouble"], data)
            self.minted.append(intent)
            made.append(intent)
        return made

    @property
    def wanted_kopecks(self) -> int:
        """What the payee holds once every deposit was carried out exactly once."""
        return sum(range(1, len(self.minted) + 1))

    def balance(self, name: str) -> int:
        """What one node says the payee holds."""
        return int(self.reader(name).view("Rouble", "balanceOf", PAYEE))

    def is_settled(self) -> bool:
        """Whether the bank's deposits are final; sends what is not."""
        self.bank.advance()
        outcomes = [self.bank.outcome(intent) for intent in self.minted]
        return all(outcome is not None and outcome.final and outcome.success for outcome in outcomes)

    def settle(self, timeout_s: float = 90) -> None:
        """Waits until every deposit is final."""
        self.network.until(self.is_settled, "the deposits are final", timeout_s)

    def agree(self, timeout_s: float = 90) -> None:
        """Waits until every node runs, follows and has the same chain."""
        self.network.until(lambda: not self.network.status().faults, "the network is well", timeout_s)

    def catch_up(self) -> None:
        """Reads what is new into the ledger. One at a time: a ledger has one writer. Raises NodeError."""
        with self.following:
            self.follower.catch_up()

    def highest(self, *names: str) -> int:
        """The height of the furthest of these nodes. Where blocks stop coming, the last one may have reached some of
        them alone, and the others ask for it once there is a next."""
        return max(map(self.network.head, names))

    def all_paid(self, timeout_s: float = 30) -> None:
        """Waits until every node says that each deposit was carried out once; one that is well may be a block late."""
        for name in (*VALIDATORS, OBSERVER):
            self.network.until(partial(self._is_paid, name), f"{name} has every deposit", timeout_s)

    def _is_paid(self, name: str) -> bool:
        return self.balance(name) == self.wanted_kopecks

    def fsck(self) -> tuple[Report, list[str]]:
        """The ledger that followed the observer all along, against a fresh rebuild and the chain."""
        reader = self.reader(OBSERVER)
        self.catch_up()
        folder = self.home.folder("fsck")
        files = FileStore(folder / "files")
        report = rebuild(self.ledger, reader, self.deployment.first_block, files, KeyRing(folder / "keyring.db"))
        return report, list(check_against_chain(self.ledger, reader))


@contextmanager
def consortium(folder: Path) -> Iterator[Consortium]:
    """Raised, deployed to through the first validator, and followed from the observer by a thread of its own."""
    home = Home(folder)
    network = Network(home)
    over = Event()
    try:
        network.up()
        node = network.rpc(VALIDATORS[0])
        deployment = deploy(node.url, deploy_keys(home), Settings())
        engine = create_engine(f"sqlite:///{folder / 'bank.db'}")
        bank = Sender(engine, node, deployment.chain_id, home.key("bank"))
        ledger = open_database(f"sqlite:///{folder / 'ledger.db'}")
        follower = Follower(ledger, Reader(network.rpc(OBSERVER), deployment), deployment.first_block)
        made = Consortium(home, network, deployment, bank, ledger, follower)

        def follow() -> None:
            while not over.wait(0.3):
                with suppress(NodeError):  # its node is killed too
                    made.catch_up()

        thread = Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield made
        finally:
            over.set()
            thread.join()
    finally:
        network.down()
