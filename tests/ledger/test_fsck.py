"""Alarms ring: two equal ledgers that both lack a record are no good ledger, and the command says so and fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from contracts.wire.files import LeafLine, encode_file, parse_file
from contracts.wire.ids import Hash, KeyId, MeterId
from contracts.wire.leaf import RegisterReading
from contracts.wire.units import Unit
from ledger.fsck import rebuild
from scripts.town.report import rebuilt_equal
from scripts.town.stage import Stage
from tests.ledger.indexed import Indexed
from tests.ledger.town import Draft, Town, bytes_of

KEY = KeyId(bytes_of("account", 16))


def reading(value: int) -> RegisterReading:
    return RegisterReading(MeterId(bytes_of("meter", 16)), 0, 100 + value, value, Unit.LITRE)


def change(town: Town, root: Hash, changed: Callable[[list[LeafLine]], list[LeafLine]]) -> None:
    """Serves another file under the same root."""
    data = town.files.get("readings", root)
    assert data is not None
    head, lines = parse_file(data)
    town.files.put("readings", root, encode_file(head, changed(lines)))


def lose_file(town: Town) -> str:
    root = town.anchor("c1", town.add_source("c1"), [reading(5)], KEY, is_served=False)
    return f"readings/0x{root.hex()} is missing: "


def lose_leaf(town: Town) -> str:
    root = town.anchor("c1", town.add_source("c1"), [reading(5), reading(6)], KEY)
    change(town, root, lambda lines: [lines[0], LeafLine(lines[1].leaf)])
    return f"leaf 1 of readings/0x{root.hex()} is missing: "


def alter_leaf(town: Town) -> str:
    root = town.anchor("c1", town.add_source("c1"), [reading(5), reading(6)], KEY)
    change(town, root, lambda lines: [replace(lines[0], sealed=lines[1].sealed), lines[1]])
    return f"leaf 0 of readings/0x{root.hex()} is altered: "


def overclaim(town: Town) -> str:
    town.add_supplier("water")
    town.post_run([Draft("a", ((1, 900),))], KEY, claimed_too_much_kopecks=1)
    return "run, block "


@dataclass
class Home:
    """The town's home as the command finds it."""

    indexed: Indexed
    root: Path

    def fsck(self, *more: str) -> tuple[int, str]:
        """The command's exit code and output."""
        start = "from scripts.cli.main import app; raise SystemExit(app())"
        argv = [sys.executable, "-c", start, "fsck", "--home", str(self.root), "--rpc", self.indexed.town.rpc.url]
        environment = {**os.environ, "KOPECK_LEDGER_DB": str(self.indexed.engine.url)}
        found = subprocess.run([*argv, *more], env=environment, capture_output=True, text=True, check=False)
        return found.returncode, found.stdout


@pytest.fixture
def home(indexed: Indexed, tmp_path: Path) -> Home:
    indexed.town.reader.deployment.save(tmp_path / "deployment.json")
    for owner in ("oracle", "billing"):
        (tmp_path / owner).mkdir()
        (tmp_path / "served").mkdir(exist_ok=True)
        (tmp_path / owner / "files").symlink_to(tmp_path / "served")
    return Home(indexed, tmp_path)


def test_a_town_in_order_is_sound(home: Home) -> None:
    town = home.indexed.town
    town.anchor("c1", town.add_source("c1"), [reading(5)], KEY)
    home.indexed.sync()
    assert home.fsck() == (0, "the ledger equals its rebuild\n")


@pytest.mark.parametrize("spoil", [lose_file, lose_leaf, alter_leaf, overclaim])
def test_what_is_missing_altered_or_at_odds_fails_though_both_ledgers_agree(
    home: Home, spoil: Callable[[Town], str]
) -> None:
    indexed, town = home.indexed, home.indexed.town
    record = spoil(town)
    indexed.sync()
    report = rebuild(indexed.engine, town.reader, town.reader.deployment.first_block, town.files, town.keys)
    assert report.is_equal
    assert not report.is_sound
    (alarm,) = report.alarms
    assert alarm.startswith(record)
    code, shown = home.fsck()
    assert code == 1
    assert alarm in shown.splitlines()


def test_as_json_it_names_the_alarms_and_fails_too(home: Home) -> None:
    record = lose_leaf(home.indexed.town)
    home.indexed.sync()
    code, shown = home.fsck("--json")
    found = json.loads(shown)
    assert (code, found["equal"], len(found["alarms"])) == (1, True, 1)
    assert found["alarms"][0].startswith(record)


def test_the_demo_s_rebuild_is_not_equal_where_a_record_is_missing(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    indexed, reader = home.indexed, home.indexed.town.reader
    monkeypatch.setenv("KOPECK_LEDGER_DB", str(indexed.engine.url))
    stage = SimpleNamespace(home=home, reader=reader, deployment=reader.deployment, keyring=indexed.town.keys)
    indexed.sync()
    assert rebuilt_equal(cast(Stage, stage))
    record = lose_leaf(indexed.town)
    indexed.sync()
    assert not rebuilt_equal(cast(Stage, stage))
    assert record in capsys.readouterr().err
