"""A small town for tests of the door and the pages: what the ledger and billing's read door would say of it.

People, sessions, throttle and inbox are the real ones, on SQLite; only the chain's side is told here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import cast

from argon2 import PasswordHasher

from api.balance import Balances
from api.books import LedgerBooks
from api.checkpoints import Checkpoints
from api.context import Context
from api.house import HousePages
from api.orders import Network
from api.outlook import Outlooks
from api.papers import AGENT as PAYEE
from api.papers import Documents, Payees
from api.people import Contact, People, Role
from api.requests import Requests
from api.sessions import Sessions
from api.store import open_database
from api.supplier_desk import SupplierDesk
from api.throttle import Throttle
from api.webhooks import Webhooks
from billing.debt.balance import LineDebt
from billing.inbox import Inbox
from billing.paper.desk import Papers
from billing.paper.gis.directory import read_directory
from billing.store import open_database as open_billing
from contracts.wire.checkpoint import Checkpoint, Cosignature
from contracts.wire.ids import (
    BillKey,
    BillState,
    Period,
    RunId,
    Service,
    SupplierId,
)
from contracts.wire.typed_data import address_of, rouble_domain
from ledger.published import Published
from ledger.queries import Ledger
from ledger.queries.observed import Observed
from tests.api.town_ledger import (
    ACCOUNT,
    AGENT,
    CHAIN_ID,
    CHARGE_BOOK,
    MINE,
    OTHER_ACCOUNT,
    OTHERS,
    PAID,
    ROUBLE,
    SETTLEMENT,
    TownLedger,
    hash_of,
    town_ledger,
)
from tests.api.town_prints import REQUISITES, TownPrints, line_document
from tests.api.town_register import TownRegister

PASSWORD = "correct horse"
NAMES = {1: "Горэнергосбыт", 2: "Водоканал", 5: "Чистый город"}


@dataclass
class Town:
    """The town and what tests change in it."""

    context: Context
    ledger: TownLedger
    register: TownRegister
    inbox: Inbox
    prints: TownPrints
    payees: Payees
    directory: Path
    checkpoints: Path

    def owe(self, service: Service, supplier: int, kopecks: int) -> None:
        """Leaves a debt of December."""
        december = BillKey(RunId(0), 0)
        self.prints.debts.append(
            LineDebt(december, 0, service, SupplierId(supplier), Period(2025, 12), date(2026, 1, 12), kopecks)
        )

    def publish(self, height: int, *observers: bytes) -> Checkpoint:
        """Publishes a checkpoint that these observers' keys signed."""
        point = Checkpoint(CHAIN_ID, SETTLEMENT, height, hash_of(0x71), 9, hash_of(0x72), hash_of(0x73))
        signed = [Cosignature.make(key, address_of(key), point) for key in observers]
        return Published(self.checkpoints).put(point, *signed).checkpoint

    def close(self, key: BillKey) -> None:
        """Pays a bill in full behind everybody's back."""
        view = self.ledger.found[key]
        lines = tuple(replace(row, paid_kopecks=row.charged_kopecks, open_kopecks=0) for row in view.lines)
        self.ledger.found[key] = replace(view, lines=lines, state=BillState.PAID)


def make_town(folder: Path) -> Town:
    """The town, its stores under ``folder``."""
    ledger = town_ledger()
    engine = open_database(f"sqlite:///{folder / 'api.db'}")
    people = People(engine, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    _populate(people)
    names = ((1, "cold_water"), (2, "solid_waste"), (None, "heating"))
    lines = [line_document(), *({"line": place, "service": service} for place, service in names)]
    register = TownRegister({key: json.dumps({"lines": lines}).encode() for key in (MINE, PAID, OTHERS)})
    inbox = Inbox(
        open_billing(f"sqlite:///{folder / 'billing.db'}"), rouble_domain(CHAIN_ID, ROUBLE), bytes(SETTLEMENT)
    )
    prints, payees, directory = TownPrints(), Payees(engine), folder / "gis-directory.json"
    payees.set_payee(PAYEE, REQUISITES)
    desk = Papers(cast(Ledger, ledger), prints, prints, lambda: read_directory(directory))
    network = Network(CHAIN_ID, ROUBLE, SETTLEMENT, CHARGE_BOOK)
    books = LedgerBooks(cast(Ledger, ledger), register, people, network)
    context = Context(
        people=people,
        sessions=Sessions(engine, "a secret of the tests"),
        throttle=Throttle(engine),
        books=books,
        balances=Balances(cast(Ledger, ledger), register, people),
        outlooks=Outlooks(cast(Ledger, ledger), register),
        houses=HousePages(cast(Ledger, ledger), register),
        checkpoints=Checkpoints(Observed(folder / "checkpoints")),
        documents=Documents(desk, people, payees),
        supplier_desk=SupplierDesk(cast(Ledger, ledger), books, payees, Webhooks(engine)),
        requests=Requests(inbox),
        network=network,
        files=folder / "files",
    )
    return Town(context, ledger, register, inbox, prints, payees, directory, folder / "checkpoints")


def _populate(people: People) -> None:
    people.add_person("resident12", PASSWORD, Role.RESIDENT, "Житель 12", accounts=[ACCOUNT])
    people.add_person("resident13", PASSWORD, Role.RESIDENT, "Житель 13", accounts=[OTHER_ACCOUNT])
    people.add_person("supplier1", PASSWORD, Role.SUPPLIER, "Горэнергосбыт", supplier=1)
    people.add_person("welfare", PASSWORD, Role.WELFARE, "Соцзащита")
    people.add_person("operator", PASSWORD, Role.OPERATOR, "Расчётный центр")
    people.add_person("regulator", PASSWORD, Role.REGULATOR, "Регулятор")
    people.set_contact(ACCOUNT, Contact("Житель 12", "ул. Примерная, д. 1, кв. 12"))
    for number, name in NAMES.items():
        people.name_supplier(number, name)
    people.name_wallet(AGENT, "agent")
