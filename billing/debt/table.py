"""A penalty's table as others read it: the explanation of each row, and the rows of a listing."""

from __future__ import annotations

from fractions import Fraction

from billing.debt.penalty import PENALTY_ROUNDING, PenaltyTable, Row
from contracts.wire.units import Money


def explain_row(row: Row) -> dict[str, object]:
    """A row in the shape of a charged part: its sum is half-up of (formula · 100), out of these inputs alone."""
    out: dict[str, object] = {
        "kind": "penalty",
        "formula": "P = S · n · r · f",
        "act": row.pause.act if row.pause else row.rate_act,
        "inputs": [
            {"symbol": "S", "value": str(Money(row.balance_kopecks)), "unit": "RUB"},
            {"symbol": "n", "value": str(row.days), "unit": "day"},
            {"symbol": "r", "value": fraction_text(row.rate), "unit": "1/year"},
            {"symbol": "f", "value": fraction_text(row.fraction), "unit": "1"},
        ],
        "from": row.first.isoformat(),
        "through": row.last.isoformat(),
        "first_day_of_delay": row.first_day_of_delay,
        "rounding": PENALTY_ROUNDING,
        "amount_kopecks": row.amount_kopecks,
    }
    if row.pause is not None:
        out["pause"] = row.pause.kind.value
    return out


def explain_charged_before(kopecks: int) -> dict[str, object]:
    """What notes charge already for the same debts, taken off, in the shape of a charged part."""
    return {
        "kind": "penalty",
        "formula": "P = −C",
        "act": "начислено прежними документами за те же долги",
        "inputs": [{"symbol": "C", "value": str(Money(kopecks)), "unit": "RUB"}],
        "amount_kopecks": -kopecks,
    }


def fraction_text(value: Fraction) -> str:
    """The exact number: whole, or num/den."""
    return str(value.numerator) if value.denominator == 1 else f"{value.numerator}/{value.denominator}"


def listing(table: PenaltyTable) -> list[dict[str, object]]:
    """The table for people: a row each, with the sums in kopecks."""
    return [
        {
            "from": row.first.isoformat(),
            "to": row.last.isoformat(),
            "days": row.days,
            "balance_kopecks": row.balance_kopecks,
            "rate": fraction_text(row.rate),
            "fraction": fraction_text(row.fraction),
            "pause": "" if row.pause is None else row.pause.kind.value,
            "act": row.pause.act if row.pause else row.rate_act,
            "amount_kopecks": row.amount_kopecks,
        }
        for row in table.rows
    ]
