"""``kopeck statement``: what a supplier received, receipt by receipt, from the ledger."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from contracts.wire.ids import Period, SupplierId
from scripts.cli.books import open_town
from scripts.cli.console import show
from scripts.cli.options import HomeOption, JsonOption
from scripts.home import DEFAULT_HOME
from scripts.town.plan import midnight

FOREVER = 1 << 40


def statement(
    supplier: Annotated[int, typer.Argument(help="The supplier's number.")],
    month: Annotated[str | None, typer.Option(help="A month, YYYY-MM; all time where it is left out.")] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Lists a supplier's receipts and refunds; the sum is what its wallet got."""
    first, last = (0, FOREVER) if month is None else _span(Period.parse(month))
    rows = open_town(home).ledger.statement(SupplierId(supplier), first, last)
    listing = [
        {
            "at": datetime.fromtimestamp(row.timestamp, UTC).isoformat(),
            "kind": row.kind.name.lower(),
            "bill": "" if row.bill is None else str(row.bill),
            "line": "" if row.line is None else row.line,
            "counterparty": "0x" + row.counterparty.hex(),
            "amount_kopecks": row.amount_kopecks,
            "block": row.block_number,
            "transaction": "0x" + row.tx_hash.hex(),
            "final": row.is_final,
        }
        for row in rows
    ]
    show(listing, as_json, f"supplier {supplier}")


def _span(period: Period) -> tuple[int, int]:
    first, after = period, period.next()
    return (
        midnight(datetime(first.year, first.month, 1, tzinfo=UTC).date()),
        midnight(datetime(after.year, after.month, 1, tzinfo=UTC).date()) - 1,
    )
