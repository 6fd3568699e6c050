"""``kopeck deploy`` and ``kopeck health``: a network and its contracts for production, and what may be wrong there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from contracts.client.rpc import Rpc
from contracts.client.signer import SIGNER_URL
from scripts.cli.books import open_town
from scripts.cli.console import out, show
from scripts.cli.options import HomeOption, JsonOption
from scripts.home import DEFAULT_HOME
from scripts.keeping.besu import Network
from scripts.keeping.health import look
from scripts.keeping.senders import Senders

group = typer.Typer(help="A network of production: its files.", no_args_is_help=True)


@group.command("besu")
def besu(
    nodes: Annotated[Path, typer.Argument(help="The list of nodes, TOML.", exists=True, dir_okay=False)],
    folder: Annotated[Path, typer.Argument(help="A new folder for the files.")],
    as_json: JsonOption = False,
) -> None:
    """Writes a Besu network's genesis, allowlists and each node's settings from the list of its nodes."""
    network = Network.load(nodes)
    show([{"file": str(path)} for path in network.write(folder)], as_json, "written")


def health(
    home: HomeOption = DEFAULT_HOME,
    rpc: Annotated[str, typer.Option(help="A node of the town's chain.")] = "http://127.0.0.1:8545",
    as_json: JsonOption = False,
) -> None:
    """Looks at disk, clock, chain, ledger and senders. Exit code 0 only where all of it is well."""
    town = open_town(home)
    node = Rpc(rpc)
    found = look(town.home.root, node, town.deployment, Senders(town.home, node, town.deployment))
    show([{"fault": fault.kind.value, "what_to_do": fault.told} for fault in found], as_json, "faults")
    if not as_json and os.environ.get(SIGNER_URL):
        out.print(f"keys are with the signer at {os.environ[SIGNER_URL]}", highlight=False)
    if found:
        raise typer.Exit(1)
