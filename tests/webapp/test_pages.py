"""Every page, in both languages, without a browser."""

from __future__ import annotations

import re

import pytest

from tests.webapp.conftest import OpenBrowser

pytestmark = pytest.mark.anyio

PAGES = [
    ("resident12", "/"),
    ("resident12", "/bills/1-0"),
    ("resident12", "/bills/1-1"),
    ("resident12", "/bills/1-0/pay"),
    ("resident12", "/bills/1-0/order"),
    ("resident12", "/accounts/10000012/prepay"),
    ("supplier1", "/suppliers/1"),
    ("regulator", "/"),
    ("welfare", "/"),
    (None, "/login"),
]


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize(("login", "path"), PAGES)
async def test_every_page_renders(open_browser: OpenBrowser, login: str | None, path: str, language: str) -> None:
    browser = await open_browser(login)
    page = await browser.get(path, params={"lang": language})
    assert page.status_code == 200, page.text
    assert f'<html lang="{language}">' in page.text
    assert not re.search(r"\{[a-z]", page.text), "a text kept its braces"
