"""A bill as it was known on a date: which revision was in force, what had moved on it, which notes there were.

Known is what the chain said by then: time is that of blocks, and a run counts from its activation.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from billing.accounts import Accounts
from billing.domain.calendar import midnight
from billing.run import Run, Runs, RunStage, StoredBill
from contracts.wire.ids import BillKey, BillState, Period
from contracts.wire.leaf import BillKind
from ledger.queries import Ledger
from ledger.queries.views import BillView, ReceiptView, RunState


class NeverPosted(LookupError):
    """No active run of ours has such a bill."""

    def __init__(self, key: BillKey) -> None:
        super().__init__(f"no bill {key} was posted from here; `kopeck bill list MONTH` names those there are")
        self.key = key


@dataclass(frozen=True, slots=True)
class SeenBill:
    """A bill or a note as it stood. ``document`` is None where it was erased since."""

    view: BillView
    revision: int
    document: dict[str, object] | None
    receipts: tuple[ReceiptView, ...]

    @property
    def key(self) -> BillKey:
        """Its place on the chain."""
        return self.view.key


@dataclass(frozen=True, slots=True)
class Seen:
    """An account's month as it was known by the end of a local day. ``bill`` is None where none was posted by then;
    ``asked`` is the bill that was asked for, as it stood; ``replaced`` and ``later`` come before and after."""

    account: str
    period: Period
    day: date
    bill: SeenBill | None
    asked: SeenBill | None
    notes: tuple[SeenBill, ...]
    replaced: tuple[BillKey, ...]
    later: tuple[BillKey, ...]


def as_seen(key: BillKey, day: date, runs: Runs, register: Accounts, ledger: Ledger) -> Seen:
    """What was known of a bill's account and period by the end of a day in the house's time. Raises NeverPosted."""
    stored = runs.bill(key)
    if stored is None:
        raise NeverPosted(key)
    house = register.houses()[register.account(stored.account).house]
    moment = midnight(day + timedelta(days=1), house.zone) - 1
    leaves = _posted(runs.of_account(stored.account, stored.period))
    views = {view.key: view for view in ledger.bills_at(list(leaves), moment) if view.run_state is RunState.ACTIVE}
    seen = {name: _seen(leaves[name], view, ledger, moment) for name, view in views.items()}
    bills = [s for s in seen.values() if s.view.kind is BillKind.BILL and s.view.state is not BillState.SUPERSEDED]
    bill = bills[-1] if bills else None
    notes = [s for s in seen.values() if s.view.kind is not BillKind.BILL and s.view.state is not BillState.SUPERSEDED]
    return Seen(
        stored.account,
        stored.period,
        day,
        bill,
        seen.get(key),
        tuple(notes),
        tuple(name for name, view in views.items() if view.state is BillState.SUPERSEDED),
        tuple(name for name in leaves if name not in views),
    )


def _posted(leaves: Sequence[tuple[BillKey | None, StoredBill, Run]]) -> dict[BillKey, StoredBill]:
    return {key: stored for key, stored, run in leaves if key is not None and run.stage is RunStage.ACTIVE}


def _seen(stored: StoredBill, view: BillView, ledger: Ledger, moment: int) -> SeenBill:
    document = json.loads(stored.document) if stored.document else None
    receipts = tuple(receipt for receipt in ledger.receipts(view.key) if receipt.timestamp <= moment)
    return SeenBill(view, stored.revision, document, receipts)
