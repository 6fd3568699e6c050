"""``kopeck oracle``: files of metering systems through the intake, under the importer's own key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from contracts.wire.ids import SourceClass
from contracts.wire.typed_data import anchor_domain
from oracle.client import OracleClient
from oracle.concentrator import Concentrator, find_source
from oracle.importer import ImportFile, import_file, read_import
from oracle.outbox import Outbox
from scripts.cli.books import open_town
from scripts.cli.console import Steps, out, show, show_json
from scripts.cli.options import HomeOption, JsonOption
from scripts.home import DEFAULT_HOME, Home

group = typer.Typer(help="Readings: what comes in, and files of metering systems.", no_args_is_help=True)
IMPORTER = "importer"


@group.command("import")
def import_readings(
    path: Annotated[Path, typer.Argument(help="An 80020 file, or a table of half-hours.", exists=True, dir_okay=False)],
    home: HomeOption = DEFAULT_HOME,
    rpc: Annotated[str, typer.Option(help="A node of the town's chain.")] = "http://127.0.0.1:8545",
    oracle: Annotated[str, typer.Option(help="The oracle's intake.")] = "http://127.0.0.1:8001",
    zone: Annotated[str, typer.Option(help="Zone of the file's times where it names none.")] = "Europe/Moscow",
    as_json: JsonOption = False,
) -> None:
    """Reads a file whole, signs it as the importer, and hands it to the oracle; a faulty file is refused whole."""
    town = open_town(home)
    steps = Steps()
    with steps.step("read", f"reading {path.name}"):
        file = read_import(path, point_secret(town.home), ZoneInfo(zone))
    with steps.step("send", f"signing and sending {len(file.records)} profiles"):
        batches = send(file, town.home, rpc, oracle)
    rows: list[dict[str, object]] = [
        {
            "point": channel.point,
            "name": channel.name,
            "register": channel.register,
            "meter": channel.meter.hex(),
            "total": channel.total,
            "unit": channel.unit.name.lower(),
        }
        for channel in file.channels
    ]
    if as_json:
        show_json({"file": file.file, "document": "0x" + file.document.hex(), "batches": batches, "channels": rows})
        return
    show(rows, False, f"{file.file} ({file.format})")
    out.print(f"{batches} batches, document 0x{file.document.hex()}", highlight=False)


@group.command("points")
def points(
    path: Annotated[Path, typer.Argument(help="The file.", exists=True, dir_okay=False)],
    home: HomeOption = DEFAULT_HOME,
    zone: Annotated[str, typer.Option(help="Zone of the file's times where it names none.")] = "Europe/Moscow",
    as_json: JsonOption = False,
) -> None:
    """Says which meters a file's points become, without sending anything: what the operator binds to accounts."""
    file = read_import(path, point_secret(open_town(home).home), ZoneInfo(zone))
    rows = [{"point": c.point, "register": c.register, "meter": c.meter.hex()} for c in file.channels]
    show(rows, as_json, file.file)


def point_secret(home: Home) -> bytes:
    """The operator's secret behind the names of imported points."""
    return home.key("operator-salt")


def send(file: ImportFile, home: Home, rpc: str, oracle: str) -> int:
    """Signs and sends a file as the importer; how many batches. Raises AlreadyImported, Refused, OracleUnreachable."""
    town = open_town(home.root)
    source = find_source(home.root, rpc, home.key(IMPORTER), SourceClass.IMPORTER)
    domain = anchor_domain(town.deployment.chain_id, town.deployment.addresses["ReadingAnchor"])
    client = OracleClient(oracle, home.token("files"))
    outbox = Outbox(home.root / IMPORTER / "outbox.db", source)
    try:
        concentrator = Concentrator(source, domain, outbox, client, lambda: home.key(IMPORTER))
        return import_file(file, source, concentrator, outbox, client)
    finally:
        outbox.close()
