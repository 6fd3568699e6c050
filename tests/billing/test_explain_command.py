"""`kopeck bill explain` and `kopeck event` on a small town, the first worked out again by a script without our code."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from billing.events import UnknownEvent
from billing.requests import CorrectionRequest, RunRequest
from contracts.wire.ids import Period
from scripts.cli import bill, event
from scripts.cli.books import Books
from scripts.home import Home
from tests.billing.stage import Stage
from tests.billing.test_recompute import SCRIPT

JANUARY = Period(2026, 1)


@pytest.fixture
def town(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Two flats billed for January, and the commands pointed at their books."""
    stage.open(2)
    stage.work(stage.ask("run", RunRequest(JANUARY)))
    books = Books(
        Home(stage.folder), stage.town.reader.deployment, stage.indexed.ledger, stage.inbox, stage.office.keyring
    )
    for module in (bill, event):
        monkeypatch.setattr(module, "open_town", lambda _home: books)
    monkeypatch.setenv("KOPECK_BILLING_DB", stage.database or f"sqlite:///{stage.folder / 'billing.db'}")
    return stage


def run(town: Stage, group: typer.Typer, *words: str) -> str:
    told = CliRunner().invoke(group, [*words, "--home", str(town.folder)], catch_exceptions=False)
    assert told.exit_code == 0, told.output
    return told.stdout


def explained(town: Stage, account: str) -> dict[str, Any]:
    key = str(town.bill(account, JANUARY).key)
    text = run(town, bill.group, "explain", key, "--json")
    again = subprocess.run(
        [sys.executable, "-I", "-S", str(SCRIPT)], input=text, capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stdout
    found: dict[str, Any] = json.loads(text)
    assert found["bill"] == key
    return found


def test_a_bill_is_explained_and_worked_out_again(town: Stage) -> None:
    found = explained(town, "1")
    assert found["total_kopecks"] == town.bill("1", JANUARY).charged_kopecks
    assert {line["service"] for line in found["lines"]} >= {"cold_water", "electricity", "capital_repair"}
    told = run(town, bill.group, "explain", found["bill"])
    assert "capital_repair" in told
    assert str(next(line["amount_kopecks"] for line in found["lines"] if line["service"] == "capital_repair")) in told


def test_an_event_by_command_changes_the_bill_by_a_correction(town: Stage) -> None:
    before = explained(town, "1")["total_kopecks"]
    words = ("put", "1", "burst main", "interruption", "service=cold_water", "start=2026-01-10T06:00",
             "end=2026-01-11T06:00", "--act", "act 31")  # fmt: skip
    assert "entered" in run(town, event.group, *words)
    assert "stood there already" in run(town, event.group, *words)
    with pytest.raises(UnknownEvent, match="no account 'nobody'"):
        run(town, event.group, "list", "nobody")
    (row,) = json.loads(run(town, event.group, "list", "1", "--json"))
    # Six in the morning in Krasnoyarsk is 23 hours UTC of the day before.
    assert (row["kind"], row["start"], row["end"] - row["start"]) == ("interruption", 1_767_999_600, 86_400)
    town.work(town.ask("first", CorrectionRequest(JANUARY, ("1",), "act 31")))
    town.settle()
    less = explained(town, "1")
    (cold,) = (line for line in less["lines"] if line["service"] == "cold_water")
    charge, off = cold["parts"]
    assert off["amount_kopecks"] == -round(charge["amount_kopecks"] * 0.0015 * 20)
    assert less["total_kopecks"] == before + off["amount_kopecks"]
    assert "withdrawn" in run(town, event.group, "withdraw", "1", "burst main", "--act", "act 32")
    town.work(town.ask("second", CorrectionRequest(JANUARY, ("1",), "act 32")))
    town.settle()
    assert explained(town, "1")["total_kopecks"] == before
