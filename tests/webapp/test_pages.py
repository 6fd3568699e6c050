"""Every page, in both languages, without a browser."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.api.town import Town
from tests.api.town_ledger import MINE
from tests.webapp.conftest import OpenBrowser
from webapp.pages.bill import by_transaction

pytestmark = pytest.mark.anyio

PAGES = [
    ("resident12", "/"),
    ("resident12", "/bills/1-0"),
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
    ("resident13", "/accounts/10000013/outlook"),
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


async def test_the_bill_leads_to_its_documents(open_browser: OpenBrowser) -> None:
    browser = await open_browser("resident12")
    page = (await browser.get("/bills/1-0")).text
    assert 'href="/bills/1-0/document.pdf"' in page
    pdf = await browser.get("/bills/1-0/document.pdf")
    assert (pdf.status_code, pdf.headers["content-type"], pdf.content[:5]) == (200, "application/pdf", b"%PDF-")
    printed = await browser.get("/bills/1-0/document.html")
    assert 'href="/bills/1-0/document.html"' in page
    assert "sha256-" in printed.headers["content-security-policy"]
    assert "Раздел 6." in printed.text


async def test_a_document_that_cannot_be_made_is_an_error_page(town: Town, open_browser: OpenBrowser) -> None:
    town.prints.erased.add(MINE)
    browser = await open_browser("resident12")
    page = await browser.get("/bills/1-0/document.pdf")
    assert page.status_code == 409
    assert "Документ сейчас не напечатать" in page.text
    assert (await (await open_browser(None)).get("/bills/1-0/document.pdf")).status_code == 303


async def test_the_balance_leads_to_its_bills_and_shows_what_is_in_dispute(open_browser: OpenBrowser) -> None:
    browser = await open_browser("resident12")
    page = (await browser.get("/accounts/10000012/balance", params={"lang": "en"})).text.replace("\u00a0", " ")
    assert 'href="/bills/1-0"' in page
    assert "504.32 ₽ under review" in page
    assert "pay by Feb 10, 2026" not in page
    assert "being looked into" in page
    assert "Воды &lt;не&gt; было" in page
    assert "Signed on Jul 2, 2026" in page
    bill = (await browser.get("/bills/1-0")).text
    assert "Pay by Feb 10, 2026" in bill
    assert "in dispute" in bill


async def test_a_forecast_is_rounded_and_set_beside_the_naive_one(open_browser: OpenBrowser) -> None:
    browser = await open_browser("resident12")
    page = (await browser.get("/accounts/10000012/outlook", params={"lang": "en"})).text.replace("\u00a0", " ")
    assert "303.73 ₽" in page
    assert "153.50 ₽ – 454.00 ₽" in page
    assert "305.64 ₽" in page
    assert "7 m³, likely 3.5 to 10.4" in page
    nothing = await (await open_browser("resident13")).get("/accounts/10000013/outlook")
    assert "Прогноза пока нет" in nothing.text
    assert (await browser.get("/accounts/10000013/outlook")).status_code == 404


async def test_the_house_shows_sums_and_its_fund(open_browser: OpenBrowser) -> None:
    browser = await open_browser("resident12")
    page = (await browser.get("/accounts/10000012/house", params={"lang": "en"})).text.replace("\u00a0", " ")
    text = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert "All flats together 90 m³" in text
    assert "Left for common property 18 m³" in text
    assert "Your flat 5.25 m³" in text
    assert "Left, February 2026 500.00 ₽" in text
    assert "&lt;кровли&gt;" in page
    seen = (await (await open_browser("regulator")).get("/houses/house-1", params={"lang": "en"})).text
    assert "Your flat" not in seen
    assert 'href="/houses/house-1"' in (await (await open_browser("regulator")).get("/")).text


def test_movements_of_one_transaction_are_shown_as_one() -> None:
    def moved(kind: str, tx: str, line: int, kopecks: int) -> dict[str, Any]:
        leg = {"line": line, "amount_kopecks": kopecks}
        return {"kind": kind, "tx_hash": tx, "payer": None, "reference": None, "amount_kopecks": kopecks, "legs": [leg]}

    shown = by_transaction([
        moved("grant", "0x1", 0, 100), moved("grant", "0x1", 1, 20), moved("grant", "0x2", 2, 3),
        moved("payment", "0x2", 2, 4),
    ])  # fmt: skip
    assert [(row["kind"], row["amount_kopecks"], len(row["legs"])) for row in shown] == [
        ("grant", 120, 2), ("grant", 3, 1), ("payment", 4, 1),
    ]  # fmt: skip
