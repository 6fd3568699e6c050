"""Blobs of leaves, docs/protocol.md §3–§5: fixed layouts, encoded and decoded here and nowhere else."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from contracts.wire.ids import BillKey, GrantBatchId, Hash, MeterId, SupplierId
from contracts.wire.keccak import keccak
from contracts.wire.units import Unit

MAX_LINES = 32
MAX_LINE_KOPECKS = (1 << 48) - 1
MISSING_VALUE = 0xFFFFFFFF


class LeafError(ValueError):
    """A blob is not of the layout that its kind fixes."""


class Quality(IntEnum):
    """How a reading came to be."""

    MEASURED = 0
    SUBSTITUTED = 1
    ESTIMATED = 2
    SELF_REPORTED = 3
    INSPECTOR = 4
    IMPORTED = 5
    NOT_FOR_SETTLEMENT = 6
    MISSING = 7


class ReadingFlags(IntFlag):
    """What the meter or its concentrator noticed."""

    NONE = 0
    CLOCK_SKEW = 1
    TAMPER = 2
    ROLLOVER = 4
    METER_REPLACED = 8
    POWER_LOSS = 16


class DecisionReason(IntEnum):
    """Why the validation step overlaid a leaf."""

    DECREASING = 1
    JUMP = 2
    FUTURE = 3
    GAP = 4
    UNKNOWN_METER = 5


@dataclass(frozen=True, slots=True)
class RegisterReading:
    """A counter's value at a moment. ``value`` counts ``unit``; ``taken_at`` is seconds UTC."""

    meter: MeterId
    register: int
    taken_at: int
    value: int
    unit: Unit
    quality: Quality = Quality.MEASURED
    flags: ReadingFlags = ReadingFlags.NONE


@dataclass(frozen=True, slots=True)
class Profile:
    """Consumption over equal intervals from ``start``: ``values[i]`` over ``step_s`` seconds, None where missing."""

    meter: MeterId
    register: int
    start: int
    step_s: int
    unit: Unit
    values: tuple[int | None, ...]
    qualities: tuple[Quality, ...]
    flags: ReadingFlags = ReadingFlags.NONE

    @property
    def end(self) -> int:
        """First second after the last interval."""
        return self.start + self.step_s * len(self.values)


@dataclass(frozen=True, slots=True)
class Decision:
    """What the validation step puts in the place of a leaf; ``instead`` is None for a rejection."""

    overlaid_root: Hash
    overlaid_index: int
    quality: Quality
    reason: DecisionReason
    instead: RegisterReading | Profile | None


Record = RegisterReading | Profile | Decision

_QUALITIES = tuple(Quality)
"""By number: a lookup is several times faster than making an enum member, and a profile has 48."""
_REGISTER = struct.Struct(">B16sB5sQBBH")
_PROFILE = struct.Struct(">B16sB5sHHB")
_PROFILE_FLAGS = struct.Struct(">H")
_DECISION = struct.Struct(">B32sIBB")


def encode_record(record: Record) -> bytes:
    """The canonical bytes of a reading, without its salt. Raises LeafError where a field does not fit."""
    try:
        return _encode_record(record)
    except (struct.error, OverflowError) as error:
        raise LeafError(f"a field of the reading does not fit its place: {error}") from error


def _encode_record(record: Record) -> bytes:
    if isinstance(record, RegisterReading):
        return _REGISTER.pack(
            0,
            record.meter,
            record.register,
            record.taken_at.to_bytes(5, "big"),
            record.value,
            record.unit,
            record.quality,
            record.flags,
        )
    if isinstance(record, Profile):
        n = len(record.values)
        if n != len(record.qualities):
            raise LeafError(f"{n} values and {len(record.qualities)} qualities")
        head = _PROFILE.pack(
            1, record.meter, record.register, record.start.to_bytes(5, "big"), record.step_s, n, record.unit
        )
        pairs: list[int] = []
        for value, quality in zip(record.values, record.qualities, strict=True):
            pairs += (MISSING_VALUE if value is None else value, quality)
        return head + struct.pack(">" + "IB" * n, *pairs) + _PROFILE_FLAGS.pack(record.flags)
    head = _DECISION.pack(2, record.overlaid_root, record.overlaid_index, record.quality, record.reason)
    return head + (b"" if record.instead is None else _encode_record(record.instead))


def decode_record(data: bytes) -> Record:
    """The reading that canonical bytes hold. Raises LeafError."""
    try:
        return _decode_record(data)
    except (struct.error, IndexError, ValueError) as error:
        raise LeafError(f"not a reading: {error}") from error


def _decode_record(data: bytes) -> Record:
    kind = data[0]
    if kind == 0:
        _, meter, register, taken_at, value, unit, quality, flags = _REGISTER.unpack(data)
        return RegisterReading(
            MeterId(meter),
            register,
            int.from_bytes(taken_at, "big"),
            value,
            Unit(unit),
            Quality(quality),
            ReadingFlags(flags),
        )
    if kind == 1:
        _, meter, register, start, step_s, n, unit = _PROFILE.unpack_from(data)
        body = _PROFILE.size
        pairs = struct.unpack(">" + "IB" * n, data[body : body + 5 * n])
        (flags,) = _PROFILE_FLAGS.unpack(data[body + 5 * n :])
        return Profile(
            MeterId(meter),
            register,
            int.from_bytes(start, "big"),
            step_s,
            Unit(unit),
            tuple(None if v == MISSING_VALUE else v for v in pairs[0::2]),
            tuple(map(_QUALITIES.__getitem__, pairs[1::2])),
            ReadingFlags(flags),
        )
    if kind == 2:
        _, root, index, quality, reason = _DECISION.unpack_from(data)
        inner = _decode_record(data[_DECISION.size :]) if len(data) > _DECISION.size else None
        if isinstance(inner, Decision):
            raise LeafError("a decision on a decision")
        return Decision(Hash(root), index, Quality(quality), DecisionReason(reason), inner)
    raise LeafError(f"unknown kind of reading: {kind}")


def reading_blob(salt: bytes, record: Record) -> bytes:
    """Blob of a reading leaf: the source's salt before the record."""
    if len(salt) != 32:
        raise LeafError("a salt is 32 bytes")
    return salt + encode_record(record)


def split_reading_blob(blob: bytes) -> tuple[bytes, Record]:
    """Salt and record of a reading leaf. Raises LeafError."""
    return blob[:32], decode_record(blob[32:])


class BillKind(IntEnum):
    """What a leaf of a run is."""

    BILL = 0
    DEBIT_NOTE = 1
    CREDIT_NOTE = 2


@dataclass(frozen=True, slots=True)
class BillLine:
    """What one supplier is owed by a bill (or owes back by a credit note)."""

    supplier: SupplierId
    amount_kopecks: int


@dataclass(frozen=True, slots=True)
class Credit:
    """A prepayment that a bill nets on one of its lines; ``prepayment`` is H(payer ‖ tag)."""

    line: int
    amount_kopecks: int
    prepayment: Hash


@dataclass(frozen=True, slots=True)
class BillBlob:
    """The part of a bill that the chain can see once it is proved."""

    commit: Hash
    kind: BillKind
    lines: tuple[BillLine, ...]
    credits: tuple[Credit, ...] = ()
    original: BillKey | None = None

    @property
    def total_kopecks(self) -> int:
        """Sum of the lines; for a credit note what is taken off."""
        return sum(line.amount_kopecks for line in self.lines)


def bill_commit(bill_id: bytes, salt: bytes, document: bytes) -> Hash:
    """The commitment to a bill's name and document: H(bill id ‖ salt ‖ H(document))."""
    return Hash(keccak(bill_id + salt + keccak(document)))


def encode_bill(bill: BillBlob) -> bytes:
    """Blob of a bill leaf. Raises LeafError where the bill breaks docs/protocol.md §4."""
    if not 1 <= len(bill.lines) <= MAX_LINES:
        raise LeafError(f"a bill has 1 to {MAX_LINES} lines, not {len(bill.lines)}")
    if (bill.original is None) != (bill.kind is BillKind.BILL):
        raise LeafError("a note names its original, and a bill names none")
    if bill.credits and bill.kind is not BillKind.BILL:
        raise LeafError("only a bill nets prepayments")
    out = bytearray(bill.commit)
    out += bytes((bill.kind, len(bill.lines)))
    for line in bill.lines:
        out += _uint(line.supplier, 2) + _uint(line.amount_kopecks, 6)
    lines_seen: set[int] = set()
    for credit in bill.credits:
        if credit.line >= len(bill.lines) or credit.line in lines_seen:
            raise LeafError(f"credit on line {credit.line}: no such line, or a second credit on it")
        if credit.amount_kopecks > bill.lines[credit.line].amount_kopecks:
            raise LeafError(f"credit on line {credit.line} is more than the line")
        lines_seen.add(credit.line)
        out += _uint(credit.line, 1) + _uint(credit.amount_kopecks, 6) + credit.prepayment
    if bill.original is not None:
        out += _uint(bill.original.number, 8)
    return bytes(out)


def decode_bill(blob: bytes) -> BillBlob:
    """The bill in a blob. Raises LeafError."""
    if len(blob) < 34 or blob[32] > 2 or not 1 <= blob[33] <= MAX_LINES:
        raise LeafError("not a bill: too short, or an unknown kind or number of lines")
    kind, count = BillKind(blob[32]), blob[33]
    tail = 34 + 8 * count
    if len(blob) < tail:
        raise LeafError("not a bill: its lines are cut short")
    lines = tuple(
        BillLine(SupplierId(int.from_bytes(blob[i : i + 2], "big")), int.from_bytes(blob[i + 2 : i + 8], "big"))
        for i in range(34, tail, 8)
    )
    rest = blob[tail:]
    if kind is not BillKind.BILL:
        if len(rest) != 8:
            raise LeafError("a note ends with the key of its original")
        original = BillKey.from_number(int.from_bytes(rest, "big"))
        return BillBlob(Hash(blob[:32]), kind, lines, (), original)
    if len(rest) % 39:
        raise LeafError("not a bill: its credits are cut short")
    credits = tuple(
        Credit(rest[i], int.from_bytes(rest[i + 1 : i + 7], "big"), Hash(rest[i + 7 : i + 39]))
        for i in range(0, len(rest), 39)
    )
    return BillBlob(Hash(blob[:32]), kind, lines, credits, None)


@dataclass(frozen=True, slots=True)
class SupplierLine:
    """One line of a run as its supplier's own tree holds it."""

    index: int
    line: int
    kind: BillKind
    amount_kopecks: int


def encode_supplier_line(line: SupplierLine) -> bytes:
    """Blob of a leaf of a supplier's own tree."""
    return _uint(line.index, 4) + _uint(line.line, 1) + _uint(line.kind, 1) + _uint(line.amount_kopecks, 6)


def decode_supplier_line(blob: bytes) -> SupplierLine:
    """The line in a blob. Raises LeafError."""
    if len(blob) != 12 or blob[5] > 2:
        raise LeafError("not a supplier's line")
    return SupplierLine(int.from_bytes(blob[:4], "big"), blob[4], BillKind(blob[5]), int.from_bytes(blob[6:], "big"))


@dataclass(frozen=True, slots=True)
class Grant:
    """A purpose-bound grant: at most ``maximum_kopecks`` on one line of one bill until ``expires_at``."""

    commit: Hash
    bill: BillKey
    line: int
    maximum_kopecks: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class GrantPlace:
    """Where a grant stands: its batch and its index in the batch's tree."""

    batch: GrantBatchId
    index: int


def prepayment_id(payer: bytes, tag: bytes) -> Hash:
    """What a bill's credit names: H(payer ‖ tag)."""
    return Hash(keccak(payer + tag))


def grant_commit(salt: bytes, decision_hash: bytes) -> Hash:
    """The commitment to the decision behind a grant."""
    return Hash(keccak(salt + decision_hash))


def encode_grant(grant: Grant) -> bytes:
    """Blob of a grant leaf."""
    return (
        bytes(grant.commit)
        + _uint(grant.bill.number, 8)
        + _uint(grant.line, 1)
        + _uint(grant.maximum_kopecks, 6)
        + _uint(grant.expires_at, 5)
    )


def decode_grant(blob: bytes) -> Grant:
    """The grant in a blob. Raises LeafError."""
    if len(blob) != 52:
        raise LeafError("not a grant")
    return Grant(
        Hash(blob[:32]),
        BillKey.from_number(int.from_bytes(blob[32:40], "big")),
        blob[40],
        int.from_bytes(blob[41:47], "big"),
        int.from_bytes(blob[47:], "big"),
    )


def _uint(value: int, size: int) -> bytes:
    try:
        return int(value).to_bytes(size, "big")
    except OverflowError as error:
        raise LeafError(f"{value} does not fit {size} bytes") from error
