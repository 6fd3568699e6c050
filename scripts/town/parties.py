"""The parties that act from outside the services: operator, bank, welfare body, suppliers, guardian.

Each signs with its own key and keeps its own durable intents; an intent's name is the story's, so that a play that
was broken off goes on where it stood and does nothing twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from sqlalchemy import create_engine

from contracts.client.deployments import Deployment
from contracts.client.private import private_file
from contracts.client.rpc import Rpc
from contracts.client.sender import Outcome, Sender
from contracts.wire.ids import Address
from scripts.home import Home


class ActFailed(RuntimeError):
    """The chain refused what a party did."""

    def __init__(self, party: str, intent: str, reason: object) -> None:
        super().__init__(f"{party} could not {intent}: {reason}")
        self.party = party
        self.intent = intent


class Parties:
    """Sends for every party of a home."""

    def __init__(self, home: Home, rpc: Rpc, deployment: Deployment) -> None:
        self._home = home
        self._rpc = rpc
        self._deployment = deployment
        self._senders: dict[str, Sender] = {}
        self._pending: dict[str, set[str]] = {}

    def address(self, party: str) -> Address:
        """A party's account."""
        return self._home.address(party)

    def act(self, party: str, intent: str, contract: str, data: bytes) -> None:
        """Makes the intent durable; ``settle`` sees it through."""
        self._sender(party).submit(intent, self._deployment.addresses[contract], data)
        self._pending.setdefault(party, set()).add(intent)

    def settle(self, timeout_s: float = 60.0, done: Callable[[int], None] = lambda _count: None) -> None:
        """Sends what is pending and waits until all of it is final: before that a reorganisation may take it back,
        and somebody has to send it again. Raises ActFailed where the chain refused."""
        deadline = time.monotonic() + timeout_s
        settled = 0
        while any(self._pending.values()):
            for party, intents in self._pending.items():
                if not intents:
                    continue
                sender = self._sender(party)
                sender.advance()
                for intent in sorted(intents):
                    outcome = sender.outcome(intent)
                    if outcome is not None and outcome.final:
                        _require_success(party, intent, outcome)
                        intents.discard(intent)
                        settled += 1
            done(settled)
            if time.monotonic() > deadline:
                left = [f"{party}: {intent}" for party, intents in self._pending.items() for intent in intents]
                raise ActFailed(*_first(left), f"not final within {timeout_s:.0f} s")
            time.sleep(0.05)

    def _sender(self, party: str) -> Sender:
        if party not in self._senders:
            path = private_file(self._home.folder("parties") / f"{party}.db")
            engine = create_engine(f"sqlite:///{path}")
            self._senders[party] = Sender(engine, self._rpc, self._deployment.chain_id, self._home.signer(party))
        return self._senders[party]


def _require_success(party: str, intent: str, outcome: Outcome) -> None:
    if not outcome.success:
        raise ActFailed(party, intent, outcome.error)


def _first(left: Iterable[str]) -> tuple[str, str]:
    party, _, intent = next(iter(left)).partition(": ")
    return party, intent
