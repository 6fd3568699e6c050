"""The first page: a resident's accounts and what is open on them; a supplier goes to its receipts."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from webapp.view import Visit, show


async def home(visit: Visit) -> Response:
    """Accounts with their bills, or the page that fits the visitor's role."""
    if visit.token is None:
        return visit.go("/login")
    me = await visit.api.get("/v1/me")
    if me["supplier"] is not None:
        return visit.go(f"/suppliers/{me['supplier']}")
    if me["role"] != "resident":
        return await _overview(visit, me)
    accounts = (await visit.api.get("/v1/accounts"))["accounts"]
    status = await visit.api.get("/v1/status")
    zone = accounts[0]["zone"] if accounts else "UTC"
    return visit.page("home.html", zone=zone, me=me, accounts=accounts, status=status)


async def _overview(visit: Visit, me: dict[str, Any]) -> Response:
    """For the welfare body, the regulator and the operator: benefits; disputes, suppliers and houses where they are
    open to the role; the welfare body's own cases."""
    batches = (await visit.api.get("/v1/grant-batches"))["batches"]
    suppliers = (await visit.api.get("/v1/suppliers"))["suppliers"] if me["role"] != "welfare" else []
    sees_all = me["role"] in ("regulator", "operator")
    houses = (await visit.api.get("/v1/houses"))["houses"] if sees_all else []
    disputes = (await visit.api.get("/v1/disputes"))["disputes"] if sees_all else []
    cases = (await visit.api.get("/v1/welfare-cases"))["cases"] if me["role"] == "welfare" else []
    return visit.page(
        "overview.html",
        me=me,
        batches=batches,
        suppliers=suppliers,
        cases=cases,
        houses=houses,
        sees_all=sees_all,
        waiting=len(disputes),
    )


routes = [Route("/", show(home), methods=["GET"])]
