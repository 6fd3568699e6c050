"""What a supplier's own login gets: its books of a month, their files, and its webhooks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from api.papers import Payees
from api.problems import BadRequest, NotFound, NotPrintable, NotReady
from api.webhooks import Receipts, Webhook, Webhooks
from billing.paper.exchange import write_csv, write_exchange, write_xlsx
from contracts.wire.ids import Period, SupplierId
from ledger.queries.supplier_views import SupplierStatement
from ledger.queries.views import SupplierView


class BooksLedger(Receipts, Protocol):
    """What of the ledger is used here."""

    def suppliers(self) -> list[SupplierView]:
        """Suppliers by number."""
        ...

    def supplier_statement(self, supplier: SupplierId, first_ts: int, last_ts: int) -> SupplierStatement:
        """A supplier's books of a span; raises LookupError where they can't be told yet."""
        ...


class Zones(Protocol):
    """Who knows by which calendar a supplier's month goes."""

    def zone_of_supplier(self, supplier: SupplierId) -> str:
        """Name of the zone."""
        ...


class SupplierDesk:
    """The desk. Who may ask is the routes' to decide."""

    def __init__(self, ledger: BooksLedger, zones: Zones, payees: Payees, webhooks: Webhooks) -> None:
        self._ledger, self._zones, self._payees = ledger, zones, payees
        self.webhooks = webhooks

    def zone(self, supplier: SupplierId) -> ZoneInfo:
        """The zone of a supplier's houses."""
        return ZoneInfo(self._zones.zone_of_supplier(supplier))

    def statement(self, supplier: SupplierId, month: str) -> SupplierStatement:
        """The books of a month, YYYY-MM, by the calendar of the houses. Raises NotFound, BadRequest, NotReady."""
        self._check_known(supplier)
        try:
            period = Period.parse(month)
            bounds = [datetime(p.year, p.month, 1, tzinfo=self.zone(supplier)) for p in (period, period.next())]
            first, after = (int(bound.timestamp()) for bound in bounds)
        except (ValueError, OverflowError) as error:
            raise BadRequest(f"{month} is no month that can be told: {error}") from error
        try:
            return self._ledger.supplier_statement(supplier, first, after - 1)
        except LookupError as error:
            raise NotReady(str(error)) from error

    def as_csv(self, supplier: SupplierId, month: str) -> bytes:
        """The receipts as a table."""
        return write_csv(self.statement(supplier, month), self.zone(supplier))

    def as_xlsx(self, supplier: SupplierId, month: str) -> bytes:
        """Sums and receipts as a workbook."""
        return write_xlsx(self.statement(supplier, month), self.zone(supplier))

    def as_1c(self, supplier: SupplierId, month: str) -> bytes:
        """The movements as 1CClientBankExchange. Raises NotPrintable without the supplier's requisites."""
        payee = self._payees.payee(str(int(supplier)))
        if payee is None:
            raise NotPrintable(f"the directory of payees has no supplier {supplier}")
        zone = self.zone(supplier)
        return write_exchange(self.statement(supplier, month), payee, zone, datetime.now(UTC).astimezone(zone))

    def add_webhook(self, supplier: SupplierId, url: str) -> Webhook:
        """Registers an address for what becomes final from now on. Raises NotFound, BadRequest."""
        self._check_known(supplier)
        return self.webhooks.add(supplier, url, self._ledger.finalized_height())

    def _check_known(self, supplier: SupplierId) -> None:
        if all(row.supplier != supplier for row in self._ledger.suppliers()):
            raise NotFound(f"there is no supplier {supplier}")
