"""What became of something that was asked for: a payment, a prepayment, a signed order."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from webapp.view import Visit, show

WAIT_S = 4


async def show_payment(visit: Visit) -> Response:
    """The page. The door is given a few seconds to settle it, so that most people see the end at once."""
    item = await visit.api.get(f"/v1/payments/{visit.request.path_params['item']}", wait_s=WAIT_S)
    return visit.page("payment.html", item=item)


routes = [Route("/payments/{item:str}", show(show_payment), methods=["GET"])]
