"""The HTTP door with the pages in one process: ``python -m api.main --home DIR --rpc URL --port 8000``."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx
import structlog
import uvicorn
from fastapi import FastAPI

from api.app import LOCAL_HOSTS, create_app
from api.balance import Balances
from api.books import LedgerBooks
from api.caller import IN_PROCESS
from api.checkpoints import Checkpoints
from api.context import Context
from api.house import HousePages
from api.orders import Network
from api.outlook import Outlooks
from api.papers import Documents, Payees
from api.people import People
from api.problems import NotReady
from api.requests import Requests
from api.sessions import Sessions, secret_file
from api.store import database_url, open_database
from api.supplier_desk import SupplierDesk
from api.throttle import Throttle
from api.webhooks import Webhooks
from billing.paper.desk import Papers
from billing.read import BillingRead, inbox_of
from ledger.queries import Ledger
from ledger.queries.observed import Observed
from webapp.app import create_webapp
from webapp.view import DemoLogin


def open_context(home: Path, secret: str) -> Context:
    """What the door is made with, over a running town's databases. Raises NotReady before the deployment."""
    network = Network.load(home / "deployment.json")
    engine = open_database(database_url(home))
    people = People(engine)
    ledger = Ledger.open(home)
    register = BillingRead.open(home)
    books = LedgerBooks(ledger, register, people, network)
    payees = Payees(engine)
    return Context(
        people=people,
        sessions=Sessions(engine, secret),
        throttle=Throttle(engine),
        books=books,
        balances=Balances(ledger, register, people),
        outlooks=Outlooks(ledger, register),
        houses=HousePages(ledger, register),
        checkpoints=Checkpoints(Observed(home / "checkpoints")),
        documents=Documents(Papers.open(home, ledger), people, payees),
        supplier_desk=SupplierDesk(ledger, books, payees, Webhooks(engine)),
        requests=Requests(inbox_of(home)),
        network=network,
        files=home / "billing" / "files",
    )


def demo_logins(path: Path) -> list[DemoLogin]:
    """Logins of a demo town, to be shown to anyone; a town that is none has no such file."""
    if not path.exists():
        return []
    return [DemoLogin(row["login"], row["password"], row["label"]) for row in json.loads(path.read_text())]


def create_site(home: Path, hosts: Sequence[str] = LOCAL_HOSTS, https: bool = False) -> FastAPI:
    """The door with the pages over it. The pages reach the door as HTTP, inside the process."""
    secret = secret_file(home / "keys" / "api-session.secret")
    door = create_app(open_context(home, secret), hosts, https)
    inside = httpx.ASGITransport(door, raise_app_exceptions=False, client=(IN_PROCESS, 0))
    http = httpx.AsyncClient(transport=inside, base_url=f"http://{hosts[0]}", timeout=30)
    door.mount("/", create_webapp(http, secret, lambda: demo_logins(home / "api" / "demo-logins.json"), https))
    return door


def main(arguments: list[str] | None = None) -> int:
    """Serves until it is told to stop. 0 when it was, 1 where the town has no contracts yet."""
    parser = argparse.ArgumentParser(prog="api.main", description="Serves the HTTP door and the pages.")
    parser.add_argument("--home", type=Path, default=Path("var/local"))
    parser.add_argument("--rpc", help="taken like by every process; the door itself asks the ledger alone")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--host-name", action="append", default=[], help="a name to answer to besides 127.0.0.1")
    parser.add_argument("--https", action="store_true", help="behind TLS: secure cookies and HSTS")
    options = parser.parse_args(arguments)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    log = structlog.get_logger()
    try:
        site = create_site(options.home, (*LOCAL_HOSTS, *options.host_name), options.https)
    except NotReady as error:
        log.error("api.not_ready", reason=error.detail)
        return 1
    log.info("api.started", home=str(options.home), port=options.port)
    # No proxy headers: a caller who could name another address for itself could escape the login limits.
    uvicorn.run(site, host="127.0.0.1", port=options.port, log_level="warning", proxy_headers=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
