"""The commands on debts of a small town: what they show, what they ask for, and what they say of a wrong word."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from billing.inbox import State
from scripts.cli import balance, cases, pay
from scripts.cli.books import Books
from scripts.home import Home
from tests.billing.scenes import JANUARY, billed, pay_all
from tests.billing.stage import Stage


class Desk:
    """The command line of a town on the stage."""

    def __init__(self, stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        office = stage.office
        books = Books(
            Home(folder), stage.town.reader.deployment, stage.indexed.ledger, stage.inbox, stage.office.keyring
        )
        for module in (balance, cases, pay):
            monkeypatch.setattr(module, "open_town", lambda _home: books)
        billing = office.engine, office.register, office.keyring, office.tariffs, office.ledger
        monkeypatch.setattr(balance, "billing_of", lambda _home: billing)
        self.folder = folder
        self.debt = typer.Typer()
        balance.add_to(self.debt)

    def run(self, group: typer.Typer, *words: str) -> Any:
        told = CliRunner().invoke(group, [*words, "--home", str(self.folder)], catch_exceptions=False)
        assert told.exit_code == 0, told.output
        return json.loads(told.stdout) if "--json" in words else told.stdout


@pytest.fixture
def desk(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    billed(stage, 2)
    pay_all(stage, 1, maximum=10_000)
    stage.settle()
    return Desk(stage, tmp_path / "home", monkeypatch)


def finish(stage: Stage, kind: str) -> None:
    items = stage.inbox.items(kind=kind)
    for item in stage.work(*items):
        assert item.state is State.DONE, item.reason
    stage.settle()


def test_the_statement_and_the_penalty_table_agree(stage: Stage, desk: Desk) -> None:
    (debt, *_) = stage.office.debts().of_account("1").debts
    day = (debt.due + timedelta(days=120)).isoformat()
    shown = desk.run(desk.debt, "statement", "1", "--on", day, "--json")
    view = stage.bill("1", JANUARY)
    assert shown["open_kopecks"] == view.open_kopecks
    assert sum(row["charged_kopecks"] for row in shown["months"]) == view.charged_kopecks
    assert sum(row["paid_kopecks"] for row in shown["months"]) == 10_000
    tables = desk.run(desk.debt, "penalty", "1", "--on", day, "--json")
    total = sum(row["amount_kopecks"] for table in tables for row in table["rows"])
    assert total == shown["penalties_accrued_kopecks"] == sum(row["penalties_kopecks"] for row in shown["months"]) > 0
    assert f"{total} kopecks of penalties" in desk.run(desk.debt, "penalty", "1", "--on", day)


def test_ageing_lists_what_the_ledger_has_open(stage: Stage, desk: Desk) -> None:
    rows = desk.run(desk.debt, "ageing", "--json")
    assert sum(row["open_kopecks"] for row in rows) == sum(stage.bill(a, JANUARY).open_kopecks for a in "12")
    assert all(row["not due"] == row["open_kopecks"] for row in rows)


def test_a_split_is_shown_and_asks_for_nothing_until_it_has_a_key(stage: Stage, desk: Desk) -> None:
    shown = desk.run(pay.group, "split", "2", "100.01", "--json")
    assert sum(part["amount_kopecks"] for part in shown["parts"]) == 10_001
    assert stage.inbox.items(kind="account-payment") == []
    asked = desk.run(pay.group, "split", "2", "100.01", "--key", "mine", "--json")
    assert asked["parts"] == shown["parts"]
    finish(stage, "account-payment")
    view = stage.bill("2", JANUARY)
    assert {line.line: line.paid_kopecks for line in view.lines if line.paid_kopecks} == {
        part["line"]: part["amount_kopecks"] for part in shown["parts"] if part["amount_kopecks"]
    }


def test_a_dispute_and_an_agreement_by_command(stage: Stage, desk: Desk) -> None:
    desk.run(cases.dispute, "open", "1", "2026-01", "sewage", "--on", "2026-02-20", "--ground", "no", "--act", "c 1")
    finish(stage, "dispute")
    (row,) = desk.run(cases.dispute, "list", "--json")
    assert (row["account"], row["service"], row["outcome"]) == ("1", "sewage", "open")
    desk.run(cases.dispute, "decide", str(row["case"]), "--rejected", "--on", "2026-03-01", "--act", "d 1")
    finish(stage, "decision")
    (row,) = desk.run(cases.dispute, "list", "--json")
    assert (row["outcome"], row["decided"]) == ("rejected", "2026-03-01")
    words = ("--month", "2026-01", "--pay", "2030-01-10=100.00", "--pay", "2030-02-10=50", "--on", "2026-03-01")
    desk.run(cases.instalment, "sign", "2", *words, "--act", "a 1")
    finish(stage, "instalment")
    (row,) = desk.run(cases.instalment, "list", "--json")
    assert (row["total_kopecks"], row["standing"], row["restriction_stopped"]) == (15_000, "kept", True)
    (late,) = desk.run(cases.instalment, "list", "--on", "2030-01-11", "--json")
    assert (late["standing"], late["restriction_stopped"]) == ("breached", False)


def test_words_that_are_no_instalment_or_service_are_named(desk: Desk) -> None:
    with pytest.raises(cases.BadInstalment, match="write YYYY-MM-DD=ROUBLES"):
        desk.run(
            cases.instalment, "sign", "2", "--month", "2026-01", "--pay", "soon", "--on", "2026-03-01", "--act", "a"
        )
    with pytest.raises(cases.NoService, match="no service 'sewer'; there are cold_water"):
        desk.run(cases.dispute, "open", "1", "2026-01", "sewer", "--on", "2026-02-20", "--ground", "n", "--act", "c")
