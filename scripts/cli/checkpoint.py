"""``kopeck checkpoint``: checkpoints made for observers to sign, those there are, and the trust file of a town."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from contracts.wire.ids import parse_address
from ledger.published import Published
from scripts.capsule.trusted import trust_in
from scripts.cli.books import open_town
from scripts.cli.console import out, show
from scripts.cli.options import HomeOption, JsonOption
from scripts.home import DEFAULT_HOME

group = typer.Typer(help="Checkpoints that observers cosign.", no_args_is_help=True)


@group.command("make")
def make(home: HomeOption = DEFAULT_HOME) -> None:
    """Publishes a checkpoint of the ledger's last final block, for observers to sign."""
    town = open_town(home)
    checkpoint = town.ledger.checkpoint(town.deployment)
    Published(town.home.root / "checkpoints").put(checkpoint)
    out.print(checkpoint.text, end="", highlight=False, markup=False)


@group.command("list")
def list_checkpoints(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Lists the published checkpoints and who signed them."""
    rows = [
        {
            "height": found.checkpoint.height,
            "block": "0x" + found.checkpoint.block.hex(),
            "name": "0x" + found.checkpoint.name.hex(),
            "observers": ["0x" + c.observer.hex() for c in found.cosignatures],
        }
        for found in Published(home / "checkpoints").all()
    ]
    show(rows, as_json, "checkpoints")


@group.command("trust")
def trust(
    observers: Annotated[list[str], typer.Argument(help="Accounts of observers, each with ! where it must sign.")],
    path: Annotated[Path, typer.Option("--out", help="The file.")] = Path("trust.json"),
    quorum: Annotated[int, typer.Option(help="How many of them have to sign.", min=1)] = 1,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Writes the trust file of a town's deployment, to be handed to those who verify capsules."""
    town = open_town(home)
    accounts = {parse_address(text.rstrip("!")): text.endswith("!") for text in observers}
    path.write_bytes(trust_in(town.deployment, accounts, quorum).encode())
    out.print(f"{path}: {quorum} of {len(accounts)} observers", highlight=False)
