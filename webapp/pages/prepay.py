"""Paying a supplier ahead: the sum waits on the chain under a one-time tag until a later bill names it."""

from __future__ import annotations

import secrets
from http import HTTPStatus

from starlette.responses import Response
from starlette.routing import Route

from webapp.formatters import parse_roubles
from webapp.view import Visit, show


def _account(visit: Visit) -> str:
    return str(visit.request.path_params["account"])


async def _form(visit: Visit, status: int = HTTPStatus.OK, given: str = "", wrong: str | None = None) -> Response:
    found = await visit.api.get(f"/v1/accounts/{_account(visit)}/suppliers")
    return visit.page(
        "prepay.html",
        http_status=status,
        account=_account(visit),
        suppliers=found["suppliers"],
        given=given,
        wrong=wrong,
    )


async def ask(visit: Visit) -> Response:
    """To whom and how much."""
    return await _form(visit)


async def confirm(visit: Visit) -> Response:
    """The sum and the supplier once more."""
    fields = await visit.form()
    amount_kopecks = parse_roubles(fields.get("amount", ""))
    found = await visit.api.get(f"/v1/accounts/{_account(visit)}/suppliers")
    chosen = [s for s in found["suppliers"] if str(s["supplier"]) == fields.get("supplier")]
    if not amount_kopecks or not chosen:
        wrong = visit.texts("pay.not_a_sum" if chosen else "prepay.no_supplier")
        return await _form(visit, HTTPStatus.UNPROCESSABLE_ENTITY, fields.get("amount", ""), wrong)
    return visit.page(
        "prepay_confirm.html",
        account=_account(visit),
        supplier=chosen[0],
        amount_kopecks=amount_kopecks,
        idempotency_key=secrets.token_hex(16),
    )


async def prepay(visit: Visit) -> Response:
    """Confirmed."""
    fields = await visit.form()
    supplier = fields.get("supplier", "")
    body = {
        "account": _account(visit),
        "supplier": int(supplier) if supplier.isdigit() else 0,
        "amount_kopecks": parse_roubles(fields.get("amount", "")) or 0,
    }
    item = await visit.api.post("/v1/prepayments", body, fields.get("idempotency_key"))
    return visit.go(f"/payments/{item['id']}")


routes = [
    Route("/accounts/{account:str}/prepay", show(ask), methods=["GET"]),
    Route("/accounts/{account:str}/prepay/confirm", show(confirm), methods=["POST"]),
    Route("/accounts/{account:str}/prepay", show(prepay), methods=["POST"]),
]
