"""Disputing a line of a bill: what follows of it, the resident's words, and whether it was taken.

The key that makes it one dispute is drawn with the form, as for a payment.
"""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from webapp.client import ApiProblem
from webapp.view import Visit, show

WAIT_S = 4
FEWEST_SIGNS, MOST_SIGNS = 3, 1000


def _place(visit: Visit) -> tuple[str, int]:
    return str(visit.request.path_params["key"]), int(visit.request.path_params["line"])


async def _form(visit: Visit, status: int = HTTPStatus.OK, ground: str = "", wrong: str | None = None) -> Response:
    key, number = _place(visit)
    bill = await visit.api.get(f"/v1/bills/{key}")
    standing = await visit.api.get(f"/v1/bills/{key}/standing")
    lines: list[dict[str, Any]] = [line for line in bill["lines"] if line["line"] == number]
    if not lines or number not in standing["disputable"]:
        raise ApiProblem(HTTPStatus.CONFLICT, {"type": "not-disputable"})
    return visit.page(
        "dispute.html",
        http_status=status,
        zone=bill["zone"],
        bill=bill,
        line=lines[0],
        ground=ground,
        most=MOST_SIGNS,
        wrong=wrong,
        idempotency_key=secrets.token_hex(16),
    )


async def ask(visit: Visit) -> Response:
    """The form."""
    return await _form(visit)


async def dispute(visit: Visit) -> Response:
    """Sent."""
    fields = await visit.form()
    key, number = _place(visit)
    ground = fields.get("ground", "").strip()
    if not FEWEST_SIGNS <= len(ground) <= MOST_SIGNS:
        return await _form(visit, HTTPStatus.UNPROCESSABLE_ENTITY, ground, visit.texts("dispute.no_ground"))
    body = {"line": number, "ground": ground}
    item = await visit.api.post(f"/v1/bills/{key}/disputes", body, fields.get("idempotency_key"))
    return visit.go(f"/bills/{key}/disputes/{item['id']}")


async def sent(visit: Visit) -> Response:
    """What became of it."""
    item = await visit.api.get(f"/v1/payments/{visit.request.path_params['item']}", wait_s=WAIT_S)
    return visit.page("dispute_sent.html", item=item, key=visit.request.path_params["key"])


routes = [
    Route("/bills/{key:str}/lines/{line:int}/dispute", show(ask), methods=["GET"]),
    Route("/bills/{key:str}/lines/{line:int}/dispute", show(dispute), methods=["POST"]),
    Route("/bills/{key:str}/disputes/{item:str}", show(sent), methods=["GET"]),
]
