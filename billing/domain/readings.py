"""Readings as a charge sees them: each with the leaf that it stands in, and how good it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from contracts.wire.ids import Hash, MeterId, Service, SourceClass
from contracts.wire.leaf import Quality, ReadingFlags

UNUSABLE = frozenset({Quality.NOT_FOR_SETTLEMENT, Quality.MISSING})


@dataclass(frozen=True, slots=True)
class RegisterRow:
    """A counter's value at a moment, in the meter's base unit (Wh, litre, 10⁻⁶ Gcal)."""

    meter: MeterId
    register: int
    taken_at: int
    value: int
    quality: Quality
    flags: ReadingFlags
    source_class: SourceClass
    root: Hash
    leaf: int


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """Consumption over equal intervals; None where an interval is missing."""

    meter: MeterId
    register: int
    start: int
    step_s: int
    values: tuple[int | None, ...]
    qualities: tuple[Quality, ...]
    source_class: SourceClass
    root: Hash
    leaf: int

    @property
    def end(self) -> int:
        """First second after the last interval."""
        return self.start + self.step_s * len(self.values)


class MeterKind(StrEnum):
    """What a meter tells: counters at moments, or consumption by interval."""

    REGISTER = "register"
    PROFILE = "profile"


@dataclass(frozen=True, slots=True)
class MeterBinding:
    """A meter on an account: from when to when, which register is which zone, and its values at the ends.

    ``initial`` and ``final`` hold the counters in the act of installation and of removal. ``capacity`` is the
    value at which a counter starts again from zero, None where it cannot. ``passport`` is the salted commitment to
    the meter's passport that the Registry holds.
    """

    meter: MeterId
    service: Service
    kind: MeterKind
    since: int
    until: int | None = None
    zones: Mapping[int, str] = field(default_factory=lambda: {0: "single"})
    initial: Mapping[int, int] = field(default_factory=dict)
    final: Mapping[int, int] = field(default_factory=dict)
    capacity: int | None = None
    passport: Hash | None = None


@dataclass(frozen=True, slots=True)
class MeterMonth:
    """A meter with what it told for a period (and the counters before it)."""

    binding: MeterBinding
    registers: tuple[RegisterRow, ...] = ()
    profiles: tuple[ProfileRow, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadingUsed:
    """What a line says about a reading that it used. ``value`` is the counter, or the sum over the intervals."""

    meter: MeterId
    register: int
    at: int
    value: int
    quality: Quality
    source_class: SourceClass
    root: Hash
    leaf: int
