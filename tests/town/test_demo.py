"""The demo town end to end: sums that agree, by the ledger, by the chain, and by a rebuild of the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.town.played import ACCOUNTS, MONEY, MONTHS, money, play


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
def test_the_same_seed_is_the_same_money_and_another_is_other_money(found: dict[str, Any], tmp_path: Path) -> None:
    assert money(play(tmp_path / "again")) == money(found)
    assert money(play(tmp_path / "other", seed=8)) != money(found)
