"""The page that checks capsules, in Chromium: as served, and saved to a disk and opened with the network off."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, sync_playwright
from starlette.applications import Starlette
from starlette.routing import Mount

from api.headers import SecurityHeaders
from tests.capsule.bent import flipped
from tests.capsule.story import Told, told_anew
from webapp.app import create_webapp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: install the package chromium"),
]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return told_anew(tmp_path_factory.mktemp("told"))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The pages behind the headers that they are served with; the page needs no door behind it."""
    http = httpx.AsyncClient(base_url="http://127.0.0.1:1")
    app = SecurityHeaders(Starlette(routes=[Mount("/", create_webapp(http, "a secret of the tests"))]))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(viewport={"width": 360, "height": 740}).new_page()
        yield page
        browser.close()


def _check(page: Page, folder: Path, told: Told, capsule: bytes) -> str:
    (folder / "capsule.json").write_bytes(capsule)
    (folder / "trust.json").write_bytes(told.trust.encode())
    page.locator("#capsule").set_input_files(folder / "capsule.json")
    page.locator("#trust").set_input_files(folder / "trust.json")
    page.locator("button").click()
    page.locator("#result h2").wait_for()
    return page.locator("#result").inner_text()


def test_the_page_proves_and_refuses(page: Page, url: str, told: Told, tmp_path: Path) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(url + "/verify?lang=en")
    found = _check(page, tmp_path, told, told.capsules["helped"])
    assert f"Proved: {told.keys['helped']}, 01.2026, paid" in found
    assert "20.00" in found
    assert "This state is for good." in found
    violations = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]})
    assert violations.violations_count == 0, violations.generate_report()
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
    assert "NOT proved" in _check(page, tmp_path, told, flipped(told.capsules["paid"], 3_000, 1))
    assert said == []


def test_a_saved_page_works_with_the_network_off(page: Page, url: str, told: Told, tmp_path: Path) -> None:
    saved = tmp_path / "verify.html"
    saved.write_bytes(httpx.get(url + "/verify?lang=ru", trust_env=False).content)
    page.context.set_offline(True)
    try:
        page.goto(saved.as_uri())
        found = _check(page, tmp_path, told, told.capsules["partial"])
    finally:
        page.context.set_offline(False)
    assert f"Доказано: {told.keys['partial']}, 01.2026, оплачен частично" in found
    assert "только более новая капсула или узел" in found
