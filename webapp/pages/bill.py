"""One bill: each line with its explanation, the benefits, and where every kopeck went."""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from webapp.formatters import Formatter
from webapp.view import Page, Visit, show

ARRIVED = {"payment", "grant", "prepayment"}
KEPT = ("Content-Type", "Content-Disposition", "Content-Security-Policy")
"""Headers of a document that are the door's to say."""
SYMBOL = re.compile(r"[A-Za-z]\w*")


def with_numbers(part: dict[str, Any], fmt: Formatter) -> str:
    """The right side of a formula with its symbols replaced by their values."""
    values = {i["symbol"]: fmt.number(i["value"]) for i in part["inputs"]}
    _, _, right = part["formula"].partition("=")
    return SYMBOL.sub(lambda found: values.get(found[0], found[0]), right.strip() or part["formula"])


def received_by_supplier(bill: dict[str, Any]) -> list[dict[str, Any]]:
    """What each supplier was charged on this bill, what reached it, and what is open, in order of supplier."""
    totals: dict[int, dict[str, Any]] = {}
    for line in bill["lines"]:
        row = totals.setdefault(
            line["supplier"],
            {"name": line["supplier_name"], "charged": 0, "received": 0, "returned": 0, "open": 0},
        )
        row["charged"] += line["charged_kopecks"] - line["written_off_kopecks"]
        row["open"] += line["open_kopecks"]
    for receipt in bill["receipts"]:
        for leg in receipt["legs"]:
            if receipt["kind"] in ARRIVED:
                totals[leg["supplier"]]["received"] += leg["amount_kopecks"]
            elif receipt["kind"] == "refund":
                totals[leg["supplier"]]["returned"] += leg["amount_kopecks"]
    return [totals[supplier] for supplier in sorted(totals)]


def by_transaction(receipts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Receipts with those that one transaction made of one kind put together: a month's benefit is one movement."""
    out: list[dict[str, Any]] = []
    for receipt in receipts:
        last = out[-1] if out else None
        if last is not None and all(last[name] == receipt[name] for name in ("kind", "tx_hash", "payer", "reference")):
            amount = last["amount_kopecks"] + receipt["amount_kopecks"]
            out[-1] = last | {"amount_kopecks": amount, "legs": last["legs"] + receipt["legs"]}
        else:
            out.append(receipt)
    return out


async def show_bill(visit: Visit) -> Response:
    """The page."""
    key = visit.request.path_params["key"]
    bill = await visit.api.get(f"/v1/bills/{key}")
    return visit.page(
        "bill.html",
        zone=bill["zone"],
        bill=bill,
        standing=await visit.api.get(f"/v1/bills/{key}/standing"),
        suppliers=received_by_supplier(bill),
        receipts=by_transaction(bill["receipts"]),
        with_numbers=with_numbers,
    )


async def proof(visit: Visit) -> Response:
    """The proof as a file: what a verifier needs to check the bill at a node of its own."""
    key = visit.request.path_params["key"]
    found = await visit.api.get(f"/v1/bills/{key}/proof")
    name = f'attachment; filename="kopeck-bill-{found["bill"]}.json"'
    return JSONResponse(found, headers={"Content-Disposition": name})


def document(form: str) -> Page:
    """The payment document in a form, as the door printed it, with the policy that names its style."""

    async def page(visit: Visit) -> Response:
        made = await visit.api.file(f"/v1/bills/{visit.request.path_params['key']}/document.{form}")
        return Response(made.content, headers={name: made.headers[name] for name in KEPT if name in made.headers})

    return page


routes = [
    Route("/bills/{key:str}/proof.json", show(proof), methods=["GET"]),
    Route("/bills/{key:str}/document.pdf", show(document("pdf")), methods=["GET"]),
    Route("/bills/{key:str}/document.html", show(document("html")), methods=["GET"]),
    Route("/bills/{key:str}", show(show_bill), methods=["GET"]),
]
