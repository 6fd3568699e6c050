"""Disputing a line on the pages, without scripts."""

from __future__ import annotations

import pytest

from billing.debt.requests import DisputeRequest
from tests.api.town import Town
from tests.webapp.conftest import OpenBrowser

pytestmark = pytest.mark.anyio
PATH = "/bills/1-0/lines/0/dispute"


async def test_a_line_is_disputed_once_however_often_the_form_is_sent(town: Town, open_browser: OpenBrowser) -> None:
    browser = await open_browser("resident12")
    bill = await browser.get("/bills/1-0")
    assert f'href="{PATH}"' in bill.text
    assert "/lines/1/dispute" not in bill.text
    form = await browser.get(PATH)
    answers = [await browser.submit(form, PATH, ground="Показание не моё") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert answers[0].headers["location"] == answers[1].headers["location"]
    (item,) = town.inbox.items()
    assert isinstance(item.request, DisputeRequest)
    assert item.request.ground == "Показание не моё"
    town.inbox.working([item.id])
    taken = await browser.get(answers[0].headers["location"])
    assert "Обращение принято" in taken.text


async def test_without_words_the_form_comes_back(town: Town, open_browser: OpenBrowser) -> None:
    browser = await open_browser("resident12")
    again = await browser.submit(await browser.get(PATH), PATH, ground=" <b ")
    assert again.status_code == 422
    assert "от трёх знаков" in again.text
    assert "&lt;b</textarea>" in again.text
    assert not town.inbox.items()


@pytest.mark.parametrize(("login", "path", "status"), [
    ("resident12", "/bills/1-0/lines/1/dispute", 409),
    ("resident12", "/bills/1-0/lines/7/dispute", 409),
    ("resident13", PATH, 404),
    ("regulator", PATH, 409),
])  # fmt: skip
async def test_what_cannot_be_disputed_is_said(open_browser: OpenBrowser, login: str, path: str, status: int) -> None:
    assert (await (await open_browser(login)).get(path)).status_code == status
