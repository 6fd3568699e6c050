"""The oracle on a real chain: what it accepts is anchored once, whatever is killed, revoked, rotated or reorganised."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

import pytest

from contracts.client.files import HttpSource
from contracts.client.keyring import KeyRing
from contracts.wire.calls import encode_revoke_source, encode_rotate_source
from contracts.wire.events import Anchored
from contracts.wire.events import EpochReset as EpochResetEvent
from contracts.wire.events import Equivocation as EquivocationEvent
from contracts.wire.files import parse_file
from contracts.wire.ids import Hash, MeterId, SourceClass, SourceId
from contracts.wire.leaf import Decision, DecisionReason, split_reading_blob
from contracts.wire.sealed import unseal
from contracts.wire.typed_data import EpochReset, address_of, sign_digest
from oracle.batch import ChainHead, SignedBatch
from oracle.client import OracleClient, OracleUnreachable, Refused
from oracle.concentrator import Concentrator, read_key, spool_readings
from oracle.outbox import Outbox
from tests.oracle.anvil import RealTown, until
from tests.oracle.conftest import HOUR, NOW, Signer, reading


class Source:
    """A registered concentrator with its outbox, in this process."""

    def __init__(self, town: RealTown, client: OracleClient, folder: Path) -> None:
        self.town = town
        self.name = f"concentrator-{secrets.token_hex(4)}"
        self.number = town.register_source(self.name, SourceClass.CONCENTRATOR)
        self.meter: MeterId = town.bind_meters(1)[0]
        self.outbox = Outbox(folder / f"{self.name}.db", self.number)
        self.concentrator = Concentrator(self.number, town.domain, self.outbox, client, self.key)
        self._value = 100

    def key(self) -> bytes:
        return read_key(self.town.home / "keys" / f"{self.name}.key")

    def append(self, batches: int) -> None:
        """Batches of one reading each, an hour apart."""
        for _ in range(batches):
            at = NOW - 90 * 24 * HOUR + self._value * 60
            self.concentrator.append(f"item {self._value}", [reading(self.meter, self._value, at)])
            self._value += 1

    def signer(self) -> Signer:
        """The same key, outside the outbox: for what an honest concentrator does not do."""

        class _Domain:
            domain = self.town.domain

        return Signer(self.number, self.key(), _Domain())  # type: ignore[arg-type]

    def wait_anchored(self, sequence: int) -> None:
        until(lambda: self.town.on_chain(self.number)[0] >= sequence, f"batch {sequence} of {self.name} on the chain")


@pytest.fixture
def source(chain_town: RealTown, client: OracleClient, tmp_path: Path) -> Source:
    return Source(chain_town, client, tmp_path)


def test_batches_in_flight_are_anchored_in_order_and_served(source: Source, chain_town: RealTown) -> None:
    source.append(25)
    assert source.concentrator.send() == 25
    source.wait_anchored(25)
    sequence, epoch, head = chain_town.on_chain(source.number)
    assert (sequence, epoch, head) == (25, 0, source.outbox.position().head)
    anchored = [e for e in chain_town.events(Anchored) if e.source == source.number]
    assert [e.sequence for e in anchored] == list(range(1, 26))
    served = HttpSource(chain_town.oracle_url, chain_town.token)
    for event in anchored:
        data = served.get("readings", event.root)
        assert data is not None
        assert len(parse_file(data, event.root)[1]) == event.count == 1


def test_files_and_quarantine_are_for_entitled_readers(chain_town: RealTown, source: Source) -> None:
    source.append(1)
    source.concentrator.send()
    stranger = OracleClient(chain_town.oracle_url, "guess")
    for path in ("/files/readings/0x" + "11" * 32, "/quarantine"):
        with pytest.raises(Refused) as caught:
            stranger._send("GET", path)
        assert caught.value.slug == "not-entitled"


def test_decisions_reach_the_chain_before_the_batch_they_judge(source: Source, chain_town: RealTown) -> None:
    source.concentrator.append(
        "faulty",
        [
            reading(source.meter, 100, NOW - 3 * HOUR),
            reading(source.meter, 40, NOW - 2 * HOUR),
            reading(MeterId(b"\x0e" * 16), 1, NOW - HOUR),
        ],
    )
    source.concentrator.send()
    source.wait_anchored(1)
    anchored = {e.source: e for e in chain_town.events(Anchored)}
    validation = SourceId(1)
    judged, judging = anchored[source.number], anchored[validation]
    assert (judging.log.block_number, judging.log.log_index) < (judged.log.block_number, judged.log.log_index)
    data = HttpSource(chain_town.oracle_url, chain_town.token).get("readings", judging.root)
    assert data is not None
    ring = KeyRing(chain_town.home / "keyring.db")
    found = []
    for line in parse_file(data, judging.root)[1]:
        assert line.key is not None
        secret = ring.secret(line.key)
        assert secret is not None
        assert line.sealed is not None
        found.append(split_reading_blob(unseal(secret, line.leaf, line.sealed))[1])
    assert all(isinstance(decision, Decision) for decision in found)
    assert {(d.overlaid_root, d.overlaid_index, d.reason, d.instead) for d in found if isinstance(d, Decision)} >= {
        (judged.root, 1, DecisionReason.DECREASING, None),
        (judged.root, 2, DecisionReason.UNKNOWN_METER, None),
    }


def test_kills_at_any_moment_lose_and_double_nothing(chain_town: RealTown, source: Source) -> None:
    chain_town.start_concentrator(source.name, source.number)
    spool = chain_town.home / source.name / "spool"
    for n in range(12):
        readings = [reading(source.meter, 100 + n, NOW - 50 * HOUR + n * HOUR)]
        spool_readings(spool, f"day-{n:03}", readings)
        if n in (2, 5, 9):
            chain_town.kill("oracle")
            chain_town.start_oracle()
        if n in (4, 7):
            chain_town.kill(source.name)
            chain_town.start_concentrator(source.name, source.number)
    source.wait_anchored(12)
    anchored = [e for e in chain_town.events(Anchored) if e.source == source.number]
    assert [e.sequence for e in anchored] == list(range(1, 13))
    assert sum(e.count for e in anchored) == 12
    assert not list(spool.glob("*.readings"))
    _finalize(chain_town, source.number, 12)


def test_a_rotation_needs_no_restart_and_loses_nothing(chain_town: RealTown, source: Source) -> None:
    source.append(2)
    source.concentrator.send()
    source.wait_anchored(2)
    chain_town.kill("oracle")  # so that nothing is anchored between acceptance and rotation
    fresh = secrets.token_bytes(32)
    chain_town.start_oracle()
    source.append(3)
    chain_town.mine_by_hand()
    try:
        source.concentrator.send()
        chain_town.send_by_operator(encode_rotate_source(source.number, address_of(fresh), 0))
    finally:
        chain_town.mine_by_clock()
    chain_town.write_key(source.name, fresh)

    def anchored() -> bool:
        source.concentrator.compare()
        return chain_town.on_chain(source.number)[0] == 5

    until(anchored, "all five batches under the new key", 30)
    assert chain_town.on_chain(source.number)[2] == source.outbox.position().head
    source.append(1)
    assert source.concentrator.send() == 1
    source.wait_anchored(6)


def test_a_revoked_source_is_refused_and_what_was_not_anchored_never_is(
    chain_town: RealTown, source: Source, client: OracleClient
) -> None:
    source.append(1)
    source.concentrator.send()
    source.wait_anchored(1)
    chain_town.revoke(source.number)
    source.append(1)

    time.sleep(1.1)  # the oracle remembers a source's entry for a second; what it takes meanwhile the chain refuses
    with pytest.raises(Refused, match="was revoked at") as caught:
        source.concentrator.send()
    assert caught.value.slug == "source-revoked"
    assert "register a new source" in caught.value.remedy
    assert chain_town.on_chain(source.number)[0] == 1
    assert client.batch(source.number, 2)["state"] == "quarantined"


def test_what_was_accepted_before_a_revocation_is_given_up(
    chain_town: RealTown, source: Source, client: OracleClient
) -> None:
    chain_town.mine_by_hand()
    try:
        source.append(2)
        chain_town.send_by_operator(encode_revoke_source(source.number))
        assert source.concentrator.send() == 2
    finally:
        chain_town.mine_by_clock()
    until(lambda: client.batch(source.number, 2)["state"] == "refused", "the end of batch 2")
    assert (
        "register" in client.batch(source.number, 1)["reason"].lower()
        or "revoked" in client.batch(source.number, 1)["reason"]
    )
    assert chain_town.on_chain(source.number)[0] == 0
    source.append(1)
    with pytest.raises(Refused):
        source.concentrator.send()


def test_equivocation_becomes_public_evidence(chain_town: RealTown, source: Source, client: OracleClient) -> None:
    source.append(1)
    source.concentrator.send()
    signer = source.signer()
    twin: SignedBatch = signer.next(reading(source.meter, 999, NOW - HOUR))
    with pytest.raises(Refused) as caught:
        client.post(twin)
    assert caught.value.slug == "equivocation"
    until(lambda: bool(chain_town.reader.view("ReadingAnchor", "equivocated", source.number)), "the evidence")
    event = next(e for e in chain_town.events(EquivocationEvent) if e.source == source.number)
    assert event.sequence == 1
    assert bytes(event.second) == twin.header.head()
    source.append(1)
    source.concentrator.send()
    source.wait_anchored(2)


def test_a_lost_outbox_declares_its_gap_and_goes_on(chain_town: RealTown, source: Source, client: OracleClient) -> None:
    source.append(2)
    source.concentrator.send()
    source.wait_anchored(2)
    _, epoch, head = chain_town.on_chain(source.number)
    reason = Hash(secrets.token_bytes(32))
    reset = EpochReset(source.number, epoch + 1, head, reason)
    digest = chain_town.domain.digest(reset.struct_hash())
    by_operator = sign_digest(chain_town.keys["operator"], digest)
    client.reset(source.number, reason, sign_digest(source.key(), digest), by_operator)
    until(lambda: chain_town.on_chain(source.number)[1] == 1, "the reset")
    assert chain_town.on_chain(source.number) == (0, 1, reset.head())
    assert [e.epoch for e in chain_town.events(EpochResetEvent) if e.source == source.number] == [1]
    source.append(2)

    def both_anchored() -> bool:
        """What the oracle took in the old epoch a moment too late comes back and is sent again."""
        source.concentrator.send()
        source.concentrator.compare()
        return chain_town.on_chain(source.number)[0] == 2

    until(both_anchored, "both batches in the new epoch")
    assert source.outbox.position() == ChainHead(1, 2, chain_town.on_chain(source.number)[2])
    anchored = [(e.epoch, e.sequence, e.count) for e in chain_town.events(Anchored) if e.source == source.number]
    assert anchored == [(0, 1, 1), (0, 2, 1), (1, 1, 1), (1, 2, 1)]


def test_an_outbox_restored_from_a_backup_does_not_sign_twice(
    chain_town: RealTown, source: Source, client: OracleClient, tmp_path: Path
) -> None:
    source.append(3)
    source.concentrator.send()
    source.wait_anchored(3)
    restored = Outbox(tmp_path / "restored.db", source.number)
    concentrator = Concentrator(source.number, chain_town.domain, restored, client, source.key)
    concentrator.append("after the loss", [reading(source.meter, 500, NOW)])
    assert concentrator.send() == 1
    source.wait_anchored(4)
    assert restored.position().head == chain_town.on_chain(source.number)[2]
    assert not chain_town.reader.view("ReadingAnchor", "equivocated", source.number)


def test_an_outage_of_the_oracle_only_delays(chain_town: RealTown, source: Source) -> None:
    chain_town.kill("oracle")
    source.append(5)
    with pytest.raises(OracleUnreachable):
        source.concentrator.send()
    chain_town.start_oracle()
    assert source.concentrator.send() == 5
    source.wait_anchored(5)


@pytest.mark.parametrize("depth", [1, 10])
def test_a_reorganisation_takes_nothing_away(chain_town: RealTown, source: Source, depth: int) -> None:
    chain_town.finalize()  # so that the reorganisation leaves the source's registration
    source.append(3)
    source.concentrator.send()
    source.wait_anchored(3)
    chain_town.rpc.call("anvil_reorg", depth, [])
    source.append(2)
    source.concentrator.send()
    source.wait_anchored(5)
    _finalize(chain_town, source.number, 5)
    anchored = [e for e in chain_town.events(Anchored) if e.source == source.number]
    assert [e.sequence for e in anchored] == [1, 2, 3, 4, 5]


def _finalize(town: RealTown, source: SourceId, sequence: int) -> None:
    until(lambda: _state(town, source, sequence) == "anchored", f"batch {sequence} to be anchored")
    town.finalize()
    until(lambda: _state(town, source, sequence) == "final", f"batch {sequence} to be final")


def _state(town: RealTown, source: SourceId, sequence: int) -> str:
    client = OracleClient(town.oracle_url)
    try:
        return str(client.batch(source, sequence)["state"])
    finally:
        client.close()
