"""Paying from a wallet of one's own: first what that gives away, then what to sign, then the signature."""

from __future__ import annotations

import json
import re
from http import HTTPStatus

from starlette.responses import Response
from starlette.routing import Route

from webapp.view import Visit, show

ADDRESS = re.compile("0x[0-9a-fA-F]{40}")


def _key(visit: Visit) -> str:
    return str(visit.request.path_params["key"])


async def _warn(visit: Visit, status: int = HTTPStatus.OK, given: str = "", wrong: str | None = None) -> Response:
    bill = await visit.api.get(f"/v1/bills/{_key(visit)}")
    return visit.page("order.html", http_status=status, zone=bill["zone"], bill=bill, given=given, wrong=wrong)


async def warn(visit: Visit) -> Response:
    """What a wallet of one's own gives away, said before anything is asked."""
    return await _warn(visit)


async def sign(visit: Visit) -> Response:
    """What to sign."""
    fields = await visit.form()
    payer = fields.get("payer", "").strip()
    if ADDRESS.fullmatch(payer) is None or fields.get("understood") != "yes":
        wrong = visit.texts("order.no_wallet" if fields.get("understood") == "yes" else "order.not_understood")
        return await _warn(visit, HTTPStatus.UNPROCESSABLE_ENTITY, payer, wrong)
    order = await visit.api.get(f"/v1/bills/{_key(visit)}/order", payer=payer)
    text = json.dumps(order["typed_data"], ensure_ascii=False, indent=1)
    return visit.page("order_sign.html", order=order, text=text)


async def send(visit: Visit) -> Response:
    """Signed."""
    fields = await visit.form()
    body = {
        "bill": _key(visit),
        "payer": fields.get("payer", ""),
        "maximum_kopecks": _number(fields.get("maximum_kopecks")),
        "nonce": fields.get("nonce", ""),
        "valid_before": _number(fields.get("valid_before")),
        "signature": fields.get("signature", "").strip(),
    }
    item = await visit.api.post("/v1/orders", body)
    return visit.go(f"/payments/{item['id']}")


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0


routes = [
    Route("/bills/{key:str}/order", show(warn), methods=["GET"]),
    Route("/bills/{key:str}/order/sign", show(sign), methods=["POST"]),
    Route("/bills/{key:str}/order", show(send), methods=["POST"]),
]
