"""``kopeck sender``: the keys that send, whether their books and the chain are in step, and how to mend them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from contracts.client.rpc import Rpc
from scripts.cli.books import open_town
from scripts.cli.console import show, show_json
from scripts.cli.options import HomeOption, JsonOption
from scripts.home import DEFAULT_HOME
from scripts.keeping.senders import Senders

group = typer.Typer(help="The keys that send: are books and chain in step, and mending.", no_args_is_help=True)
RpcOption = Annotated[str, typer.Option(help="A node of the town's chain.")]
NODE = "http://127.0.0.1:8545"


@group.command("list")
def list_senders(home: HomeOption = DEFAULT_HOME, rpc: RpcOption = NODE, as_json: JsonOption = False) -> None:
    """Lists the keys that send from here. Exit code 1 where the chain is past the books of one."""
    found = list(_senders(home, rpc).standings())
    rows = [
        {
            "party": fault.party,
            "address": "0x" + fault.standing.address.hex(),
            "sent_by_the_books": fault.standing.books,
            "final_on_the_chain": fault.standing.final,
            "state": fault.told,
        }
        for fault in found
    ]
    show(rows, as_json, "senders")
    if any(fault.standing.unknown for fault in found):
        raise typer.Exit(1)


@group.command("mend")
def mend(
    party: Annotated[str, typer.Argument(help="Whose books: a name of `kopeck sender list`.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, change nothing.")] = False,
    even_so: Annotated[bool, typer.Option("--even-so", help="Go past a billing run that the books lack.")] = False,
    home: HomeOption = DEFAULT_HOME,
    rpc: RpcOption = NODE,
    as_json: JsonOption = False,
) -> None:
    """Takes over what the chain has carried out, has the rest start again, and names what nobody here asked for.

    Stop the party's process first. A stranger's transaction means a lost backup, or a key that others have."""
    senders = _senders(home, rpc)
    mender = senders.mender(party)
    plan = mender.plan()
    if not dry_run:
        if not even_so:
            senders.require_known_runs(plan)
        mender.mend(plan)
    rows = [_row("taken over", intent, tx.nonce, tx.block_number) for intent, tx in plan.adopted]
    rows += [_row("starts again", intent, "", "") for intent in plan.restarted]
    rows += [_row("nobody asked here", senders.call_of(tx), tx.nonce, tx.block_number) for tx in plan.strangers]
    if as_json:
        show_json({"party": party, "changed": not dry_run, "found": rows})
    else:
        show(rows, False, f"{party}, not changed" if dry_run else party)


def _row(what: str, intent: str, nonce: int | str, block: int | str) -> dict[str, object]:
    return {"what": what, "intent_or_call": intent, "nonce": nonce, "block": block}


def _senders(home: Path, rpc: str) -> Senders:
    town = open_town(home)
    return Senders(town.home, Rpc(rpc), town.deployment)
