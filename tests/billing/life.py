"""A town's life in two months with every kind of money, and a reaper that kills the collector in it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from random import Random

from sqlalchemy import event

from billing.domain.calendar import month_span
from billing.inbox import State
from billing.requests import (
    AgentPayment,
    CorrectionRequest,
    GrantItem,
    GrantsRequest,
    PayOrder,
    Prepayment,
    Request,
    RunRequest,
)
from contracts.wire.ids import Period, Service
from contracts.wire.typed_data import Purpose
from tests.billing.builders import ZONE
from tests.billing.stage import Stage

JANUARY, FEBRUARY = Period(2026, 1), Period(2026, 2)
ALL = 10**12


class Killed(BaseException):
    """Stands for SIGKILL: nothing in billing may catch it."""


class Reaper:
    """Kills at the edges of transactions: before one begins, and before one is committed."""

    def __init__(self, chance_percent: int, seed: int) -> None:
        self._rng = Random(seed)
        self._chance = chance_percent
        self.kills = 0

    def watch(self, stage: Stage) -> None:
        for name in ("begin", "commit"):
            event.listen(stage.office.engine, name, self._maybe)

    def _maybe(self, *_: object) -> None:
        if self._rng.randrange(100) < self._chance:
            self.kills += 1
            raise Killed


def survive(stage: Stage, reaper: Reaper, act: Callable[[], bool]) -> None:
    """Does something again and again, each time with a new collector after a kill, until it says it is over."""
    reaper.watch(stage)
    for _ in range(3000):
        try:
            if act():
                break
        except Killed:
            stage.start()
            reaper.watch(stage)
    else:
        raise AssertionError("still not over")
    stage.start()  # without the reaper


def ask_all(stage: Stage, reaper: Reaper, requests: dict[str, Request]) -> None:
    """Puts requests and works until each is over for good, whatever dies in between."""
    asked: dict[str, int] = {}

    def round_() -> bool:
        for key, request in requests.items():
            if key not in asked:
                asked[key] = stage.ask(key, request).id
        stage.turn()
        items = [stage.inbox.get(number) for number in asked.values()]
        return all(item is not None and item.is_settled for item in items)

    survive(stage, reaper, round_)
    for number in asked.values():
        item = stage.inbox.get(number)
        assert item is not None
        assert item.state is State.DONE, item.reason


def play(stage: Stage, reaper: Reaper) -> dict[str, int]:
    """A town's life in two months; every party's kopecks at its end."""
    stage.open(4)
    first, second = month_span(JANUARY, ZONE), month_span(FEBRUARY, ZONE)
    stage.read_water({i: 1000 * i for i in range(1, 5)}, first.start_ts)
    stage.read_water({i: 1000 * i + 4000 for i in range(1, 5)}, first.end_ts)
    stage.mint("resident", 10**8)
    ask_all(stage, reaper, {"run": RunRequest(JANUARY)})
    bills = {a: stage.bill(a, JANUARY).key for a in "1234"}
    grants = tuple(GrantItem(a, JANUARY, Service.CAPITAL_REPAIR, 9_000, 1 << 39, "decision") for a in "12")
    ask_all(stage, reaper, {"grants": GrantsRequest("act", grants)})
    purpose = Purpose("pay", int(bills["1"].run), bills["1"].index)
    ask_all(
        stage,
        reaper,
        {
            "order": PayOrder(*stage.sign("resident", purpose, 10**8, 1)),
            "pay 2": AgentPayment(bills["2"], ALL),
            "pay 3": AgentPayment(bills["3"], 5_000),
            "ahead": Prepayment("3", stage.suppliers["heat"], 7_000),
        },
    )
    stage.office.register.set_residents("2", date(2026, 1, 1), 6)
    stage.office.register.set_residents("4", date(2026, 1, 1), 6)
    ask_all(stage, reaper, {"correct": CorrectionRequest(JANUARY, ("2", "4"), "act of recount")})
    ask_all(stage, reaper, {"note": AgentPayment(stage.bill("2", JANUARY).key, ALL)})
    stage.wait_for(FEBRUARY)
    stage.read_water({i: 1000 * i + 9000 for i in range(1, 5)}, second.end_ts)
    ask_all(stage, reaper, {"run 2": RunRequest(FEBRUARY)})
    ask_all(stage, reaper, {f"pay {a} 2": AgentPayment(stage.bill(a, FEBRUARY).key, ALL) for a in "1234"})
    stage.settle()
    stage.indexed.assert_right()
    totals = stage.indexed.ledger.totals()
    return {
        **{name: stage.balance(name) for name in (*stage.suppliers, "agent", "welfare", "resident")},
        "charged": totals.charged_kopecks,
        "netted": totals.netted_kopecks,
        "granted": totals.granted_kopecks,
        "runs": totals.runs,
    }
