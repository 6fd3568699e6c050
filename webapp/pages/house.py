"""A house's month: what it used, what flats used together, what is left for common property, and its fund."""

from __future__ import annotations

import re
from urllib.parse import quote

from starlette.responses import Response
from starlette.routing import Route

from webapp.view import Visit, show


def _query(visit: Visit) -> dict[str, str]:
    period = visit.request.query_params.get("period", "")
    return {"period": period} if re.fullmatch(r"\d{4}-\d{2}", period) else {}


async def of_account(visit: Visit) -> Response:
    """The house of an account, with the account's own use beside the house's."""
    account = visit.request.path_params["account"]
    found = await visit.api.get(f"/v1/accounts/{quote(account, safe='')}/house", **_query(visit))
    return visit.page("house.html", house=found, account=account)


async def of_town(visit: Visit) -> Response:
    """A house for whoever sees all of them."""
    house = visit.request.path_params["house"]
    found = await visit.api.get(f"/v1/houses/{quote(house, safe='')}", **_query(visit))
    return visit.page("house.html", house=found, account=None)


routes = [
    Route("/accounts/{account:str}/house", show(of_account), methods=["GET"]),
    Route("/houses/{house:str}", show(of_town), methods=["GET"]),
]
