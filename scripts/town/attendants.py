"""What a served town has beside its services: an observer that cosigns its checkpoints, and a notifier once somebody
is to be told.

They are started after the town is served, so that nobody waits for them. A checkpoint is published where something new
has become final, so that a town in which nothing happens gathers none.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from api.store import database_url, open_database
from api.webhooks import Webhooks
from contracts.client.deployments import Deployment
from contracts.wire.typed_data import address_of
from ledger.checkpoints import NothingFinal
from ledger.published import Published
from ledger.queries import Ledger
from scripts.capsule.trusted import trust_in
from scripts.home import Home
from scripts.processes import Spec
from scripts.town.running import Running
from scripts.town.services import SERVICE_ENV

CHECKPOINT_S = 30.0
"""Between two looks for something new; a checkpoint reads every row of the ledger."""
WEBHOOKS_S = 2.0
OBSERVER = "observer"
"""The observer's own folder in the home: its key, its ledger, its alarms."""


class Attendants:
    """Those of one running town. ``look`` is to be called again and again while it is served."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._home = running.home.root
        self._deployment = Deployment.load(running.home.deployment)
        self._ledger = Ledger.open(self._home)
        self._published = Published(self._home / "checkpoints")
        self._webhooks = Webhooks(open_database(database_url(self._home)))
        self._published_to = max((found.checkpoint.height for found in self._published.all()), default=-1)
        self._due = {"checkpoint": 0.0, "webhooks": 0.0}

    def start(self) -> None:
        """Starts the observer, and writes the trust file of those who believe it."""
        observer = Home(self._home / OBSERVER)
        account = address_of(observer.key("witness"))
        self.trust_file.write_bytes(trust_in(self._deployment, {account: True}, 1).encode())
        town = ("--deployment", str(self._running.home.deployment), "--checkpoints", str(self._published.folder))
        argv = (sys.executable, "-m", "scripts.cli.main", "witness", "--home", str(observer.root), *town)
        self._running.supervisor.start(Spec("witness", (*argv, "--rpc", self._running.ports.rpc_url), env=SERVICE_ENV))

    @property
    def trust_file(self) -> Path:
        """For `kopeck verify --trust`."""
        return self._home / "trust.json"

    def look(self) -> None:
        """Publishes a checkpoint where one is due, and starts the notifier where a webhook is registered."""
        if self._is_due("checkpoint", CHECKPOINT_S):
            self._publish()
        if self._is_due("webhooks", WEBHOOKS_S) and "notifier" not in self._running.supervisor.names():
            self._notify()

    def _is_due(self, what: str, every_s: float) -> bool:
        now = time.monotonic()
        if now < self._due[what]:
            return False
        self._due[what] = now + every_s
        return True

    def _publish(self) -> None:
        try:
            newest = self._ledger.event_blocks(self._ledger.finalized_height()).numbers[-1]
        except NothingFinal:
            return
        if newest > self._published_to:
            self._published_to = self._published.put(self._ledger.checkpoint(self._deployment)).checkpoint.height

    def _notify(self) -> None:
        if any(webhook.ended is None for webhook in self._webhooks.all()):
            argv = (sys.executable, "-m", "api.notifier", "--home", str(self._home))
            self._running.supervisor.start(Spec("notifier", argv, env=SERVICE_ENV))
