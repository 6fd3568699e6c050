"""The pages in Chromium, at the width of a phone and of a desk: usable, and no violation that axe finds."""

from __future__ import annotations

import io
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import httpx
import pytest
import uvicorn
import zxingcpp
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from api.app import create_app
from api.caller import IN_PROCESS
from billing.paper.qr import read_code
from tests.api.town import PASSWORD, Town, make_town
from webapp.app import create_webapp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PHONE: ViewportSize = {"width": 360, "height": 740}
DESK: ViewportSize = {"width": 1280, "height": 800}
Scheme = Literal["light", "dark"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: install the package chromium"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Town]]:
    """The small town, served."""
    town = make_town(tmp_path_factory.mktemp("town"))
    town.publish(1100, b"\x01" * 32, b"\x02" * 32)
    door = create_app(town.context)
    inside = httpx.ASGITransport(door, raise_app_exceptions=False, client=(IN_PROCESS, 0))
    http = httpx.AsyncClient(transport=inside, base_url="http://127.0.0.1")
    door.mount("/", create_webapp(http, "a secret of the tests"))
    server = uvicorn.Server(uvicorn.Config(door, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}", town
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One Chromium for all."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


def _page(
    chromium: Browser, url: str, login: str | None = "resident12", size: ViewportSize = PHONE, scheme: Scheme = "light"
) -> Page:
    context = chromium.new_context(base_url=url, viewport=size, color_scheme=scheme)
    page = context.new_page()
    if login is not None:
        page.goto("/login")
        page.get_by_label("Логин").fill(login)
        page.get_by_label("Пароль").fill(PASSWORD)
        page.get_by_role("button", name="Войти").click()
        page.wait_for_url(lambda at: not at.endswith("/login"))
    return page


def _check(page: Page) -> None:
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]})
    assert found.violations_count == 0, found.generate_report()
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{page.url} is {wide} px wider than the screen"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_a_resident_reads_a_bill(site: tuple[str, Town], chromium: Browser, size: ViewportSize, scheme: Scheme) -> None:
    page = _page(chromium, site[0], size=size, scheme=scheme)
    _check(page)
    page.locator("a[href='/bills/1-0']").click()
    _check(page)
    page.locator("details.line > summary").first.click()
    assert page.get_by_text("P = V · T").is_visible()
    for summary in page.locator("details:not(.line) > summary").all():
        if summary.is_visible():
            summary.click()
    assert page.get_by_text("0x" + "5b" * 32).first.is_visible()
    _check(page)
    page.context.close()


@pytest.mark.parametrize(
    ("login", "path"),
    [
        (None, "/login"),
        (None, "/checkpoints"),
        ("resident12", "/bills/1-1"),
        ("resident12", "/bills/1-0/pay"),
        ("resident12", "/bills/1-0/order"),
        ("resident12", "/accounts/10000012/prepay"),
        ("resident12", "/accounts/10000012/balance"),
        ("resident12", "/accounts/10000012/outlook"),
        ("resident12", "/accounts/10000012/house"),
        ("resident12", "/accounts/10000012/pay"),
        ("resident12", "/bills/1-0/lines/0/dispute"),
        ("regulator", "/houses/house-1"),
        ("regulator", "/disputes"),
        ("operator", "/"),
        ("operator", "/disputes/3"),
        ("operator", "/disputes/1"),
        ("resident12", "/bills/1-0/document.html"),
        ("resident12", "/bills/9-9"),
        ("supplier1", "/suppliers/1?period=2026-03"),
        ("regulator", "/"),
        ("welfare", "/"),
        ("resident12", "/bills/1-0?lang=en"),
    ],
)
def test_every_page_fits_a_phone_and_passes_axe(
    site: tuple[str, Town], chromium: Browser, login: str | None, path: str
) -> None:
    page = _page(chromium, site[0], login)
    page.goto(path)
    _check(page)
    page.context.close()


def test_the_payment_document_keeps_its_style_and_its_code_is_scanned_off_the_screen(
    site: tuple[str, Town], chromium: Browser
) -> None:
    page = _page(chromium, site[0])
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto("/bills/1-0/document.html")
    assert page.evaluate("getComputedStyle(document.querySelector('table')).borderCollapse") == "collapse"
    assert refused == []
    sums = page.locator(".lead dd").first
    assert sums.evaluate("e => e.offsetHeight / parseFloat(getComputedStyle(e).fontSize)") < 2, "the sum is broken up"
    (found,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(page.screenshot(full_page=True))))
    code = read_code(bytes(found.bytes))
    assert (code.fields["PersAcc"], code.sum_kopecks) == ("10000012", 37_213 - 10_000 + 60_432 + 12_651)
    page.context.close()


def test_a_resident_pays_with_a_double_click(site: tuple[str, Town], chromium: Browser) -> None:
    url, town = site
    page = _page(chromium, url)
    page.goto("/bills/1-0/pay")
    page.get_by_label("Сумма").fill("12,34")
    page.get_by_role("button", name="Дальше").click()
    _check(page)
    page.get_by_role("button", name="Заплатить").dblclick()
    page.wait_for_url("**/payments/*")
    _check(page)
    assert len(town.inbox.items()) == 1
    page.context.close()


def test_axe_finds_what_is_wrong(chromium: Browser) -> None:
    page = chromium.new_page()
    page.set_content("<html><body><img src='x'><p style='color:#ccc;background:#fff'>pale</p><input></body></html>")
    with pytest.raises(AssertionError):
        _check(page)
    page.close()


def test_the_first_tab_leads_past_the_header(site: tuple[str, Town], chromium: Browser) -> None:
    page = _page(chromium, site[0])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.context.close()


def test_a_printed_bill_shows_every_explanation(site: tuple[str, Town], chromium: Browser, tmp_path: Path) -> None:
    page = _page(chromium, site[0], size=DESK)
    page.goto("/bills/1-0")
    assert not page.get_by_text("P = V · T").is_visible()
    page.emulate_media(media="print")
    assert page.get_by_text("P = V · T").is_visible()
    assert not page.get_by_role("button", name="Выйти").is_visible()
    printed = tmp_path / "bill.pdf"
    page.pdf(path=printed)
    assert printed.stat().st_size > 10_000
    page.context.close()
