"""``kopeck demo``: a whole town, headless, on a chain of its own, ending in one JSON object whose sums must agree."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import typer

from contracts.wire.ids import Period
from scripts.cli.console import Steps, out, show, show_json
from scripts.cli.options import AccountsOption, FromOption, JsonOption, MonthsOption, SeedOption
from scripts.home import Home
from scripts.town.plan import plan_town
from scripts.town.play import Play
from scripts.town.report import report
from scripts.town.running import FILLING_BLOCK_S, Running, choose_ports
from scripts.town.stage import Stage


def demo(
    accounts: AccountsOption = 60,
    months: MonthsOption = 2,
    seed: SeedOption = 7,
    first: FromOption = "2026-01",
    as_json: JsonOption = False,
) -> None:
    """Plays a town from bare contracts to the last payment and checks every sum. Leaves nothing behind."""
    town = plan_town(accounts, Period.parse(first), months, seed)
    with tempfile.TemporaryDirectory(prefix="kopeck-demo-") as folder:
        found = play_town(Home(Path(folder)), town_steps(), town)
    if as_json:
        show_json(found)
    else:
        show_report(found)
    if not (found["conservation"] and found["rebuilt_equal"] and found["contract_balances_kopecks"] == 0):
        raise typer.Exit(1)


def play_town(home: Home, steps: Steps, town: Any) -> dict[str, Any]:
    """Runs the play in a home of its own; returns its report."""
    started = time.monotonic()
    with Running(home, choose_ports(None), keep_state=False) as running:
        with steps.step("chain", "starting the chain and deploying the contracts"):
            running.start_chain(town.starts_at, FILLING_BLOCK_S)
            running.ensure_deployed()
        stage = Stage.of(town, running)
        Play(stage, steps).run()
        with steps.step("rebuild", "rebuilding the ledger from the chain and comparing"):
            found = report(stage, steps.seconds)
    found["seconds"]["total"] = round(time.monotonic() - started, 2)
    return found


def town_steps() -> Steps:
    """Progress on the error stream, whatever goes to the output."""
    return Steps()


def show_report(found: dict[str, Any]) -> None:
    """The report for people."""
    show(found["suppliers"], False, f"{found['accounts']} accounts, {', '.join(found['months'])}")
    for name in ("charged", "granted", "paid", "prepaid", "refunded"):
        kopecks = found[f"{name}_kopecks"]
        out.print(f"{name:>10} {kopecks // 100:>12,}.{kopecks % 100:02d}")
    out.print(f"conservation: {found['conservation']}, rebuilt equal: {found['rebuilt_equal']}")
