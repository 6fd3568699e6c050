"""The claim pack: a calculator of others gives the same sum from its data, and the paper says what the data says."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

from pypdf import PdfReader

from billing.debt.balance import LineDebt, Move, Turnover
from billing.debt.books import Overdue
from billing.debt.claim import Claim, claim_json, penalty_csv, register_csv, register_json
from billing.debt.penalty import penalty_table
from billing.debt.work import Done, ServiceDebt, Step
from billing.debt.work_rules import shipped_work_rules
from billing.paper.debt_sheets import Notice, claim_sheet, notice_sheet, reminder_sheet
from billing.paper.person import Person, Requisites
from billing.paper.render import html, images, pdf
from contracts.wire.ids import BillKey, Period, RunId, Service, SupplierId
from tests.billing.debt.test_penalty import P1_AT, P1_DEBT, P1_MORATORIA, flat

WATER = SupplierId(1)
PERSON = Person(
    "Образцова Анна Петровна",
    "г. Красноярск, ул. Примерная, д. 1, кв. 17",
    Requisites(
        "ООО «Образец»", "7707083893", "40702810200000000001", "ПАО Сбербанк", "044525225", "30101810400000000225"
    ),
    {1: "АО «Водоканал»"},
)


def p1_claim() -> Claim:
    """The published case of 1,000 roubles for 05.2019 as a claim on its last day."""
    debt = LineDebt(
        BillKey(RunId(3), 17), 0, Service.COLD_WATER, WATER, P1_DEBT.period, P1_DEBT.due, P1_DEBT.principal_kopecks,
        P1_DEBT.payments,
    )  # fmt: skip
    late = Overdue(debt, penalty_table(P1_DEBT, flat("9.5", *P1_MORATORIA), P1_AT))
    notice = Done(1, Step.NOTICE, date(2020, 2, 3), Service.COLD_WATER, WATER, 90_000, "почта", "РПО 66000042", "0xab")
    came = Done(2, Step.DELIVERED, date(2020, 2, 10), Service.COLD_WATER, WATER, 90_000, "почта", "роспись", "", 1)
    extract = (
        Turnover(P1_DEBT.period, Service.COLD_WATER, WATER, 0, {Move.CHARGED: 100_000}),
        Turnover(Period(2020, 1), Service.COLD_WATER, WATER, 100_000, {Move.PAID: 10_000}, 1_234),
    )
    fees = shipped_work_rules().fees_on(P1_AT)
    return Claim("17", WATER, P1_AT, (debt,), (late,), extract, (notice, came), fees)


def recomputed(row: Mapping[str, Any]) -> int:
    """A row of the penalty from its own inputs, with none of our code: half up."""
    inputs = {item["symbol"]: Fraction(item["value"]) for item in row["inputs"]}
    exact = inputs["S"] * inputs["n"] * inputs["r"] * inputs["f"] * 100
    return int(exact + Fraction(1, 2))


def test_the_data_alone_gives_the_published_835_05() -> None:
    value = json.loads(json.dumps(claim_json(p1_claim())))
    rows = value["penalty"]["rows"]
    assert {row["formula"] for row in rows} == {"P = S · n · r · f"}
    assert [recomputed(row) for row in rows] == [row["amount_kopecks"] for row in rows]
    assert sum(recomputed(row) for row in rows) == value["penalty_kopecks"] == 83_505
    assert value["principal_kopecks"] == 90_000
    assert value["claimed_kopecks"] == 90_000 + 83_505
    # ст. 333.19 НК РФ before 09.09.2024: 4 % of 1,735.05 is less than 400 roubles, and half of that for an order.
    assert value["fee_kopecks"] == 20_000
    assert value["procedure"] == "court order"
    for row in rows:
        (days,) = (int(item["value"]) for item in row["inputs"] if item["symbol"] == "n")
        assert (date.fromisoformat(row["through"]) - date.fromisoformat(row["from"])).days + 1 == days


def test_what_was_paid_of_penalties_is_taken_off() -> None:
    claim = p1_claim()
    paid = Claim(*(getattr(claim, name) for name in claim.__slots__[:-1]), penalties_paid_kopecks=3_505)
    assert paid.penalty_kopecks == 80_000
    assert paid.claimed_kopecks == 170_000


def test_the_tables_hold_the_same_rows() -> None:
    claim = p1_claim()
    rows = list(csv.DictReader(io.StringIO(penalty_csv(claim)), delimiter=";"))
    assert sum(int(row["amount_kopecks"]) for row in rows) == 83_505
    assert [int(row["days"]) for row in rows] == [30, 60, 115, 95, 271, 453, 185, 565]
    lines = list(csv.reader(io.StringIO(register_csv([claim, claim])), delimiter=";"))
    assert lines[-1][4:9] == ["180000", "167010", "347010", "40000", "2"]
    assert [row["claimed_kopecks"] for row in register_json([claim])] == [173_505]


def text_of(data: bytes) -> str:
    pages = PdfReader(io.BytesIO(data)).pages
    return re.sub(r"\s+", " ", " ".join(page.extract_text() for page in pages)).replace("\u00ad", "")


def test_the_claim_on_paper_says_what_the_data_says() -> None:
    sheet = claim_sheet(p1_claim(), PERSON)
    moment = datetime(2024, 4, 18, 12, tzinfo=UTC)
    data = pdf(sheet, moment)
    assert data == pdf(sheet, moment)
    said = text_of(data)
    for wanted in ("835,05", "1 735,05", "200,00", "АО «Водоканал»", "Образцова", "РПО 66000042", "565"):
        assert wanted.replace(" ", "") in said.replace(" ", "").replace("\u00a0", "")
    assert "835,05" in html(sheet)
    assert len(images(sheet)) >= 1


def test_a_notice_names_the_debt_the_days_and_what_follows() -> None:
    rule = shipped_work_rules().rule_on(date(2026, 6, 1))
    debt = ServiceDebt(Service.ELECTRICITY, SupplierId(3), 250_000, date(2026, 3, 16), norm_kopecks=100_000)
    notice = Notice("17", debt, rule, date(2026, 6, 1), can_restrict=True, may_suspend=True)
    said = text_of(pdf(notice_sheet(notice, PERSON), datetime(2026, 6, 1, tzinfo=UTC)))
    for wanted in ("2 500,00", "2 000,00", "20 дней", "10 дней", "ограничено", "приостановлена", "п. 119"):
        assert wanted.replace(" ", "") in said.replace(" ", "").replace("\u00a0", "")
    unable = Notice("17", debt, rule, date(2026, 6, 1), can_restrict=False, may_suspend=True)
    assert "нет технической возможности" in html(notice_sheet(unable, PERSON))
    water = Notice("17", debt, rule, date(2026, 6, 1), can_restrict=True, may_suspend=False)
    assert "может быть приостановлен" not in html(notice_sheet(water, PERSON))
    reminder = html(reminder_sheet("17", debt, date(2026, 6, 1), PERSON))
    assert "ограничен" not in reminder
