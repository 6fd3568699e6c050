"""Notices of payments for ГИС ЖКХ: importNotificationsOfOrderExecutionRequest of hcs-payment-types.

Whoever takes a payment tells the system of it; one notice is one payment that reached one supplier.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from billing.paper.gis.message import Element, GisError, add, day, message, to_bytes, transport_guid
from billing.paper.person import GisNumbers, Requisites
from contracts.wire.ids import Period
from ledger.queries.views import ReceiptKind, ReceiptView

VERSION = "10.0.1.1"
MOST_NOTICES = 500
ORDER_ID = 32
UNIFIED_ACCOUNT, SERVICE_ID = 10, 13
SOLE_TRADER_INN = 12
PAID = frozenset({ReceiptKind.PAYMENT})
"""What a payer paid; grants are told by the welfare body, netted prepayments were told when they came."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One payment. ``order_id`` has 32 characters and names it for good; ``number`` is the payment document's."""

    order_id: str
    paid_on: date
    amount_kopecks: int
    period: Period
    number: str
    account: GisNumbers
    recipient: Requisites


def notices_of(
    receipts: Iterable[ReceiptView],
    period: Period,
    zone: str,
    account: GisNumbers,
    recipients: Mapping[int, Requisites],
) -> Iterator[Notice]:
    """The notices of a bill's receipts, one a leg. Raises GisError where a supplier's requisites are not known."""
    for receipt in receipts:
        if receipt.kind not in PAID:
            continue
        paid_on = datetime.fromtimestamp(receipt.timestamp, UTC).astimezone(ZoneInfo(zone)).date()
        for leg in receipt.legs:
            recipient = recipients.get(int(leg.supplier))
            if recipient is None:
                raise GisError(f"the directory of payees has no supplier {leg.supplier}; enter its requisites")
            name = order_id(receipt, leg.line)
            yield Notice(name, paid_on, leg.amount_kopecks, period, str(receipt.bill), account, recipient)


def order_id(receipt: ReceiptView, line: int) -> str:
    """The system's name of a payment: of the transaction, the event in it and the line, so the same for all time."""
    name = f"{receipt.tx_hash.hex()}/{receipt.log_index}/{line}"
    return hashlib.sha256(name.encode()).hexdigest()[:ORDER_ID]


def payment_notices(notices: Sequence[Notice]) -> bytes:
    """One message of 500 notices at most. Raises GisError."""
    if not 1 <= len(notices) <= MOST_NOTICES:
        raise GisError(f"a message takes 1 to {MOST_NOTICES} notices, not {len(notices)}; split them")
    root = message("payment", "importNotificationsOfOrderExecutionRequest", VERSION)
    for notice in notices:
        _notice(root, notice)
    return to_bytes(root)


def _notice(root: Element, notice: Notice) -> None:
    if len(notice.order_id) != ORDER_ID:
        raise GisError(f"payment {notice.order_id!r} is not named by {ORDER_ID} characters")
    element = add(root, "NotificationOfOrderExecutionType")
    recipient = add(element, "payments-base:RecipientInfo")
    _recipient(recipient, notice.recipient)
    order = add(element, "payments-base:OrderInfo")
    add(order, "OrderID", notice.order_id)
    add(order, "OrderDate", day(notice.paid_on))
    add(order, "Amount", str(notice.amount_kopecks))
    add(order, "PaymentPurpose", f"Оплата ЖКУ по документу {notice.number} за {notice.period}")
    add(order, "bills-base:PaymentDocumentNumber", notice.number)
    add(order, "base:Year", str(notice.period.year))
    add(order, "base:Month", str(notice.period.month))
    _account(order, notice.account)
    add(element, "base:TransportGUID", transport_guid("payment notice", notice.order_id))


def _recipient(element: Element, requisites: Requisites) -> None:
    add(element, "organizations-base:INN", requisites.inn)
    if len(requisites.inn) == SOLE_TRADER_INN:
        add(element, "EntprFIO", requisites.name)
    elif requisites.kpp:
        legal = add(element, "Legal")
        add(legal, "organizations-base:KPP", requisites.kpp)
        add(legal, "Name", requisites.name)
    else:
        raise GisError(f"{requisites.name} has no КПП in the directory of payees; a legal person's notice needs it")
    bank = add(element, "PaymentInformation")
    add(bank, "RecipientINN", requisites.inn)
    if requisites.kpp:
        add(bank, "RecipientKPP", requisites.kpp)
    add(bank, "BankName", requisites.bank)
    add(bank, "PaymentRecipient", requisites.name)
    add(bank, "BankBIK", requisites.bic)
    add(bank, "operatingAccountNumber", requisites.account)
    add(bank, "CorrespondentBankAccount", requisites.correspondent)


def _account(order: Element, numbers: GisNumbers) -> None:
    if numbers.unified_account:
        if len(numbers.unified_account) != UNIFIED_ACCOUNT:
            raise GisError(f"the unified account {numbers.unified_account!r} has not {UNIFIED_ACCOUNT} characters")
        add(order, "account-base:UnifiedAccountNumber", numbers.unified_account)
    if numbers.service_id:
        if len(numbers.service_id) != SERVICE_ID:
            raise GisError(f"the service id {numbers.service_id!r} has not {SERVICE_ID} characters")
        add(add(order, "Service"), "account-base:ServiceID", numbers.service_id)
