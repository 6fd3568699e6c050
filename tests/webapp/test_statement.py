"""A supplier's month as a page: its sums, and the files behind the links."""

from __future__ import annotations

import re

import pytest

from tests.webapp.conftest import OpenBrowser

pytestmark = pytest.mark.anyio


async def test_a_month_shows_its_sums_and_gives_its_files(open_browser: OpenBrowser) -> None:
    browser = await open_browser("supplier1")
    page = await browser.get("/suppliers/1", params={"period": "2026-03"})
    text = " ".join(re.sub(r"<[^>]+>", " ", page.text).split())
    assert re.search(r"Долг потребителей на начало 50,00", text)
    assert re.search(r"Поступило от агентов 50,00", text)
    assert re.search(r"Долг потребителей на конец 0,00", text)
    links = re.findall(r'href="(/suppliers/1/books\.[^"]+)"', page.text)
    assert len(links) == 3
    table = await browser.get(links[0])
    assert table.headers["content-disposition"] == 'attachment; filename="kopeck-1-2026-03.csv"'
    assert "50,00" in table.content.decode("utf-8-sig")
    stranger = await open_browser("resident12")
    assert (await stranger.get(links[0])).status_code == 404
