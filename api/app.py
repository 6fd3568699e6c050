"""The HTTP door as an ASGI application."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.trustedhost import TrustedHostMiddleware

from api.context import Context
from api.headers import SecurityHeaders
from api.limits import BodyLimit
from api.problems import NotFound, install
from api.routes import (
    bills,
    checkpoints,
    disputes,
    documents,
    files,
    houses,
    payments,
    sessions,
    supplier_books,
    suppliers,
)

DESCRIPTION = """Bills, payments and proofs. Money is whole kopecks, hashes are 0x hex, times are UTC.
Errors are RFC 9457 problem details with a `remedy`. A bearer token comes from `POST /v1/sessions`,
or is an organisation's own."""

LOCAL_HOSTS = ("127.0.0.1", "localhost", "testserver")


def create_app(context: Context, hosts: Sequence[str] = LOCAL_HOSTS, https: bool = False) -> FastAPI:
    """The door. ``hosts`` are the names it answers to; ``https`` adds HSTS."""
    app = FastAPI(
        title="Kopeck",
        version="1",
        description=DESCRIPTION,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # the stock pages load scripts from elsewhere
        redoc_url=None,
        generate_unique_id_function=_operation,
    )
    app.state.context = context
    install(app)
    for router in (
        sessions.router,
        bills.router,
        checkpoints.router,
        disputes.router,
        documents.router,
        houses.router,
        payments.router,
        suppliers.router,
        supplier_books.router,
        files.router,
    ):
        app.include_router(router)
    app.add_api_route("/v1/{rest:path}", _nothing, methods=["GET", "POST", "DELETE"], include_in_schema=False)
    app.add_api_route("/files/{rest:path}", _nothing, methods=["GET"], include_in_schema=False)
    app.add_middleware(BodyLimit)
    app.add_middleware(SecurityHeaders, https=https)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    return app


def _nothing(rest: str) -> None:
    raise NotFound(f"nothing is at {rest}")


def _operation(route: APIRoute) -> str:
    return re.sub(r"\W+", "_", route.name)
