"""The first page: a resident's accounts and what is open on them; a supplier goes to its receipts."""

from __future__ import annotations

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
        found = await visit.api.get("/v1/suppliers")
        return visit.page("suppliers.html", me=me, suppliers=found["suppliers"])
    accounts = (await visit.api.get("/v1/accounts"))["accounts"]
    status = await visit.api.get("/v1/status")
    zone = accounts[0]["zone"] if accounts else "UTC"
    return visit.page("home.html", zone=zone, me=me, accounts=accounts, status=status)


routes = [Route("/", show(home), methods=["GET"])]
