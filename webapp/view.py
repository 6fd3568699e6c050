"""What every page shares: who looks, in which language, how an answer is rendered and an error shown."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from webapp.client import Api, ApiProblem
from webapp.formatters import Formatter
from webapp.forms import (
    FIELD,
    LANGUAGE_COOKIE,
    SESSION_COOKIE,
    VISITOR_COOKIE,
    ForeignForm,
    form_token,
    read_form,
    visitor_of,
)
from webapp.texts import DEFAULT_LANGUAGE, LANGUAGES, Texts

HERE = Path(__file__).parent
YEAR_S = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class DemoLogin:
    """A login that the demo town shows on the login page."""

    login: str
    password: str
    label: str


class Site:
    """What all pages hold in common, made once: the door, the templates, the secret of the forms."""

    def __init__(
        self, http: httpx.AsyncClient, secret: str, demo_logins: Callable[[], list[DemoLogin]], https: bool
    ) -> None:
        self.http = http
        self.secret = secret
        self.demo_logins = demo_logins
        self.https = https
        self.style = hashlib.sha256((HERE / "static" / "kopeck.css").read_bytes()).hexdigest()[:12]
        self.templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )


class Visit:
    """One request of one visitor."""

    def __init__(self, site: Site, request: Request) -> None:
        self.site = site
        self.request = request
        self.token = request.cookies.get(SESSION_COOKIE)
        self.api = Api(site.http, self.token, request.client.host if request.client else None)

    @cached_property
    def language(self) -> str:
        """The language asked for now, or chosen before, or Russian."""
        asked = (self.request.query_params.get("lang"), self.request.cookies.get(LANGUAGE_COOKIE))
        return next((language for language in asked if language in LANGUAGES), None) or DEFAULT_LANGUAGE

    @cached_property
    def texts(self) -> Texts:
        """The catalogue of the visitor's language."""
        return Texts(self.language)

    async def form(self) -> dict[str, str]:
        """Fields of the form sent here. Raises ForeignForm."""
        return await read_form(self.site.secret, self.request)

    def page(self, template: str, http_status: int = 200, zone: str = "UTC", **values: Any) -> Response:
        """The page of ``template``, in the visitor's language and the house's zone."""
        body = self.site.templates.get_template(template).render(
            t=self.texts,
            fmt=Formatter(self.language, zone),
            language=self.language,
            languages=LANGUAGES,
            language_links={code: self._same_page(lang=code) for code in LANGUAGES},
            logged_in=self.token is not None,
            form_field=FIELD,
            form_token=form_token(self.site.secret, self.request),
            style=self.site.style,
            path=self.request.url.path,
            **values,
        )
        return self.keep(HTMLResponse(body, http_status))

    def go(self, path: str) -> Response:
        """Sends the browser to a page of ours after a form."""
        return self.keep(RedirectResponse(path, HTTPStatus.SEE_OTHER))

    def keep(self, response: Response) -> Response:
        """Gives the browser the cookies it needs."""
        if VISITOR_COOKIE not in self.request.cookies:
            self._cookie(response, VISITOR_COOKIE, visitor_of(self.request))
        if self.request.query_params.get("lang") == self.language:
            self._cookie(response, LANGUAGE_COOKIE, self.language, YEAR_S)
        return response

    def log_in(self, response: Response, token: str) -> Response:
        """Gives the browser its session; forms opened before stop working."""
        self._cookie(response, SESSION_COOKIE, token)
        return response

    def log_out(self, response: Response) -> Response:
        """Takes the session from the browser."""
        response.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="lax", secure=self.site.https)
        return response

    def _cookie(self, response: Response, name: str, value: str, age_s: int | None = None) -> None:
        response.set_cookie(name, value, max_age=age_s, path="/", httponly=True, samesite="lax", secure=self.site.https)

    def _same_page(self, **changes: str) -> str:
        query = dict(self.request.query_params) | changes
        if self.request.method != "GET":  # a page that answers a form can't be asked for again
            return "/?" + urlencode(changes)
        return self.request.url.path + "?" + urlencode(query)


Page = Callable[[Visit], Awaitable[Response]]


def show(page: Page) -> Callable[[Request], Awaitable[Response]]:
    """A page as a route: problems of the door become error pages, a missing session the login page."""

    async def endpoint(request: Request) -> Response:
        visit = Visit(request.app.state.site, request)
        try:
            return await page(visit)
        except ApiProblem as problem:
            if problem.status == HTTPStatus.UNAUTHORIZED:
                target = request.url.path if request.method == "GET" else "/"
                return visit.log_out(visit.go("/login?next=" + quote(target)))
            return problem_page(visit, problem)
        except ForeignForm:
            return problem_page(visit, ApiProblem(HTTPStatus.FORBIDDEN, {"type": "foreign-form"}))

    return endpoint


def problem_page(visit: Visit, problem: ApiProblem) -> Response:
    """An error as a page: what happened, to which record, and what to do now."""
    texts = visit.texts
    response = visit.page(
        "problem.html",
        http_status=problem.status,
        title=texts.known(f"problem.{problem.slug}.title", problem.title or texts("problem.unexpected.title")),
        remedy=texts.known(f"problem.{problem.slug}.remedy", problem.remedy or texts("problem.unexpected.remedy")),
        detail=problem.detail,
        status_code=problem.status,
    )
    if problem.retry_after_s is not None:
        response.headers["Retry-After"] = str(problem.retry_after_s)
    return response
