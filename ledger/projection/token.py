"""Rouble's events that move money."""

from __future__ import annotations

from contracts.wire import events as chain
from ledger.projection.handlers import Handlers
from ledger.projection.known import Known
from ledger.projection.money import TransactionMoney
from ledger.store import FactRows

_Moving = chain.Transfer | chain.Minted | chain.Redeemed | chain.Seized


def _moved(e: _Moving, _r: FactRows, _k: Known, money: TransactionMoney) -> None:
    money.token(e)


HANDLERS: Handlers = {
    chain.Transfer: _moved,
    chain.Minted: _moved,
    chain.Redeemed: _moved,
    chain.Seized: _moved,
}
