"""A small town played to its end, with or without trouble on the way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contracts.wire.ids import Period
from scripts.cli.console import Steps
from scripts.home import Home
from scripts.town.plan import plan_town
from scripts.town.play import Play
from scripts.town.report import report
from scripts.town.running import FILLING_BLOCK_S, Running, choose_ports
from scripts.town.stage import Stage

ACCOUNTS, MONTHS, SEED = 12, 2, 7
MONEY = ("charged", "granted", "paid", "prepaid", "refunded", "netted", "written_off")
Trouble = Callable[[Running, threading.Event], None]


def play(
    home: Path, seed: int = SEED, trouble: Trouble | None = None, afterwards: Callable[[Stage], None] | None = None
) -> dict[str, Any]:
    """The report of a town of ``seed``; ``trouble`` runs beside the play until its event is set, ``afterwards`` once
    it is over and every process still runs."""
    town = plan_town(ACCOUNTS, Period(2026, 1), MONTHS, seed)
    with Running(Home(home), choose_ports(None), keep_state=False) as running:
        running.start_chain(town.starts_at, FILLING_BLOCK_S)
        running.ensure_deployed()
        over = threading.Event()
        beside = threading.Thread(target=trouble, args=(running, over)) if trouble else None
        if beside:
            beside.start()
        try:
            Play(Stage.of(town, running), Steps(quiet=True)).run()
        finally:
            over.set()
            if beside:
                beside.join()
        if afterwards:
            afterwards(Stage.of(town, running))
        return report(Stage.of(town, running), {})


def money(found: dict[str, Any]) -> dict[str, Any]:
    """What must not depend on what happened on the way."""
    sums = {name: found[f"{name}_kopecks"] for name in MONEY}
    return {**sums, "suppliers": found["suppliers"], "bills": found["bills"], "readings": found["readings"]}
