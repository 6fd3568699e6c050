"""Logging in and out."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from starlette.responses import Response
from starlette.routing import Route

from webapp.client import ApiProblem
from webapp.view import Visit, show


def _local(target: str) -> str:
    """A path of ours to go to after logging in; anything else is the home page."""
    return target if target.startswith("/") and target[1:2] not in ("/", "\\") else "/"


def _form(visit: Visit, target: str, problem: ApiProblem | None = None, login: str = "") -> Response:
    return visit.page(
        "login.html",
        http_status=problem.status if problem else HTTPStatus.OK,
        target=target,
        login=login,
        failed=problem,
        demo_logins=visit.site.demo_logins(),
    )


async def ask(visit: Visit) -> Response:
    """The form."""
    return _form(visit, _local(visit.request.query_params.get("next", "/")))


async def enter(visit: Visit) -> Response:
    """Login and password given."""
    fields = await visit.form()
    target = _local(fields.get("next", "/"))
    body = {"login": fields.get("login", ""), "password": fields.get("password", "")}
    try:
        opened = await visit.api.post("/v1/sessions", body)
    except ApiProblem as problem:
        if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
        return _form(visit, target, problem, body["login"])
    return visit.log_in(visit.go(target), opened["token"])


async def leave(visit: Visit) -> Response:
    """Ends the session at the door too, so that a copied cookie is worth nothing."""
    await visit.form()
    if visit.token is not None:
        await asyncio.shield(visit.api.delete("/v1/sessions/current"))
    return visit.log_out(visit.go("/login"))


routes = [
    Route("/login", show(ask), methods=["GET"]),
    Route("/login", show(enter), methods=["POST"]),
    Route("/logout", show(leave), methods=["POST"]),
]
