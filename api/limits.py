"""No request of this door needs a large body: what is larger is refused before it is kept in memory."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import TooLarge, answer

LARGEST_BODY = 64 * 1024


class BodyLimit:
    """ASGI middleware. The body is read here, as far as the limit, and handed on whole."""

    def __init__(self, app: ASGIApp, largest: int = LARGEST_BODY) -> None:
        self._app = app
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, or refuses it."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        body = await self._body(Headers(scope=scope), receive)
        if body is None:
            refusal = answer(TooLarge(f"the body is above {self._largest} bytes"), scope["path"])
            await refusal(scope, receive, send)
            return
        unread = [{"type": "http.request", "body": body, "more_body": False}]

        async def replayed() -> Message:
            return unread.pop() if unread else await receive()

        await self._app(scope, replayed, send)

    async def _body(self, headers: Headers, receive: Receive) -> bytes | None:
        told = headers.get("content-length", "")
        if told.isdigit() and int(told) > self._largest:
            return None
        body, more = bytearray(), True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._largest:
                return None
        return bytes(body)
