"""Posts a month's awards: recorded first, then handed to the inbox as one batch of grants under a key of their own.

A crash in between is made good by the next call: the request is built again from the awards as they were recorded.
What goes to the person and not to the bill is recorded alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from billing.inbox import Inbox, Item
from billing.requests import GrantItem, GrantsRequest
from billing.welfare.awards import Award
from billing.welfare.bureau import Bureau, Plan
from billing.welfare.reference import Effect
from contracts.wire.ids import Period


@dataclass(frozen=True, slots=True)
class Posted:
    """A batch as posted: the request for what goes to bills, None where nothing does."""

    batch: str
    item: Item | None
    plan: Plan


class Posting:
    """Posts batches of awards."""

    def __init__(self, bureau: Bureau, inbox: Inbox) -> None:
        self._bureau = bureau
        self._inbox = inbox

    def post(self, period: Period, *, now: int, on: date, act: str) -> Posted:
        """Records and posts what a month's cases are due and have not had; the same again posts nothing more.

        ``now`` in seconds UTC; ``act`` is the order that the batch goes out under. Raises InboxError.
        """
        self.finish(period)
        batch = f"welfare {period} {len(self._bureau.records.batches(period)) + 1}"
        plan = self._bureau.plan(period, now=now, on=on, act=act, batch=batch)
        self._bureau.records.add_awards(plan.awards)
        return Posted(batch, self._put(batch, plan.awards), plan)

    def finish(self, period: Period) -> None:
        """Hands on the batches of a month that were recorded and, after a crash, not asked for."""
        shelves = self._bureau.records.shelves()
        for batch in self._bureau.records.batches(period):
            self._put(batch, [award for shelf in shelves for award in shelf.awards if award.batch == batch])

    def _put(self, batch: str, awards: Sequence[Award]) -> Item | None:
        known = self._inbox.by_key(GrantsRequest.kind, batch)
        if known is not None:
            return known
        items = grant_items(awards)
        return self._inbox.put(batch, GrantsRequest(awards[0].act, items)) if items else None


def grant_items(awards: Sequence[Award]) -> tuple[GrantItem, ...]:
    """One grant a line of an award that nets the bill. Its decision is the hash of the award's sealed document."""
    ordered = sorted(awards, key=lambda a: (a.account, a.case, a.number))
    return tuple(
        GrantItem(
            award.account,
            award.period,
            line.service,
            line.amount_kopecks,
            award.expires_at,
            "0x" + award.hash.hex(),
        )
        for award in ordered
        if award.effect is Effect.BILL
        for line in award.lines
    )
