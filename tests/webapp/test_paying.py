"""Paying over the pages, without a browser: a confirm step, and a form that can be sent any number of times."""

from __future__ import annotations

import asyncio
import html
import json
import re
from typing import Any

import httpx
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from billing.debt.requests import AccountPayment
from billing.requests import AgentPayment, PayOrder, Prepayment
from ledger.queries.views import ReceiptKind
from tests.api.town import Town
from tests.api.town_ledger import AGENT, MINE, PAID, receipt
from tests.webapp.conftest import OpenBrowser, hidden_fields

pytestmark = pytest.mark.anyio


async def test_a_payment_goes_by_a_sum_and_a_confirmation(town: Town, open_browser: OpenBrowser) -> None:
    browser = await open_browser("resident12")
    page = await browser.get("/bills/1-0/pay")
    assert 'value="1002,96"' in page.text
    confirm = await browser.submit(page, "/bills/1-0/pay/confirm", amount="1 000,50")
    assert "1\u00a0000,50\u00a0₽" in confirm.text
    assert "Водоканал" in confirm.text
    assert town.inbox.items() == []
    done = await browser.submit(confirm, "/bills/1-0/pay")
    assert done.status_code == 303
    (item,) = town.inbox.items()
    assert item.request == AgentPayment(MINE, 100_050)
    town.inbox.done([item.id], {"paid_kopecks": 90_000, "tx": "0x" + "d1" * 32, "block": 1204}, final=False)
    end = await browser.get(done.headers["location"])
    assert "исполнен" in end.text
    assert "900,00\u00a0₽" in end.text, "what was really taken"
    assert "ещё не окончательно" in end.text


async def test_all_that_is_open_is_paid_in_one_go(town: Town, open_browser: OpenBrowser) -> None:
    browser = await open_browser("resident12")
    assert 'href="/accounts/10000012/pay"' in (await browser.get("/")).text
    page = await browser.get("/accounts/10000012/pay")
    assert 'value="400,00"' in page.text
    assert "50,00\u00a0₽ отложены из-за спора" in page.text
    action = "/accounts/10000012/pay/confirm"
    for wrong in ("400,01", "0", "x"):
        assert (await browser.submit(page, action, amount=wrong)).status_code == 422
    confirm = await browser.submit(page, action, amount="350")
    assert re.findall(r"счёт № (1-\d)</a></span> <span class=\"sum\">([^<]*)", confirm.text) == [
        ("1-0", "300,00\u00a0₽"),
        ("1-1", "50,00\u00a0₽"),
    ]
    ends = [await browser.submit(confirm, "/accounts/10000012/pay") for _ in range(2)]
    assert ends[0].headers["location"] == ends[1].headers["location"]
    (item,) = town.inbox.items()
    assert item.request == AccountPayment("10000012", 35_000)


async def test_a_payment_that_failed_says_why_and_that_nothing_was_taken(town: Town, open_browser: OpenBrowser) -> None:
    browser = await open_browser("resident12")
    page = await browser.get("/bills/1-0/pay")
    confirm = await browser.submit(page, "/bills/1-0/pay/confirm", amount="1")
    done = await browser.submit(confirm, "/bills/1-0/pay")
    town.inbox.failed([town.inbox.items()[0].id], "bill-closed", "nothing was open on bill 1-0")
    end = await browser.get(done.headers["location"])
    assert "не исполнен" in end.text
    assert "По этому счёту платить нечего" in end.text
    assert "nothing was open on bill 1-0" in end.text


async def test_a_suspended_suppliers_part_is_said_to_stay_open(town: Town, open_browser: OpenBrowser) -> None:
    town.ledger.suspended = {5}
    browser = await open_browser("resident12")
    page = await browser.get("/bills/1-0/pay")
    confirm = await browser.submit(page, "/bills/1-0/pay/confirm", amount="1002,96")
    assert "«Чистый город» приостановлены: 126,51" in confirm.text
    assert "Заплатить 876,45" in confirm.text
    assert hidden_fields(confirm.text, "/bills/1-0/pay")["amount"] == "876,45"


async def test_a_hundred_clicks_on_confirm_pay_once(town: Town, open_browser: OpenBrowser) -> None:
    browser = await open_browser("resident12")
    page = await browser.get("/bills/1-0/pay")
    confirm = await browser.submit(page, "/bills/1-0/pay/confirm", amount="1002.96")
    clicks = await asyncio.gather(*(browser.submit(confirm, "/bills/1-0/pay") for _ in range(100)))
    assert {c.status_code for c in clicks} == {303}
    assert len({c.headers["location"] for c in clicks}) == 1
    assert len(town.inbox.items()) == 1


@pytest.mark.parametrize("amount", ["", "много", "1,005", "-5", "0", "2000000", "1e3"])
async def test_a_sum_that_is_none_is_asked_for_again(town: Town, open_browser: OpenBrowser, amount: str) -> None:
    browser = await open_browser("resident12")
    page = await browser.get("/bills/1-0/pay")
    again = await browser.submit(page, "/bills/1-0/pay/confirm", amount=amount)
    assert again.status_code == 422
    assert 'aria-invalid="true"' in again.text
    assert town.inbox.items() == []


@pytest.mark.parametrize(
    "spoil",
    [{"form_token": "0" * 64}, {"form_token": ""}, {"form_token": "ё"}],
)
async def test_a_form_from_elsewhere_does_nothing(town: Town, open_browser: OpenBrowser, spoil: dict[str, str]) -> None:
    browser = await open_browser("resident12")
    page = await browser.get("/bills/1-0/pay")
    confirm = await browser.submit(page, "/bills/1-0/pay/confirm", amount="1002,96")
    answer = await browser.submit(confirm, "/bills/1-0/pay", **spoil)
    assert answer.status_code == 403
    assert "Форма устарела" in answer.text
    assert town.inbox.items() == []


async def test_a_form_sent_by_another_site_does_nothing(town: Town, open_browser: OpenBrowser) -> None:
    browser = await open_browser("resident12")
    page = await browser.get("/bills/1-0/pay")
    confirm = await browser.submit(page, "/bills/1-0/pay/confirm", amount="1002,96")
    fields = hidden_fields(confirm.text, "/bills/1-0/pay")
    answer = await browser.http.post("/bills/1-0/pay", data=fields, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert town.inbox.items() == []


async def test_a_form_opened_as_one_person_does_nothing_as_another(open_browser: OpenBrowser) -> None:
    browser = await open_browser("resident12")
    page = await browser.get("/bills/1-0/pay")
    neighbour = await open_browser("resident13")
    fields = hidden_fields(page.text, "/bills/1-0/pay/confirm") | {"amount": "1"}
    assert (await neighbour.http.post("/bills/1-0/pay/confirm", data=fields)).status_code == 403


async def test_a_bill_paid_meanwhile_takes_no_second_payment(town: Town, open_browser: OpenBrowser) -> None:
    browser = await open_browser("resident12")
    page = await browser.get("/bills/1-0/pay")
    confirm = await browser.submit(page, "/bills/1-0/pay/confirm", amount="1002,96")
    town.close(MINE)
    answer = await browser.submit(confirm, "/bills/1-0/pay")
    assert answer.status_code == 409
    assert "Ничего не списано" in answer.text
    assert town.inbox.items() == []


async def test_another_persons_bill_is_not_found(open_browser: OpenBrowser) -> None:
    browser = await open_browser("resident12")
    for path in ("/bills/1-2", "/bills/1-2/pay", "/bills/1-2/order", "/accounts/10000013/prepay", "/payments/1"):
        page = await browser.get(path)
        assert page.status_code == 404, path
        assert "Открыть можно только своё" in page.text


async def test_a_refund_is_shown_the_way_it_went(town: Town, open_browser: OpenBrowser) -> None:
    town.ledger.moved[PAID].append(receipt(ReceiptKind.REFUND, PAID, AGENT, ((1, 2, 700),)))
    browser = await open_browser("resident12")
    text = re.sub(r"<[^>]+>|\s+", " ", (await browser.get("/bills/1-1")).text)
    text = re.sub(r"\s+", " ", text)
    assert "кому: платёжный агент" in text
    assert "вернул Водоканал" in text
    assert "возвращено 7,00 ₽" in text
    assert "Всего 93,00 ₽" in text, "what suppliers have is what came less what went back"


async def test_the_proof_is_a_file_to_keep(open_browser: OpenBrowser) -> None:
    browser = await open_browser("resident12")
    answer = await browser.get("/bills/1-0/proof.json")
    assert answer.headers["content-disposition"] == 'attachment; filename="kopeck-bill-1-0.json"'
    assert answer.json()["root"] == "0x" + "50" * 32
    assert (await browser.get("/bills/1-2/proof.json")).status_code == 404


async def test_a_prepayment_is_confirmed_and_made_once(town: Town, open_browser: OpenBrowser) -> None:
    town.ledger.suspended = {5}
    browser = await open_browser("resident12")
    page = await browser.get("/accounts/10000012/prepay")
    assert "Чистый город" not in page.text, "a suspended supplier takes no prepayment"
    confirm = await browser.submit(page, "/accounts/10000012/prepay/confirm", supplier="1", amount="500")
    for _ in range(2):
        assert (await browser.submit(confirm, "/accounts/10000012/prepay")).status_code == 303
    (item,) = town.inbox.items()
    assert isinstance(item.request, Prepayment)
    assert item.request.amount_kopecks == 50_000


async def test_a_wallet_order_warns_first(town: Town, open_browser: OpenBrowser) -> None:
    browser = await open_browser("resident12")
    wallet = Account.from_key("0x" + "11" * 32)
    page = await browser.get("/bills/1-0/order")
    assert "сможет связать между собой" in page.text
    not_understood = await browser.submit(page, "/bills/1-0/order/sign", payer=wallet.address)
    assert not_understood.status_code == 422
    sign = await browser.submit(page, "/bills/1-0/order/sign", payer=wallet.address, understood="yes")
    answer = await browser.submit(sign, "/bills/1-0/order", signature=_signature(sign, wallet))
    assert answer.status_code == 303, answer.text
    (item,) = town.inbox.items()
    assert isinstance(item.request, PayOrder)


def _signature(page: httpx.Response, wallet: Any) -> str:

    found = re.search(r"<textarea[^>]*readonly[^>]*>(.*?)</textarea>", page.text, re.S)
    assert found is not None
    message = encode_typed_data(full_message=json.loads(html.unescape(found[1])))
    return "0x" + str(wallet.sign_message(message).signature.hex()).removeprefix("0x")
