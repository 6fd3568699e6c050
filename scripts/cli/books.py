"""How a command reaches the town that it is about."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from billing.inbox import Inbox
from billing.store import database_url, open_database
from contracts.client.deployments import Deployment
from contracts.client.keyring import KeyRing
from contracts.wire.typed_data import rouble_domain
from ledger.queries import Ledger
from scripts.home import Home


class NoTown(FileNotFoundError):
    """There is no town in the home."""

    def __init__(self, root: Path) -> None:
        super().__init__(f"there is no town in {root}; make one with `kopeck up`, or give its --home")


@dataclass(frozen=True)
class Books:
    """A town's books as a command reads them, and the door it asks billing by."""

    home: Home
    deployment: Deployment
    ledger: Ledger
    inbox: Inbox
    keyring: KeyRing


def open_town(home: Path) -> Books:
    """The town in a home. Raises NoTown."""
    if not (home / "deployment.json").exists():
        raise NoTown(home)
    place = Home(home)
    deployment = Deployment.load(place.deployment)
    domain = rouble_domain(deployment.chain_id, deployment.addresses["Rouble"])
    inbox = Inbox(open_database(database_url(place.root)), domain, deployment.addresses["Settlement"])
    return Books(place, deployment, Ledger.open(place.root), inbox, KeyRing(place.root / "keyring.db"))
