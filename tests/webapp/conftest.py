"""The pages over the door over the small town, all over ASGI."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from api.caller import IN_PROCESS
from tests.api.town import PASSWORD, Town, make_town
from webapp.app import create_webapp
from webapp.view import DemoLogin


@pytest.fixture
def anyio_backend() -> str:
    """asyncio alone."""
    return "asyncio"


@pytest.fixture
def town(tmp_path: Path) -> Town:
    """A town of this test's own."""
    return make_town(tmp_path)


class Browser:
    """A browser without scripts: keeps cookies, follows forms."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def get(self, path: str, **options: object) -> httpx.Response:
        return await self.http.get(path, **options)  # type: ignore[arg-type]

    async def submit(self, page: httpx.Response, action: str, **fields: str) -> httpx.Response:
        """Sends the page's form with that action: its hidden fields, and what the visitor typed."""
        return await self.http.post(action, data=hidden_fields(page.text, action) | fields)


def hidden_fields(html: str, action: str) -> dict[str, str]:
    """Hidden fields of the form with that action."""
    form = next(f for f in re.findall(r"<form.*?</form>", html, re.S) if f'action="{action}"' in f)
    inputs = re.findall(r"<input[^>]*type=\"hidden\"[^>]*>", form)
    return {
        re.search(r'name="([^"]*)"', i)[1]: re.search(r'value="([^"]*)"', i)[1]  # type: ignore[index]
        for i in inputs
    }


OpenBrowser = Callable[[str | None], Awaitable[Browser]]


@pytest.fixture
async def open_browser(town: Town) -> AsyncIterator[OpenBrowser]:
    """Makes browsers, logged in as somebody or as nobody."""
    door = create_app(town.context)
    inner = httpx.AsyncClient(
        transport=httpx.ASGITransport(door, raise_app_exceptions=False, client=(IN_PROCESS, 0)),
        base_url="http://testserver",
    )
    demo = [DemoLogin("resident12", PASSWORD, "Житель 12")]
    door.mount("/", create_webapp(inner, "a secret of the tests", demo.copy))
    opened: list[httpx.AsyncClient] = []

    async def make(login: str | None) -> Browser:
        http = httpx.AsyncClient(
            transport=httpx.ASGITransport(door, raise_app_exceptions=False), base_url="http://testserver"
        )
        opened.append(http)
        browser = Browser(http)
        if login is not None:
            page = await browser.get("/login")
            answer = await browser.submit(page, "/login", login=login, password=PASSWORD)
            assert answer.status_code == 303, answer.text
        return browser

    yield make
    for http in [inner, *opened]:
        await http.aclose()
