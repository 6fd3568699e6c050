"""``kopeck witness``: an observer's process that checks published checkpoints against its own node, and cosigns."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Annotated

import typer

from contracts.client.attach import await_node, check_node, plain_end
from contracts.client.deployments import Deployment
from contracts.client.reader import Reader
from contracts.client.rpc import NodeError, Rpc
from contracts.wire.ids import parse_address
from ledger.published import Published
from ledger.store import open_database
from ledger.witness import Round, Watch, Witness
from scripts.cli.console import err, out
from scripts.home import Home


def witness(
    home: Annotated[Path, typer.Option("--home", help="The observer's own directory: its key, ledger and alarms.")],
    deployment: Annotated[Path, typer.Option("--deployment", help="The town's deployment.json.")],
    checkpoints: Annotated[Path, typer.Option("--checkpoints", help="The folder of published checkpoints.")],
    rpc: Annotated[str, typer.Option("--rpc", help="The observer's own node.")] = "http://127.0.0.1:8545",
    expect: Annotated[list[str] | None, typer.Option("--expect", help="An observer that has to sign too.")] = None,
    grace: Annotated[int, typer.Option("--grace", help="Blocks by which it may be late.", min=0)] = 600,
    poll_s: Annotated[float, typer.Option("--poll", help="Seconds between two looks.", min=0.1)] = 5.0,
    once: Annotated[bool, typer.Option("--once", help="Look once; exit code 1 where an alarm stands.")] = False,
) -> None:
    """Cosigns what its own node and ledger come to; raises an alarm, with the evidence, over all that differs."""
    place = Home(home)
    known = Deployment.load(deployment)
    node = Rpc(rpc)
    if once:
        check_node(node, known)
    else:
        with plain_end():
            await_node(node, known, threading.Event())
    engine = open_database(f"sqlite:///{place.folder('ledger') / 'ledger.db'}")
    watch = Watch(frozenset(parse_address(text) for text in expect or ()), grace)
    here = Witness(
        place.folder("witness"),
        engine,
        Reader(node, known),
        place.key("witness"),
        published=Published(checkpoints),
        watch=watch,
    )
    err.print(f"observer 0x{here.address.hex()}", highlight=False)
    while True:
        try:
            found = here.look()
        except NodeError as error:
            if once:
                raise
            err.print(f"{error}; looking again", highlight=False, markup=False)
        else:
            _say(found, place)
            if once and (found.alarms or found.is_halted):
                raise typer.Exit(1)
        if once:
            return
        time.sleep(poll_s)


def _say(found: Round, place: Home) -> None:
    for point in found.signed:
        out.print(f"signed height {point.height}, 0x{point.name.hex()}", highlight=False)
    for alarm in found.alarms:
        err.print(f"ALARM {alarm.kind}: {alarm.detail}", highlight=False, markup=False, soft_wrap=True)
    if found.is_halted:
        folder = place.root / "witness" / "alarms"
        err.print(
            f"nothing is signed until somebody has looked at {folder}: show it to the regulator, and move it aside",
            highlight=False,
            soft_wrap=True,
        )
