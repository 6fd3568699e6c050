"""A concentrator (УСПД): gathers readings, signs them in batches and sends them until the oracle has them.

As a process it takes what meters said from a spool folder (``spool_readings`` writes there) and keeps it in its
durable outbox. It survives outages of the oracle and a kill at any moment, and signs with whatever key its key file
holds when it sends, so that a rotation needs no restart::

    python -m oracle.concentrator --home DIR --name concentrator-1 --oracle URL --source 1
"""

from __future__ import annotations

import argparse
import base64
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path

import structlog

from contracts.client.attach import await_node, check_node, plain_end
from contracts.client.deployments import Deployment
from contracts.client.private import private_folder
from contracts.client.reader import Reader
from contracts.client.rpc import Rpc
from contracts.wire.ids import NO_HASH, Address, Hash, SourceClass, SourceId, address_text
from contracts.wire.leaf import Decision, LeafError, Profile, Record, RegisterReading, decode_record, encode_record
from contracts.wire.typed_data import BatchHeader, Domain, address_of, anchor_domain
from oracle.batch import MAX_LEAVES, SignedBatch, sign_header
from oracle.chain import OnChain
from oracle.client import OracleClient, OracleUnreachable, Refused
from oracle.errors import ChainUnavailable
from oracle.outbox import Outbox

_RESYNC = ("broken-chain", "equivocation", "stale-sequence", "wrong-epoch", "not-standing")
_LATER = ("period-in-future", "source-not-yet-valid", "wrong-signature")
_COMPARE_S = 3.0
_SUFFIX = ".readings"

log = structlog.get_logger(__name__)


class _Answer(Enum):
    """What came of sending a batch: ``MOVED``: it has another place in the chain now, send what is there."""

    TAKEN = 1
    LATER = 2
    MOVED = 3


class Concentrator:
    """One source of signed batches: appends to its outbox, sends what is in it."""

    def __init__(
        self, source: SourceId, domain: Domain, outbox: Outbox, client: OracleClient, key: Callable[[], bytes]
    ) -> None:
        self._source = source
        self._domain = domain
        self._outbox = outbox
        self._client = client
        self._key = key
        self._compared = False
        self.postponed: str | None = None
        """Why the oracle did not take a batch when it was last sent, where it is to be sent again later."""

    def append(self, item: str, records: Sequence[Record], document: Hash = NO_HASH) -> list[BatchHeader]:
        """Keeps readings as the next batches; ``item`` names them, and the same item again changes nothing."""
        parts = [records[i : i + MAX_LEAVES] for i in range(0, len(records), MAX_LEAVES)]
        return [
            self._outbox.append(f"{item}/{number}", part, period_of(part), document)
            for number, part in enumerate(parts)
        ]

    def send(self) -> int:
        """Sends everything that has no receipt; how many batches the oracle took.

        Raises OracleUnreachable, or Refused where the oracle will not take a batch; what is not taken stays here.
        """
        if not self._compared:
            self.compare()
        taken = 0
        self.postponed = None
        try:
            while outgoing := self._outbox.unsent():
                for out in outgoing:
                    answer = self._send_one(out.header, out.blobs or ())
                    if answer is _Answer.LATER:
                        return taken
                    if answer is _Answer.MOVED:
                        break
                    taken += 1
        except (OracleUnreachable, Refused):
            self._compared = False
            raise
        return taken

    def compare(self) -> None:
        """Compares the outbox with the oracle's head: done before the first batch, after every trouble, and now and
        then while idle, since a batch may have to be signed again. Raises OracleUnreachable, Refused."""
        self._resume()
        self._compared = True

    def _send_one(self, header: BatchHeader, blobs: tuple[bytes, ...]) -> _Answer:
        signature = sign_header(header, self._domain, self._key())
        try:
            receipt = self._client.post(SignedBatch(header, signature, blobs))
        except Refused as refused:
            if refused.slug in _LATER:
                log.warning("batch is sent again later", sequence=header.sequence, reason=str(refused))
                self.postponed = str(refused)
                return _Answer.LATER
            if refused.slug in _RESYNC and self._resume(strictly=True):
                return _Answer.MOVED
            raise
        log.info("batch taken", source=header.source, sequence=header.sequence, state=receipt["state"])
        self._outbox.settle(header)
        return _Answer.TAKEN

    def _resume(self, strictly: bool = False) -> bool:
        """Compares with the oracle's head: settles what it has, goes on from it where it is ahead.

        ``strictly``: the oracle refused our next batch, so its head counts whatever we think. Whether anything moved.
        """
        standing = self._client.standing(self._source)
        for sequence in standing.sign_again:
            self._sign_again(sequence)
        head, position = standing.head, self._outbox.position()
        for out in self._outbox.unsent():
            if out.header.head() == head.head:
                log.info("receipt had been lost", sequence=out.header.sequence)
                self._settle_up_to(out.header)
        lost = standing.lost & self._outbox.held()
        ahead = (head.epoch, head.sequence) > (position.epoch, position.sequence)
        moved = bool(lost) or ahead or (strictly and head != position)
        if moved:
            log.warning("going on from the oracle's head", sequence=head.sequence, epoch=head.epoch, lost=len(lost))
            self._outbox.go_on_from(head, lost)
        self._outbox.forget_up_to(head.epoch, standing.anchored)
        return moved

    def _settle_up_to(self, header: BatchHeader) -> None:
        for out in self._outbox.unsent():
            if (out.header.epoch, out.header.sequence) <= (header.epoch, header.sequence):
                self._outbox.settle(out.header)

    def _sign_again(self, sequence: int) -> None:
        out = self._outbox.find(sequence)
        if out is None:
            return
        signature = sign_header(out.header, self._domain, self._key())
        try:
            self._client.put_signature(self._source, sequence, signature)
        except Refused as refused:
            log.warning("new signature not taken", sequence=sequence, reason=str(refused))


def period_of(records: Sequence[Record]) -> tuple[int, int]:
    """First and last second that records speak of."""
    starts = [_span(record)[0] for record in records]
    ends = [_span(record)[1] for record in records]
    return min(starts), max(ends)


def _span(record: Record) -> tuple[int, int]:
    if isinstance(record, RegisterReading):
        return record.taken_at, record.taken_at
    if isinstance(record, Profile):
        return record.start, record.end
    raise LeafError("a decision is no reading")


def spool_readings(folder: Path, item: str, records: Sequence[RegisterReading | Profile]) -> None:
    """Leaves readings for a concentrator's process: written aside, flushed, renamed. ``item`` is a file name."""
    private_folder(folder)
    lines = b"".join(base64.b64encode(encode_record(record)) + b"\n" for record in records)
    aside = folder / f".{item}.new"
    with aside.open("wb") as file:
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(folder / f"{item}{_SUFFIX}")


def read_spooled(path: Path) -> list[Record]:
    """The readings of a spool file. Raises LeafError naming the line."""
    records: list[Record] = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            record = decode_record(base64.b64decode(line, validate=True))
        except ValueError as error:
            raise LeafError(f"{path.name}, line {number}: {error}") from error
        if isinstance(record, Decision):
            raise LeafError(f"{path.name}, line {number}: a decision is no reading")
        records.append(record)
    return records


def take_spool(folder: Path, concentrator: Concentrator) -> int:
    """Moves spooled readings into the outbox, in order of their names; how many files. A faulty one is set aside."""
    taken = 0
    for path in sorted(folder.glob(f"[!.]*{_SUFFIX}")):
        try:
            records = read_spooled(path)
        except LeafError as error:
            log.error("spool file set aside", file=path.name, reason=str(error), remedy="write it again")
            path.replace(path.with_suffix(".faulty"))
            continue
        if records:
            concentrator.append(path.stem, records)
        path.unlink()
        taken += 1
    return taken


def run(concentrator: Concentrator, spool: Path, stop: threading.Event, idle_s: float = 0.25) -> None:
    """The process's loop: spool → outbox → oracle, until told to stop."""
    private_folder(spool)
    wait = idle_s
    compared = time.monotonic()
    while True:
        try:
            take_spool(spool, concentrator)
            concentrator.send()
            if time.monotonic() - compared > _COMPARE_S:
                concentrator.compare()
                compared = time.monotonic()
            wait = idle_s
        except (OracleUnreachable, Refused) as error:
            log.warning("not sent", reason=str(error))
            wait = min(2 * wait, 5.0)
        if stop.wait(wait):
            return


class UnknownSource(LookupError):
    """The Registry knows no source, or no longer one, with a key."""

    def __init__(self, address: Address) -> None:
        super().__init__(
            f"the Registry knows no source with the key of {address_text(address)}; have the operator register it"
        )
        self.address = address


def find_source(home: Path, rpc_url: str, private_key: bytes, kind: SourceClass) -> SourceId:
    """The Registry's number of the source with this key.

    Raises UnknownSource; of the node WrongChain, NotDeployed, NodeError.
    """
    deployment, rpc = Deployment.load(home / "deployment.json"), Rpc(rpc_url)
    check_node(rpc, deployment)
    source = OnChain(Reader(rpc, deployment), deployment).own_source(address_of(private_key), kind)
    if source is None:
        raise UnknownSource(address_of(private_key))
    return source


def read_key(path: Path) -> bytes:
    """The private key in a key file."""
    return bytes.fromhex(path.read_text().strip().removeprefix("0x"))


def main(argv: Sequence[str] | None = None) -> None:
    """The process."""
    parser = argparse.ArgumentParser(prog="python -m oracle.concentrator", description="A concentrator that signs.")
    parser.add_argument("--home", type=Path, default=Path("var/local"), help="the town's directory")
    parser.add_argument("--name", default="concentrator-1", help="names the key file and the folder in --home")
    parser.add_argument("--oracle", default="http://127.0.0.1:8001", help="the oracle's address")
    parser.add_argument("--source", type=int, help="the source's number in the Registry; asked by --rpc otherwise")
    parser.add_argument("--rpc", default="http://127.0.0.1:8545", help="a node, where --source is not given")
    arguments = parser.parse_args(argv)
    home: Path = arguments.home
    key_file = home / "keys" / f"{arguments.name}.key"
    deployment = Deployment.load(home / "deployment.json")
    source = SourceId(arguments.source) if arguments.source else None
    if source is None:
        with plain_end(UnknownSource, ChainUnavailable):
            await_node(Rpc(arguments.rpc), deployment, threading.Event())
            source = find_source(home, arguments.rpc, read_key(key_file), SourceClass.CONCENTRATOR)
    concentrator = Concentrator(
        source,
        anchor_domain(deployment.chain_id, deployment.addresses["ReadingAnchor"]),
        Outbox(home / arguments.name / "outbox.db", source),
        OracleClient(arguments.oracle),
        lambda: read_key(key_file),
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run(concentrator, home / arguments.name / "spool", stop)


if __name__ == "__main__":
    main()
