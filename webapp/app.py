"""The pages as an ASGI application over the HTTP door."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from webapp.client import ApiProblem
from webapp.pages import (
    balance,
    bill,
    checkpoints,
    decisions,
    dispute,
    home,
    house,
    login,
    order,
    outlook,
    pay,
    pay_account,
    payment,
    prepay,
    statement,
    verify,
)
from webapp.view import HERE, DemoLogin, Site, Visit, problem_page


class _Static(StaticFiles):
    """Files named with their version in the query: a browser may keep them."""

    def file_response(self, *args: object, **options: object) -> Response:
        response = super().file_response(*args, **options)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
    slug = "not-found" if status == HTTPStatus.NOT_FOUND else "unexpected"
    return problem_page(Visit(request.app.state.site, request), ApiProblem(status, {"type": slug}))


def create_webapp(
    http: httpx.AsyncClient, secret: str, demo_logins: Callable[[], list[DemoLogin]] = list, https: bool = False
) -> Starlette:
    """The pages. ``http`` reaches the door; ``secret`` binds forms to visitors; ``https`` marks cookies Secure.

    ``demo_logins`` is asked each time the login page is shown: a demo town is filled while it is served.
    """
    routes = [
        *login.routes,
        *home.routes,
        *balance.routes,
        *outlook.routes,
        *house.routes,
        *bill.routes,
        *dispute.routes,
        *decisions.routes,
        *pay.routes,
        *pay_account.routes,
        *order.routes,
        *payment.routes,
        *prepay.routes,
        *statement.routes,
        *verify.routes,
        *checkpoints.routes,
        Mount("/static", _Static(directory=HERE / "static")),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _http_error, Exception: _http_error})
    app.state.site = Site(http, secret, demo_logins, https)
    return app
