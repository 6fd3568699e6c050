"""What every scene of the play uses: the plan, the running services, and each party's own door."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from billing.accounts import Accounts
from billing.inbox import Inbox, Item, State
from billing.policy import Policies
from billing.requests import Request
from billing.run import Runs, RunStage
from billing.store import database_url, open_database
from billing.tariffs import Tariffs
from contracts.client.deployments import Deployment
from contracts.client.files import FileStore
from contracts.client.keyring import KeyRing
from contracts.client.reader import Reader
from contracts.client.rpc import NodeBehind, Rpc
from contracts.wire.ids import BillState, Period, Service
from contracts.wire.leaf import BillKind
from contracts.wire.typed_data import Domain, rouble_domain
from ledger.queries import Ledger
from ledger.queries.views import BillView
from scripts.home import Home
from scripts.town.parties import Parties
from scripts.town.plan import Town
from scripts.town.running import Running

WAIT_S = 300.0


class RequestFailed(RuntimeError):
    """Billing could not do what the play asked of it."""

    def __init__(self, item: Item) -> None:
        super().__init__(f"{item.kind} {item.client_key!r} failed: {item.reason}")
        self.item = item


@dataclass(frozen=True)
class Stage:
    """The doors of one running town."""

    town: Town
    home: Home
    running: Running
    deployment: Deployment
    reader: Reader
    parties: Parties
    accounts: Accounts
    tariffs: Tariffs
    inbox: Inbox
    runs: Runs
    ledger: Ledger
    keyring: KeyRing
    policies: Policies

    @classmethod
    def of(cls, town: Town, running: Running) -> Stage:
        """The stage of a town whose chain runs and whose contracts are deployed."""
        home = running.home
        deployment = Deployment.load(home.deployment)
        rpc = Rpc(running.ports.rpc_url)
        engine = open_database(database_url(home.root))
        keyring = KeyRing(home.root / "keyring.db")
        domain = rouble_domain(deployment.chain_id, deployment.addresses["Rouble"])
        return cls(
            town,
            home,
            running,
            deployment,
            Reader(rpc, deployment),
            Parties(home, rpc, deployment),
            Accounts(engine, keyring),
            Tariffs(engine, FileStore(home.folder("billing") / "files")),
            Inbox(engine, domain, deployment.addresses["Settlement"]),
            Runs(engine, keyring),
            Ledger.open(home.root),
            keyring,
            Policies(engine),
        )

    @property
    def domain(self) -> Domain:
        """Of everything that moves a payer's money."""
        return rouble_domain(self.deployment.chain_id, self.deployment.addresses["Rouble"])

    @property
    def opened_at(self) -> int:
        """Seconds UTC of the block that the contracts begin in: the same however often a play is taken up again, and
        by the chain's own clock, which on a network is not the town's."""
        first = self.reader.block(self.deployment.first_block)
        if first is None:
            raise NodeBehind(self.reader.rpc.url, self.reader.head().number, self.deployment.first_block)
        return first.timestamp

    def until(self, ready: Callable[[], bool], what: str) -> None:
        """Waits; raises NotReady or ProcessDied."""
        self.running.supervisor.until(ready, what, WAIT_S, 0.1)

    def ask(self, client_key: str, request: Request) -> Item:
        """Puts a request into billing's inbox; the same key again is the same request."""
        return self.inbox.put(client_key, request)

    def is_over(self, item: Item) -> bool:
        """Whether billing is through with a request, well or badly."""
        found = self.inbox.get(item.id)
        return found is not None and found.is_over

    def finish(self, items: Iterable[Item], what: str, done: Callable[[int], None] = lambda _count: None) -> list[Item]:
        """Waits until billing is through with requests for good. Raises RequestFailed."""
        left = {item.id for item in items}
        ended: dict[int, Item] = {}

        def over() -> bool:
            for number in sorted(left - set(ended)):
                item = self.inbox.get(number)
                if item is None or not item.is_settled:
                    break
                if item.state is State.FAILED:
                    raise RequestFailed(item)
                ended[number] = item
            done(len(ended))
            return len(ended) == len(left)

        self.until(over, what)
        return [ended[number] for number in sorted(ended)]

    def bills(self, period: Period, accounts: Sequence[str] | None = None) -> dict[str, BillView]:
        """By account the bill of a period that is in force: of an active run and not superseded; notes left out."""
        wanted = [flat.account for flat in self.town.flats] if accounts is None else accounts
        found = {
            key: account
            for account, leaves in self.runs.of_accounts(wanted, period).items()
            for key, stored, run in leaves
            if key is not None and run.stage is RunStage.ACTIVE and stored.kind is BillKind.BILL
        }
        views = self.ledger.bills(list(found))
        return {found[view.key]: view for view in views if view.state is not BillState.SUPERSEDED}

    def bill(self, account: str, period: Period) -> BillView:
        """An account's bill in force. Raises LookupError."""
        found = self.bills(period, [account]).get(account)
        if found is None:
            raise LookupError(f"account {account} has no bill for {period}; see the run's log")
        return found

    def charged_for(self, bill: BillView, service: Service) -> int:
        """Kopecks that a bill charges for a service, by its own document; 0 where it has no such line."""
        document = json.loads(bill.document or b"{}")
        return sum(
            bill.lines[place].charged_kopecks
            for place, line in enumerate(document.get("lines", []))
            if line["service"] == service.name.lower()
        )
