"""Names of things, as docs/protocol.md §1 fixes them."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from enum import IntEnum
from typing import NewType

from contracts.wire.keccak import keccak

_PERIOD = re.compile("[0-9]{4}-[0-9]{2}")

SupplierId = NewType("SupplierId", int)
"""A supplier, from 1: its place in the Registry."""
SourceId = NewType("SourceId", int)
"""A source of signed readings, from 1."""
RunId = NewType("RunId", int)
"""A billing run, from 1."""
GrantBatchId = NewType("GrantBatchId", int)
"""A batch of grants, from 1."""
MeterId = NewType("MeterId", bytes)
"""A meter: 16 random bytes."""
KeyId = NewType("KeyId", bytes)
"""A key of the key ring: 16 random bytes, one key per account."""
BillId = NewType("BillId", bytes)
"""A bill's own name, 32 bytes; never on chain."""
Tag = NewType("Tag", bytes)
"""A prepayment's one-time tag, 32 bytes."""
Reference = NewType("Reference", bytes)
"""What a payer calls a payment, 32 bytes."""
Hash = NewType("Hash", bytes)
"""A keccak-256 hash, 32 bytes."""
Address = NewType("Address", bytes)
"""An account on the chain, 20 bytes."""

NO_HASH = Hash(bytes(32))
NO_ADDRESS = Address(bytes(20))


class Service(IntEnum):
    """Service codes; 1 to 7 are those of ГИС ЖКХ (MDServiceCode)."""

    COLD_WATER = 1
    HOT_WATER = 2
    SEWAGE = 3
    ELECTRICITY = 4
    GAS = 5
    HEATING = 6
    SOLID_WASTE = 7
    CAPITAL_REPAIR = 8
    HOUSING = 9


class SourceClass(IntEnum):
    """What a source of readings is: part of a reading's quality."""

    CONCENTRATOR = 0
    IMPORTER = 1
    INSPECTOR = 2
    SELF_REPORT = 3
    VALIDATION = 4


class BillState(IntEnum):
    """State of a bill. Nothing leaves PAID or SUPERSEDED."""

    OPEN = 0
    PARTIAL = 1
    PAID = 2
    SUPERSEDED = 3


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A calendar month of billing."""

    year: int
    month: int

    def __post_init__(self) -> None:
        if not (2000 <= self.year <= 9999 and 1 <= self.month <= 12):
            raise ValueError(f"not a billing period: {self.year}-{self.month}; give a month as YYYY-MM")

    @property
    def number(self) -> int:
        """YYYYMM as one decimal number: how the chain writes a period."""
        return self.year * 100 + self.month

    @classmethod
    def from_number(cls, number: int) -> Period:
        """The period that ``number`` (YYYYMM) names. Raises ValueError."""
        return cls(number // 100, number % 100)

    @classmethod
    def parse(cls, text: str) -> Period:
        """The period written as YYYY-MM. Raises ValueError."""
        if not _PERIOD.fullmatch(text):
            raise ValueError(f"not a billing period: {text!r}; give a month as YYYY-MM, for example 2026-02")
        return cls(int(text[:4]), int(text[5:]))

    def next(self) -> Period:
        """The month after."""
        return Period(self.year + 1, 1) if self.month == 12 else Period(self.year, self.month + 1)

    def previous(self) -> Period:
        """The month before."""
        return Period(self.year - 1, 12) if self.month == 1 else Period(self.year, self.month - 1)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


@dataclass(frozen=True, slots=True, order=True)
class BillKey:
    """A bill's place: its run and its index in the run's tree."""

    run: RunId
    index: int

    @property
    def number(self) -> int:
        """Run in the upper 32 bits, index in the lower: how the chain writes a bill."""
        return int(self.run) << 32 | self.index

    @classmethod
    def from_number(cls, number: int) -> BillKey:
        """The bill that ``number`` names."""
        return cls(RunId(number >> 32), number & 0xFFFFFFFF)

    @classmethod
    def parse(cls, text: str) -> BillKey:
        """The bill written as RUN-INDEX, e.g. ``3-17``. Raises ValueError."""
        run, _, index = text.partition("-")
        if not (run.isdigit() and index.isdigit()):
            raise ValueError(f"not a bill: {text!r}; give it as RUN-INDEX, for example 3-17")
        return cls(RunId(int(run)), int(index))

    def __str__(self) -> str:
        return f"{self.run}-{self.index}"


def bill_id(account_key: bytes, period: Period, revision: int = 0) -> BillId:
    """A bill's own name: HMAC under the account's key, so that nobody else can link two months."""
    message = b"bill" + period.number.to_bytes(4, "big") + revision.to_bytes(2, "big")
    return BillId(hmac.digest(account_key, message, "sha256"))


def prepayment_tag(account_key: bytes, counter: int) -> Tag:
    """A one-time tag for a prepayment of the account that owns the key."""
    return Tag(hmac.new(account_key, b"prepay" + counter.to_bytes(8, "big"), hashlib.sha256).digest())


def address_text(address: bytes) -> str:
    """An address in EIP-55 mixed case, for people and for libraries that ask for text."""
    plain = address.hex()
    digest = keccak(plain.encode()).hex()
    return "0x" + "".join(c.upper() if int(d, 16) >= 8 else c for c, d in zip(plain, digest, strict=False))


def parse_address(text: str) -> Address:
    """The address that hex ``text`` names. Raises ValueError."""
    raw = bytes.fromhex(text.removeprefix("0x"))
    if len(raw) != 20:
        raise ValueError(f"not an address: {text!r}; give 40 hex digits")
    return Address(raw)
