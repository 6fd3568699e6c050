"""What projects one kind of event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ledger.projection.known import Known
from ledger.projection.money import TransactionMoney
from ledger.store import FactRows

Handlers = dict[type, Callable[[Any, FactRows, Known, TransactionMoney], None]]
"""By class of event: the event, the rows to add to, what is known, and the transaction's money."""
