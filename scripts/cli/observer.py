"""``kopeck observer``: a read-only node with its gateway and its audit, for a regulator's own machine."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from scripts.cli.console import Steps, err, out
from scripts.observer.config import Config
from scripts.observer.kit import Kit


def observer(
    config: Annotated[Path, typer.Option(help="The kit's settings; docs/observer.md explains them.")],
    shows_enode: Annotated[
        bool, typer.Option("--enode", help="Print the node's name for the validators' allowlists, and end.")
    ] = False,
) -> None:
    """Starts node, gateway and audit from one file of settings, and serves until Ctrl-C."""
    kit = Kit(Config.load(config))
    if shows_enode:
        out.print(kit.enode(), highlight=False, soft_wrap=True)
        return
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with Steps().step("observer", "starting node and gateway"):
        kit.__enter__()
    try:
        out.print(f"reads are answered on {kit.url} (Ctrl-C stops it)", highlight=False)
        kit.run(stop)
    finally:
        kit.__exit__()
    err.print("==> stopped", highlight=False)
