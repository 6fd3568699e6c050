"""A town small enough to hold in one hand: three meters of two accounts, two concentrators, a still clock."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contracts.client.files import FileStore
from contracts.client.keyring import KeyRing
from contracts.wire.ids import NO_HASH, Address, KeyId, MeterId, SourceClass, SourceId
from contracts.wire.leaf import Profile, Quality, ReadingFlags, Record, RegisterReading, reading_blob
from contracts.wire.merkle import leaf_hash
from contracts.wire.typed_data import BatchHeader, Domain, address_of, anchor_domain
from contracts.wire.units import Unit
from oracle.batch import NO_BATCH, ChainHead, SignedBatch, make_header, sign_header
from oracle.chain import SourceEntry
from oracle.client import OracleClient
from oracle.intake import Intake
from oracle.keys import SealingKeys
from oracle.schema import open_database

if TYPE_CHECKING:
    from tests.oracle.anvil import RealTown

NOW = 1_769_900_400
"""The chain's time in these tests: 31 January 2026, 23:00 UTC."""
HOUR = 3600
DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@dataclass
class StillChain:
    """What the chain would answer, settable: the rules of intake are tried here, the real chain elsewhere."""

    sources: dict[int, SourceEntry] = field(default_factory=dict)
    heads: dict[int, ChainHead] = field(default_factory=dict)
    time: int = NOW
    domain: Domain = field(default_factory=lambda: anchor_domain(31337, Address(b"\x0a" * 20)))

    @property
    def deployment_json(self) -> dict[str, object]:
        return {"chain_id": 31337, "reading_anchor": "0x" + "0a" * 20}

    def now(self) -> int:
        return self.time

    def source(self, source: int, fresh: bool = False) -> SourceEntry | None:  # noqa: ARG002
        return self.sources.get(source)

    def head_of(self, source: int) -> ChainHead:
        return self.heads.get(source, NO_BATCH)


@dataclass
class Signer:
    """A source as a test drives it: signs the next batch of its chain, or any other."""

    source: SourceId
    key: bytes
    chain: StillChain
    head: ChainHead = NO_BATCH

    def next(self, *records: Record, **changes: object) -> SignedBatch:
        """The next batch of the chain; ``changes`` are fields of the header set otherwise before it is signed."""
        batch = self.make(self.head, *records, **changes)
        self.head = ChainHead(batch.header.epoch, batch.header.sequence, batch.header.head())
        return batch

    def make(self, after: ChainHead, *records: Record, **changes: object) -> SignedBatch:
        """A batch that follows ``after``; the chain stays where it is."""
        blobs = tuple(reading_blob(secrets.token_bytes(32), record) for record in records)
        header = make_header(self.source, after, [leaf_hash(blob) for blob in blobs], (NOW - 24 * HOUR, NOW), NO_HASH)
        header = replace(header, **changes)  # type: ignore[arg-type]
        return SignedBatch(header, self.sign(header), blobs)

    def sign(self, header: BatchHeader) -> bytes:
        return sign_header(header, self.chain.domain, self.key)


@dataclass
class Town:
    """Everything a test of intake needs."""

    chain: StillChain
    intake: Intake
    ring: KeyRing
    folder: Path
    meters: list[MeterId]
    accounts: list[KeyId]

    def signer(self, number: int, kind: SourceClass = SourceClass.CONCENTRATOR) -> Signer:
        """Registers a source and hands out its signer."""
        key = number.to_bytes(32, "big")
        self.chain.sources[number] = SourceEntry(address_of(key), kind, 0, 0)
        return Signer(SourceId(number), key, self.chain)

    def reopened(self) -> Intake:
        """The same intake after its process was killed and started again."""
        return make_intake(self.folder, self.chain)


def make_intake(folder: Path, chain: StillChain) -> Intake:
    engine = open_database(f"sqlite:///{folder / 'oracle.db'}")
    return Intake(engine, FileStore(folder / "files"), SealingKeys(folder / "keyring.db"), chain)


def reading(
    meter: MeterId, value: int, at: int = NOW - HOUR, flags: ReadingFlags = ReadingFlags.NONE
) -> RegisterReading:
    """A reading of the total register, Wh."""
    return RegisterReading(meter, 0, at, value, Unit.WH, Quality.MEASURED, flags)


def profile(meter: MeterId, start: int, values: list[int | None]) -> Profile:
    """Half-hours, Wh."""
    qualities = tuple(Quality.MISSING if value is None else Quality.MEASURED for value in values)
    return Profile(meter, 0, start, 1800, Unit.WH, tuple(values), qualities)


@pytest.fixture
def town(tmp_path: Path) -> Town:
    ring = KeyRing(tmp_path / "keyring.db")
    accounts = [KeyId(secrets.token_bytes(16)) for _ in range(2)]
    ring.create_many(accounts)
    meters = [MeterId(secrets.token_bytes(16)) for _ in range(3)]
    for meter, account in zip(meters, [accounts[0], accounts[0], accounts[1]], strict=True):
        ring.bind_meter(meter, account, 0)
    chain = StillChain()
    return Town(chain, make_intake(tmp_path, chain), ring, tmp_path, meters, accounts)


@pytest.fixture(scope="session")
def chain_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealTown]:
    """An oracle's process on an Anvil of its own, shared by the tests of a run: each has sources of its own."""
    from tests.oracle.anvil import start_town

    town, chain = start_town(tmp_path_factory.mktemp("town"))
    town.register_source("validation", SourceClass.VALIDATION)
    town.register_source("self-report", SourceClass.SELF_REPORT)
    town.start_oracle()
    yield town
    town.stop()
    chain.terminate()
    chain.wait(timeout=10)


@pytest.fixture
def client(chain_town: RealTown) -> Iterator[OracleClient]:
    client = OracleClient(chain_town.oracle_url, chain_town.token)
    yield client
    client.close()
