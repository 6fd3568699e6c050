"""Files of metering systems become signed batches of the importer's own source.

The importer vouches for the file's hash, not for the meter: every batch names the file as its document, and its
readings have the quality *imported*. A metering point becomes a meter by an HMAC under the operator's secret, so the
same point is the same meter in every file; until the operator binds that meter to an account, its readings are
overlaid as of an unknown meter.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from contracts.wire.canonical import content_hash
from contracts.wire.ids import Hash, MeterId, SourceId
from contracts.wire.leaf import Profile, Quality
from contracts.wire.units import Unit
from oracle.batch import MAX_BODY_BYTES
from oracle.client import OracleClient
from oracle.concentrator import Concentrator
from oracle.outbox import Outbox
from oracle.sources.maket80020 import STEP_S, Maket80020, NotMaket80020, read_maket80020
from oracle.sources.sgsc import CustomerDay, is_sgsc, read_sgsc
from oracle.validation import CLOCK_TOLERANCE_S

MOSCOW = ZoneInfo("Europe/Moscow")


class FileTooLarge(ValueError):
    """A file longer than the oracle keeps as a document."""

    def __init__(self, file: str, limit_bytes: int) -> None:
        super().__init__(f"{file}: more than {limit_bytes} bytes, which is all that is read; split the file")
        self.file = file
        self.limit_bytes = limit_bytes


class FileFromFuture(ValueError):
    """A file that tells of time that has not come, by the chain's clock."""

    def __init__(self, file: str, point: str, end: int, now: int) -> None:
        super().__init__(
            f"{file}: point {point} has intervals up to {end}, the chain's time is {now}; check the file's days and "
            "--zone, or import it again once they are past; nothing of it was taken"
        )
        self.file, self.point, self.end, self.now = file, point, end, now


class NotTakenYet(Exception):
    """The file is signed and kept, but the oracle does not take its batches now."""

    def __init__(self, file: str, left: int, reason: str) -> None:
        super().__init__(f"{file}: {left} batches are kept and not taken yet: {reason}; then import the file again")
        self.file, self.left, self.reason = file, left, reason


class AlreadyImported(Exception):
    """The file's batches stand in the importer's chain already; nothing is done."""

    def __init__(self, file: str, document: Hash, sequences: Sequence[int]) -> None:
        super().__init__(f"{file} was imported before, in batches {', '.join(map(str, sequences))}; nothing is done")
        self.document = document
        self.sequences = tuple(sequences)


@dataclass(frozen=True, slots=True)
class PointChannel:
    """A channel of a metering point and the meter it becomes. ``total`` sums its intervals, in ``unit``."""

    point: str
    name: str
    meter: MeterId
    register: int
    unit: Unit
    total: int


@dataclass(frozen=True, slots=True)
class ImportFile:
    """A file read whole: what it holds, as records to be signed."""

    file: str
    format: str
    document: Hash
    data: bytes
    channels: tuple[PointChannel, ...]
    records: tuple[Profile, ...]


def meter_of_point(secret: bytes, system: str, point: str) -> MeterId:
    """The meter that a metering point of a system becomes."""
    message = f"kopeck metering point\n{system}\n{point}".encode()
    return MeterId(hmac.new(secret, message, hashlib.sha256).digest()[:16])


def read_import(path: Path, secret: bytes, zone: ZoneInfo = MOSCOW) -> ImportFile:
    """Reads a file of any known format. A faulty file is refused whole.

    Raises Maket80020Error, SgscError, FileTooLarge, OSError.
    """
    data = _read_bounded(path)
    if is_sgsc(data):
        return _of_sgsc(path.name, data, secret)
    if data.lstrip()[:1] != b"<":
        raise NotMaket80020(path.name, "", "neither macket 80020 (XML) nor SGSC (CSV)", "give a file of either format")
    return _of_maket(read_maket80020(data, path.name, zone), data, secret)


def _check_past(file: ImportFile, now: int) -> None:
    """Before anything is signed: a batch of the future would hold up the importer's chain until its time."""
    points = {channel.meter: channel.point for channel in file.channels}
    for record in file.records:
        if record.end > now + CLOCK_TOLERANCE_S:
            raise FileFromFuture(file.file, points[record.meter], record.end, now)


def _read_bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_BODY_BYTES + 1)
    if len(data) > MAX_BODY_BYTES:
        raise FileTooLarge(path.name, MAX_BODY_BYTES)
    return data


def import_file(
    file: ImportFile, source: SourceId, concentrator: Concentrator, outbox: Outbox, client: OracleClient
) -> int:
    """Hands a file and its batches to the oracle; how many batches were sent. May be killed and run again.

    Raises FileFromFuture, AlreadyImported, NotTakenYet, Refused, OracleUnreachable.
    """
    _check_past(file, client.standing(source).chain_time)
    item = f"document {file.document.hex()}"
    if not outbox.items(item):
        before = client.batches_of_document(file.document, source)
        if before:
            raise AlreadyImported(file.file, file.document, before)
    client.put_document(file.document, file.data)
    concentrator.append(item, file.records, file.document)
    sent = concentrator.send()
    if left := outbox.unsent():
        raise NotTakenYet(file.file, len(left), concentrator.postponed or "the oracle gave no reason")
    if not sent:
        raise AlreadyImported(file.file, file.document, client.batches_of_document(file.document, source))
    return sent


def _of_maket(maket: Maket80020, data: bytes, secret: bytes) -> ImportFile:
    channels: list[PointChannel] = []
    records: list[Profile] = []
    for channel in maket.channels:
        meter = meter_of_point(secret, "maket80020", channel.point)
        total = sum(value for value in channel.values if value is not None)
        channels.append(PointChannel(channel.point, channel.point_name, meter, channel.register, channel.unit, total))
        records.append(
            Profile(meter, channel.register, channel.start, STEP_S, channel.unit, channel.values, channel.qualities)
        )
    return ImportFile(maket.file, "maket80020", content_hash(data), data, tuple(channels), tuple(records))


def _of_sgsc(name: str, data: bytes, secret: bytes) -> ImportFile:
    totals: dict[str, int] = {}
    records: list[Profile] = []
    for day in read_sgsc(data, name):
        totals[day.customer] = totals.get(day.customer, 0) + sum(v for v in day.values if v is not None)
        records.append(_sgsc_profile(day, meter_of_point(secret, "sgsc", day.customer)))
    channels = tuple(
        PointChannel(customer, customer, meter_of_point(secret, "sgsc", customer), 0, Unit.WH, total)
        for customer, total in totals.items()
    )
    return ImportFile(name, "sgsc", content_hash(data), data, channels, tuple(records))


def _sgsc_profile(day: CustomerDay, meter: MeterId) -> Profile:
    qualities = tuple(Quality.MISSING if value is None else Quality.IMPORTED for value in day.values)
    return Profile(meter, 0, day.start, STEP_S, Unit.WH, day.values, qualities)
