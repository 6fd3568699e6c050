"""Deciding a dispute on the pages, without scripts."""

from __future__ import annotations

import pytest

from billing.debt.requests import DisputeDecision
from tests.api.town import Town
from tests.webapp.conftest import OpenBrowser, hidden_fields

pytestmark = pytest.mark.anyio
PATH = "/disputes/3"


async def test_the_operator_finds_what_waits_and_decides_it_once(town: Town, open_browser: OpenBrowser) -> None:
    browser = await open_browser("operator")
    home = await browser.get("/")
    assert "1 спор ждёт решения" in home.text
    assert 'href="/disputes/3"' in (await browser.get("/disputes")).text
    form = await browser.get(PATH)
    assert "Воды &lt;не&gt; было" in form.text
    answers = [await browser.submit(form, PATH, outcome="rejected", act="решение № 7") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert answers[0].headers["location"] == answers[1].headers["location"]
    (item,) = town.inbox.items()
    assert isinstance(item.request, DisputeDecision)
    assert (item.request.upheld, item.request.act) == (False, "решение № 7")
    found = town.register.staff_cases[0]
    ended = found.matter.decide(upheld=False, on=item.request.on, act=item.request.act, by=item.request.by)
    town.register.staff_cases[0] = type(found)(found.id, found.account, ended, found.bill, 0)
    town.inbox.done([item.id], {"case": 3, "outcome": "rejected"})
    assert "Строка снова к оплате" in (await browser.get(answers[0].headers["location"])).text
    over = await browser.get(PATH)
    assert "Расчётный центр" in over.text
    assert "<form" not in over.text.split("<main")[1]
    late = await browser.submit(form, PATH, outcome="upheld", act="решение № 8")
    assert late.status_code == 409


async def test_a_refusal_is_shown_as_the_collector_said_it(town: Town, open_browser: OpenBrowser) -> None:
    browser = await open_browser("operator")
    sent = await browser.submit(await browser.get(PATH), PATH, outcome="upheld", act="решение № 7")
    (item,) = town.inbox.items()
    assert isinstance(item.request, DisputeDecision)
    assert item.request.upheld
    town.inbox.failed([item.id], "debt-request-refused", "case 3: it was decided by another")
    page = await browser.get(sent.headers["location"])
    assert "Решение не принято" in page.text
    assert "it was decided by another" in page.text


@pytest.mark.parametrize(("fields", "said"), [
    ({"act": "решение № 7"}, "Выберите решение"),
    ({"act": "решение № 7", "outcome": "both"}, "Выберите решение"),
    ({"act": " <b ", "outcome": "upheld"}, "от трёх знаков"),
])  # fmt: skip
async def test_an_incomplete_form_comes_back_with_what_was_typed(
    town: Town, open_browser: OpenBrowser, fields: dict[str, str], said: str
) -> None:
    browser = await open_browser("operator")
    again = await browser.submit(await browser.get(PATH), PATH, **fields)
    assert again.status_code == 422
    assert said in again.text
    assert f'value="{fields["act"].strip().replace("<", "&lt;")}"' in again.text
    assert not town.inbox.items()


async def test_others_decide_nothing(town: Town, open_browser: OpenBrowser) -> None:
    regulator = await open_browser("regulator")
    page = await regulator.get(PATH)
    assert "Воды &lt;не&gt; было" in page.text
    assert "<form" not in page.text.split("<main")[1]
    for login in ("resident12", "supplier1", "welfare"):
        browser = await open_browser(login)
        assert [(await browser.get(path)).status_code for path in ("/disputes", PATH)] == [403, 403]
    token = hidden_fields((await regulator.get("/")).text, "/logout")
    key = {"idempotency_key": "a key of the tests"}
    forged = await regulator.http.post(PATH, data=token | key | {"outcome": "upheld", "act": "решение № 7"})
    assert forged.status_code == 403
    assert not town.inbox.items()
