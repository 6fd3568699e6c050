"""A look at a run beforehand: it is the run to the kopeck, keeps nothing, and points at what changed."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import func, select

from billing.prepare import Preparer
from billing.preview import Finding, Look, Preview, Thresholds, preview_of
from billing.requests import RunRequest
from billing.schema import metadata
from contracts.wire.ids import Period
from tests.billing.scenes import FEBRUARY, JANUARY, SECOND, billed
from tests.billing.stage import Stage
from tests.billing.test_bad_input import no_area, ready

ANY = Thresholds(0, 0, 0)


def preview(stage: Stage, period: Period, thresholds: Thresholds = ANY) -> Preview:
    office = stage.office
    preparer = Preparer(office.engine, office.register, office.keyring, office.tariffs, office.ledger)
    return preview_of(preparer.preview(period), office.runs, thresholds)


def rows(stage: Stage) -> dict[str, int]:
    with stage.office.engine.connect() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }


def of(found: Preview, account: str, service: str = "cold_water") -> dict[Look, Finding]:
    return {f.look: f for f in found.findings if (f.account, f.service) == (account, service)}


def test_a_preview_is_the_run_to_the_kopeck_and_keeps_nothing(stage: Stage) -> None:
    ready(stage, 3)
    before, files = rows(stage), sorted(p for p in stage.folder.rglob("*") if p.is_file())
    found = preview(stage, JANUARY)
    assert (rows(stage), sorted(p for p in stage.folder.rglob("*") if p.is_file())) == (before, files)
    (item,) = stage.work(stage.ask("run", RunRequest(JANUARY)))
    assert (item.result or {})["charged_kopecks"] == found.total_kopecks > 0
    assert (item.result or {})["bills"] == found.bills == 3
    assert {s.service: s.amount_kopecks for s in found.services} == charged(stage, JANUARY)


def test_what_rose_fell_stood_still_or_was_not_read_is_pointed_at(stage: Stage) -> None:
    billed(stage, 4)  # 3500, 4000, 4500, 5000 litres in January
    litres = {1: 4500 + 35_000, 2: 6000 + 4000, 3: 7500}
    stage.read_water(litres, SECOND.end_ts)
    found = preview(stage, FEBRUARY, Thresholds(50, 50, 5_000))
    rose = of(found, "1")[Look.ROSE]
    assert (rose.was_kopecks, rose.now_kopecks) == (15250, 152495)  # 3.5 and 35 m³ by 43.57
    assert Look.ROSE in of(found, "1", "sewage")
    assert set(of(found, "2")) == set()  # four cubic metres in either month
    assert set(of(found, "3")) == {Look.FELL, Look.ZERO_USE}
    assert {Look.MISSING_READING, Look.NEW_ESTIMATE} <= set(of(found, "4"))
    assert "by" in of(found, "4")[Look.NEW_ESTIMATE].detail
    assert {s.service: s.was_kopecks for s in found.services} == charged(stage, JANUARY)


def charged(stage: Stage, period: Period) -> dict[str, int]:
    """Kopecks by service as the posted bills themselves say."""
    sums: dict[str, int] = {}
    for run in stage.office.ledger.runs(period):
        for view in stage.office.ledger.bills_of_run(run.run):
            for line in json.loads(view.document or b"")["lines"]:
                sums[line["service"]] = sums.get(line["service"], 0) + line["amount_kopecks"]
    return sums


@pytest.mark.parametrize(("least", "looks"), [(10**9, False), (1, True)])
def test_the_thresholds_are_data(least: int, looks: bool, stage: Stage) -> None:
    billed(stage, 1)
    stage.read_water({1: 4500 + 8000}, SECOND.end_ts)  # 152.50 becomes 348.56: 128.6 % more
    found = preview(stage, FEBRUARY, Thresholds.from_json(
        {"rise_percent": 100, "fall_percent": 100, "least_change_kopecks": least}))  # fmt: skip
    assert (Look.ROSE in of(found, "1")) is looks
    above = preview(stage, FEBRUARY, Thresholds(129, 129, 1))
    assert Look.ROSE not in of(above, "1")
    with pytest.raises(ValueError, match="fall_percent"):
        Thresholds.from_json({"rise_percent": 1, "fall_percent": "x", "least_change_kopecks": 1})


def test_problems_stand_in_the_preview_with_the_rest(stage: Stage) -> None:
    ready(stage, 3)
    no_area(stage)
    found = preview(stage, JANUARY)
    assert list(found.problems) == ["2"]
    assert found.bills == 2
    assert found.to_json()["total_kopecks"] == found.total_kopecks
