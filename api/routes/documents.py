"""A bill's documents: the unified payment document as PDF and as a page, and its message to ГИС ЖКХ."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from api.caller import Caller, Door
from api.headers import POLICY_HEADER
from api.models import Bill
from api.people import Actor
from api.rights import own_bill, parse_bill
from billing.paper.render import STYLE_SOURCE

router = APIRouter(prefix="/v1/bills/{bill}", tags=["documents"])

PAGE_POLICY = (
    f"default-src 'none'; style-src {STYLE_SOURCE}; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
PDF, XML = "application/pdf", "application/xml"


class PdfResponse(Response):
    """A PDF."""

    media_type = PDF


class XmlResponse(Response):
    """An XML message."""

    media_type = XML


@router.get("/document.pdf", response_class=PdfResponse)
def document_pdf(bill: str, caller: Caller, door: Door) -> PdfResponse:
    """The payment document as a tagged PDF, in Russian; name and address only for those who live there."""
    found = own_bill(door, caller, bill)
    made = door.documents.pdf(parse_bill(found.key), found.account, door.books.now(), named=_lives_there(caller, found))
    return PdfResponse(made, headers=_as_file(found, "pdf", "inline"))


@router.get("/document.html", response_class=HTMLResponse)
def document_html(bill: str, caller: Caller, door: Door) -> HTMLResponse:
    """The same as one HTML page that needs nothing else."""
    found = own_bill(door, caller, bill)
    key, named = parse_bill(found.key), _lives_there(caller, found)
    made = door.documents.html(key, found.account, door.books.now(), named=named)
    return HTMLResponse(made, headers={POLICY_HEADER: PAGE_POLICY})


@router.get("/gis.xml", response_class=XmlResponse)
def gis_xml(bill: str, caller: Caller, door: Door) -> XmlResponse:
    """The payment document as importPaymentDocumentRequest of ГИС ЖКХ, without a name: the system has its own."""
    found = own_bill(door, caller, bill)
    made = door.documents.gis_xml(parse_bill(found.key), found.account, door.books.now())
    return XmlResponse(made, headers=_as_file(found, "xml", "attachment"))


def _lives_there(caller: Actor, bill: Bill) -> bool:
    return bill.account in caller.accounts


def _as_file(bill: Bill, suffix: str, disposition: str) -> dict[str, str]:
    return {"Content-Disposition": f'{disposition}; filename="kopeck-bill-{bill.key}.{suffix}"'}
