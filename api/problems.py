"""Errors of the HTTP door as RFC 9457 problem details: one type, one status, one remedy each.

What the contracts refuse is in contracts/wire/errors.py; what the door itself refuses is here.
"""

from __future__ import annotations

import traceback
from http import HTTPStatus
from typing import ClassVar

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from contracts.wire.errors import ContractError

log = structlog.get_logger()

TYPE_BASE = "https://kopeck.invalid/problems/"
MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """An answer that is not what was asked for. ``detail`` names the record, ``remedy`` what to do."""

    slug: ClassVar[str]
    status: ClassVar[int]
    title: ClassVar[str]
    remedy: ClassVar[str]

    def __init__(self, detail: str, headers: dict[str, str] | None = None, **extra: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = headers or {}
        self.extra = extra


class NotLoggedIn(Problem):
    """No session and no token, or one that has ended."""

    slug, status = "not-logged-in", 401
    title = "You are not logged in"
    remedy = "Log in, or send a live token as Authorization: Bearer."


class WrongPassword(Problem):
    """Login and password do not go together. Which of them is wrong is not said."""

    slug, status = "wrong-password", 401
    title = "Wrong login or password"
    remedy = "Check both and try again."


class TooManyLogins(Problem):
    """Failed logins beyond the limit."""

    slug, status = "too-many-logins", 429
    title = "Too many failed logins"
    remedy = "Wait as long as the answer says, then try again."


class NotFound(Problem):
    """No such record, or none that this caller may see: the two are told apart by nothing."""

    slug, status = "not-found", 404
    title = "There is no such record"
    remedy = "Check the number; only what is yours can be opened."


class NotAllowed(Problem):
    """The caller's role has no such right, whoever's record it is."""

    slug, status = "not-allowed", 403
    title = "Your role does not allow this"
    remedy = "Log in as someone who may, or ask the operator for the right."


class BadRequest(Problem):
    """A field is missing or not of its kind."""

    slug, status = "bad-request", 422
    title = "Something in the request is not right"
    remedy = "Correct the named fields and send it again."


class TooLarge(Problem):
    """A body beyond what any request of this door needs."""

    slug, status = "too-large", 413
    title = "The request is too large"
    remedy = "Send at most 64 KiB."


class KeyMissing(Problem):
    """A payment without an Idempotency-Key can't be told from its own repetition."""

    slug, status = "idempotency-key-missing", 400
    title = "The Idempotency-Key header is missing"
    remedy = "Draw a random key for this payment, send it, and repeat with the same key if the answer is lost."


class KeyReused(Problem):
    """The same Idempotency-Key came with other content."""

    slug, status = "idempotency-key-reused", 409
    title = "This Idempotency-Key was used for something else"
    remedy = "Draw a new key for a new payment."


class BillClosed(Problem):
    """Nothing is open on the bill: paid, or replaced by a correction."""

    slug, status = "bill-closed", 409
    title = "Nothing is open on this bill"
    remedy = "Open the bill to see how it was paid or which bill replaced it."


class WrongSum(Problem):
    """A sum of nothing, or of more than is open."""

    slug, status = "wrong-sum", 422
    title = "The sum can't be taken"
    remedy = "Give a sum from one kopeck up to what is open."


class OrderRefused(Problem):
    """A signed order that could not be carried out as it stands."""

    slug, status = "order-refused", 422
    title = "The signed order can't be accepted"
    remedy = "Ask for the order anew, sign exactly what it says with the named wallet, and send it before it expires."


class NotDisputable(Problem):
    """A line that can't be disputed here: none of the bill's, or in dispute before."""

    slug, status = "not-disputable", 409
    title = "This line can't be disputed here"
    remedy = "Look on the bill how it stands; where a dispute was decided, go to the operator, or to the court."


class DisputeDecided(Problem):
    """A dispute that was decided before; a decision is not taken back here."""

    slug, status = "dispute-decided", 409
    title = "This dispute was decided already"
    remedy = "Read the decision that stands; where it has to change, correct the bill under another act."


class NotPrintable(Problem):
    """A document can't be made of what is known: a note, an erased record, requisites that nobody entered."""

    slug, status = "not-printable", 409
    title = "This document can't be made"
    remedy = "Do what the detail says, or ask the operator to enter what is missing."


class NoForecast(Problem):
    """An account without a metered month, or without a tariff for the month to come."""

    slug, status = "no-forecast", 409
    title = "There is no forecast yet"
    remedy = "Ask again when the next month is billed."


class NotReady(Problem):
    """Another part of the service is not running yet."""

    slug, status = "not-ready", 503
    title = "The service is still starting"
    remedy = "Try again in a minute."


class Unexpected(Problem):
    """A defect of ours. The log has the rest."""

    slug, status = "unexpected", 500
    title = "Something went wrong on our side"
    remedy = "Try again; if it happens again, tell the operator the time and the page."


TABLE: tuple[type[Problem], ...] = (
    NotLoggedIn,
    WrongPassword,
    TooManyLogins,
    NotFound,
    NotAllowed,
    BadRequest,
    TooLarge,
    KeyMissing,
    KeyReused,
    BillClosed,
    WrongSum,
    OrderRefused,
    NotDisputable,
    DisputeDecided,
    NotPrintable,
    NoForecast,
    NotReady,
    Unexpected,
)


def answer(problem: Problem, instance: str) -> JSONResponse:
    """The problem as RFC 9457 has it."""
    body = {
        "type": TYPE_BASE + problem.slug,
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": instance,
        "remedy": problem.remedy,
        **problem.extra,
    }
    return JSONResponse(body, problem.status, problem.headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Makes every error of ``app`` a problem."""

    @app.exception_handler(Problem)
    async def _known(request: Request, error: Problem) -> JSONResponse:
        return answer(error, request.url.path)

    @app.exception_handler(ContractError)
    async def _refused(request: Request, error: ContractError) -> JSONResponse:
        body = {
            "type": TYPE_BASE + error.slug,
            "title": "The chain would refuse this",
            "status": error.status,
            "detail": str(error),
            "instance": request.url.path,
            "remedy": error.remedy,
        }
        return JSONResponse(body, error.status, None, MEDIA_TYPE)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        # The input itself is left out: it may hold a password.
        fields = [{"field": ".".join(map(str, e["loc"])), "reason": e["msg"]} for e in error.errors()]
        names = ", ".join(f"{f['field']}: {f['reason']}" for f in fields)
        return answer(BadRequest(names, fields=fields), request.url.path)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == HTTPStatus.NOT_FOUND:
            return answer(NotFound(f"nothing is at {request.url.path}"), request.url.path)
        body = {
            "type": "about:blank",
            "title": HTTPStatus(error.status_code).phrase,
            "status": error.status_code,
            "detail": str(error.detail),
            "instance": request.url.path,
        }
        return JSONResponse(body, error.status_code, error.headers, MEDIA_TYPE)

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, error: Exception) -> JSONResponse:
        # As text: a renderer that shows local variables would write passwords into the log.
        log.error("api.failed", path=request.url.path, traceback="".join(traceback.format_exception(error)))
        return answer(Unexpected("the request could not be finished"), request.url.path)
