"""The command line: exit codes, errors that name the remedy, JSON on the output alone."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest

from billing.outlook.whatif import WhatIf
from billing.reference.faults import RowsRefused
from scripts.bench import Result
from scripts.chain import last_moment
from scripts.cli import debt, outlook
from scripts.cli.console import Steps, show
from scripts.cli.options import NotADay, day_of
from scripts.cli.people import BadPerson
from scripts.home import Home, HomeInUse
from scripts.town.plan import plan_town
from scripts.town.residents import logins_of

ROOT = Path(__file__).resolve().parents[2]


def _kopeck(*arguments: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from scripts.cli.main import app; sys.exit(app())"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "command",
    [
        ("fsck",),
        ("bill", "runs"),
        ("pay", "requests"),
        ("subsidy", "list"),
        ("statement", "supplier", "1"),
        ("debt", "ageing"),
        ("dispute", "list"),
    ],
)
def test_a_command_without_a_town_says_how_to_make_one(command: tuple[str, ...], tmp_path: Path) -> None:
    done = _kopeck(*command, "--home", str(tmp_path / "none"))
    assert done.returncode == 1
    assert "kopeck up" in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "none").exists()


def test_a_wrong_option_is_a_usage_error() -> None:
    done = _kopeck("demo", "--accounts", "3")
    assert done.returncode == 2
    assert "12" in done.stderr


def test_an_unknown_bench_names_those_there_are() -> None:
    done = _kopeck("bench", "nothing.such", "--out", "/dev/null")
    assert done.returncode == 1
    named = done.stderr.partition("no bench 'nothing'; there are: ")[2]
    assert {"gas", "flow"} <= set(named.replace(",", " ").split())


def test_a_listing_as_json_is_json_alone(capsys: pytest.CaptureFixture[str]) -> None:
    show([{"line": 1, "amount_kopecks": 250}], True, "never shown")
    assert json.loads(capsys.readouterr().out) == [{"line": 1, "amount_kopecks": 250}]


def test_a_wide_table_cuts_no_number_and_says_what_is_alike_once(capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"column_{place}_kopecks" for place in range(12)]
    rows = [{"account": f"account-{row}", **dict.fromkeys(names, 1000000 + row), "netted": 0} for row in (1, 2)]
    show(rows, False, "wide")
    told = capsys.readouterr().out
    assert told.count("1000001") == told.count("1000002") == len(names)
    assert "in every row: netted: 0" in told
    assert "…" not in told


def test_a_day_that_is_none_is_named() -> None:
    assert day_of("2026-03-15") == date(2026, 3, 15)
    with pytest.raises(NotADay, match=r"'15\.03\.2026'; give it as YYYY-MM-DD"):
        day_of("15.03.2026")


def test_what_if_takes_one_document(tmp_path: Path) -> None:
    for wrong in ("name;kind", "[]"):
        (tmp_path / "proposed").write_text(wrong, encoding="utf-8")
        with pytest.raises(outlook.NotADocument, match="proposed is no tariff document; give one"):
            outlook.what_if(tmp_path / "proposed", "2026-01", "2026-02", tmp_path)


def test_what_if_takes_the_form_that_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proposed = []
    asked = SimpleNamespace(compare=lambda value, *_: proposed.append(value) or WhatIf("cold", (), {}))
    monkeypatch.setattr(outlook, "billing_of", lambda _home: ())
    monkeypatch.setattr(outlook, "WhatIfs", lambda: asked)
    head = "name;kind;area;service;act;effective_from;unit;rate;value"
    row = "{};tariff;moscow;cold_water;draft;2026-01-01;m3;single;{}"
    form = tmp_path / "proposed.csv"
    form.write_text("\n".join((head, row.format("cold", "51,5"))), encoding="utf-8")
    outlook.what_if(form, "2026-01", "2026-02", tmp_path, True)
    assert [(value["name"], value["rates"]) for value in proposed] == [("cold", {"single": "51.5"})]
    form.write_text("\n".join((head, row.format("cold", "51"), row.format("hot", "x"))), encoding="utf-8")
    with pytest.raises(RowsRefused, match="row 3"):
        outlook.what_if(form, "2026-01", "2026-02", tmp_path)
    form.write_text(
        "\n".join((head, row.format("cold", "51"), row.format("hot", "52").replace("moscow", "omsk"))), encoding="utf-8"
    )
    with pytest.raises(outlook.NotADocument, match="holds 2 tariff documents"):
        outlook.what_if(form, "2026-01", "2026-02", tmp_path)


def test_a_claim_whose_paper_can_not_be_made_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = SimpleNamespace(claim=lambda *_: object())
    monkeypatch.setattr(debt, "desk_of", lambda _home: desk)
    monkeypatch.setattr(debt, "claim_json", lambda _claim: {})
    (tmp_path / "person.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BadPerson):
        debt.claim("1", 1, tmp_path / "person.json", tmp_path / "pack", on="2026-06-20", home=tmp_path)
    assert not (tmp_path / "pack").exists()


def test_steps_are_timed_and_stay_off_the_output(capsys: pytest.CaptureFixture[str]) -> None:
    steps = Steps()
    with steps.step("work", "doing the work", 3) as step:
        step.advance()
    assert steps.seconds["work"] >= 0
    assert capsys.readouterr().out == ""


def test_keys_are_drawn_once_and_readable_by_their_owner_alone(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.key("bank") == Home(tmp_path).key("bank") != home.key("agent")
    for path in (tmp_path / "keys").iterdir():
        assert path.stat().st_mode & 0o077 == 0


def test_a_home_is_for_one_town_at_a_time(tmp_path: Path) -> None:
    with Home(tmp_path).locked(), pytest.raises(HomeInUse, match="kopeck stop"), Home(tmp_path).locked():
        pass


def test_forgetting_a_broken_off_town_keeps_its_plan_and_logs(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for name in ("chain", "ledger", "keys", "logs", "town"):
        (home.folder(name) / "x").write_text("x")
    home.deployment.write_text("{}")
    home.forget_town()
    assert {path.name for path in tmp_path.iterdir()} == {"logs", "town"}


def test_a_saved_chain_tells_when_it_ended(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    assert last_moment(state) is None
    state.write_text(json.dumps({"block": {"timestamp": "0x69a32d24"}}))
    assert last_moment(state) == 0x69A32D24


def test_demo_logins_tell_every_story_and_keep_their_passwords(tmp_path: Path) -> None:
    from contracts.wire.ids import Period

    town = plan_town(60, Period(2026, 1), 2, 7)
    home = Home(tmp_path)
    logins = logins_of(town, home)
    assert logins == logins_of(town, home)
    assert len({login.story for login in logins}) >= 12
    assert len({login.password for login in logins}) == len(logins)


@pytest.mark.parametrize(("value", "better", "kept"), [(9, "lower", True), (11, "lower", False), (11, "higher", True)])
def test_a_bar_is_kept_or_missed(value: float, better: str, kept: bool) -> None:
    assert Result("x.y", value, "gas", better, 10).within_bar is kept  # type: ignore[arg-type]
