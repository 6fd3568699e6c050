"""``kopeck subsidy``: batches of grants and what was used of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from billing.requests import GrantsRequest
from contracts.wire.ids import GrantBatchId
from scripts.cli import welfare
from scripts.cli.books import open_town
from scripts.cli.console import out, show
from scripts.cli.options import HomeOption, JsonOption
from scripts.home import DEFAULT_HOME

group = typer.Typer(
    help="Benefits and subsidies: cases, a month's awards, batches applied straight from welfare's wallet.",
    no_args_is_help=True,
)
for command in (
    *(welfare.document, welfare.decide, welfare.cases, welfare.recompute, welfare.repay),
    *(welfare.preview, welfare.grant, welfare.reverse, welfare.export),
):
    group.command(command.__name__)(command)


class BadGrants(ValueError):
    """A file of grants is not what `kopeck subsidy post` takes."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path}: {reason}; it is one JSON object: act, and grants with account, period (YYYY-MM), service (code), "
            "maximum_kopecks, expires_at (seconds UTC), decision"
        )


@group.command("post")
def post(
    path: Annotated[Path, typer.Argument(help="The decisions, as JSON.", exists=True, dir_okay=False)],
    key: Annotated[str, typer.Option("--key", help="Your own name for the batch: the same is posted once.")],
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Hands a batch of decisions to billing, which posts it from welfare's wallet and applies it."""
    try:
        request = GrantsRequest.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (KeyError, TypeError, ValueError) as error:
        raise BadGrants(path, f"{type(error).__name__} {error}") from error
    item = open_town(home).inbox.put(key, request)
    out.print(f"request {item.id}: {item.state.value}; `kopeck subsidy list` shows the batch once it is posted")


@group.command("list")
def list_batches(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Lists the batches of grants."""
    rows = [
        {
            "batch": int(view.batch),
            "grants": view.count,
            "total_kopecks": view.total_kopecks,
            "used_kopecks": view.used_kopecks,
            "reversed": view.is_reversed,
            "final": view.is_final,
        }
        for view in open_town(home).ledger.grant_batches()
    ]
    show(rows, as_json, "batches of grants")


@group.command("show")
def show_batch(
    batch: Annotated[int, typer.Argument(help="The batch's number.")],
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Lists a batch's grants and what each paid."""
    rows = [
        {
            "grant": view.index,
            "bill": str(view.bill),
            "line": view.line,
            "maximum_kopecks": view.maximum_kopecks,
            "used_kopecks": "" if view.used_kopecks is None else view.used_kopecks,
            "expires_at": view.expires_at,
        }
        for view in open_town(home).ledger.grants_of_batch(GrantBatchId(batch))
    ]
    show(rows, as_json, f"grants of batch {batch}")
