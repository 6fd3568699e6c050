"""Paying a bill through the pooled agent: a sum, a look at who would get what, one confirmation.

The key that makes a payment one payment is drawn when the confirming page is made and travels in its form:
a double click, a reload or a lost answer repeats the key, and the door pays once.
"""

from __future__ import annotations

import secrets
from http import HTTPStatus

from starlette.responses import Response
from starlette.routing import Route

from webapp.client import ApiProblem
from webapp.formatters import parse_roubles
from webapp.view import Visit, show


def _key(visit: Visit) -> str:
    return str(visit.request.path_params["key"])


async def ask(visit: Visit) -> Response:
    """How much."""
    bill = await visit.api.get(f"/v1/bills/{_key(visit)}")
    return visit.page("pay.html", zone=bill["zone"], bill=bill, given=None, wrong=None)


async def confirm(visit: Visit) -> Response:
    """Who would get what, to the kopeck, before anything moves."""
    fields = await visit.form()
    given = fields.get("amount", "")
    amount_kopecks = parse_roubles(given)
    wrong = visit.texts("pay.not_a_sum")
    if amount_kopecks:
        try:
            split = await visit.api.get(f"/v1/bills/{_key(visit)}/split", amount_kopecks=amount_kopecks)
            return visit.page("pay_confirm.html", split=split, idempotency_key=secrets.token_hex(16))
        except ApiProblem as problem:
            if problem.slug != "wrong-sum":
                raise
            wrong = visit.texts("problem.wrong-sum.remedy")
    bill = await visit.api.get(f"/v1/bills/{_key(visit)}")
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return visit.page("pay.html", http_status=status, zone=bill["zone"], bill=bill, given=given, wrong=wrong)


async def pay(visit: Visit) -> Response:
    """Confirmed."""
    fields = await visit.form()
    body = {"bill": _key(visit), "maximum_kopecks": parse_roubles(fields.get("amount", "")) or 0}
    item = await visit.api.post("/v1/payments", body, fields.get("idempotency_key"))
    return visit.go(f"/payments/{item['id']}")


routes = [
    Route("/bills/{key:str}/pay", show(ask), methods=["GET"]),
    Route("/bills/{key:str}/pay/confirm", show(confirm), methods=["POST"]),
    Route("/bills/{key:str}/pay", show(pay), methods=["POST"]),
]
