"""The senders of a town: whose key sends from which database, and how to mend one that the chain went past."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Engine, create_engine

import billing.store
import ledger.store
import oracle.main
import oracle.schema
from billing.office import AGENT, BILLER, RELAY, WELFARE
from contracts.client import abi
from contracts.client.deployments import Deployment
from contracts.client.mending import Found, Mender, Plan, Standing
from contracts.client.rpc import Rpc
from contracts.client.signer import NoKey
from scripts.home import Home

_OF_BILLING = (BILLER, RELAY, AGENT, WELFARE)
SERVICES = ("oracle", "holder-ledger", "holder-archive", *_OF_BILLING)
"""Parties whose senders belong to a service; every other party's is a file of its own under ``parties/``."""


class UnknownParty(LookupError):
    """No party of that name sends from this home."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"no party {name!r} sends from here; there are {', '.join(known)}")


class RunUnknownHere(Exception):
    """A restored database lacks a billing run that stands on the chain: to go on could bill a month twice."""

    def __init__(self, transactions: tuple[Found, ...]) -> None:
        blocks = ", ".join(str(tx.block_number) for tx in transactions)
        super().__init__(
            f"the biller proposed {len(transactions)} billing runs (blocks {blocks}) that these books do not have: "
            "restore a backup from after them. Only where there is none, and those months will not be billed from "
            "here again: the same with --even-so"
        )


@dataclass(frozen=True)
class SenderFault:
    """Where a party's books and the chain stand."""

    party: str
    standing: Standing

    @property
    def told(self) -> str:
        """In step, or what is wrong and what to do."""
        if self.standing.unknown:
            return (
                f"the chain has {self.standing.unknown} transactions that these books do not: the database is from a "
                f"backup, or the key is used elsewhere; stop its process, then `kopeck sender mend {self.party}`"
            )
        return "in step"


class Senders:
    """The senders of a home on a node of its chain."""

    def __init__(self, home: Home, rpc: Rpc, deployment: Deployment) -> None:
        self._home = home
        self._rpc = rpc
        self._deployment = deployment

    def parties(self) -> list[str]:
        """Those that have a database to send from."""
        others = sorted(path.stem for path in (self._home.root / "parties").glob("*.db"))
        return [*SERVICES, *others]

    def standings(self) -> Iterator[SenderFault]:
        """Every key that ever sent from here, with how its books and the chain stand. Raises WrongChain, NodeError."""
        for party in self.parties():
            try:
                found = self.mender(party).standing()
            except NoKey:
                continue
            if found is not None:
                yield SenderFault(party, found)

    def mender(self, party: str) -> Mender:
        """Mends a party's books. Raises UnknownParty, NoKey."""
        if party not in self.parties():
            raise UnknownParty(party, self.parties())
        signer = self._home.signer(party)
        return Mender(self._engine(party), self._rpc, self._deployment.chain_id, signer.address)

    def call_of(self, tx: Found) -> str:
        """What a transaction calls, as Contract.function."""
        names = {address: name for name, address in self._deployment.addresses.items()}
        if tx.to is None or tx.to not in names:
            return "a contract's creation" if tx.to is None else "a call to a stranger's contract"
        return f"{names[tx.to]}.{abi.function_of(names[tx.to], tx.data[:4])}"

    def require_known_runs(self, plan: Plan) -> None:
        """Raises RunUnknownHere where the plan would go past a run that the books do not have."""
        runs = tuple(tx for tx in plan.strangers if tx.success and self.call_of(tx) == "ChargeBook.propose")
        if runs:
            raise RunUnknownHere(runs)

    def _engine(self, party: str) -> Engine:
        root = self._home.root
        if party in _OF_BILLING:
            return billing.store.open_database(billing.store.database_url(root)).execution_options(writes=True)
        if party == "oracle":
            return oracle.schema.open_database(oracle.main.database_url(root))
        if party == "holder-ledger":
            return ledger.store.open_database(ledger.store.database_url(root))
        if party == "holder-archive":
            return ledger.store.connect(f"sqlite:///{root / 'archive' / 'archive.db'}")
        return create_engine(f"sqlite:///{root / 'parties' / f'{party}.db'}")
