"""``kopeck up``: the chain, the services and a filled demo town, served until it is told to stop."""

from __future__ import annotations

import json
import signal
import threading
from typing import Annotated, Any

import typer

from contracts.wire.ids import Period
from scripts.cli.console import Steps, err, out, show
from scripts.cli.options import AccountsOption, FromOption, HomeOption, MonthsOption, SeedOption
from scripts.home import DEFAULT_HOME, Home
from scripts.processes import stop_leftovers
from scripts.town.attendants import Attendants
from scripts.town.plan import Town, plan_town
from scripts.town.play import SERVICES, Play
from scripts.town.report import report
from scripts.town.residents import logins_of
from scripts.town.running import FILLING_BLOCK_S, SERVING_BLOCK_S, Running, choose_ports
from scripts.town.stage import Stage


class OtherTown(RuntimeError):
    """The home holds a town of another plan."""

    def __init__(self, home: Home, kept: dict[str, Any]) -> None:
        super().__init__(
            f"{home.root} holds a town of {kept['accounts']} accounts, {kept['months']} months from {kept['from']}, "
            f"seed {kept['seed']}; leave these options out, or give another --home, or forget it with `make clean`"
        )


def up(
    home: HomeOption = DEFAULT_HOME,
    port: Annotated[int, typer.Option(help="Where the web app listens on 127.0.0.1.")] = 8000,
    accounts: AccountsOption = 60,
    months: MonthsOption = 2,
    seed: SeedOption = 7,
    first: FromOption = "2026-01",
) -> None:
    """Starts everything, fills the demo town once, prints the demo logins and serves until Ctrl-C."""
    place = Home(home)
    with place.locked():
        for name in stop_leftovers(place.root):
            err.print(f"    ended {name}, left over from an earlier start", highlight=False)
        town = _town(place, {"accounts": accounts, "months": months, "seed": seed, "from": first})
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: _leave(stop))
        with Running(place, choose_ports(port), keep_state=True) as running:
            _start(town, running, Steps())
            _greet(town, running)
            attendants = Attendants(running)
            attendants.start()
            while not stop.wait(0.5):
                running.supervisor.check()
                attendants.look()
            err.print("==> stopping; run it again and the town is still there", highlight=False)


def stop(
    home: HomeOption = DEFAULT_HOME,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing where nothing runs.")] = False,
) -> None:
    """Ends the `kopeck up` of this home, and what an unclean end of it left running."""
    place = Home(home)
    stopped = ["kopeck up"] if place.end_holder(STOP_S) else []
    stopped += stop_leftovers(place.root)
    if stopped or not quiet:
        out.print("ended: " + (", ".join(stopped) or "nothing was running"))


def _leave(stop: threading.Event) -> None:
    """The first signal ends the service after this round; while the town is being filled it breaks the filling off."""
    if stop.is_set():
        raise KeyboardInterrupt
    stop.set()
    if not _serving.is_set():
        raise KeyboardInterrupt


_serving = threading.Event()
STOP_S = 30.0
"""How long `kopeck stop` lets a `kopeck up` end its services before it ends them itself."""


def _town(home: Home, wanted: dict[str, Any]) -> Town:
    """The plan kept in the home, or the one wanted, kept from now on. Raises OtherTown."""
    path = home.folder("town") / "plan.json"
    if path.exists():
        kept = json.loads(path.read_text())
        if kept != wanted:
            raise OtherTown(home, kept)
    else:
        path.write_text(json.dumps(wanted) + "\n")
    return plan_town(wanted["accounts"], Period.parse(wanted["from"]), wanted["months"], wanted["seed"])


def _start(town: Town, running: Running, steps: Steps) -> None:
    """Starts a filled town as it stands. A filling that was broken off is begun anew: the chain saves itself once a
    second, many blocks of the filling's pace, so what it lost cannot be told from a fork."""
    is_filled = running.home.filled.exists()
    if not is_filled:
        running.home.forget_town()
    with steps.step("chain", "starting the chain" if is_filled else "starting the chain and deploying the contracts"):
        running.start_chain(town.starts_at, SERVING_BLOCK_S if is_filled else FILLING_BLOCK_S)
        running.ensure_deployed()
    if is_filled:
        with steps.step("services", "starting the services"):
            running.start_services(SERVICES)
    else:
        stage = Stage.of(town, running)
        Play(stage, steps).run()
        with steps.step("rebuild", "rebuilding the ledger from the chain and comparing"):
            found = report(stage, steps.seconds)
        running.home.filled.write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n")
        running.pace(SERVING_BLOCK_S)
    _serving.set()


def _greet(town: Town, running: Running) -> None:
    rows = [
        {"login": login.login, "password": login.password, "who": login.story}
        for login in logins_of(town, running.home)
    ]
    show(rows, False, "demo logins")
    out.print(f"Kopeck is served on [bold]{running.ports.web_url}[/bold] (Ctrl-C stops it)", highlight=False)
