"""Names of suppliers and wallets: what an answer says instead of a number or an address."""

from __future__ import annotations

from typing import Any, cast

from api.models import Party
from api.people import People
from contracts.wire.ids import Address, address_text
from ledger.queries import Ledger
from ledger.queries.views import ReceiptKind, ReceiptView


class Names:
    """Names of suppliers and wallets, looked up once for one answer."""

    def __init__(self, ledger: Ledger, people: People) -> None:
        self._ledger = ledger
        self._suppliers = people.supplier_names()
        self._wallets: dict[bytes, Party] = {}
        for batch in ledger.grant_batches():
            self._wallets[batch.wallet] = Party(kind="welfare", wallet=address_text(batch.wallet))
        for address, kind, name in people.wallets():
            self._wallets[address] = Party(kind=cast(Any, kind), name=name, wallet=address_text(Address(address)))
        for supplier in ledger.suppliers():
            self._wallets[supplier.payout] = self.supplier_party(supplier.supplier, supplier.payout)

    def supplier(self, supplier: int) -> str:
        """A supplier's name, or its number."""
        return self._suppliers.get(supplier, f"№ {supplier}")

    def party(self, wallet: Address) -> Party:
        """Whose wallet it is; a wallet nobody told us of is its own."""
        return self._wallets.get(wallet) or Party(kind="wallet", wallet=address_text(wallet))

    def payer(self, receipt: ReceiptView) -> Party | None:
        """Who paid: a wallet that settled a batch under this receipt's reference is a payment agent."""
        if receipt.payer is None or receipt.kind is ReceiptKind.REFUND:
            return None
        found = self.party(receipt.payer)
        if receipt.kind is not ReceiptKind.PAYMENT or receipt.reference is None or found.kind != "wallet":
            return found
        if self._ledger.batch(receipt.payer, receipt.reference) is not None:
            return Party(kind="agent", wallet=found.wallet)
        return found

    def refunded_to(self, receipt: ReceiptView) -> Party | None:
        """Who got a refund: the ledger names the recipient where another receipt names the payer."""
        if receipt.payer is None or receipt.kind is not ReceiptKind.REFUND:
            return None
        return self.party(receipt.payer)

    def supplier_party(self, supplier: int, wallet: Address) -> Party:
        """A supplier under the wallet it had when the money moved."""
        return Party(kind="supplier", name=self.supplier(supplier), wallet=address_text(wallet))
