"""How a sum would be divided over a bill, before anything moves: docs/protocol.md §7."""

from __future__ import annotations

from api.models import Bill, Split, SplitPart
from contracts.wire.units import split_largest_remainder


def divide(bill: Bill, amount_kopecks: int) -> Split:
    """Who would get what of a sum from 1 to what is open on the bill."""
    weights = [line.open_kopecks for line in bill.lines]
    parts = [
        SplitPart(
            line=line.line,
            supplier=line.supplier,
            supplier_name=line.supplier_name,
            service=line.service,
            amount_kopecks=share,
        )
        for line, share in zip(bill.lines, split_largest_remainder(amount_kopecks, weights), strict=True)
        if share
    ]
    return Split(bill=bill.key, amount_kopecks=amount_kopecks, open_kopecks=sum(weights), parts=parts)
