"""Logging in, languages, errors, and what the browser is told to keep."""

from __future__ import annotations

import pytest

from tests.webapp.conftest import OpenBrowser

pytestmark = pytest.mark.anyio


async def test_whoever_is_not_logged_in_is_sent_to_the_login_page_and_back(open_browser: OpenBrowser) -> None:
    browser = await open_browser(None)
    sent = await browser.get("/bills/1-0")
    assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=/bills/1-0")
    page = await browser.get(sent.headers["location"])
    answer = await browser.submit(page, "/login", login="resident12", password="correct horse")
    assert answer.headers["location"] == "/bills/1-0"


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "evil"])
async def test_logging_in_leads_to_no_other_site(open_browser: OpenBrowser, target: str) -> None:
    browser = await open_browser(None)
    page = await browser.get("/login")
    answer = await browser.submit(page, "/login", login="resident12", password="correct horse", next=target)
    assert answer.headers["location"] == "/"


async def test_a_wrong_password_keeps_the_login_and_says_what_to_do(open_browser: OpenBrowser) -> None:
    browser = await open_browser(None)
    page = await browser.get("/login")
    again = await browser.submit(page, "/login", login="resident12", password="wrong")
    assert again.status_code == 401
    assert 'value="resident12"' in again.text
    assert "Неверный логин или пароль" in again.text
    assert "wrong" not in again.text.replace("wrong-", "")


async def test_logging_out_ends_the_session(open_browser: OpenBrowser) -> None:
    browser = await open_browser("resident12")
    session = browser.http.cookies["kopeck_session"]
    page = await browser.get("/")
    await browser.submit(page, "/logout")
    assert "kopeck_session" not in browser.http.cookies
    browser.http.cookies.set("kopeck_session", session)
    assert (await browser.get("/bills/1-0")).status_code == 303


async def test_cookies_are_kept_from_scripts_and_other_sites(open_browser: OpenBrowser) -> None:
    browser = await open_browser(None)
    page = await browser.get("/login")
    answer = await browser.submit(page, "/login", login="resident12", password="correct horse")
    cookies = page.headers.get_list("set-cookie") + answer.headers.get_list("set-cookie")
    assert len(cookies) == 2
    assert all("HttpOnly" in c and "samesite=lax" in c.lower() for c in cookies)


async def test_a_language_once_chosen_stays(open_browser: OpenBrowser) -> None:
    browser = await open_browser("resident12")
    assert '<html lang="ru">' in (await browser.get("/")).text
    await browser.get("/", params={"lang": "en"})
    assert '<html lang="en">' in (await browser.get("/bills/1-0")).text
    assert '<html lang="en">' in (await browser.get("/", params={"lang": "xx"})).text


async def test_what_somebody_typed_is_never_markup(open_browser: OpenBrowser) -> None:
    browser = await open_browser("resident12")
    page = await browser.get("/bills/1-0/pay")
    again = await browser.submit(page, "/bills/1-0/pay/confirm", amount='"><script>alert(1)</script>')
    assert "<script" not in again.text


async def test_pages_hold_no_script_and_no_foreign_address(open_browser: OpenBrowser) -> None:
    browser = await open_browser("resident12")
    for path in ("/", "/bills/1-0", "/bills/1-0/pay"):
        page = await browser.get(path)
        assert "<script" not in page.text
        assert "style=" not in page.text
        assert "http://" not in page.text
        assert "https://" not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert page.headers["cache-control"] == "no-store"


async def test_style_and_icon_are_served_to_be_kept(open_browser: OpenBrowser) -> None:
    browser = await open_browser(None)
    for path, kind in (("/static/kopeck.css", "text/css"), ("/static/icon.svg", "image/svg+xml")):
        answer = await browser.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
        assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize(("path", "status"), [("/nothing", 404), ("/v1/nothing", 404), ("/static/../forms.py", 404)])
async def test_what_is_not_there_is_said_plainly(open_browser: OpenBrowser, path: str, status: int) -> None:
    browser = await open_browser("resident12")
    assert (await browser.get(path)).status_code == status
