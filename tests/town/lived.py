"""What the clerks, suppliers, residents and auditors of a running town get from the command line, all in one visit."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from billing.read import BillingRead
from contracts.wire.ids import BillState
from ledger.published import Published
from scripts.cli.main import cli
from scripts.town.attendants import Attendants
from scripts.town.register import house_code
from scripts.town.stage import Stage

SUPPLIER = "1"
WAIT_S = 60.0


@dataclass
class Lived:
    """How each command ended, and what is left of them in ``folder``."""

    folder: Path
    done: dict[str, Result] = field(default_factory=dict)
    checkpoints: list[int] = field(default_factory=list)
    """How many observers signed each."""
    water: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The line of cold water in the document of each account of the first month."""
    told: list[str] = field(default_factory=list)
    """Bodies that the supplier's address received."""

    def kopeck(self, name: str, *arguments: object) -> None:
        self.done[name] = CliRunner().invoke(cli, [str(argument) for argument in arguments])


def visit(stage: Stage, folder: Path) -> Lived:
    """Goes to every desk of the town."""
    lived = Lived(folder)
    home, rpc = ("--home", stage.home.root), ("--rpc", stage.running.ports.rpc_url)
    attendants = Attendants(stage.running)
    attendants.start()
    with _listening(lived.told) as url:
        lived.kopeck("webhook", "webhook", "add", SUPPLIER, url, "--from-block", 0, *home)
        published = Published(stage.home.root / "checkpoints")

        def is_attended() -> bool:
            attendants.look()
            return bool(lived.told) and any(found.cosignatures for found in published.all())

        _wait(is_attended)
    lived.checkpoints = [len(found.cosignatures) for found in published.all()]

    bundle, statement, bank, capsule = (folder / name for name in ("bundle", "statement.json", "bank.txt", "bill.json"))
    lived.kopeck("bundle", "bundle", "export", bundle, "--with-keys", *home, *rpc)
    lived.kopeck("audit", "audit", "--bundle", bundle, *rpc, "--json", folder / "audit.json")

    lived.kopeck("statement", "statement", "supplier", SUPPLIER, "--json", "--out", statement, *home, *rpc)
    trusted = ("--deployment", stage.home.deployment)
    lived.kopeck("verified", "statement", "verify", statement, *rpc, *trusted, "--json")
    lived.kopeck("bank", "statement", "supplier", SUPPLIER, "--1c", "--out", bank, *home)
    lived.kopeck("reconciled", "statement", "reconcile", bank, "--supplier", SUPPLIER, "--json", *home)

    first = stage.town.months[0]
    bills = stage.bills(first)
    lived.kopeck("house", "house", "balance", house_code(1), first, "--json", *home)
    register = BillingRead.open(stage.home.root)
    lived.water = {account: _cold_water(register.document_of(bill.key)) for account, bill in bills.items()}
    paid = next(bill for bill in bills.values() if bill.state is BillState.PAID)
    lived.kopeck("capsule", "capsule", paid.key, "--out", capsule, *home, *rpc)
    lived.kopeck("proved", "verify", capsule, "--trust", attendants.trust_file, "--json")
    return lived


def _cold_water(document: bytes | None) -> dict[str, Any]:
    assert document is not None
    found: dict[str, Any] = next(row for row in json.loads(document)["lines"] if row["service"] == "cold_water")
    return found


@contextmanager
def _listening(told: list[str]) -> Iterator[str]:
    """An address that takes whatever it is sent."""

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing on the error stream."""

    server = HTTPServer(("127.0.0.1", 0), Taker)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def _wait(ready: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not ready():
        assert time.monotonic() < end, "no observer signed, or no supplier was told"
        time.sleep(0.2)
