"""What the desks of the collector share: how an item is refused, and how its transaction is followed to the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import structlog

from billing.inbox import Item, State
from billing.office import Office
from contracts.client.sender import Outcome
from contracts.wire.errors import ContractError, SettlementPaused

_log = structlog.get_logger()

Result = Callable[[Outcome], Mapping[str, object]]


class Desk:
    """Carries out items of some kinds, each by one intent."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.inbox = office.inbox
        self._followed: dict[str, int] = {}

    def to_do(self, kind: str) -> list[Item]:
        """Items of a kind to look at: what came in, and after a new block also what is on its way."""
        if self._followed.get(kind) == self.office.head_number:
            return self.inbox.unsettled(kind, State.ACCEPTED)
        self._followed[kind] = self.office.head_number
        return self.inbox.unsettled(kind)

    def follow(self, item: Item, sender: str, intent: str, result: Result) -> None:
        """Says of an item what became of its intent; a reorganisation may change it until it is final."""
        outcome = self.office.outcome(sender, intent)
        if outcome is None:
            if item.state is not State.WORKING:
                self.inbox.working([item.id])
        elif outcome.success:
            if item.state is not State.DONE or outcome.final:
                self.inbox.done([item.id], result(outcome), outcome.final)
        elif item.state is not State.FAILED or outcome.final:
            self.fail([item], outcome.error, outcome.final)

    def refuse(self, items: Sequence[Item], error: Exception) -> None:
        """Ends items that could not be sent. During a pause they wait instead."""
        if isinstance(error, SettlementPaused):
            self.inbox.waiting([item.id for item in items if item.reason != str(error)], str(error))
        else:
            self.fail(items, error, True)

    def fail(self, items: Sequence[Item], error: Exception | None, final: bool) -> None:
        """Ends items badly."""
        slug = error.slug if isinstance(error, ContractError) else "no-such-record"
        self.inbox.failed([item.id for item in items], slug, str(error), final)
        _log.info("item.failed", items=[item.id for item in items], reason=str(error))
