"""An account's balance: what is owed by service and supplier, how old it is, and what the delay costs."""

from __future__ import annotations

from itertools import groupby
from typing import Any
from urllib.parse import quote

from starlette.responses import Response
from starlette.routing import Route

from webapp.view import Visit, show


async def balance(visit: Visit) -> Response:
    """The page: newest month first, a penalty's rows under the line that it is for."""
    account = quote(visit.request.path_params["account"], safe="")
    found = await visit.api.get(f"/v1/accounts/{account}/balance")
    months = [(month, _rows(list(rows))) for month, rows in groupby(found["months"], key=lambda row: row["month"])]
    return visit.page("balance.html", balance=found, months=months)


def _rows(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A month's rows with what moved in all of them together."""
    names = ("charged", "recalculated", "granted", "paid", "netted", "refunded", "penalties", "closing")
    return {"rows": rows, **{name: sum(row[f"{name}_kopecks"] for row in rows) for name in names}}


routes = [Route("/accounts/{account:str}/balance", show(balance), methods=["GET"])]
