"""Who stands behind a request, by its bearer token alone: no cookie opens this door, so no other site can."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.context import Context
from api.people import Actor, Role
from api.problems import NotAllowed, NotLoggedIn

IN_PROCESS = "pages"
"""Client name of the pages when they ask over ASGI; no socket can bear it, it is no address."""

_bearer = HTTPBearer(auto_error=False, description="a session's token, or an organisation's")


def context_of(request: Request) -> Context:
    """What the application was made with."""
    context = request.app.state.context
    assert isinstance(context, Context)
    return context


Door = Annotated[Context, Depends(context_of)]
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


def bearer_token(credentials: Credentials) -> str:
    """The token given. Raises NotLoggedIn."""
    if credentials is None:
        raise NotLoggedIn("no token was sent", {"WWW-Authenticate": "Bearer"})
    return credentials.credentials


def actor_of(door: Door, token: Annotated[str, Depends(bearer_token)]) -> Actor:
    """The person or organisation of the token. Raises NotLoggedIn."""
    person = door.sessions.person(token)
    actor = door.people.person(person) if person is not None else door.people.organisation(token)
    if actor is None:
        raise NotLoggedIn("the session has ended or the token is not known", {"WWW-Authenticate": "Bearer"})
    return actor


Caller = Annotated[Actor, Depends(actor_of)]
Token = Annotated[str, Depends(bearer_token)]


def require(actor: Actor, *roles: Role) -> None:
    """Raises NotAllowed for any other role."""
    if actor.role not in roles:
        raise NotAllowed(f"this is for {' or '.join(roles)}, you are {actor.role}")


def address_of(request: Request) -> str:
    """The visitor's network address: said by our own pages when they ask for somebody, else the caller's own."""
    host = request.client.host if request.client else "unknown"
    if host == IN_PROCESS:
        return request.headers.get("X-Visitor-Address", IN_PROCESS)
    return host


VisitorAddress = Annotated[str, Depends(address_of)]
