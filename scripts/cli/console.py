"""What the command line shows: progress on anything longer than two seconds, tables or JSON, errors with a remedy."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

out = Console()
err = Console(stderr=True)
SHORT, FOLDED = 22, 12
"""Characters that a cell may have and still is never folded, and the least that one that is folded gets."""
WIDEST = 10_000


class Step:
    """One piece of work under way; ``total`` None where its length is not known."""

    def __init__(self, steps: Steps, title: str, total: int | None) -> None:
        self._steps = steps
        self._title = title
        self._total = total
        self._done = 0
        self._said = time.monotonic()
        self._shown = 0
        self._task: TaskID | None = steps.bar.add_task(title, total=total) if steps.bar else None

    def advance(self, count: int = 1) -> None:
        """So much more is done."""
        self.at(self._done + count)

    def at(self, done: int, total: int | None = None) -> None:
        """So much is done."""
        self._done = done
        self._total = total if total is not None else self._total
        if self._steps.bar and self._task is not None:
            self._steps.bar.update(self._task, completed=done, total=self._total)
        elif not self._steps.quiet and done != self._shown and time.monotonic() - self._said > 2.0:
            self._said, self._shown = time.monotonic(), done
            err.print(f"    {self._title}: {done}" + (f" of {self._total}" if self._total else ""), highlight=False)


class Steps:
    """The steps of a long command, on the error stream: bars on a terminal, plain lines elsewhere."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.seconds: dict[str, float] = {}
        self.bar: Progress | None = None
        if err.is_terminal and not quiet:
            self.bar = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=err,
            )

    @contextmanager
    def step(self, name: str, title: str, total: int | None = None) -> Iterator[Step]:
        """Shows and times one step under ``name``."""
        started = time.monotonic()
        if self.bar is None and not self.quiet:
            err.print(f"==> {title}", highlight=False)
        step = Step(self, title, total)
        if self.bar:
            self.bar.start()
        try:
            yield step
        finally:
            took = time.monotonic() - started
            self.seconds[name] = round(self.seconds.get(name, 0.0) + took, 2)
            if self.bar:
                self.bar.stop()
                for task in self.bar.task_ids:
                    self.bar.remove_task(task)
                err.print(f"  [green]✓[/green] {title} [dim]{took:.1f} s[/dim]", highlight=False)


def show(rows: Sequence[Mapping[str, object]], as_json: bool, title: str = "") -> None:
    """A listing: JSON on the output, or a table."""
    if as_json:
        show_json(list(rows))
        return
    if not rows:
        out.print(f"{title}: nothing" if title else "nothing")
        return
    table = Table(title=title or None)
    for column in rows[0]:
        table.add_column(column.replace("_", " "), justify=_side(rows, column))
    _fill(table, rows, list(rows[0]))
    if out.measure(table, options=out.options.update(width=WIDEST)).maximum <= out.width:
        out.print(table)
    else:
        _show_narrow(rows, title)


def _show_narrow(rows: Sequence[Mapping[str, object]], title: str) -> None:
    """What is alike in all rows is said beneath the table, heads stand word under word, and short cells are whole."""
    alike = {} if len(rows) == 1 else {c: rows[0][c] for c in rows[0] if all(row[c] == rows[0][c] for row in rows)}
    kept = [column for column in rows[0] if column not in alike]
    table, least = Table(title=title or None), 1
    for column in kept:
        words = column.split("_")
        longest = max(len(text) for text in (*words, *(str(row[column]) for row in rows)))
        table.add_column("\n".join(words), justify=_side(rows, column), no_wrap=longest <= SHORT)
        least += 3 + (longest if longest <= SHORT else FOLDED)
    _fill(table, rows, kept)
    table.width = least if least > out.width else None
    if kept:
        out.print(table, crop=False)
    if alike:
        said = "; ".join(f"{column.replace('_', ' ')}: {value}" for column, value in alike.items())
        out.print(f"in every row: {said}", markup=False, highlight=False)


def _fill(table: Table, rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> None:
    for row in rows:
        table.add_row(*(escape(str(row[column])) for column in columns))


def _side(rows: Sequence[Mapping[str, object]], column: str) -> Literal["left", "right"]:
    return "right" if isinstance(rows[0][column], int) else "left"


def show_json(value: object) -> None:
    """One JSON value on the output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
    sys.stdout.flush()


def fail(error: BaseException) -> None:
    """Says what went wrong, in the error's own words."""
    err.print(f"[bold red]{type(error).__name__}[/bold red]: {escape(str(error))}", highlight=False, soft_wrap=True)
