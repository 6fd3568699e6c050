"""``kopeck oracle``: files of metering systems through the intake, under the importer's own key."""

from __future__ import annotations

import time
from datetime import date, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from billing.accounts import Accounts
from billing.domain.readings import MeterBinding, MeterKind
from billing.store import database_url, open_database
from contracts.client.keyring import KeyRing
from contracts.client.rpc import Rpc
from contracts.wire.ids import MeterId, Service, SourceClass, SourceId
from contracts.wire.typed_data import anchor_domain
from oracle.client import OracleClient
from oracle.concentrator import Concentrator, find_source
from oracle.importer import ImportFile, import_file, read_import
from oracle.outbox import Outbox
from scripts.cli.books import Books, open_town
from scripts.cli.console import Steps, out, show, show_json
from scripts.cli.options import HomeOption, JsonOption
from scripts.home import DEFAULT_HOME, Home

group = typer.Typer(help="Readings: what comes in, and files of metering systems.", no_args_is_help=True)
IMPORTER = "importer"
ENERGY_REGISTER = 0
"""Active energy taken from the network: what a household is charged for."""
_POLL_S = 0.2

ZoneOption = Annotated[str, typer.Option(help="Zone of the file's times where it names none.")]


class NotBillable(TimeoutError):
    """The file's batches were taken but may not be billed yet."""

    def __init__(self, document: str, waited_s: float, reached: int, last: int) -> None:
        super().__init__(
            f"document {document}: after {waited_s:.0f} s batches up to {reached} of {last} are final, indexed and "
            "acknowledged twice; see that the oracle, the ledger and the holder run, nothing need be sent again"
        )
        self.reached, self.last = reached, last


class NoSuchPoint(LookupError):
    """The file has no such metering point."""

    def __init__(self, file: str, point: str) -> None:
        super().__init__(f"{file}: no metering point {point}; `kopeck oracle points` lists those there are")
        self.point = point


@group.command("import")
def import_readings(
    path: Annotated[Path, typer.Argument(help="An 80020 file, or a table of half-hours.", exists=True, dir_okay=False)],
    home: HomeOption = DEFAULT_HOME,
    rpc: Annotated[str, typer.Option(help="A node of the town's chain.")] = "http://127.0.0.1:8545",
    oracle: Annotated[str, typer.Option(help="The oracle's intake.")] = "http://127.0.0.1:8001",
    zone: ZoneOption = "Europe/Moscow",
    wait: Annotated[float, typer.Option(help="Seconds to wait until the readings may be billed; 0 not at all.")] = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Reads a file whole, signs it as the importer, and hands it to the oracle; a faulty file is refused whole."""
    town = open_town(home)
    town.deployment.check(Rpc(rpc))
    steps = Steps(quiet=as_json)
    with steps.step("read", f"reading {path.name}"):
        file = read_import(path, point_secret(town.home), ZoneInfo(zone))
    with steps.step("send", f"signing and sending {len(file.records)} profiles"):
        client = OracleClient(oracle, town.home.token("files"))
        source = find_source(town.home.root, rpc, town.home.key(IMPORTER), SourceClass.IMPORTER)
        send(file, town, source, client)
        sequences = client.batches_of_document(file.document, source)
    if wait:
        with steps.step("wait", "anchoring, indexing and acknowledging"):
            wait_until_billable(town, file, source, max(sequences), wait)
    findings = [finding for sequence in sequences for finding in client.batch(source, sequence)["findings"]]
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
    document = "0x" + file.document.hex()
    if as_json:
        batches = {"batches": len(sequences), "sequences": sequences, "findings": findings}
        show_json({"file": file.file, "document": document, **batches, "channels": rows})
        return
    show(rows, False, f"{file.file} ({file.format})")
    out.print(f"{len(sequences)} batches, document {document}", highlight=False)
    if findings:
        show(findings, False, "readings that do not stand")


@group.command("points")
def points(
    path: Annotated[Path, typer.Argument(help="The file.", exists=True, dir_okay=False)],
    home: HomeOption = DEFAULT_HOME,
    zone: ZoneOption = "Europe/Moscow",
    as_json: JsonOption = False,
) -> None:
    """Says which meters a file's points become, without sending anything: what the operator binds to accounts."""
    file = read_import(path, point_secret(open_town(home).home), ZoneInfo(zone))
    rows = [{"point": c.point, "register": c.register, "meter": c.meter.hex()} for c in file.channels]
    show(rows, as_json, file.file)


@group.command("bind")
def bind(
    path: Annotated[Path, typer.Argument(help="The file.", exists=True, dir_okay=False)],
    points: Annotated[list[str], typer.Argument(help="POINT=ACCOUNT, as often as there are points.")],
    since: Annotated[datetime, typer.Option("--since", help="First day, in the house's zone.", formats=["%Y-%m-%d"])],
    until: Annotated[datetime | None, typer.Option("--until", help="First day no more.", formats=["%Y-%m-%d"])] = None,
    home: HomeOption = DEFAULT_HOME,
    zone: ZoneOption = "Europe/Moscow",
) -> None:
    """Puts a file's metering points on accounts, to be charged for the energy taken. Bind before you import."""
    town = open_town(home)
    file = read_import(path, point_secret(town.home), ZoneInfo(zone))
    meters = {channel.point: channel.meter for channel in file.channels if channel.register == ENERGY_REGISTER}
    accounts = Accounts(open_database(database_url(town.home.root)), KeyRing(town.home.root / "keyring.db"))
    houses = accounts.houses()
    bindings: dict[str, list[MeterBinding]] = {}
    for point, _, account in (pair.partition("=") for pair in points):
        if point not in meters:
            raise NoSuchPoint(file.file, point)
        local = ZoneInfo(houses[accounts.account(account).house].zone)
        first, end = _midnight(since, local), None if until is None else _midnight(until, local)
        bindings.setdefault(account, []).append(_profile_binding(meters[point], first, end))
    accounts.bind_many(bindings)
    out.print(f"{len(points)} points bound", highlight=False)


def _profile_binding(meter: MeterId, since: int, until: int | None) -> MeterBinding:
    return MeterBinding(meter, Service.ELECTRICITY, MeterKind.PROFILE, since, until, {ENERGY_REGISTER: "single"})


def _midnight(day: date, zone: ZoneInfo) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def point_secret(home: Home) -> bytes:
    """The operator's secret behind the names of imported points."""
    return home.key("operator-salt")


def send(file: ImportFile, town: Books, source: SourceId, client: OracleClient) -> int:
    """Signs and sends a file as the importer; how many batches. Raises AlreadyImported, Refused, OracleUnreachable."""
    home = town.home
    domain = anchor_domain(town.deployment.chain_id, town.deployment.addresses["ReadingAnchor"])
    outbox = Outbox(home.root / IMPORTER / "outbox.db", source)
    try:
        concentrator = Concentrator(source, domain, outbox, client, lambda: home.key(IMPORTER))
        return import_file(file, source, concentrator, outbox, client)
    finally:
        outbox.close()


def wait_until_billable(town: Books, file: ImportFile, source: SourceId, last: int, timeout_s: float) -> None:
    """Waits until a source's chain is final, indexed and acknowledged twice up to ``last``. Raises NotBillable."""
    deadline = time.monotonic() + timeout_s
    while True:
        reached = max((head.sequence for head in town.ledger.chain_heads() if head.source == source), default=0)
        if reached >= last:
            return
        if time.monotonic() > deadline:
            raise NotBillable("0x" + file.document.hex(), timeout_s, reached, last)
        time.sleep(_POLL_S)
