"""What of the awards still stands: a failed batch gave nothing, a reversed or expired one what was used of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Engine, select

from billing.inbox import State
from billing.requests import GrantsRequest
from billing.schema import grant_batches, grants, inbox
from billing.welfare.awards import Award, Recovery
from billing.welfare.records import Shelf
from billing.welfare.reference import Effect
from contracts.wire.ids import GrantBatchId, Period, Service
from ledger.queries import Ledger


@dataclass(frozen=True, slots=True)
class Given:
    """What one award comes to now: kopecks by service, and what it withheld by recovery."""

    award: Award
    lines: Mapping[Service, int]
    withheld: Mapping[int, int]

    @property
    def settled_kopecks(self) -> int:
        """Of what was due: paid out, or set against what was owed back."""
        return sum(self.lines.values()) + sum(self.withheld.values())


@dataclass(slots=True)
class _Batch:
    """A batch as the chain has it: what was used, by account and maximum. ``is_void``: nothing more will be."""

    used: dict[tuple[str, int], list[int]] = field(default_factory=dict)
    is_void: bool = False


class Standing:
    """Tells what awards come to, by the inbox and the ledger."""

    def __init__(self, engine: Engine, ledger: Ledger) -> None:
        self._engine = engine
        self._ledger = ledger
        head = ledger.head()
        self._now = 0 if head is None else head.timestamp
        self._batches: dict[str, _Batch] = {}
        self._told: dict[tuple[str, str, int, int], Given] = {}

    def of(self, awards: Iterable[Award]) -> list[Given]:
        """Each award as it stands."""
        return [self._once(award) for award in awards]

    def _once(self, award: Award) -> Given:
        key = (award.account, award.case, award.period.number, award.number)
        if key not in self._told:  # what was used of a batch is handed out once
            self._told[key] = self._given(award)
        return self._told[key]

    def _given(self, award: Award) -> Given:
        whole = {line.service: line.amount_kopecks for line in award.lines}
        if award.effect is Effect.PERSON or not whole:
            return Given(award, whole, award.withheld)
        if award.batch not in self._batches:
            self._batches[award.batch] = self._batch(award.batch)
        batch = self._batches[award.batch]
        used = {}
        for service, amount in whole.items():
            left = batch.used.get((award.account, amount), [])
            used[service] = left.pop(0) if left else 0
        if batch.is_void:
            return Given(award, used, {})
        if award.expires_at <= self._now:  # what it did not take by now, it never will
            return Given(award, used, award.withheld)
        return Given(award, whole, award.withheld)

    def _batch(self, name: str) -> _Batch:
        asked = (inbox.c.kind == GrantsRequest.kind) & (inbox.c.client_key == name)
        with self._engine.connect() as connection:
            item = connection.execute(select(inbox.c.id, inbox.c.state).where(asked)).one_or_none()
            if item is None:
                return _Batch()
            if item.state == State.FAILED.value:
                return _Batch(is_void=True)
            own = select(grant_batches.c.id, grant_batches.c.chain_batch).where(grant_batches.c.item == item.id)
            row = connection.execute(own).one_or_none()
            if row is None or row.chain_batch is None:
                return _Batch()
            query = select(grants.c.grant_index, grants.c.account).where(grants.c.batch == row.id)
            owners = {r.grant_index: r.account for r in connection.execute(query)}
        used: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
        views = self._ledger.grants_of_batch(GrantBatchId(row.chain_batch))
        for view in views:
            used[owners[view.index], view.maximum_kopecks].append(view.used_kopecks or 0)
        return _Batch(dict(used), any(view.is_reversed for view in views))


@dataclass(frozen=True, slots=True)
class Account:
    """A case's sums as they stand: what was given, what of it is owed back, what of that is still open."""

    given: tuple[Given, ...]
    recoveries: tuple[Recovery, ...]
    open_kopecks: Mapping[int, int]

    def settled(self, period: Period) -> int:
        """Kopecks that a month has had for good: given, less what was found to be owed back."""
        given = sum(g.settled_kopecks for g in self.given if g.award.period == period)
        return given - sum(r.owed_kopecks for r in self.recoveries if r.period == period)

    def by_service(self, period: Period) -> dict[Service, int]:
        """The same by service; what was withheld counts on no service."""
        out: defaultdict[Service, int] = defaultdict(int)
        for g in self.given:
            if g.award.period == period:
                for service, amount in g.lines.items():
                    out[service] += amount
        for r in self.recoveries:
            if r.period == period:
                for service, amount in r.lines.items():
                    out[service] -= amount
        return dict(out)


def account_of(shelf: Shelf, standing: Standing) -> Account:
    """A case's sums."""
    given = tuple(standing.of(shelf.awards))
    left = {recovery.number: recovery.owed_kopecks for recovery in shelf.recoveries}
    for g in given:
        for number, amount in g.withheld.items():
            left[number] -= amount
    for repayment in shelf.repayments:
        left[repayment.recovery] -= repayment.amount_kopecks
    return Account(given, shelf.recoveries, left)
