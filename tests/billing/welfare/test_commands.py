"""The clerk's commands on a small town: from the decision to the grant, the change and the message."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from billing.inbox import State
from scripts.cli import subsidy, welfare
from scripts.cli.books import Books
from scripts.home import Home
from tests.billing.scenes import billed
from tests.billing.stage import Stage
from tests.billing.welfare.test_bureau import SUBSIDY, bureau_of, granted
from tests.billing.welfare.test_msp import GUID


class Clerk:
    def __init__(self, stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        town = stage.town
        books = Books(
            Home(folder / "home"), town.reader.deployment, stage.indexed.ledger, stage.inbox, stage.office.keyring
        )
        monkeypatch.setenv("KOPECK_BILLING_DB", f"sqlite:///{stage.folder / 'billing.db'}")
        monkeypatch.setattr(welfare, "open_town", lambda _home: books)
        self.folder = folder

    def run(self, *words: str, **files: object) -> Any:
        for name, value in files.items():
            (self.folder / name).write_text(json.dumps(value), encoding="utf-8")
        told = CliRunner().invoke(subsidy.group, [*words, "--home", str(self.folder)], catch_exceptions=False)
        assert told.exit_code == 0, told.output
        return json.loads(told.stdout) if "--json" in words else told.stdout

    def file(self, name: str) -> str:
        return str(self.folder / name)


def test_from_the_decision_to_the_message(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    billed(stage, 3)
    bureau_of(stage)
    clerk = Clerk(stage, tmp_path, monkeypatch)
    decided = clerk.run("decide", clerk.file("case"), "--json", case=SUBSIDY)
    assert decided["months"] == ["2026-01", "2026-02", "2026-03", "2026-04", "2026-05", "2026-06"]
    assert decided["working"]["amount_kopecks"] == 1911_00
    shown = clerk.run("preview", "2026-01", "--json")
    assert [row["case"] for row in shown["awards"]] == ["S-1"]
    assert "SS · n − D · MDD" in shown["awards"][0]["why"]
    assert stage.inbox.items(kind="grants") == []
    posted = clerk.run("grant", "2026-01", "--act", "order 1", "--json")
    net = posted["awards"][0]["net_kopecks"]
    item = stage.inbox.get(posted["request"])
    assert item is not None
    (done,) = stage.work(item)
    assert done.state is State.DONE, done.reason
    assert granted(stage, "2") == net
    assert clerk.run("grant", "2026-01", "--act", "order 1", "--json")["awards"] == []
    change = ("recompute", "2", "S-1", "--since", "2026-01", "--act", "check 5", "--set", "income_kopecks=[2050000]")
    for words in ((*change, "--dry", "--json"), (*change, "--json")):
        (month,) = clerk.run(*words)
        assert month == {
            "month": "2026-01", "case": "S-1", "given_kopecks": net, "due_kopecks": 151_00,
            "owed_back_kopecks": net - 151_00,
        }  # fmt: skip
    assert "is left" in clerk.run("repay", "2", "S-1", "1", "100", "--act", "receipt 1")
    (case,) = clerk.run("cases", "--json")
    assert (case["type"], case["revision"], case["given_kopecks"]) == ("subsidy", 2, net)
    assert case["owed_back_kopecks"] == net - 151_00 - 100
    (message,) = clerk.run(
        "export", "2026-01", "--to", clerk.file("out"), "--recipients", clerk.file("who"), "--paid-on", "2026-02-10",
        "--json", who={"2": {"guid": GUID}},
    )  # fmt: skip
    assert b"CitizenSubsidyGuid" in Path(message["file"]).read_bytes()
    clerk.run("reverse", "1", "--act", "act")
    assert [item.kind for item in stage.inbox.items(kind="reversal")] == ["reversal"]


def test_a_document_is_added_and_a_bad_one_refused_by_name(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.open(1)
    clerk = Clerk(stage, tmp_path, monkeypatch)
    good = {
        "name": "minimum", "kind": "subsistence", "area": "here", "act": "act 1", "effective_from": "2026-01-01",
        "checked": True, "roubles": {"anyone": "18939"},
    }  # fmt: skip
    assert "minimum of here holds from 2026-01-01" in clerk.run("document", clerk.file("sheet"), sheet=good)
    with pytest.raises(ValueError, match=r"minimum.*act is missing"):
        clerk.run("document", clerk.file("sheet"), sheet={**good, "act": ""})
