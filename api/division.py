"""How Settlement would divide a sum over a bill, before anything moves: docs/protocol.md §7."""

from __future__ import annotations

from collections.abc import Set

from api.models import Bill, Line, Split, SplitPart
from contracts.wire.units import split_largest_remainder


def divide(bill: Bill, wanted_kopecks: int, suspended: Set[int]) -> Split:
    """Who would get what. Lines of suspended suppliers are passed over and stay open; only the rest is taken."""
    weights = [0 if line.supplier in suspended else line.open_kopecks for line in bill.lines]
    amount = min(wanted_kopecks, sum(weights))
    shares = split_largest_remainder(amount, weights) if amount else [0] * len(weights)
    return Split(
        bill=bill.key,
        amount_kopecks=amount,
        open_kopecks=bill.open_kopecks,
        parts=[_part(line, share) for line, share in zip(bill.lines, shares, strict=True) if share],
        passed_over=[
            _part(line, line.open_kopecks) for line in bill.lines if line.supplier in suspended and line.open_kopecks
        ],
    )


def _part(line: Line, amount_kopecks: int) -> SplitPart:
    return SplitPart(
        line=line.line,
        supplier=line.supplier,
        supplier_name=line.supplier_name,
        service=line.service,
        amount_kopecks=amount_kopecks,
    )
