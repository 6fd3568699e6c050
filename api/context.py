"""What the application is made with: the people store, and doors to what other packages know and do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from api.balance import Balances
from api.checkpoints import Checkpoints
from api.house import HousePages
from api.models import Account, Bill, GrantBatch, Proof, Statement, Status, Supplier, WelfareCase
from api.orders import Network
from api.outlook import Outlooks
from api.papers import Documents
from api.people import People
from api.requests import Requests
from api.sessions import Sessions
from api.supplier_desk import SupplierDesk
from api.throttle import Throttle
from contracts.wire.ids import BillKey, Hash, Period, SupplierId


class Books(Protocol):
    """What is known of bills and money: the ledger's queries joined with billing's read door."""

    def status(self) -> Status:
        """How far the ledger has read."""
        ...

    def account(self, account: str) -> Account | None:
        """An account with its bills, newest first, and no address."""
        ...

    def account_of(self, bill: BillKey) -> str | None:
        """Whose bill it is."""
        ...

    def bill(self, bill: BillKey) -> Bill | None:
        """A bill with everything that moved on it."""
        ...

    def proof(self, bill: BillKey) -> Proof | None:
        """What proves a bill's place in its run."""
        ...

    def suppliers(self) -> list[Supplier]:
        """All suppliers."""
        ...

    def grant_batches(self) -> list[GrantBatch]:
        """Batches of grants, newest first."""
        ...

    def welfare_cases(self) -> list[WelfareCase]:
        """Cases of help in sums."""
        ...

    def statement(self, supplier: SupplierId, period: Period | None) -> Statement | None:
        """A supplier's month; by default the one the chain is in."""
        ...

    def zone_of_supplier(self, supplier: SupplierId) -> str:
        """Name of the zone of the houses that a supplier bills."""
        ...

    def supplier_of_lines(self, root: Hash) -> SupplierId | None:
        """Whose lines the file of this root holds."""
        ...

    def now(self) -> int:
        """Timestamp of the latest block: the clock of whatever is decided."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """Everything the routes use. ``files`` is the folder of billing's files."""

    people: People
    sessions: Sessions
    throttle: Throttle
    books: Books
    balances: Balances
    outlooks: Outlooks
    houses: HousePages
    checkpoints: Checkpoints
    documents: Documents
    supplier_desk: SupplierDesk
    requests: Requests
    network: Network
    files: Path
