"""``kopeck halt``: what the guardian and the operator can stop at once, each by the key whose right it is.

Nothing here moves money or changes a bill: it holds up what should not go on, and says so on the chain.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from contracts.client.reader import Reader
from contracts.client.rpc import Rpc
from contracts.wire.calls import encode_pause, encode_revoke_source, encode_set_supplier_active, encode_veto
from contracts.wire.ids import Hash, RunId, SourceId, SupplierId
from contracts.wire.keccak import keccak
from scripts.cli.books import open_town
from scripts.cli.console import out
from scripts.cli.options import HomeOption
from scripts.home import DEFAULT_HOME
from scripts.town.parties import Parties

group = typer.Typer(help="Holds up at once what should not go on: a run, payments, a source, a supplier.",
                    no_args_is_help=True)  # fmt: skip
RpcOption = Annotated[str, typer.Option(help="A node of the town's chain.")]
NODE = "http://127.0.0.1:8545"


@group.command("run")
def halt_run(
    run: Annotated[int, typer.Argument(help="The run's number on the chain.")],
    reason: Annotated[str, typer.Option(help="Why; its hash stands on the chain.")],
    home: HomeOption = DEFAULT_HOME,
    rpc: RpcOption = NODE,
) -> None:
    """Vetoes a proposed billing run before it is active, by the guardian's key. An active one is corrected instead."""
    data = encode_veto(RunId(run), Hash(keccak(reason.encode())))
    _act(home, rpc, "guardian", f"veto run {run}", "ChargeBook", data)
    out.print(f"run {run} is vetoed: no bill of it can be paid; the month can be asked for again")


@group.command("payments")
def halt_payments(
    minutes: Annotated[int, typer.Option(help="For how long.", min=1)],
    home: HomeOption = DEFAULT_HOME,
    rpc: RpcOption = NODE,
) -> None:
    """Pauses the Settlement for some minutes of the chain's time, by the guardian's key; it goes on by itself."""
    until = Reader(Rpc(rpc), open_town(home).deployment).head().timestamp + 60 * minutes
    _act(home, rpc, "guardian", f"pause until {until}", "Settlement", encode_pause(until))
    out.print(f"payments are held up for {minutes} minutes; orders wait in the inbox")


@group.command("source")
def halt_source(
    source: Annotated[int, typer.Argument(help="The source's number in the Registry.")],
    home: HomeOption = DEFAULT_HOME,
    rpc: RpcOption = NODE,
) -> None:
    """Revokes a source of readings whose key others may have, by the operator's key. It is for good."""
    _act(home, rpc, "operator", f"revoke source {source}", "Registry", encode_revoke_source(SourceId(source)))
    out.print(f"source {source} is revoked: nothing that it signs is anchored any more; register a new one")


@group.command("supplier")
def halt_supplier(
    supplier: Annotated[int, typer.Argument(help="The supplier's number.")],
    resume: Annotated[bool, typer.Option("--resume", help="Let it be paid again.")] = False,
    home: HomeOption = DEFAULT_HOME,
    rpc: RpcOption = NODE,
) -> None:
    """Suspends a supplier, or resumes it, by the operator's key: its lines stay open, the others' are paid."""
    height = int(
        Rpc(rpc).call("eth_blockNumber"), 16
    )  # suspended and resumed more than once: each is an act of its own
    act = "resume" if resume else "suspend"
    data = encode_set_supplier_active(SupplierId(supplier), resume)
    _act(home, rpc, "operator", f"{act} supplier {supplier} at {height}", "Registry", data)
    out.print(f"supplier {supplier} is {'resumed' if resume else 'suspended'}")


def _act(home: Path, rpc: str, party: str, intent: str, contract: str, data: bytes) -> None:
    """Sends, and waits until it is final. Raises ActFailed with the contract's own error."""
    town = open_town(home)
    parties = Parties(town.home, Rpc(rpc), town.deployment)
    parties.act(party, intent, contract, data)
    parties.settle()
