"""``kopeck webhook``: where a supplier is told of its receipts as they become final."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from api.notifier import Notifier
from api.notifier import main as serve_notifier
from api.problems import NotFound
from api.store import database_url, open_database
from api.webhooks import Webhooks
from contracts.wire.ids import SupplierId
from scripts.cli.books import Books, open_town
from scripts.cli.console import out, show
from scripts.cli.options import HomeOption, JsonOption
from scripts.cli.statement import SupplierArgument, known_supplier
from scripts.home import DEFAULT_HOME

group = typer.Typer(help="Signed messages to suppliers on what they received.", no_args_is_help=True)
NameArgument = Annotated[str, typer.Argument(help="The webhook, as `kopeck webhook list` names it.")]


@group.command("add")
def add(
    number: SupplierArgument,
    url: Annotated[str, typer.Argument(help="https://…, or http://127.0.0.1:… for a test.")],
    from_block: Annotated[int | None, typer.Option(help="Tell from this block on; from now where left out.")] = None,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Registers an address and prints its secret, once: the supplier checks signatures with it."""
    town = open_town(home)
    known_supplier(town, number)
    told_to = town.ledger.finalized_height() if from_block is None else from_block - 1
    made = _webhooks(town).add(SupplierId(number), url, told_to)
    out.print(f"webhook {made.id}: receipts above block {told_to}", highlight=False)
    out.print(f"secret {made.secret}", highlight=False, soft_wrap=True)


@group.command("list")
def listing(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Lists addresses and how their queues stand; no secret is shown."""
    known = _webhooks(open_town(home))
    rows = []
    for webhook in known.all():
        queue = known.queue(webhook.id)
        rows.append(
            {
                "webhook": webhook.id,
                "supplier": int(webhook.supplier),
                "url": webhook.url,
                "told_to": webhook.told_to,
                "waiting": queue.waiting,
                "delivered": queue.delivered,
                "given_up": queue.given_up,
                "ended": webhook.ended or "",
            }
        )
    show(rows, as_json, "webhooks")


@group.command("remove")
def remove(number: SupplierArgument, name: NameArgument, home: HomeOption = DEFAULT_HOME) -> None:
    """Forgets an address with its queue and its secret."""
    if not _webhooks(open_town(home)).remove(SupplierId(number), name):
        raise NotFound(f"supplier {number} has no webhook {name}; `kopeck webhook list` names them")
    out.print(f"webhook {name} removed")


@group.command("again")
def again(name: NameArgument, home: HomeOption = DEFAULT_HOME) -> None:
    """Queues what was given up once more, and tells an address again that had ended."""
    out.print(f"{_webhooks(open_town(home)).again(name, int(time.time()))} messages queued again")


@group.command("send")
def send(home: HomeOption = DEFAULT_HOME) -> None:
    """Queues what is new and sends what is due, once."""
    town = open_town(home)
    notifier = Notifier(_webhooks(town), town.ledger)
    out.print(f"{notifier.step()} messages delivered")
    notifier.close()


@group.command("serve")
def serve(home: HomeOption = DEFAULT_HOME) -> None:
    """Goes on doing so until it is told to stop."""
    raise typer.Exit(serve_notifier(["--home", str(open_town(home).home.root)]))


def _webhooks(town: Books) -> Webhooks:
    return Webhooks(open_database(database_url(town.home.root)))
