"""The collector dies at any point and starts again from the disk, on any database: the same money, nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.billing.life import Reaper, play
from tests.billing.stage import Stage
from tests.ledger.test_postgres import postgres_url  # noqa: F401

_UNDISTURBED: dict[str, int] = {}


@pytest.fixture
def undisturbed(stage: Stage) -> dict[str, int]:
    """What the same life comes to when nothing dies; worked out once."""
    if not _UNDISTURBED:
        snapshot = stage.town.rpc.call("evm_snapshot")
        _UNDISTURBED.update(play(stage, Reaper(0, 0)))
        stage.town.rpc.call("evm_revert", snapshot)
    return _UNDISTURBED


def test_an_undisturbed_life_moves_money_of_every_kind(undisturbed: dict[str, int]) -> None:
    assert undisturbed["netted"] == 7_000
    assert undisturbed["granted"] == 18_000
    assert undisturbed["runs"] == 3
    assert undisturbed["resident"] < 10**8


def live_with_kills(undisturbed: dict[str, int], stage: Stage, percent: int, seed: int) -> None:
    reaper = Reaper(percent, seed)
    assert play(stage, reaper) == undisturbed
    assert reaper.kills >= 5


def test_the_same_money_with_kills(undisturbed: dict[str, int], stage: Stage, tmp_path: Path) -> None:
    live_with_kills(undisturbed, stage.afresh(tmp_path / "again"), 1, 1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_the_same_money_with_many_kills(undisturbed: dict[str, int], stage: Stage, tmp_path: Path, seed: int) -> None:
    live_with_kills(undisturbed, stage.afresh(tmp_path / "again"), 3, seed)


@pytest.mark.postgres
def test_the_same_money_on_postgresql(
    undisturbed: dict[str, int],
    stage: Stage,
    tmp_path: Path,
    postgres_url: str,  # noqa: F811
) -> None:
    assert play(stage.afresh(tmp_path / "again", postgres_url), Reaper(0, 0)) == undisturbed
