"""Forms that only our own pages can send: a token bound to the visitor's cookie and session."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from starlette.requests import Request

VISITOR_COOKIE = "kopeck_visitor"
SESSION_COOKIE = "kopeck_session"
LANGUAGE_COOKIE = "kopeck_language"
FIELD = "form_token"


class ForeignForm(Exception):
    """A form that was not sent from a page of ours, or from a page opened before logging in or out."""


def visitor_of(request: Request) -> str:
    """The visitor's random name; drawn here when the browser brings none."""
    if not hasattr(request.state, "visitor"):
        request.state.visitor = request.cookies.get(VISITOR_COOKIE) or secrets.token_hex(16)
    return str(request.state.visitor)


def form_token(secret: str, request: Request) -> str:
    """The token that a form on this page must bring back."""
    session = request.cookies.get(SESSION_COOKIE, "")
    return hmac.new(secret.encode(), f"{visitor_of(request)}|{session}".encode(), hashlib.sha256).hexdigest()


async def read_form(secret: str, request: Request) -> dict[str, str]:
    """The fields of a form sent from a page of ours. Raises ForeignForm."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise ForeignForm
    fields = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    if VISITOR_COOKIE not in request.cookies:
        raise ForeignForm
    if not hmac.compare_digest(fields.get(FIELD, "").encode(), form_token(secret, request).encode()):
        raise ForeignForm
    return fields
