"""Billing on a real chain with a real ledger: the ledger tests' town plays the other parties, billing plays itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from billing.accounts import Accounts, NewAccount
from billing.collect import Collector
from billing.domain.calendar import month_span
from billing.domain.household import House, Household
from billing.domain.readings import MeterBinding, MeterKind
from billing.inbox import Inbox, Item
from billing.office import AGENT, BILLER, RELAY, WELFARE, Office, open_inbox
from billing.requests import Request
from billing.run import Runs
from billing.store import open_database
from billing.tariffs import Tariffs, demo_documents
from contracts.client.files import FileStore
from contracts.client.keyring import KeyRing
from contracts.client.sender import Sender
from contracts.wire import calls
from contracts.wire.ids import BillKey, Hash, KeyId, MeterId, Period, Service, SourceId, SupplierId
from contracts.wire.leaf import Record, RegisterReading
from contracts.wire.typed_data import Purpose, SplitAuthorization, address_of, rouble_domain, sign_digest
from contracts.wire.units import Unit
from ledger.queries.views import BillView
from tests.billing.builders import ZONE, meter_id
from tests.ledger.indexed import Indexed
from tests.ledger.town import EVER, Town, bytes_of, key_of

HOUSE = House("house-1", ZONE, ("krasnoyarsk", "moscow", "amur", "russia"), 20_000, frozenset({"lift"}))
READINGS_KEY = KeyId(b"\x77" * 16)
OPENED = date(2026, 1, 1)
SUPPLIERS = {
    "energy": (Service.ELECTRICITY,),
    "water": (Service.COLD_WATER, Service.SEWAGE),
    "heat": (Service.HOT_WATER, Service.HEATING),
    "fund": (Service.CAPITAL_REPAIR,),
}
# The town's hands use the key `relay` themselves; a key belongs to one sender.
KEYS = {BILLER: key_of("biller"), AGENT: key_of("agent"), WELFARE: key_of("welfare"), RELAY: key_of("billing-relay")}


@dataclass
class Stage:
    """One small town with billing at work."""

    town: Town
    indexed: Indexed
    folder: Path
    database: str | None = None
    office: Office = field(init=False)
    collector: Collector = field(init=False)
    suppliers: dict[str, SupplierId] = field(default_factory=dict)
    source: SourceId = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def afresh(self, folder: Path, database: str | None = None) -> Stage:
        """The same contracts with nothing in any book: files, keys, ledger and billing (in ``database``) are empty."""
        town = Town(self.town.rpc, self.town.reader, FileStore(folder / "served"), KeyRing(folder / "keyring.db"))
        return Stage(town, Indexed(town, folder), folder, database)

    def start(self) -> None:
        """A collector as after a start: nothing but what is on the disk."""
        engine = open_database(self.database or f"sqlite:///{self.folder / 'billing.db'}")
        deployment = self.town.reader.deployment
        self.office = Office(
            engine=engine,
            register=Accounts(engine, self.town.keys),
            keyring=self.town.keys,
            files=self.town.files,
            tariffs=Tariffs(engine, self.town.files),
            runs=Runs(engine, self.town.keys),
            inbox=open_inbox(engine, deployment),
            ledger=self.indexed.ledger,
            reader=self.town.reader,
            senders={
                name: Sender(engine.execution_options(writes=True), self.town.rpc, deployment.chain_id, key)
                for name, key in KEYS.items()
            },
        )
        self.collector = Collector(self.office)

    @property
    def inbox(self) -> Inbox:
        return self.office.inbox

    # --- before the first month ---

    def open(self, accounts: int, metered: bool = True) -> None:
        """Suppliers, tariffs, a house with its accounts and cold-water meters, money for agent and welfare; by the
        chain's clock the accounts' first month is over."""
        for name, services in SUPPLIERS.items():
            self.suppliers[name] = self.town.add_supplier(name)
            self.office.register.add_house(HOUSE)
            for service in services:
                self.office.register.set_supplier(HOUSE.code, service, self.suppliers[name], OPENED)
        billed = {service.name.lower() for services in SUPPLIERS.values() for service in services}
        for document in demo_documents():
            if document["service"] not in billed or document["area"] not in HOUSE.areas:
                continue
            name_of = self.office.tariffs.add(document)
            self.town.send("operator", "TariffBook", self.office.tariffs.publish_call(name_of))
        flats = [
            NewAccount(str(i), HOUSE.code, Household(4000 + 100 * i, 2, 1, ((OPENED, 1 + i % 3),)), OPENED)
            for i in range(1, accounts + 1)
        ]
        self.office.register.open_accounts(flats)
        if metered:
            for i in range(1, accounts + 1):
                self.office.register.bind_meters(str(i), [water_meter(i)])
        self.source = self.town.add_source("concentrator")
        for party in ("agent", "welfare"):
            self.mint(party, 100_000_000)
        self.wait_for(Period(OPENED.year, OPENED.month))
        self.town.finalise()
        self.indexed.sync()

    def mint(self, party: str, kopecks: int, deposit: str | None = None) -> None:
        data = calls.encode_mint(self.town.account(party), kopecks, Hash(bytes_of(deposit or "deposit " + party)))
        self.town.send("bank", "Rouble", data)

    def read(self, records: Sequence[Record], acknowledge: bool = True) -> Hash:
        """The concentrator's batch, anchored, kept by two holders, final and indexed."""
        root = self.town.anchor("concentrator", self.source, records, READINGS_KEY)
        if acknowledge:
            self.town.acknowledge(root)
        self.settle()
        return root

    def read_water(self, litres: dict[int, int], at: int, acknowledge: bool = True) -> Hash:
        records = [RegisterReading(meter_id(i), 0, at, value, Unit.LITRE) for i, value in litres.items()]
        return self.read(records, acknowledge)

    # --- work ---

    def ask(self, key: str, request: Request) -> Item:
        return self.inbox.put(key, request)

    def work(self, *items: Item, rounds: int = 60) -> list[Item]:
        """Rounds of the collector, the chain and the ledger until the items are over for good."""
        for _ in range(rounds):
            self.turn()
            found = [self.inbox.get(item.id) for item in items]
            if all(item is not None and item.is_over for item in found):
                return [item for item in found if item is not None]
        raise AssertionError(f"not over after {rounds} rounds: {[self.inbox.get(i.id) for i in items]}")

    def turn(self) -> None:
        self.collector.step()
        self.town.mine(1)
        self.indexed.sync()

    def wait_for(self, period: Period) -> None:
        """The chain's clock goes on to where a month is over at the houses, if it is not there yet."""
        over = month_span(period, ZONE).end_ts
        if self.town.reader.head().timestamp < over:
            self.town.rpc.call("evm_setNextBlockTimestamp", over)
            self.town.mine(1)
            self.indexed.sync()

    def settle(self) -> None:
        """Everything there is now becomes final, in the ledger too."""
        self.town.finalise()
        self.indexed.sync()

    # --- looking ---

    def bill(self, account: str, period: Period) -> BillView:
        """The account's last bill or note of an active run."""
        keys = [key for key, _, _ in self.office.runs.of_account(account, period) if key is not None]
        view = self.office.ledger.bill(keys[-1])
        assert view is not None
        return view

    def view(self, key: BillKey) -> BillView:
        view = self.office.ledger.bill(key)
        assert view is not None
        return view

    def balance(self, party: str) -> int:
        return int(self.town.reader.view("Rouble", "balanceOf", self.town.account(party)))

    def sign(self, payer: str, purpose: Purpose, maximum: int, nonce: int, until: int = EVER) -> tuple[
        SplitAuthorization, bytes
    ]:  # fmt: skip
        deployment = self.town.reader.deployment
        order = SplitAuthorization(
            address_of(key_of(payer)), deployment.addresses["Settlement"], maximum, purpose, nonce, until
        )
        domain = rouble_domain(deployment.chain_id, deployment.addresses["Rouble"])
        return order, sign_digest(key_of(payer), domain.digest(order.struct_hash()))


def water_meter(number: int) -> MeterBinding:
    return MeterBinding(MeterId(meter_id(number)), Service.COLD_WATER, MeterKind.REGISTER, 0)
