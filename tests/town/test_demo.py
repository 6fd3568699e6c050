"""The demo town end to end: sums that agree, by the ledger, by the chain, and by a rebuild of the ledger."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.town.played import ACCOUNTS, MONEY, MONTHS, money, play

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return play(tmp_path_factory.mktemp("town"))


def test_every_kopeck_is_accounted_for(found: dict[str, Any]) -> None:
    moved = found["paid_kopecks"] + found["granted_kopecks"] + found["prepaid_kopecks"] - found["refunded_kopecks"]
    assert sum(supplier["received_kopecks"] for supplier in found["suppliers"]) == moved
    assert sum(supplier["charged_kopecks"] for supplier in found["suppliers"]) == found["charged_kopecks"]
    assert found["conservation"] is True
    assert found["rebuilt_equal"] is True
    assert found["contract_balances_kopecks"] == 0


def test_every_way_of_paying_is_in_the_town(found: dict[str, Any]) -> None:
    for name in MONEY[:6]:
        assert found[f"{name}_kopecks"] > 0, name
    assert len(found["suppliers"]) >= 6
    assert found["bills"] >= ACCOUNTS * MONTHS + 2  # the month's bills, a superseding one, a note
    assert found["batches"] > 10
    assert found["readings"] > 1000


@pytest.mark.slow
def test_the_command_prints_one_object_whose_sums_agree() -> None:
    code = "import sys; from scripts.cli.main import app; sys.exit(app())"
    command = [sys.executable, "-c", code, "demo", "--accounts", "60", "--months", "2", "--seed", "7", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["accounts"] == 60
    assert shown["contract_balances_kopecks"] == 0
    assert shown["conservation"] is shown["rebuilt_equal"] is True
    moved = shown["paid_kopecks"] + shown["granted_kopecks"] + shown["prepaid_kopecks"] - shown["refunded_kopecks"]
    assert sum(supplier["received_kopecks"] for supplier in shown["suppliers"]) == moved
    assert {"id", "name", "charged_kopecks", "received_kopecks"} == set(shown["suppliers"][0])
    for name in ("readings", "batches", "bills", "charged_kopecks", "granted_kopecks", "paid_kopecks", "blocks"):
        assert shown[name] > 0, name
    assert shown["prepaid_kopecks"] > 0 < shown["refunded_kopecks"]
    assert shown["seconds"]["total"] > 0


@pytest.mark.slow
def test_the_same_seed_is_the_same_money_and_another_is_other_money(found: dict[str, Any], tmp_path: Path) -> None:
    assert money(play(tmp_path / "again")) == money(found)
    assert money(play(tmp_path / "other", seed=8)) != money(found)
