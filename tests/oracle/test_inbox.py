"""Readings given by hand: kept once, signed by the self-report desk, judged like any other."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest

from contracts.client.keyring import KeyRing
from contracts.wire.events import Anchored
from contracts.wire.files import parse_file
from contracts.wire.ids import MeterId
from contracts.wire.leaf import Quality, RegisterReading, split_reading_blob
from contracts.wire.sealed import unseal
from oracle.inbox import ManualReadings
from oracle.main import database_url
from oracle.refusals import InboxConflict, ManualReadingRefused
from oracle.schema import open_database
from tests.oracle.anvil import RealTown, until
from tests.oracle.conftest import HOUR, NOW, Town, reading

SELF_REPORT = 2


def test_the_same_key_keeps_one_reading(town: Town) -> None:
    inbox = ManualReadings(town.intake.engine, town.ring)
    given = reading(town.meters[0], 100)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: inbox.submit("k1", given), range(100)))
    assert len({answer.leaf for answer in answers}) == 1
    with pytest.raises(InboxConflict, match="'k1' stands for another reading"):
        inbox.submit("k1", reading(town.meters[0], 101))
    assert inbox.find("k1") == answers[0]
    assert inbox.find("k2") is None


def test_what_cannot_be_taken_is_refused_by_name(town: Town) -> None:
    inbox = ManualReadings(town.intake.engine, town.ring)
    with pytest.raises(ManualReadingRefused, match=f"meter {'0c' * 16} is bound to no account"):
        inbox.submit("k", reading(MeterId(b"\x0c" * 16), 1))
    with pytest.raises(ManualReadingRefused, match="'k'"):
        inbox.submit("k", reading(town.meters[0], 1 << 70))
    with pytest.raises(ManualReadingRefused, match="1 to 128"):
        inbox.submit("", reading(town.meters[0], 1))


def test_manual_readings_reach_the_chain_as_self_reported(chain_town: RealTown) -> None:
    meter, other = chain_town.bind_meters(2)
    ring = KeyRing(chain_town.home / "keyring.db")
    inbox = ManualReadings(open_database(database_url(chain_town.home)), ring)
    before = len(_anchored(chain_town))
    keys = [secrets.token_hex(8) for _ in range(3)]
    inbox.submit(keys[0], reading(meter, 100, NOW - 2 * HOUR))
    inbox.submit(keys[1], reading(other, 7, NOW - 2 * HOUR))
    until(lambda: len(_anchored(chain_town)) > before, "the self-reported batch")
    records = [record for event in _anchored(chain_town)[before:] for record in _records(chain_town, event)]
    assert {(r.meter, r.value, r.quality) for r in records} == {
        (meter, 100, Quality.SELF_REPORTED),
        (other, 7, Quality.SELF_REPORTED),
    }
    found = inbox.find(keys[0])
    assert found is not None
    assert found.batch_head is not None
    decided = len([e for e in chain_town.events(Anchored) if e.source == 1])
    inbox.submit(keys[2], reading(meter, 50, NOW - HOUR))
    until(lambda: len([e for e in chain_town.events(Anchored) if e.source == 1]) > decided, "the decision on it")


def _anchored(town: RealTown) -> list[Anchored]:
    return [event for event in town.events(Anchored) if event.source == SELF_REPORT]


def _records(town: RealTown, event: Anchored) -> list[RegisterReading]:
    data = (town.home / "oracle" / "files" / "readings" / f"0x{event.root.hex()}.jsonl").read_bytes()
    ring = KeyRing(town.home / "keyring.db")
    records = []
    for line in parse_file(data, event.root)[1]:
        assert line.key is not None
        record = split_reading_blob(unseal(ring.secret(line.key) or b"", line.leaf, line.sealed or b""))[1]
        assert isinstance(record, RegisterReading)
        records.append(record)
    return records
