"""Disputing a line on the pages, without scripts."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from billing.debt.requests import DisputeRequest
from tests.api.town import Town
from tests.api.town_ledger import MINE, line
from tests.webapp.conftest import Browser, OpenBrowser

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


async def test_the_first_page_asks_for_no_sum_in_dispute(town: Town, open_browser: OpenBrowser) -> None:
    """Of 1 002.96 open 604.32 wait, so 398.64 is to be paid; once that is paid, nothing is."""
    browser = await open_browser("resident12")
    home = await plain(browser, "/")
    assert "К оплате 398,64 ₽ На рассмотрении 604,32 ₽" in home
    assert "1 002,96" not in home
    bill = await plain(browser, "/bills/1-0")
    assert "Осталось оплатить 398,64 ₽ На рассмотрении 604,32 ₽" in bill
    assert 'href="/bills/1-0/pay"' not in (await browser.get("/bills/1-0")).text
    view = town.ledger.found[MINE]
    town.ledger.found[MINE] = replace(view, lines=(line(0, 1, 0), view.lines[1], line(2, 5, 0)))
    page = await browser.get("/")
    assert "Сейчас платить нечего" in page.text
    assert "Долгов нет" not in page.text
    assert 'href="/accounts/10000012/pay"' not in page.text


async def test_where_nothing_is_in_dispute_nothing_is_said_of_it(open_browser: OpenBrowser) -> None:
    browser = await open_browser("resident13")
    home = await plain(browser, "/")
    assert "К оплате 1 002,96 ₽" in home
    assert "рассмотрени" not in home
    assert 'href="/bills/1-2/pay"' in (await browser.get("/bills/1-2")).text


async def plain(browser: Browser, path: str) -> str:
    """The words of a page, one space apart."""
    return " ".join(re.sub(r"<[^>]+>", " ", (await browser.get(path)).text).split())
