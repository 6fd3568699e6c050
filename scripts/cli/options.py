"""Options that many commands share."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

HomeOption = Annotated[Path, typer.Option("--home", help="The town's directory.", envvar="KOPECK_HOME")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
AccountsOption = Annotated[int, typer.Option("--accounts", help="Flats in the town.", min=12)]
MonthsOption = Annotated[int, typer.Option("--months", help="Months that are billed.", min=1)]
SeedOption = Annotated[int, typer.Option("--seed", help="The same seed, the same town and the same money.")]
FromOption = Annotated[str, typer.Option("--from", help="First month, YYYY-MM.")]
AskedByOption = Annotated[str | None, typer.Option("--by", help="Who asks, where another hand is to approve.")]


class NotADay(ValueError):
    """A day is not written as one; names what was written."""

    def __init__(self, text: str) -> None:
        super().__init__(f"not a day: {text!r}; give it as YYYY-MM-DD, for example 2026-03-15")
        self.text = text


def day_of(text: str) -> date:
    """The day that a text names. Raises NotADay."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise NotADay(text) from None
