"""Paying all that is open on an account in one go: a sum, which bills it covers, one confirmation.

The key that makes it one payment is drawn when the confirming page is made, as for a single bill.
"""

from __future__ import annotations

import secrets
from http import HTTPStatus
from urllib.parse import quote

from starlette.responses import Response
from starlette.routing import Route

from webapp.formatters import parse_roubles
from webapp.view import Visit, show


def _account(visit: Visit) -> str:
    return quote(visit.request.path_params["account"], safe="")


async def _form(visit: Visit, status: int = HTTPStatus.OK, given: str | None = None) -> Response:
    whole = await visit.api.get(f"/v1/accounts/{_account(visit)}/division")
    wrong = None if given is None else visit.texts("pay_account.wrong_sum")
    return visit.page("pay_account.html", http_status=status, whole=whole, given=given, wrong=wrong)


async def ask(visit: Visit) -> Response:
    """How much."""
    return await _form(visit)


async def confirm(visit: Visit) -> Response:
    """Which bills the sum would cover, before anything moves."""
    fields = await visit.form()
    given = fields.get("amount", "")
    amount_kopecks = parse_roubles(given)
    if not amount_kopecks or amount_kopecks >= 2**48:
        return await _form(visit, HTTPStatus.UNPROCESSABLE_ENTITY, given)
    found = await visit.api.get(f"/v1/accounts/{_account(visit)}/division", amount_kopecks=amount_kopecks)
    if found["amount_kopecks"] != amount_kopecks:
        return await _form(visit, HTTPStatus.UNPROCESSABLE_ENTITY, given)
    return visit.page("pay_account_confirm.html", found=found, idempotency_key=secrets.token_hex(16))


async def pay(visit: Visit) -> Response:
    """Confirmed."""
    fields = await visit.form()
    body = {
        "account": visit.request.path_params["account"],
        "amount_kopecks": parse_roubles(fields.get("amount", "")) or 0,
    }
    item = await visit.api.post("/v1/account-payments", body, fields.get("idempotency_key"))
    return visit.go(f"/payments/{item['id']}")


routes = [
    Route("/accounts/{account:str}/pay", show(ask), methods=["GET"]),
    Route("/accounts/{account:str}/pay/confirm", show(confirm), methods=["POST"]),
    Route("/accounts/{account:str}/pay", show(pay), methods=["POST"]),
]
