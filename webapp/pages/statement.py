"""A supplier's month: opening, charged, received by source, closing; each receipt; and all of it as files."""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from webapp.client import ApiProblem
from webapp.view import Page, Visit, show


async def show_statement(visit: Visit) -> Response:
    """The page; without a month, the one the chain is in."""
    period = visit.request.query_params.get("period", "")
    query = {"period": period} if re.fullmatch(r"\d{4}-\d{2}", period) else {}
    supplier = visit.request.path_params["supplier"]
    statement = await visit.api.get(f"/v1/suppliers/{supplier}/statement", **query)
    books = await _books(visit, supplier, statement["period"])
    return visit.page("statement.html", zone=statement["zone"], statement=statement, books=books)


async def _books(visit: Visit, supplier: int, period: str) -> dict[str, Any] | None:
    """The month's sums; None while nothing is final, or a run's file is awaited."""
    try:
        return await visit.api.get(f"/v1/suppliers/{supplier}/books", period=period)
    except ApiProblem as problem:
        if problem.slug != "not-ready":
            raise
        return None


def books_file(form: str) -> Page:
    """The month's books as a file, as the door made it."""

    async def page(visit: Visit) -> Response:
        period = visit.request.query_params.get("period", "")
        if not re.fullmatch(r"\d{4}-\d{2}", period):
            return visit.go(f"/suppliers/{visit.request.path_params['supplier']}")
        path = f"/v1/suppliers/{visit.request.path_params['supplier']}/books.{form}?period={period}"
        made = await visit.api.file(path)
        kept = ("content-type", "content-disposition")
        return Response(made.content, headers={name: made.headers[name] for name in kept})

    return page


routes = [
    Route("/suppliers/{supplier:int}", show(show_statement), methods=["GET"]),
    *(
        Route(f"/suppliers/{{supplier:int}}/books.{form}", show(books_file(form)), methods=["GET"])
        for form in ("csv", "xlsx", "1c")
    ),
]
