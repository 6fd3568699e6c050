"""``kopeck demo``: a whole town, headless, on a chain of its own, ending in one JSON object whose sums must agree."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from contracts.wire.ids import Period
from scripts.cli.console import Steps, out, show, show_json
from scripts.cli.options import AccountsOption, FromOption, JsonOption, MonthsOption, SeedOption
from scripts.home import Home
from scripts.network.members import VALIDATORS
from scripts.network.network import Network
from scripts.town.plan import Town, plan_town
from scripts.town.play import Play
from scripts.town.report import report
from scripts.town.running import FILLING_BLOCK_S, Running, choose_ports
from scripts.town.services import Ports
from scripts.town.stage import Stage


def demo(
    accounts: AccountsOption = 60,
    months: MonthsOption = 2,
    seed: SeedOption = 7,
    first: FromOption = "2026-01",
    as_json: JsonOption = False,
    on_network: Annotated[
        bool, typer.Option("--network", help="Play on a network of four validators and an observer instead of Anvil.")
    ] = False,
) -> None:
    """Plays a town from bare contracts to the last payment and checks every sum. Leaves nothing behind."""
    town = plan_town(accounts, Period.parse(first), months, seed)
    with tempfile.TemporaryDirectory(prefix="kopeck-demo-") as folder:
        home = Home(Path(folder))
        found = play_on_network(home, town_steps(), town) if on_network else play_town(home, town_steps(), town)
    if as_json:
        show_json(found)
    else:
        show_report(found)
    if not (found["conservation"] and found["rebuilt_equal"] and found["contract_balances_kopecks"] == 0):
        raise typer.Exit(1)


def play_on_network(home: Home, steps: Steps, town: Town) -> dict[str, Any]:
    """The same play on a network of its own in the same home: the services' node is the first validator's."""
    network = Network(home)
    try:
        with steps.step("network", "starting four validators and an observer"):
            network.up()
        node = network.members.named(VALIDATORS[0]).rpc_port
        return play_town(home, steps, town, replace(choose_ports(None), rpc=node))
    finally:
        network.down()


def play_town(home: Home, steps: Steps, town: Town, ports: Ports | None = None) -> dict[str, Any]:
    """Runs the play in a home of its own; returns its report. With ``ports`` the chain runs already."""
    started = time.monotonic()
    with Running(home, ports or choose_ports(None), keep_state=False) as running:
        with steps.step("chain", "starting the chain and deploying the contracts"):
            if ports:
                running.use_chain(town.starts_at)
            else:
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
