"""An account's balance: what is owed by service and supplier, how old it is, and what the delay costs."""

from __future__ import annotations

from itertools import groupby
from urllib.parse import quote

from starlette.responses import Response
from starlette.routing import Route

from webapp.view import Visit, show


async def balance(visit: Visit) -> Response:
    """The page: newest month first, each with its bills; a penalty's rows under the line that it is for."""
    account = quote(visit.request.path_params["account"], safe="")
    found = await visit.api.get(f"/v1/accounts/{account}/balance")
    rows = {month: list(of) for month, of in groupby(found["months"], key=lambda row: row["month"])}
    bills = {month: list(of) for month, of in groupby(found["bills"], key=lambda bill: bill["period"])}
    return visit.page("balance.html", balance=found, rows=rows, bills=bills)


routes = [Route("/accounts/{account:str}/balance", show(balance), methods=["GET"])]
