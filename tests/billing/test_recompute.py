"""Every sum of a bill worked out again, by a script of its own process that has none of our code."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from billing.documents import NoteLine, Title, draft_bill, draft_note
from billing.domain.charge import explain
from billing.domain.household import AccountMonth
from billing.domain.services import charge_account
from billing.explanation import explain_bill
from billing.requests import RunRequest
from contracts.wire.ids import BillKey, KeyId, Period, RunId
from contracts.wire.leaf import BillKind
from tests.billing.cases import cases
from tests.billing.stage import Stage

CATALOG = Path(__file__).parents[2] / "webapp" / "catalog"
SCRIPT = Path(__file__).parent / "independent_recompute.py"
KEY = BillKey(RunId(1), 0)


def title(period: Period) -> Title:
    return Title("17", period, 0, KeyId(b"\x01" * 16), b"\x02" * 32)


def explained(month: AccountMonth) -> dict[str, Any]:
    """A month as `kopeck bill explain` tells it: out of the bytes of its document."""
    draft = draft_bill(title(month.period), month, charge_account(month), [])
    return explain_bill(KEY, draft.document)


def recompute(bills: list[dict[str, Any]], tmp_path: Path) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "bills.json"
    path.write_text(json.dumps(bills, ensure_ascii=False), encoding="utf-8")
    command = [sys.executable, "-I", "-S", str(SCRIPT), str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)


@pytest.fixture(scope="module")
def bills() -> dict[str, dict[str, Any]]:
    return {name: {**explained(month), "bill": name} for name, month in cases()}


def test_every_case_of_every_rule_is_worked_out_again(bills: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    found = recompute(list(bills.values()), tmp_path)
    assert found.returncode == 0, found.stdout
    assert int(found.stdout.split()[0]) > 500


def test_the_cases_reach_every_formula(bills: dict[str, dict[str, Any]]) -> None:
    parts = [part for bill in bills.values() for line in bill["lines"] for part in line["parts"]]
    formulas = {part["formula"].removesuffix(" · d") for part in parts}
    assert {
        "P = V · T", "P = n · N · T", "P = n · N · K · T", "P = S · N · T", "P = S · T", "P = (V_cold + V_hot) · T",
        "P = V · T_water", "P = V · q · T_heat", "P = V_within · T_within", "P = V_over · T_over", "P = V_1 · T_1",
        "P = V_2 · T_2", "P = V_3 · T_3", "P = S · N_heat · T", "P = −A · n_away · D / (n · D_part)", "P = −C",
        "P = −A · V_by_norm / V · n_away · D / (n · D_part)", "P = −A · min(1, r · h)", "P = −A · min(1, r · G)",
        "P = −A · min(1, r · D / D_month)", "P = −A · max(0, 1 − V · T_cold / A_month) · min(h, H) / H",
    } <= formulas  # fmt: skip
    volumes = {given.get("formula") for part in parts for given in part["inputs"]}
    assert {"n_cold_water · N_cold_water", "n · N · K", "n · N · K · d"} <= volumes


@pytest.mark.parametrize("language", ["ru", "en"])
def test_every_symbol_unit_and_zone_has_a_word_on_the_page(bills: dict[str, dict[str, Any]], language: str) -> None:
    words = tomllib.loads((CATALOG / f"{language}.toml").read_text(encoding="utf-8"))
    lines = [line for bill in bills.values() for line in bill["lines"]]
    parts = [part for line in lines for part in line["parts"]]
    given = [(i["symbol"], i["unit"]) for part in parts for i in part["inputs"]]
    assert {symbol for symbol, _ in given} - set(words["symbol"]) == set()
    assert {unit for _, unit in given} - set(words["unit"]) - {"1"} == set()
    assert {part["zone"] for part in parts} - set(words["zone"]) == set()
    assert {tariff["kind"] for line in lines for tariff in line["tariffs"]} - set(words["tariff"]) == set()


@pytest.mark.parametrize("field", ["amount_kopecks", "total_kopecks", "value", "carried_over_kopecks", "formula"])
def test_a_kopeck_or_a_digit_changed_is_found(bills: dict[str, dict[str, Any]], tmp_path: Path, field: str) -> None:
    bill = json.loads(json.dumps(bills["carried over"]))
    line = next(line for line in bill["lines"] if line["service"] == "cold_water")
    part = line["parts"][0]
    if field == "total_kopecks":
        bill["total_kopecks"] += 1
    elif field == "amount_kopecks":
        part["amount_kopecks"] += 1
    elif field == "value":
        part["inputs"][0]["value"] += "1"
    elif field == "formula":
        part["formula"] = part["formula"].replace("K", "n")
    else:
        line["carried_over_kopecks"] -= 1
    found = recompute([bill], tmp_path)
    assert found.returncode == 1
    assert "carried over: cold_water" in found.stdout or field == "total_kopecks"


def test_the_bills_of_a_town_as_they_are_stored(stage: Stage, tmp_path: Path) -> None:
    stage.open(3)
    span = explained_span(stage)
    stage.read_water({1: 0, 2: 0, 3: 0}, span[0])
    stage.read_water({1: 5432, 2: 7001, 3: 0}, span[1])
    stage.work(stage.ask("run", RunRequest(Period(2026, 1))))
    stored = [
        explain_bill(key, bill.document)
        for account in ("1", "2", "3")
        for key, bill, _ in stage.office.runs.of_account(account, Period(2026, 1))
        if key is not None
    ]
    assert len(stored) == 3
    (cold,) = (line for line in stored[0]["lines"] if line["service"] == "cold_water")
    volume = cold["parts"][0]["inputs"][0]
    assert volume["reading_ids"] == [reading["id"] for reading in cold["readings"]]
    assert volume["qualities"] == ["measured"]
    found = recompute(stored, tmp_path)
    assert found.returncode == 0, found.stdout


def explained_span(stage: Stage) -> tuple[int, int]:
    month = next(month for name, month in cases() if name == "by norm")
    assert month.house.zone == stage.office.register.houses()["house-1"].zone
    return month.span.start_ts, month.span.end_ts


def test_a_note_is_explained_by_what_the_correction_found(tmp_path: Path) -> None:
    month = next(month for name, month in cases() if name == "by norm")
    line = charge_account(month)[0]
    noted = NoteLine(line.supplier, 4200, {"service": "cold_water", "now": explain(line)})
    empty = NoteLine(line.supplier, 0, {"service": None})
    note = draft_note(title(month.period), BillKind.CREDIT_NOTE, KEY, "act 9", [noted, empty])
    found = explain_bill(KEY, note.document)
    assert [(row["change_kopecks"], row["amount_kopecks"]) for row in found["lines"]] == [(4200, line.amount_kopecks)]
    assert (found["kind"], found["act"]) == ("credit_note", "act 9")
    assert recompute([found], tmp_path).returncode == 0
