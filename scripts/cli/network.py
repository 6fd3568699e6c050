"""``kopeck network``: a consortium of real nodes on this machine, to be raised, broken and mended."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from scripts.cli.console import Steps, out, show, show_json
from scripts.cli.options import HomeOption, JsonOption
from scripts.home import DEFAULT_HOME, Home
from scripts.network.build import build
from scripts.network.members import OBSERVER, VALIDATORS
from scripts.network.network import Network

group = typer.Typer(help="A consortium of four validators and an observer (GoQuorum, QBFT).", no_args_is_help=True)
NameArgument = Annotated[str, typer.Argument(help="The node: validator-1 to validator-4, or observer.")]


@group.command("build")
def build_engine() -> None:
    """Builds the node program from pinned modules, once; it is kept in the user's cache."""
    with Steps().step("build", "building the node program (some minutes the first time)"):
        path = build()
    out.print(str(path), highlight=False)


@group.command()
def up(
    home: HomeOption = DEFAULT_HOME,
    without_observer: Annotated[
        bool, typer.Option("--without-observer", help="Leave the observer to `kopeck observer`.")
    ] = False,
) -> None:
    """Raises the network; once raised, starts what is not running and heals every partition."""
    network = Network(Home(home))
    with Steps().step("network", "starting the validators" if without_observer else "starting validators and observer"):
        network.up(VALIDATORS if without_observer else (*VALIDATORS, OBSERVER))
    for member in network.members.nodes:
        out.print(f"{member.name:<12} {member.url}", highlight=False)


@group.command()
def status(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Shows every node's height and peers. Exit code 0 only where all run, agree and go on."""
    found = Network(Home(home)).status()
    if as_json:
        show_json(asdict(found))
    else:
        show([asdict(node) for node in found.nodes], False, "nodes")
        out.print("\n".join(found.faults) or "all is well", highlight=False)
    if found.faults:
        raise typer.Exit(1)


@group.command()
def kill(name: NameArgument, home: HomeOption = DEFAULT_HOME) -> None:
    """Kills a node as a power cut does; `kopeck network up` starts it again."""
    network = Network(Home(home))
    out.print(f"{name} was killed" if network.kill(name) else f"{name} was not running")


@group.command()
def partition(
    groups: Annotated[list[str], typer.Argument(help="Groups of nodes, each a comma-separated list.")],
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Cuts the network: nodes of different groups can't reach one another, those not named stay together."""
    Network(Home(home)).partition([group.split(",") for group in groups])
    out.print("cut; `kopeck network heal` joins it again")


@group.command()
def heal(home: HomeOption = DEFAULT_HOME) -> None:
    """Joins the parts of a partition."""
    Network(Home(home)).heal()
    out.print("whole")


@group.command()
def down(
    home: HomeOption = DEFAULT_HOME,
    forget: Annotated[bool, typer.Option("--forget", help="Drop the chain too.")] = False,
) -> None:
    """Ends every node; the chain stays, and `kopeck network up` goes on with it."""
    ended = Network(Home(home)).down(forget)
    out.print("ended: " + (", ".join(ended) or "nothing was running"))
