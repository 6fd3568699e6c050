"""Forecast and what-if on a billed town: the money is what the tariff's own arithmetic gives."""

from __future__ import annotations

import json
from decimal import ROUND_HALF_UP, Decimal

import pytest

from billing.domain.calendar import month_span
from billing.domain.tariff import TariffError
from billing.inbox import State
from billing.outlook.forecast import NoHistory
from billing.outlook.outlook import Outlook
from billing.outlook.whatif import NothingBilled, WhatIfs
from billing.requests import RunRequest
from contracts.wire.ids import Period, Service
from tests.billing.builders import DATA, ZONE
from tests.billing.stage import Stage

MONTHS = [Period(2026, 1), Period(2026, 2), Period(2026, 3)]
USE = {"1": (3000, 3600, 3300), "2": (7000, 6100, 6500)}
COLD = Decimal("43.57")


def billed_quarter(stage: Stage) -> None:
    stage.open(2)
    counters = {1: 1000, 2: 2000}
    stage.read_water(counters, month_span(MONTHS[0], ZONE).start_ts)
    for place, period in enumerate(MONTHS):
        counters = {number: counters[number] + USE[str(number)][place] for number in counters}
        stage.read_water(counters, month_span(period, ZONE).end_ts)
        stage.wait_for(period)
        (item,) = stage.work(stage.ask(f"run {period}", RunRequest(period)))
        assert item.state is State.DONE, item.reason


def books(stage: Stage) -> tuple[object, ...]:
    office = stage.office
    return office.engine, office.register, office.keyring, office.tariffs, office.ledger


def kopecks(litres: int, rate: Decimal) -> int:
    return int((Decimal(litres) / 1000 * rate * 100).quantize(Decimal(1), ROUND_HALF_UP))


def test_months_to_come_and_a_tariff_that_was_not(stage: Stage) -> None:
    billed_quarter(stage)
    outlook, what_ifs = Outlook(*books(stage)), WhatIfs(*books(stage))  # type: ignore[arg-type]

    # The months to come.
    ahead = outlook.of("1", 2)
    assert [month.period for month in ahead] == [Period(2026, 4), Period(2026, 5)]
    for month, days in zip(ahead, (30, 31), strict=True):
        use = month.use[Service.COLD_WATER]
        assert min(USE["1"]) / 31 * days * 0.95 < use.point["single"] < max(USE["1"]) / 28 * days * 1.05
        assert use.low["single"] < use.point["single"] < use.high["single"]
        assert use.naive["single"] == (USE["1"][-1] * days + 15) // 31
        assert not use.is_seasonal
        line = next(line for line in month.bill.lines if line.service is Service.COLD_WATER)
        assert line.amount_kopecks == kopecks(use.point["single"], COLD)
        assert month.bill.low_kopecks < month.bill.point_kopecks < month.bill.high_kopecks
        fixed = {line.service: line.amount_kopecks for line in month.bill.lines}[Service.CAPITAL_REPAIR]
        assert fixed == 4100 * Decimal("10.04")  # 41 m²
    with pytest.raises(ValueError, match="1 to 12"):
        outlook.of("1", 13)

    # The same past at twice the price of cold water.
    document = json.loads((DATA / "moscow-cold-water-2021-07.json").read_text(encoding="utf-8"))
    dear = document | {"name": "dear-water", "rates": {"single": str(2 * COLD)}, "effective_from": "2031-01-01"}
    found = what_ifs.compare(dear, MONTHS[0], MONTHS[-1])
    assert not found.problems
    rows = {(row.account, row.period, row.service): (row.old_kopecks, row.new_kopecks) for row in found.differences}
    for account, litres in USE.items():
        for period, used in zip(MONTHS, litres, strict=True):
            pair = kopecks(used, COLD), kopecks(used, 2 * COLD)
            assert rows[account, period, Service.COLD_WATER] == pair
            old, new = rows[account, period, Service.SEWAGE]
            assert old == new > 0
            assert stage.bill(account, period).charged_kopecks == sum(
                sums[0] for (whose, when, _), sums in rows.items() if (whose, when) == (account, period)
            )
    assert found.total()[0] == sum(old for old, _ in found.by_account().values())
    assert found.total()[1] - found.total()[0] == sum(
        new - old for (_, _, service), (old, new) in rows.items() if service is Service.COLD_WATER
    )
    assert {row.period for row in what_ifs.compare(dear, MONTHS[1], MONTHS[1]).differences} == {MONTHS[1]}

    with pytest.raises(NothingBilled, match="2027-01"):
        what_ifs.compare(dear, Period(2027, 1), Period(2027, 2))
    with pytest.raises(TariffError, match="dear-water: the field 'unit' is missing"):
        what_ifs.compare({k: v for k, v in dear.items() if k != "unit"}, MONTHS[0], MONTHS[0])


def test_an_account_that_was_never_billed_has_no_outlook(stage: Stage) -> None:
    stage.open(1)
    with pytest.raises(NoHistory, match="account 1"):
        Outlook(*books(stage)).of("1", 1)  # type: ignore[arg-type]
