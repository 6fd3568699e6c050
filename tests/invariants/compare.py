"""Holds the chain against the model: its receipts after an operation, and all its books."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from contracts.client.reader import Reader
from contracts.wire.events import (
    BatchRepeated,
    BatchSettled,
    BillPaid,
    BillSkipped,
    BillStateChanged,
    CreditApplied,
    Event,
    GrantApplied,
    LegSkipped,
    Prepaid,
    PrepaymentNetted,
    Refunded,
)
from contracts.wire.ids import BillKey
from tests.invariants.books import Bill
from tests.invariants.model import Model, Receipt

CUSTODY = ("Settlement", "ChargeBook", "SubsidyBook")
RECEIPTS = (
    BatchRepeated, BatchSettled, BillPaid, BillSkipped, BillStateChanged, CreditApplied, GrantApplied, LegSkipped,
    Prepaid, PrepaymentNetted, Refunded,
)  # fmt: skip
Asked = tuple[tuple[str, str, Sequence[object]], object]


def receipt_of(event: Event) -> Receipt:
    """An event as the model says it: its name and fields; a receipt's legs as (line, supplier, kopecks)."""
    name = type(event).__name__
    if isinstance(event, BillPaid):
        legs = tuple((leg.line, leg.supplier, leg.amount_kopecks) for leg in event.legs)
        return name, event.bill, event.payer, event.ref, legs, event.state
    if isinstance(event, BatchSettled):
        return name, event.agent, event.ref, event.total
    names = [field for field in type(event).__dataclass_fields__ if field != "log"]
    return (name, *(getattr(event, field) for field in names))


def compare_receipts(model: Model, events: Sequence[Event]) -> None:
    """One block's events about bills are what the model said of its last operation."""
    said = Counter(receipt_of(event) for event in events if isinstance(event, RECEIPTS))
    assert said == Counter(model.receipts), "the receipts of the chain are not the model's"


def compare_books(model: Model, reader: Reader) -> None:
    """Balances, allowances, bill states, line records, prepayments, grants, suppliers and sources are the model's."""
    addresses = reader.deployment.addresses
    asked: list[Asked] = []
    wallets = set(model.money.balances) | {addresses[name] for name in CUSTODY}
    asked += [(("Rouble", "balanceOf", (a,)), model.money.balances[a]) for a in sorted(wallets)]
    asked += [(("Rouble", "totalSupply", ()), model.money.supply)]
    asked += [(("Rouble", "allowance", pair), amount) for pair, amount in model.money.allowances.items()]
    for number, run in model.runs.items():
        for index, bill in enumerate(run.bills):
            asked += _asked_of_bill(number, index, bill)
    for prepayment, there in model.prepayments.items():
        asked.append((("Settlement", "prepaymentOf", (prepayment,)), there))
    for number, batch in model.batches.items():
        asked += [(("SubsidyBook", "isSpent", (number, i)), grant.is_spent) for i, grant in enumerate(batch.grants)]
    granters = {batch.wallet for batch in model.batches.values()}
    asked += [(("SubsidyBook", "committedBy", (wallet,)), model.committed(wallet)) for wallet in granters]
    for supplier, known in model.suppliers.items():
        asked.append((("Registry", "payoutOf", (supplier,)), (known.payout, known.is_active)))
    for source, head in model.heads.items():
        asked.append((("ReadingAnchor", "headOf", (source,)), (head.sequence, head.epoch, head.hash)))
    found = reader.views([question for question, _ in asked])
    wrong = [(q, theirs, ours) for (q, ours), theirs in zip(asked, found, strict=True) if theirs != ours]
    assert not wrong, f"question, chain, model: {wrong[:3]}"


def _asked_of_bill(run: int, index: int, bill: Bill) -> list[Asked]:
    asked: list[Asked] = []
    asked.append((("ChargeBook", "stateOf", (run, index)), bill.state))
    key = BillKey(run, index)  # type: ignore[arg-type]
    for i, line in enumerate(bill.lines):
        paid = 0 if bill.whole else line.paid
        record = (paid, line.granted, line.netted, line.written_off, line.refunded)
        asked.append((("Settlement", "lineRecord", (key, i)), record))
    return asked
