"""A bill as it was known on a date, for ``kopeck bill show --on``."""

from __future__ import annotations

from datetime import date

from billing.as_seen import Seen, SeenBill
from billing.read import BillingRead
from contracts.wire.ids import BillKey
from ledger.queries.views import BillView
from scripts.cli.books import Books
from scripts.cli.console import out, show, show_json


def show_seen(town: Books, key: BillKey, day: date, as_json: bool) -> None:
    """Shows what was known of a bill by the end of a day. Raises NeverPosted."""
    seen = BillingRead.open(town.home.root).as_seen(key, day, town.ledger)
    if as_json:
        show_json(seen_json(seen))
        return
    if seen.bill is None:
        out.print(f"on {day} account {seen.account} had no bill for {seen.period} yet", highlight=False)
    for name, bill in (("in force", seen.bill), *(("note", note) for note in seen.notes)):
        if bill is not None:
            state = bill.view.state.name.lower()
            show(lines_of(bill.view), False, f"{name} on {day}: {bill.key}, revision {bill.revision}, {state}")
            show(_receipts(bill), False, "what had moved")
    if seen.later:
        out.print("posted later: " + ", ".join(str(later) for later in seen.later), highlight=False)


def seen_json(seen: Seen) -> dict[str, object]:
    """Plain values."""
    return {
        "account": seen.account,
        "period": str(seen.period),
        "at": seen.day.isoformat(),
        "bill": None if seen.bill is None else _bill(seen.bill),
        "asked": None if seen.asked is None else _bill(seen.asked),
        "notes": [_bill(note) for note in seen.notes],
        "replaced": [str(key) for key in seen.replaced],
        "later": [str(key) for key in seen.later],
    }


def _bill(bill: SeenBill) -> dict[str, object]:
    return {
        "bill": str(bill.key),
        "kind": bill.view.kind.name.lower(),
        "revision": bill.revision,
        "state": bill.view.state.name.lower(),
        "charged_kopecks": bill.view.charged_kopecks,
        "open_kopecks": bill.view.open_kopecks,
        "lines": lines_of(bill.view),
        "receipts": _receipts(bill),
        "document": bill.document,
    }


def lines_of(view: BillView) -> list[dict[str, object]]:
    """A bill's lines as rows: what was charged, what moved, what is open."""
    return [
        {
            "line": line.line,
            "supplier": int(line.supplier),
            "charged_kopecks": line.charged_kopecks,
            "paid_kopecks": line.paid_kopecks,
            "granted_kopecks": line.granted_kopecks,
            "netted_kopecks": line.netted_kopecks,
            "written_off_kopecks": line.written_off_kopecks,
            "refunded_kopecks": line.refunded_kopecks,
            "open_kopecks": line.open_kopecks,
        }
        for line in view.lines
    ]


def _receipts(bill: SeenBill) -> list[dict[str, object]]:
    return [
        {
            "kind": receipt.kind.value,
            "amount_kopecks": receipt.amount_kopecks,
            "time": receipt.timestamp,
            "transaction": "0x" + receipt.tx_hash.hex(),
        }
        for receipt in bill.receipts
    ]
