"""A supplier's own login: its books and their files, its webhooks; strangers find nothing there."""

from __future__ import annotations

import csv
import io

import openpyxl
import pytest
from fastapi.testclient import TestClient

from billing.paper.bank import read_exchange
from tests.api.conftest import LogIn
from tests.api.town import Town
from tests.api.town_prints import REQUISITES

BOOKS = "/v1/suppliers/1/books"
MARCH = {"period": "2026-03"}


@pytest.fixture
def supplier(log_in: LogIn) -> TestClient:
    return log_in("supplier1")


def test_a_supplier_reads_its_month_and_the_next_opens_where_it_closed(supplier: TestClient) -> None:
    march = supplier.get(BOOKS, params=MARCH).json()
    assert (march["opening_debt_kopecks"], march["turnover"]["agent"], march["closing_debt_kopecks"]) == (
        5_000,
        5_000,
        0,
    )
    assert [(row["bill"], row["source"], row["amount_kopecks"]) for row in march["receipts"]] == [
        ("1-1", "agent", 5_000)
    ]
    april = supplier.get(BOOKS, params={"period": "2026-04"}).json()
    assert (april["opening_debt_kopecks"], april["receipts"]) == (0, [])


def test_files_hold_the_same(supplier: TestClient, town: Town) -> None:
    table = supplier.get(f"{BOOKS}.csv", params=MARCH)
    rows = list(csv.DictReader(io.StringIO(table.content.decode("utf-8-sig")), delimiter=";"))
    assert [row["Сумма, руб."] for row in rows] == ["50,00"]
    book = openpyxl.load_workbook(io.BytesIO(supplier.get(f"{BOOKS}.xlsx", params=MARCH).content))
    assert book.sheetnames == ["Итоги", "Поступления"]
    assert supplier.get(f"{BOOKS}.1c", params=MARCH).json()["type"].endswith("not-printable")  # no requisites yet
    town.payees.set_payee("1", REQUISITES)
    made = supplier.get(f"{BOOKS}.1c", params=MARCH)
    assert "attachment" in made.headers["content-disposition"]
    bank = read_exchange(made.content)
    assert ([e.amount_kopecks for e in bank.entries], bank.problems) == ([5_000], ())


@pytest.mark.parametrize("path", ["books", "books.csv", "books.xlsx", "books.1c"])
def test_nobody_else_s_books_are_there(supplier: TestClient, log_in: LogIn, anonymous: TestClient, path: str) -> None:
    assert supplier.get(f"/v1/suppliers/2/{path}", params=MARCH).status_code == 404
    assert log_in("resident12").get(f"/v1/suppliers/1/{path}", params=MARCH).status_code == 404
    assert anonymous.get(f"/v1/suppliers/1/{path}", params=MARCH).status_code == 401
    assert log_in("regulator").get("/v1/suppliers/1/books", params=MARCH).status_code == 200
    assert log_in("regulator").get("/v1/suppliers/999/books", params=MARCH).status_code == 404


@pytest.mark.parametrize("period", ["0000-01", "9999-12", "2026-13", "", "2026"])
def test_months_that_are_none_are_refused_in_words(supplier: TestClient, period: str) -> None:
    assert supplier.get(BOOKS, params={"period": period}).status_code == 422


def test_webhooks_are_the_supplier_s_own(supplier: TestClient, log_in: LogIn) -> None:
    path = "/v1/suppliers/1/webhooks"
    made = supplier.post(path, json={"url": "https://supplier.example/hook"})
    assert made.status_code == 201
    assert made.json()["secret"].startswith("whsec_")
    (listed,) = supplier.get(path).json()["webhooks"]
    assert (listed["webhook"], listed["waiting"]) == (made.json()["webhook"], 0)
    assert "secret" not in listed
    one = f"{path}/{listed['webhook']}"
    for login in ("regulator", "resident12"):  # not even who sees all
        client = log_in(login)
        assert client.get(path).status_code == 404
        assert client.post(path, json={"url": "https://supplier.example/"}).status_code == 404
        assert client.delete(one).status_code == 404
    assert supplier.post(path, json={"url": "http://supplier.example/"}).status_code == 422
    assert supplier.delete(one).status_code == 204
    assert supplier.delete(one).status_code == 404
