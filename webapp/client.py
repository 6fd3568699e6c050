"""The one way the pages learn anything: the HTTP door, asked in the name of whoever is looking."""

from __future__ import annotations

from typing import Any, Self

import httpx


class ApiProblem(Exception):
    """A problem (RFC 9457) that the door answered with. ``slug`` is the last part of its type."""

    def __init__(self, status: int, body: dict[str, Any], retry_after_s: int | None = None) -> None:
        super().__init__(str(body.get("detail", "")))
        self.status = status
        self.slug = str(body.get("type", "")).rsplit("/", 1)[-1]
        self.title = str(body.get("title", ""))
        self.detail = str(body.get("detail", ""))
        self.remedy = str(body.get("remedy", ""))
        self.retry_after_s = retry_after_s


class Api:
    """The HTTP door for one visitor. Every method raises ApiProblem."""

    def __init__(self, http: httpx.AsyncClient, token: str | None = None, address: str | None = None) -> None:
        self._http = http
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        if address:
            # Login throttling counts the visitor's address, not this process's.
            self._headers["X-Visitor-Address"] = address

    def named(self, token: str) -> Self:
        """The same door for somebody who has just logged in."""
        return type(self)(self._http, token)

    async def get(self, path: str, **query: str | int) -> dict[str, Any]:
        """What is at ``path``."""
        return await self._ask("GET", path, params=query)

    async def file(self, path: str) -> httpx.Response:
        """What is at ``path`` as it came, for the browser to keep."""
        return await self._answer("GET", path)

    async def post(self, path: str, body: dict[str, Any], idempotency_key: str | None = None) -> dict[str, Any]:
        """Asks for something; with a key, asking again changes nothing."""
        extra = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return await self._ask("POST", path, json=body, headers=self._headers | extra)

    async def delete(self, path: str) -> None:
        """Removes what is at ``path``."""
        await self._ask("DELETE", path)

    async def _ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer = await self._answer(method, path, **options)
        return dict(answer.json()) if answer.content else {}

    async def _answer(self, method: str, path: str, **options: Any) -> httpx.Response:
        options.setdefault("headers", self._headers)
        try:
            answer = await self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise ApiProblem(503, {"type": "not-ready", "detail": str(error)}) from error
        if answer.is_success:
            return answer
        try:
            body = dict(answer.json())
        except ValueError:
            body = {"type": "unexpected", "detail": answer.reason_phrase}
        after = answer.headers.get("Retry-After", "")
        raise ApiProblem(answer.status_code, body, int(after) if after.isdigit() else None)
