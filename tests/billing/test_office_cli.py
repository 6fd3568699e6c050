"""``kopeck tariff`` and ``kopeck bill`` on a small town: files in, the book, the run with its two hands, the past."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from billing.debt.penalty_rules import town_rules
from billing.inbox import State
from billing.policy import NotAHand
from billing.publishing import NobodyAsked, SameHand
from billing.reference.faults import RowsRefused
from billing.requests import CorrectionRequest
from scripts.cli import bill, bill_runs, tariff
from scripts.cli.books import Books
from scripts.cli.main import cli
from scripts.home import Home
from tests.billing.builders import ZONE
from tests.billing.scenes import JANUARY
from tests.billing.stage import Stage
from tests.billing.test_bad_input import no_area, ready
from tests.ledger.town import key_of

Kopeck = Callable[..., Any]
HEAD = "name;kind;area;service;act;effective_from;effective_to;unit;rate;value;replaces\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    (made.folder("keys") / "operator.key").write_text("0x" + key_of("operator").hex())
    return made


@pytest.fixture
def kopeck(stage: Stage, home: Home, monkeypatch: pytest.MonkeyPatch) -> Kopeck:
    """Runs a command on the stage's town; what it printed as JSON, or as words. Raises what the command raised."""
    deployment = stage.town.reader.deployment
    town = Books(home, deployment, stage.indexed.ledger, stage.inbox, stage.town.keys)
    monkeypatch.setenv("KOPECK_BILLING_DB", f"sqlite:///{stage.folder / 'billing.db'}")
    for module in (tariff, bill_runs, bill):
        monkeypatch.setattr(module, "open_town", lambda _home: town)

    def run(*words: str) -> Any:
        with capture_logs():  # the command line sends them to the error stream
            result = CliRunner().invoke(cli, list(words), catch_exceptions=True)
        if result.exception is not None:
            raise result.exception
        return json.loads(result.stdout) if "--json" in words else result.stdout

    return run


@contextmanager
def blocks(stage: Stage) -> Iterator[None]:
    """A chain that goes on by itself, for a command that waits for it."""
    done = Event()

    def mine() -> None:
        while not done.wait(0.02):
            stage.town.rpc.call("evm_mine")

    thread = Thread(target=mine)
    thread.start()
    yield
    done.set()
    thread.join()


def test_a_file_is_imported_published_listed_and_corrected_by(kopeck: Kopeck, stage: Stage, tmp_path: Path) -> None:
    ready(stage, 2)
    kopeck("bill", "run", "2026-01")
    stage.work(stage.inbox.items()[-1])
    path = tmp_path / "october.csv"
    good = "water-late;тариф;moscow;ХВС;Приказ № 2;16.01.2026;;m3;single;87,14;moscow-cold-water-2021-07\n"
    path.write_text(HEAD + good + good.replace("water-late", "bad").replace("ХВС", "вода"), encoding="utf-8")

    dry = kopeck("tariff", "import", str(path), "--dry-run", "--json")
    assert ([f["row"] for f in dry["faults"]], dry["kept"]) == ([3], 0)
    with pytest.raises(RowsRefused, match="row 3, column 'service'"):
        kopeck("tariff", "import", str(path))
    assert not [row for row in kopeck("tariff", "list", "--json") if row["name"] == "water-late"]
    done = kopeck("tariff", "import", str(path), "--skip-bad", "--json")
    assert done["kept"] == 1
    assert "вода" in (tmp_path / "october.refused.csv").read_text(encoding="utf-8-sig")

    (row,) = [row for row in kopeck("tariff", "list", "--json") if row["name"] == "water-late"]
    assert row["version"] is None
    with blocks(stage):
        published = kopeck("tariff", "publish", "--rpc", stage.town.rpc.url, "--json")
    assert [p["name"] for p in published] == ["water-late"]
    stage.settle()
    (row,) = [row for row in kopeck("tariff", "list", "--json") if row["name"] == "water-late"]
    version = str(row["version"])
    assert kopeck("tariff", "affected", version, "--json") == [{"period": "2026-01", "accounts": ["1", "2"]}]
    (asked,) = kopeck("tariff", "correct", version, "--act", "Приказ № 2", "--json")
    item = stage.inbox.get(asked["request"])
    assert item is not None
    assert item.request == CorrectionRequest(JANUARY, ("1", "2"), "Приказ № 2")
    (item,) = stage.work(item)
    assert item.state is State.DONE, item.reason
    with pytest.raises(ValueError, match="is for good"):
        kopeck("tariff", "drop", "water-late")
    kopeck("tariff", "export", str(tmp_path / "out.csv"), "water-late")
    assert "87.14" in (tmp_path / "out.csv").read_text(encoding="utf-8-sig")


def test_an_imported_key_rate_is_what_penalties_are_counted_by(kopeck: Kopeck, home: Home, tmp_path: Path) -> None:
    path = tmp_path / "russia-key-rates.csv"
    path.write_text("since;percent;act\n2031-01-01;7,25;Решение\n", encoding="utf-8")
    kopeck("tariff", "import", str(path))
    day = datetime(2031, 5, 5, tzinfo=ZoneInfo(ZONE)).date()
    assert town_rules(home.root).key_rate(day).rate * 100 == 7.25
    kopeck("tariff", "drop", "russia-key-rates")
    assert town_rules(home.root).key_rate(day).rate * 100 != 7.25


def test_a_month_goes_through_two_hands_with_its_problems_seen(kopeck: Kopeck, stage: Stage) -> None:
    ready(stage, 3)
    no_area(stage)
    assert kopeck("bill", "policy", "--hand", "clerk", "--hand", "chief", "--json")["hands"].keys() == {
        "clerk",
        "chief",
    }
    seen = kopeck("bill", "preview", "2026-01", "--json")
    assert (seen["bills"], list(seen["problems"])) == (2, ["2"])
    kopeck("bill", "run", "2026-01", "--by", "clerk")
    for _ in range(3):
        stage.turn()
    (waiting,) = kopeck("bill", "waiting", "--json")
    assert (waiting["asked_by"], waiting["left_out"], waiting["bills"]) == ("clerk", 1, 2)
    assert waiting["total_kopecks"] == seen["total_kopecks"]
    request = next(item.id for item in stage.inbox.items(kind="run"))
    (problem,) = kopeck("bill", "problems", str(request), "--json")
    assert (problem["account"], "area" in problem["what_to_do"]) == ("2", True)
    run = str(waiting["run"])
    for by, more, slug in (
        ("clerk", (), "same-hand"),
        ("chief", (), "problems-not-seen"),
        ("chief", ("--leave-out-problems",), None),
    ):
        kopeck("bill", "approve", run, "--by", by, *more)
        (word,) = stage.work(stage.inbox.items(kind="approval")[-1])
        assert word.slug == slug
    (done,) = stage.work(*[item for item in stage.inbox.items(kind="run") if item.id == request])
    assert done.state is State.DONE
    assert kopeck("bill", "waiting", "--json") == []


def test_a_month_that_is_not_over_is_billed_only_when_that_is_said(kopeck: Kopeck, stage: Stage) -> None:
    ready(stage, 1)
    head = stage.office.ledger.head()
    assert head is not None
    month = f"{datetime.fromtimestamp(head.timestamp, ZoneInfo(ZONE)):%Y-%m}"
    for said, state in (((), State.FAILED), (("--before-end",), State.DONE)):
        kopeck("bill", "run", month, *said)
        (item,) = stage.work(stage.inbox.items(kind="run")[-1])
        assert (item.state, item.slug) == (state, "month-not-over" if state is State.FAILED else None)


def test_a_tariff_goes_through_two_hands(kopeck: Kopeck, stage: Stage, tmp_path: Path) -> None:
    ready(stage, 1)
    kopeck("bill", "policy", "--hand", "clerk", "--hand", "chief")
    path = tmp_path / "october.csv"
    row = "water-late;тариф;moscow;ХВС;Приказ № 2;16.01.2026;;m3;single;87,14;moscow-cold-water-2021-07\n"
    path.write_text(HEAD + row, encoding="utf-8")
    kopeck("tariff", "import", str(path))
    node = ("--rpc", stage.town.rpc.url)
    versions = len(stage.office.ledger.tariffs())
    with pytest.raises(NotAHand, match="has no hand"):
        kopeck("tariff", "publish", *node)
    with pytest.raises(NobodyAsked, match="water-late"):
        kopeck("tariff", "approve", "water-late", "--by", "chief", *node)
    assert [p["name"] for p in kopeck("tariff", "publish", "--by", "clerk", "--json", *node)] == ["water-late"]
    with pytest.raises(SameHand, match="clerk"):
        kopeck("tariff", "approve", "water-late", "--by", "clerk", *node)
    with pytest.raises(NotAHand, match="no hand of the office"):
        kopeck("tariff", "approve", "water-late", "--by", "thief", *node)

    def asked_by() -> list[tuple[int | None, str]]:
        rows = kopeck("tariff", "list", "--json")
        return [(row["version"], row["asked_by"]) for row in rows if row["name"] == "water-late"]

    assert asked_by() == [(None, "clerk")]
    kopeck("tariff", "drop", "water-late")
    kopeck("tariff", "import", str(path))
    assert asked_by() == [(None, "")]  # a word goes with what it was about
    kopeck("tariff", "publish", "--by", "clerk", *node)
    stage.settle()
    assert len(stage.office.ledger.tariffs()) == versions
    with blocks(stage):
        kopeck("tariff", "approve", "water-late", "--by", "chief", *node)
    stage.settle()
    assert len(stage.office.ledger.tariffs()) == versions + 1


def test_a_correction_goes_through_two_hands(kopeck: Kopeck, stage: Stage) -> None:
    ready(stage, 1)
    kopeck("bill", "run", "2026-01")
    stage.work(stage.inbox.items()[-1])
    old = stage.bill("1", JANUARY)
    stage.office.register.set_residents("1", date(2026, 1, 1), 5)
    kopeck("bill", "policy", "--hand", "clerk", "--hand", "chief")
    ask = ("bill", "correct", "2026-01", "1", "--act", "act 7")
    kopeck(*ask)
    (unsigned,) = stage.work(stage.inbox.items(kind="correction")[-1])
    assert unsigned.slug == "not-signed"
    kopeck(*ask, "--by", "clerk")
    for _ in range(3):
        stage.turn()
    (waiting,) = kopeck("bill", "waiting", "--json")
    assert (waiting["kind"], waiting["asked_by"], waiting["bills"]) == ("correction", "clerk", 1)
    kopeck("bill", "approve", str(waiting["run"]), "--by", "chief")
    (done,) = stage.work(stage.inbox.items(kind="correction")[-1])
    assert done.state is State.DONE, done.reason
    assert (done.result or {})["superseded"] == [str(old.key)]


def test_a_bill_is_shown_as_it_was_known(kopeck: Kopeck, stage: Stage) -> None:
    ready(stage, 1)
    kopeck("bill", "run", "2026-01")
    stage.work(stage.inbox.items()[-1])
    key = str(stage.bill("1", JANUARY).key)
    now = datetime.fromtimestamp(stage.town.reader.head().timestamp, ZoneInfo(ZONE)).date()
    seen = kopeck("bill", "show", key, "--on", now.isoformat(), "--json")
    assert (seen["bill"]["bill"], seen["bill"]["state"], seen["later"]) == (key, "open", [])
    before = kopeck("bill", "show", key, "--on", "2025-12-31", "--json")
    assert (before["bill"], before["later"]) == (None, [key])


@pytest.mark.parametrize("form", ["tariffs", "key_rates", "moratoria", "holidays", "regions"])
def test_each_form_can_be_had_as_a_file(form: str, kopeck: Kopeck, tmp_path: Path) -> None:
    for name in ("form.csv", "form.xlsx"):
        kopeck("tariff", "template", form, str(tmp_path / name))
        assert (tmp_path / name).stat().st_size > 0
