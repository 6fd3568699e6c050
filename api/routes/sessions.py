"""Logging in and out, and who one is."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter

from api.caller import Caller, Door, Token, VisitorAddress
from api.models import Credentials, Me, SessionOpened
from api.people import Actor
from api.problems import TooManyLogins, WrongPassword
from api.throttle import TooManyTries

router = APIRouter(prefix="/v1", tags=["sessions"])


@router.post("/sessions", status_code=201)
def open_session(credentials: Credentials, door: Door, address: VisitorAddress) -> SessionOpened:
    """Opens a session. Tries are counted before the password is looked at."""
    try:
        attempt = door.throttle.enter(credentials.login, address)
    except TooManyTries as error:
        raise TooManyLogins(str(error), {"Retry-After": str(error.retry_after_s)}) from error
    actor = door.people.authenticate(credentials.login, credentials.password)
    if actor is None:
        raise WrongPassword("login and password do not go together")
    door.throttle.forget(attempt)
    session = door.sessions.open(actor.id)
    return SessionOpened(token=session.token, expires_at=datetime.fromtimestamp(session.expires_at, UTC), me=_me(actor))


@router.delete("/sessions/current", status_code=204)
def close_session(token: Token, caller: Caller, door: Door) -> None:
    """Closes the session of the token sent."""
    del caller  # known, so the token is a live one
    door.sessions.close(token)


@router.get("/me")
def me(caller: Caller) -> Me:
    """Who the caller is, and what is theirs."""
    return _me(caller)


def _me(actor: Actor) -> Me:
    return Me(
        role=actor.role,
        name=actor.name,
        language=actor.language,
        accounts=list(actor.accounts),
        supplier=actor.supplier,
    )
