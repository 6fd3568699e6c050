"""What the months to come will use and cost, with an interval, and the naive figure beside it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from starlette.responses import Response
from starlette.routing import Route

from webapp.client import ApiProblem
from webapp.view import Visit, show


async def outlook(visit: Visit) -> Response:
    """The page; an account without a metered month is told so plainly, for it is no error."""
    account = quote(visit.request.path_params["account"], safe="")
    try:
        found: dict[str, Any] = await visit.api.get(f"/v1/accounts/{account}/outlook")
    except ApiProblem as problem:
        if problem.slug != "no-forecast":
            raise
        found = {"account": visit.request.path_params["account"], "months": []}
    return visit.page("outlook.html", outlook=found)


routes = [Route("/accounts/{account:str}/outlook", show(outlook), methods=["GET"])]
