"""``kopeck bench``: measures, prints a table, writes the results beside the machine they were measured on."""

from __future__ import annotations

import importlib
import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, cast

import typer

from scripts.bench import BENCHES, BILLS_NAMED, Result
from scripts.cli.console import Steps, show, show_json
from scripts.cli.options import JsonOption


class UnknownBench(LookupError):
    """No bench of that id."""

    def __init__(self, wanted: str) -> None:
        super().__init__(f"no bench {wanted!r}; there are: {', '.join(BENCHES) or 'none'}")


def bench(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids, or groups of them; all where none is named.")] = None,
    out: Annotated[Path, typer.Option(help="Where the results go.")] = Path("var/bench.json"),
    bills: Annotated[int | None, typer.Option(help="Bills of the town that is audited, a multiple of 100.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Measures gas, speed and memory. Exit code 1 where a bar is missed."""
    if bills is not None:
        os.environ[BILLS_NAMED] = str(bills)
    results: list[Result] = []
    steps = Steps()
    wanted = ids or list(BENCHES)
    for group in dict.fromkeys(name.partition(".")[0] for name in wanted):
        with steps.step(group, f"bench {group}"):
            found = _load(group)()
        results += [result for result in found if group in wanted or result.id in wanted]
    missing = [name for name in wanted if name not in BENCHES and all(result.id != name for result in results)]
    if missing:
        raise UnknownBench(missing[0])
    document = {"machine": machine(), "results": [asdict(result) for result in results]}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    if as_json:
        show_json(document)
    else:
        show([_row(result) for result in results], False, "benches")
    if not all(result.within_bar for result in results):
        raise typer.Exit(1)


def machine() -> dict[str, object]:
    """What the numbers were measured on."""
    return {
        "system": platform.platform(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def _load(name: str) -> Callable[[], Sequence[Result]]:
    if name not in BENCHES:
        raise UnknownBench(name)
    module, _, function = BENCHES[name].partition(":")
    return cast(Callable[[], Sequence[Result]], getattr(importlib.import_module(module), function))


def _row(result: Result) -> dict[str, object]:
    return {
        "bench": result.id,
        "value": f"{result.value:,.1f} {result.unit}",
        "bar": "" if result.bar is None else f"{'≤' if result.better == 'lower' else '≥'} {result.bar:,.1f}",
        "kept": "yes" if result.within_bar else "NO",
        "beside": ", ".join(f"{name} {value:,.0f}" for name, value in result.baselines.items()),
    }
