"""From events to facts: one function an event, pure but for what earlier events made known (`Known`)."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.wire import events as chain
from ledger import models
from ledger.projection import anchoring, grants, registry, runs, settlement, token
from ledger.projection.handlers import Handlers
from ledger.projection.known import Known
from ledger.projection.money import TransactionMoney, check_balanced
from ledger.projection.unlisted import act_arguments
from ledger.store import FactRows

_HANDLERS: Handlers = {
    **registry.HANDLERS,
    **anchoring.HANDLERS,
    **runs.HANDLERS,
    **settlement.HANDLERS,
    **grants.HANDLERS,
    **token.HANDLERS,
}
_NOT_KEPT = (chain.Approval,)
"""Allowances are no part of the ledger: the chain answers for them."""


def project(events: Sequence[chain.Event], known: Known) -> FactRows:
    """The facts that ``events`` state, whole transactions in chain order; ``known`` moves along.

    Raises SequenceBroken, Unreconciled or UnknownName where the events can't be all that the chain has; Unbalanced
    where an entry's postings do not sum to zero.
    """
    rows = FactRows()
    money: TransactionMoney | None = None
    for event in events:
        log = event.log
        if money is None or money.tx_hash != log.tx_hash:
            if money is not None:
                money.settle(rows)
            money = TransactionMoney(log.tx_hash)
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(event, rows, known, money)
        elif not isinstance(event, _NOT_KEPT):
            rows.add(
                models.acts,
                log.block_number,
                log.log_index,
                log.tx_hash,
                log.contract,
                type(event).__name__,
                act_arguments(event),
            )
    if money is not None:
        money.settle(rows)
    check_balanced(rows)
    return rows
