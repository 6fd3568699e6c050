"""The demo town end to end: sums that agree, by the ledger, by the chain, and by a rebuild of the ledger."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any

import pytest

from contracts.wire.ids import Period, Service
from contracts.wire.leaf import RegisterReading
from scripts.town.plan import MeterPlan, midnight, plan_town
from scripts.town.readings import house_days
from tests.town.lived import Lived, visit
from tests.town.played import ACCOUNTS, MONEY, MONTHS, SEED, money, play

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Played:
    """One town for the whole file: its report, and what a visit found while it still ran."""

    report: dict[str, Any]
    lived: Lived


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    visits: list[Lived] = []
    folder = tmp_path_factory.mktemp("visit")
    report = play(tmp_path_factory.mktemp("town"), afterwards=lambda stage: visits.append(visit(stage, folder)))
    return Played(report, visits[0])


@pytest.fixture
def found(played: Played) -> dict[str, Any]:
    return played.report


@pytest.fixture
def lived(played: Played) -> Lived:
    return played.lived


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


# --- a visit while it ran ---


def test_a_bundle_of_the_town_is_audited_without_an_alarm(lived: Lived) -> None:
    assert lived.done["bundle"].exit_code == 0, lived.done["bundle"].output
    assert lived.done["audit"].exit_code == 0, lived.done["audit"].output
    report = json.loads((lived.folder / "audit.json").read_text())["report"]
    assert (report["verdict"], report["findings"]) == ("sound", 0)
    assert report["checked"]["cosignatures"] == len(lived.checkpoints)


def test_common_water_of_a_house_is_what_its_meter_counted_and_no_flat_did(lived: Lived) -> None:
    """Worked out here from the plan's readings, the norm of Moscow and its tariff: F12 by area, half up each."""
    assert lived.done["house"].exit_code == 0, lived.done["house"].output
    (balance,) = (row for row in json.loads(lived.done["house"].stdout) if row["service"] == "cold_water")
    town = plan_town(ACCOUNTS, Period(2026, 1), MONTHS, SEED)
    house = town.houses[0]
    january, february = midnight(date(2026, 1, 1)), midnight(date(2026, 2, 1))
    counters = {
        (record.meter, record.taken_at): record.value
        for day in house_days(town, house)
        for record in day.records
        if isinstance(record, RegisterReading)
    }

    def counted(meter: MeterPlan) -> int:
        return counters[meter.meter, february] - counters[meter.meter, january]

    metered = sum(counted(m) for flat in house.flats for m in flat.meters if m.service is Service.COLD_WATER)
    by_norm = sum(6_935 * flat.residents for flat in house.flats if not flat.metered)
    common = counted(house.meter) - metered - by_norm
    assert (balance["house_volume"], balance["by_meter"], balance["by_norm"]) == (
        counted(house.meter), metered, by_norm,
    )  # fmt: skip
    assert 0 < common == balance["common"]
    for flat in house.flats:
        (part,) = (part for part in lived.water[flat.account]["parts"] if part.get("scope") == "common")
        share = Fraction(common, 1000) * Fraction(flat.area_dm2, house.area_dm2) * Fraction("43.57") * 100
        assert part["amount_kopecks"] == floor(share + Fraction(1, 2)) > 0


def test_a_supplier_s_statement_is_verified_and_its_bank_reconciled(lived: Lived) -> None:
    assert lived.done["statement"].exit_code == 0, lived.done["statement"].output
    assert lived.done["verified"].exit_code == 0, lived.done["verified"].output
    verified = json.loads(lived.done["verified"].stdout)
    assert verified["is_complete"]
    assert verified["findings"] == []
    assert lived.done["bank"].exit_code == 0, lived.done["bank"].output
    assert lived.done["reconciled"].exit_code == 0, lived.done["reconciled"].output
    reconciled = json.loads(lived.done["reconciled"].stdout)
    assert reconciled["bank_kopecks"] == reconciled["chain_kopecks"] > 0


def test_an_observer_signs_and_a_capsule_of_the_town_is_proved(lived: Lived) -> None:
    assert set(lived.checkpoints) == {1}
    assert lived.done["capsule"].exit_code == 0, lived.done["capsule"].output
    assert lived.done["proved"].exit_code == 0, lived.done["proved"].output
    proved = json.loads(lived.done["proved"].stdout)
    assert proved["state"] == "paid"
    assert len(proved["observers"]) == 1


def test_a_supplier_that_asks_for_it_is_told_of_its_receipts(lived: Lived) -> None:
    assert lived.done["webhook"].exit_code == 0, lived.done["webhook"].output
    assert sum(json.loads(body)["data"]["amount_kopecks"] for body in lived.told) > 0


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
