"""Invariant 5 on random small towns billed by billing itself, and on the same towns with the evidence taken away."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from billing.domain.calendar import month_span
from billing.domain.readings import MeterBinding, MeterKind
from billing.inbox import State
from billing.requests import AgentPayment, CorrectionRequest, RunRequest
from contracts.client.files import FileStore
from contracts.client.keyring import KeyRing
from contracts.wire.ids import Hash, MeterId, Period, Service
from contracts.wire.leaf import BillKind, RegisterReading
from contracts.wire.units import Unit
from tests.billing.builders import ZONE, meter_id
from tests.billing.stage import Stage
from tests.client.chain import anvil
from tests.invariants.checks_evidence import Evidence, Paper, check_evidence, papers
from tests.ledger.indexed import Indexed
from tests.ledger.town import Town

JANUARY, FEBRUARY = Period(2026, 1), Period(2026, 2)
NO_NORM = "by a norm that is not named"
Found = list[tuple[Paper, Evidence]]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with anvil(block_time_s=0.1) as node:
        yield Town.build(node.rpc, tmp_path_factory.mktemp("built"))


def billed_town(built: Town, folder: Path, seed: int) -> Found:
    """Two months of a random town: meters with readings, without, with one holder only; a correction of a paid bill."""
    town = Town(built.rpc, built.reader, FileStore(folder / "served"), KeyRing(folder / "keyring.db"))
    stage, chance = Stage(town, Indexed(town, folder), folder), random.Random(seed)
    accounts = chance.randint(2, 4)
    stage.open(accounts)
    for i in range(1, accounts + 1):
        power = MeterBinding(MeterId(meter_id(100 + i)), Service.ELECTRICITY, MeterKind.REGISTER, 0)
        stage.office.register.bind_meters(str(i), [power])
    levels = {meter: chance.randrange(5_000) for meter in [*range(1, accounts + 1), *range(101, 101 + accounts)]}
    moments = [month_span(JANUARY, ZONE).start_ts, month_span(JANUARY, ZONE).end_ts, month_span(FEBRUARY, ZONE).end_ts]
    for number, at in enumerate(moments):
        seen = [meter for meter in levels if meter == 1 or chance.random() < 0.7]
        for meter in levels:
            levels[meter] += chance.randrange(1, 9_000)
        records = [RegisterReading(meter_id(m), 0, at, levels[m], Unit.LITRE if m < 100 else Unit.WH) for m in seen]
        stage.read(records, acknowledge=number < 2 or chance.random() < 0.7)
        if number:
            period = (JANUARY, FEBRUARY)[number - 1]
            stage.wait_for(period)
            (item,) = stage.work(stage.ask(f"run {number}", RunRequest(period)))
            assert item.state is State.DONE, item.reason
    _correct(stage, str(chance.randint(1, accounts)), chance.choice((4, 5)))
    events = town.reader.events(town.reader.deployment.first_block, town.reader.head().number)
    return list(papers(events, town.files, town.keys))


def _correct(stage: Stage, account: str, residents: int) -> None:
    """A note to a bill of which a kopeck moved, and a bill in the place of one still open."""
    stage.work(stage.ask("pay", AgentPayment(stage.bill(account, JANUARY).key, 100)))
    stage.office.register.set_residents(account, date(2026, 1, 1), residents)
    for period in (JANUARY, FEBRUARY):
        (item,) = stage.work(stage.ask(f"correct {period}", CorrectionRequest(period, (account,), "act 17")))
        assert item.state is State.DONE, item.reason


def billed_again(built: Town, folder: Path, seed: int) -> Found:
    snapshot = built.rpc.call("evm_snapshot")
    try:
        return billed_town(built, folder, seed)
    finally:
        built.rpc.call("evm_revert", snapshot)


def lines_of(found: Found) -> list[Mapping[str, Any]]:
    return [line for paper, _ in found for line in paper.document["lines"] if line["amount_kopecks"]]


def assert_named(found: Found) -> None:
    assert [wrong for wrong in check_evidence(found) if NO_NORM not in wrong] == []
    methods = Counter(line["method"] for line in lines_of(found) if "method" in line)
    assert {"meter", "norm", "area"} <= set(methods), methods
    assert {paper.kind for paper, _ in found} >= {BillKind.BILL, BillKind.DEBIT_NOTE}


@pytest.fixture(scope="module")
def found(built: Town, tmp_path_factory: pytest.TempPathFactory) -> Found:
    return billed_again(built, tmp_path_factory.mktemp("town"), 1)


def test_every_charge_names_a_reading_a_norm_or_an_act(found: Found) -> None:
    assert_named(found)


def test_every_charge_by_a_norm_names_the_norm(found: Found) -> None:
    assert [wrong for wrong in check_evidence(found) if NO_NORM in wrong] == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 8))
def test_every_charge_of_many_towns_names_its_evidence(built: Town, tmp_path: Path, seed: int) -> None:
    assert_named(billed_again(built, tmp_path, seed))


# --- negative controls ---


class Without:
    """Files, but for some kind of them."""

    def __init__(self, files: Any, kind: str) -> None:
        self.files, self.kind = files, kind

    def get(self, kind: str, name: Hash) -> bytes | None:
        data: bytes | None = None if kind == self.kind else self.files.get(kind, name)
        return data


def doctored(found: Found, **changes: Any) -> list[str]:
    """The faults found when the evidence is another."""
    return check_evidence([(paper, replace(evidence, **changes)) for paper, evidence in found])


def test_a_charge_whose_reading_is_gone_is_found(found: Found) -> None:
    files = found[0][1].files
    metered = sum(len(line.get("readings", ())) for paper, _ in found for line in _bill_lines(paper))
    assert metered > 2
    wrong = doctored(found, files=Without(files, "readings"))
    assert len([line for line in wrong if "cannot be opened" in line]) == metered
    assert len([line for line in doctored(found, anchored={}) if "is not anchored" in line]) == metered
    assert len([line for line in doctored(found, holders={}) if "two holders" in line]) == metered
    assert len([line for line in doctored(found, heads={}) if "past the head" in line]) == metered


def test_a_charge_whose_tariff_or_norm_is_gone_is_found(found: Found) -> None:
    charged = sum(1 for paper, _ in found for _ in _bill_lines(paper))
    assert len([x for x in doctored(found, published={}) if "is not published" in x]) >= charged
    assert len([x for x in doctored(found, files=Without(found[0][1].files, "tariffs")) if "document" in x]) >= charged


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("readings", [], "metered without a reading"),
        ("tariffs", [], "no tariff"),
        ("parts", [], "a part without an act"),
        ("amount_kopecks", 1, "the document does not say so"),
    ],
)
def test_a_line_that_names_less_is_found(found: Found, key: str, value: object, fault: str) -> None:
    paper, evidence = next(
        (p, e) for p, e in found for line in _bill_lines(p) if line["method"] == "meter" and line["amount_kopecks"] > 1
    )
    lines = [{**line, key: value} if line["method"] == "meter" else line for line in paper.document["lines"]]
    doctored_paper = replace(paper, document={**paper.document, "lines": lines})
    assert any(fault in wrong for wrong in check_evidence([(doctored_paper, evidence)]))


def test_a_norm_that_is_not_named_is_found(found: Found) -> None:
    paper, evidence = next(
        (p, e) for p, e in found for x in _bill_lines(p) if (x["method"], x["service"]) == ("norm", "hot_water")
    )
    lines = [
        {**line, "tariffs": [x for x in line["tariffs"] if x["kind"] != "norm"]}
        if line["service"] == "hot_water"
        else line
        for line in paper.document["lines"]
    ]
    before = check_evidence([(paper, evidence)])
    nameless = replace(paper, document={**paper.document, "lines": lines})
    assert len(check_evidence([(nameless, evidence)])) == len(before) + 1


def test_a_note_without_its_act_is_found(found: Found) -> None:
    paper, evidence = next((p, e) for p, e in found if p.kind is BillKind.DEBIT_NOTE)
    nameless = replace(paper, document={**paper.document, "act": ""})
    assert any("without an act" in wrong for wrong in check_evidence([(nameless, evidence)]))


def _bill_lines(paper: Paper) -> list[Mapping[str, Any]]:
    lines: list[Mapping[str, Any]] = paper.document["lines"] if paper.kind is BillKind.BILL else []
    return [line for line in lines if line["amount_kopecks"]]
