"""A supplier's books of a month, as JSON and as files, and its webhooks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import Field

from api.caller import Caller, Door
from api.models import BillName, Hex32, HexAddress, Kopecks, Model, Month
from api.people import Actor, Role
from api.problems import NotFound
from api.rights import SEES_ALL
from contracts.wire.ids import SupplierId, address_text
from ledger.queries.supplier_views import SupplierStatement, Turnover

router = APIRouter(prefix="/v1/suppliers/{supplier}", tags=["suppliers"])
PeriodQuery = Annotated[str, Query(pattern="^[0-9]{4}-(0[1-9]|1[0-2])$")]


class BooksReceipt(Model):
    """One movement; a refund is below zero."""

    source: str
    at: int
    block: int
    block_hash: Hex32
    log: int
    transaction: Hex32
    bill: BillName | None
    line: int | None
    counterparty: HexAddress
    amount_kopecks: Kopecks


class BooksTurnover(Model):
    """What happened in the month, in kopecks."""

    charged: Kopecks
    replaced: Kopecks
    payer: Kopecks
    agent: Kopecks
    welfare: Kopecks
    netted: Kopecks
    prepaid: Kopecks
    refunded: Kopecks


class SupplierBooks(Model):
    """Debt and advances from the month's first second to its last, final up to a block."""

    supplier: int
    period: Month
    first: int
    last: int
    height: int
    block: Hex32
    opening_debt_kopecks: Kopecks
    closing_debt_kopecks: Kopecks
    opening_advances_kopecks: Kopecks
    closing_advances_kopecks: Kopecks
    turnover: BooksTurnover
    receipts: list[BooksReceipt]


class WebhookAddress(Model):
    """Where to tell."""

    url: str = Field(min_length=1, max_length=500)


class WebhookMade(Model):
    """A webhook with its secret, told once."""

    webhook: str
    url: str
    secret: str


class WebhookState(Model):
    """A webhook and how its messages stand."""

    webhook: str
    url: str
    ended: str | None
    waiting: int
    delivered: int
    given_up: int


class WebhookList(Model):
    """A supplier's webhooks."""

    webhooks: list[WebhookState]


@router.get("/books")
def books(supplier: int, period: PeriodQuery, caller: Caller, door: Door) -> SupplierBooks:
    """Opening, charged, received by source, refunded and closing, with every receipt; its own, or any for whoever
    sees all."""
    return _books(door.supplier_desk.statement(_seen(caller, supplier), period), period)


@router.get("/books.csv", response_class=Response)
def books_csv(supplier: int, period: PeriodQuery, caller: Caller, door: Door) -> Response:
    """The receipts as a table for spreadsheets."""
    found = door.supplier_desk.as_csv(_seen(caller, supplier), period)
    return _file(found, "text/csv; charset=utf-8", f"kopeck-{supplier}-{period}.csv")


@router.get("/books.xlsx", response_class=Response)
def books_xlsx(supplier: int, period: PeriodQuery, caller: Caller, door: Door) -> Response:
    """Sums and receipts as a workbook."""
    found = door.supplier_desk.as_xlsx(_seen(caller, supplier), period)
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    return _file(found, kind, f"kopeck-{supplier}-{period}.xlsx")


@router.get("/books.1c", response_class=Response)
def books_1c(supplier: int, period: PeriodQuery, caller: Caller, door: Door) -> Response:
    """The movements as 1CClientBankExchange, in cp1251."""
    found = door.supplier_desk.as_1c(_seen(caller, supplier), period)
    return _file(found, "text/plain; charset=windows-1251", f"kopeck-{supplier}-{period}.txt")


@router.get("/webhooks")
def webhooks(supplier: int, caller: Caller, door: Door) -> WebhookList:
    """The supplier's own webhooks; no secret is shown."""
    own = _own(caller, supplier)
    known = door.supplier_desk.webhooks
    rows = []
    for hook in known.all(own):
        queue = known.queue(hook.id)
        counts = {"waiting": queue.waiting, "delivered": queue.delivered, "given_up": queue.given_up}
        rows.append(WebhookState(webhook=hook.id, url=hook.url, ended=hook.ended, **counts))
    return WebhookList(webhooks=rows)


@router.post("/webhooks", status_code=201)
def add_webhook(supplier: int, address: WebhookAddress, caller: Caller, door: Door) -> WebhookMade:
    """Registers an address of the supplier's own for receipts that become final from now on."""
    made = door.supplier_desk.add_webhook(_own(caller, supplier), address.url)
    return WebhookMade(webhook=made.id, url=made.url, secret=made.secret)


@router.delete("/webhooks/{webhook}", status_code=204)
def remove_webhook(supplier: int, webhook: str, caller: Caller, door: Door) -> None:
    """Forgets one with its queue and secret."""
    if not door.supplier_desk.webhooks.remove(_own(caller, supplier), webhook):
        raise NotFound(f"there is no webhook {webhook} among yours")


def _own(caller: Actor, supplier: int) -> SupplierId:
    """The caller's own supplier. Raises NotFound."""
    if caller.role is not Role.SUPPLIER or caller.supplier != supplier:
        raise NotFound(f"there is no supplier {supplier} whose webhooks are yours")
    return SupplierId(supplier)


def _seen(caller: Actor, supplier: int) -> SupplierId:
    """A supplier whose books the caller may see. Raises NotFound."""
    return SupplierId(supplier) if caller.role in SEES_ALL else _own(caller, supplier)


def _file(data: bytes, kind: str, name: str) -> Response:
    return Response(data, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _books(found: SupplierStatement, period: str) -> SupplierBooks:
    return SupplierBooks(
        supplier=found.supplier,
        period=period,
        first=found.first,
        last=found.last,
        height=found.height,
        block="0x" + found.block_hash.hex(),
        opening_debt_kopecks=found.opening_debt_kopecks,
        closing_debt_kopecks=found.closing_debt_kopecks,
        opening_advances_kopecks=found.opening_advances_kopecks,
        closing_advances_kopecks=found.closing_advances_kopecks,
        turnover=_turnover(found.turnover),
        receipts=[
            BooksReceipt(
                source=row.source.value,
                at=row.timestamp,
                block=row.block_number,
                block_hash="0x" + row.block_hash.hex(),
                log=row.log_index,
                transaction="0x" + row.tx_hash.hex(),
                bill=None if row.bill is None else str(row.bill),
                line=row.line,
                counterparty=address_text(row.counterparty),
                amount_kopecks=row.amount_kopecks,
            )
            for row in found.receipts
        ],
    )


def _turnover(found: Turnover) -> BooksTurnover:
    return BooksTurnover(**{name: getattr(found, name) for name in BooksTurnover.model_fields})
