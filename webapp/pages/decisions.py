"""Disputes for those who decide them: what waits, what was decided and by whom, and the decision itself.

The regulator reads; the operator decides. The key that makes it one decision is drawn with the form, as for a payment.
"""

from __future__ import annotations

import secrets
from http import HTTPStatus

from starlette.responses import Response
from starlette.routing import Route

from webapp.view import Visit, show

WAIT_S = 4
FEWEST_SIGNS, MOST_SIGNS = 3, 200
OUTCOMES = {"upheld": True, "rejected": False}


async def disputes(visit: Visit) -> Response:
    """What waits for a decision, and what was decided."""
    waiting = (await visit.api.get("/v1/disputes"))["disputes"]
    decided = (await visit.api.get("/v1/disputes", decided="true"))["disputes"]
    return visit.page("disputes.html", waiting=waiting, decided=decided)


async def _case(
    visit: Visit,
    status: int = HTTPStatus.OK,
    *,
    act: str = "",
    chosen: str = "",
    no_outcome: str | None = None,
    no_act: str | None = None,
) -> Response:
    me = await visit.api.get("/v1/me")
    case = await visit.api.get(f"/v1/disputes/{visit.request.path_params['case']}")
    return visit.page(
        "decision.html",
        http_status=status,
        case=case,
        may_decide=me["role"] == "operator" and case["outcome"] == "open",
        act=act,
        chosen=chosen,
        most=MOST_SIGNS,
        no_outcome=no_outcome,
        no_act=no_act,
        idempotency_key=secrets.token_hex(16),
    )


async def dispute(visit: Visit) -> Response:
    """One dispute, with the form for whoever may decide."""
    return await _case(visit)


async def decide(visit: Visit) -> Response:
    """Decided."""
    fields = await visit.form()
    case = visit.request.path_params["case"]
    act, chosen = fields.get("act", "").strip(), fields.get("outcome", "")
    no_outcome = None if chosen in OUTCOMES else visit.texts("decision.no_outcome")
    no_act = None if FEWEST_SIGNS <= len(act) <= MOST_SIGNS else visit.texts("decision.no_act")
    if no_outcome or no_act:
        return await _case(
            visit, HTTPStatus.UNPROCESSABLE_ENTITY, act=act, chosen=chosen, no_outcome=no_outcome, no_act=no_act
        )
    body = {"upheld": OUTCOMES[chosen], "act": act}
    item = await visit.api.post(f"/v1/disputes/{case}/decision", body, fields.get("idempotency_key"))
    return visit.go(f"/disputes/{case}/decisions/{item['id']}")


async def sent(visit: Visit) -> Response:
    """What became of it."""
    case, item = (visit.request.path_params[name] for name in ("case", "item"))
    found = await visit.api.get(f"/v1/disputes/{case}/decisions/{item}", wait_s=WAIT_S)
    dispute = await visit.api.get(f"/v1/disputes/{case}")
    return visit.page("decision_sent.html", item=found, case=dispute)


routes = [
    Route("/disputes", show(disputes), methods=["GET"]),
    Route("/disputes/{case:int}", show(dispute), methods=["GET"]),
    Route("/disputes/{case:int}", show(decide), methods=["POST"]),
    Route("/disputes/{case:int}/decisions/{item:str}", show(sent), methods=["GET"]),
]
