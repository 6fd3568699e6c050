"""Files of metering systems through the whole intake on a real chain: what comes out sums to what went in."""

from __future__ import annotations

import secrets
from collections import defaultdict
from pathlib import Path

import pandas as pd  # type: ignore[import-untyped]
import pytest

from contracts.client.files import HttpSource
from contracts.client.keyring import KeyRing
from contracts.wire.canonical import content_hash
from contracts.wire.events import Anchored
from contracts.wire.files import parse_file
from contracts.wire.ids import KeyId, MeterId, SourceClass
from contracts.wire.leaf import Profile, split_reading_blob
from contracts.wire.sealed import unseal
from oracle.client import OracleClient
from oracle.concentrator import Concentrator, read_key
from oracle.importer import AlreadyImported, FileTooLarge, ImportFile, import_file, meter_of_point, read_import
from oracle.outbox import Outbox
from oracle.sources.maket80020 import NotMaket80020
from tests.oracle.anvil import RealTown, until
from tests.oracle.conftest import DATA
from tests.oracle.test_maket80020 import COMMERCIAL, sums_by_other_code

VALIDATION = 1
SECRET = b"\x05" * 32
SGSC = DATA / "electricity_sgsc10" / "sgsc_6households_halfhourly.csv.gz"

real = pytest.mark.skipif(not DATA.is_dir(), reason=f"no {DATA}: the real files are not on this machine")


class Importer:
    """An importer of its own, with its outbox and its points bound to an account."""

    def __init__(self, town: RealTown, client: OracleClient, folder: Path) -> None:
        self.town, self.client, self.folder = town, client, folder
        self.name = f"importer-{secrets.token_hex(4)}"
        self.source = town.register_source(self.name, SourceClass.IMPORTER)

    def bind(self, file: ImportFile) -> None:
        ring = KeyRing(self.town.home / "keyring.db")
        account = KeyId(secrets.token_bytes(16))
        ring.create(account)
        for meter in {channel.meter for channel in file.channels}:
            ring.bind_meter(meter, account, 0)

    def run(self, file: ImportFile, outbox_name: str = "outbox.db") -> int:
        outbox = Outbox(self.folder / outbox_name, self.source)
        key = self.town.home / "keys" / f"{self.name}.key"
        concentrator = Concentrator(self.source, self.town.domain, outbox, self.client, lambda: read_key(key))
        return import_file(file, self.source, concentrator, outbox, self.client)

    def anchored(self, batches: int) -> list[Anchored]:
        def found() -> list[Anchored]:
            return [e for e in self.town.events(Anchored) if e.source == self.source]

        until(lambda: len(found()) == batches, f"{batches} batches of {self.name} on the chain")
        return found()

    def decisions(self) -> int:
        """How many decisions stand on the chain."""
        return sum(e.count for e in self.town.events(Anchored) if e.source == VALIDATION)

    def totals(self, events: list[Anchored]) -> dict[tuple[MeterId, int], int]:
        """What the anchored files hold, summed meter by meter and register by register."""
        served = HttpSource(self.town.oracle_url, self.town.token)
        ring = KeyRing(self.town.home / "keyring.db")
        sums: dict[tuple[MeterId, int], int] = defaultdict(int)
        for event in events:
            for line in parse_file(served.get("readings", event.root) or b"", event.root)[1]:
                assert line.key is not None
                record = split_reading_blob(unseal(ring.secret(line.key) or b"", line.leaf, line.sealed or b""))[1]
                assert isinstance(record, Profile)
                sums[record.meter, record.register] += sum(v for v in record.values if v is not None)
        return sums


@pytest.fixture
def importer(chain_town: RealTown, client: OracleClient, tmp_path: Path) -> Importer:
    return Importer(chain_town, client, tmp_path)


@real
@pytest.mark.parametrize("name", COMMERCIAL)
def test_a_real_80020_file_is_anchored_with_its_sums_and_its_document(importer: Importer, name: str) -> None:
    path = DATA / "maket80020" / name
    file = read_import(path, SECRET)
    importer.bind(file)
    importer.decisions()
    assert importer.run(file) == 1
    (event,) = importer.anchored(1)
    assert event.document == content_hash(path.read_bytes())
    document = HttpSource(importer.town.oracle_url, importer.town.token).get("documents", event.document)
    assert document == path.read_bytes()
    expected = {
        (meter_of_point(SECRET, "maket80020", point), {"01": 0, "02": 18, "03": 19, "04": 20}[channel]): kwh * 1000
        for (point, channel), kwh in sums_by_other_code(path).items()
    }
    assert importer.totals([event]) == expected
    assert importer.client.batch(importer.source, 1)["header"]["count"] == len(expected)
    assert not [
        e for e in importer.town.events(Anchored) if e.source == 1 and e.log.block_number >= event.log.block_number
    ]


@real
def test_half_hours_of_the_trial_are_anchored_with_their_sums(importer: Importer) -> None:
    file = read_import(SGSC, SECRET)
    importer.bind(file)
    batches = importer.run(file)
    frame = pd.read_csv(SGSC).groupby("customer_id")["general_supply_kwh"].sum()
    expected = {(meter_of_point(SECRET, "sgsc", str(c)), 0): round(kwh * 1000) for c, kwh in frame.items()}
    assert importer.totals(importer.anchored(batches)) == expected


@real
def test_a_file_is_imported_once_whatever_is_lost(importer: Importer) -> None:
    file = read_import(DATA / "maket80020" / COMMERCIAL[1], SECRET)
    assert importer.run(file) == 1
    for outbox in ("outbox.db", "another.db"):  # run again, and run again after the outbox was lost
        with pytest.raises(AlreadyImported, match=r"imported before, in batches 1; nothing is done"):
            importer.run(file, outbox)
    assert len(importer.anchored(1)) == 1


@real
def test_points_that_nobody_bound_are_overlaid_as_unknown(importer: Importer) -> None:
    file = read_import(DATA / "maket80020" / COMMERCIAL[0], b"\x06" * 32)
    before = importer.decisions()
    importer.run(file)
    importer.anchored(1)
    assert importer.decisions() - before == len(file.channels)


def test_a_file_longer_than_a_document_is_refused_without_reading_on(tmp_path: Path) -> None:
    path = tmp_path / "long.xml"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a terabyte of zeros that takes no room
    with pytest.raises(FileTooLarge, match=r"long\.xml: more than 33554432 bytes.*split the file"):
        read_import(path, SECRET)


def test_a_file_of_no_known_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("1;2;3\n")
    with pytest.raises(NotMaket80020, match=r"notes\.txt: neither"):
        read_import(path, SECRET)
