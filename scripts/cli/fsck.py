"""``kopeck fsck``: rebuilds the ledger from the chain and the files, and compares it with the ledger as it stands."""

from __future__ import annotations

from typing import Annotated

import typer

from contracts.client.files import FileStore, FirstOf
from contracts.client.reader import Reader
from contracts.client.rpc import Rpc
from ledger.fsck import check_against_chain, rebuild
from ledger.store import database_url, open_database
from scripts.cli.books import open_town
from scripts.cli.console import out, show_json
from scripts.cli.options import HomeOption, JsonOption
from scripts.home import DEFAULT_HOME


def fsck(
    home: HomeOption = DEFAULT_HOME,
    rpc: Annotated[str, typer.Option(help="A node of the town's chain.")] = "http://127.0.0.1:8545",
    as_json: JsonOption = False,
) -> None:
    """Rebuilds the ledger from the chain and the files, and compares. Exit code 0 only where the two are equal byte
    for byte, both equal the chain, no file is missing, no leaf missing or altered, nothing at odds."""
    town = open_town(home)
    reader = Reader(Rpc(rpc), town.deployment)
    town.deployment.check(reader.rpc)
    engine = open_database(database_url(town.home.root))
    files = FirstOf([FileStore(town.home.root / name / "files") for name in ("oracle", "billing", "ledger")])
    found = rebuild(engine, reader, town.deployment.first_block, files, town.keyring)
    wrong = check_against_chain(engine, reader)
    equal = found.is_equal and not wrong
    if as_json:
        differences = [str(difference) for difference in found.differences]
        alarms = list(found.alarms)
        erased = {"leaves_erased": found.leaves_erased}
        show_json({"equal": equal, "differences": differences, "against_chain": wrong, "alarms": alarms, **erased})
    else:
        for line in (*map(str, found.differences), *wrong, *found.alarms):
            out.print(line, highlight=False, markup=False, soft_wrap=True)
        if found.leaves_erased:
            out.print(f"{found.leaves_erased} leaves are erased under an act: neither tampered nor verified")
        out.print("the ledger equals its rebuild" if equal else "the ledger is NOT what the chain and the files say")
        if found.alarms:
            out.print(f"{len(found.alarms)} alarms: records are missing, altered or at odds")
    if not (equal and found.is_sound):
        raise typer.Exit(1)
