"""A supplier's receipts of one month: what came, from whom, in which transaction, and what was charged."""

from __future__ import annotations

import re

from starlette.responses import Response
from starlette.routing import Route

from webapp.view import Visit, show


async def show_statement(visit: Visit) -> Response:
    """The page; without a month, the one the chain is in."""
    period = visit.request.query_params.get("period", "")
    query = {"period": period} if re.fullmatch(r"\d{4}-\d{2}", period) else {}
    statement = await visit.api.get(f"/v1/suppliers/{visit.request.path_params['supplier']}/statement", **query)
    return visit.page("statement.html", zone=statement["zone"], statement=statement)


routes = [Route("/suppliers/{supplier:int}", show(show_statement), methods=["GET"])]
