"""The last readings of a meter: what a new one is compared with. Pure, but for sealing at its edge."""

from __future__ import annotations

import struct
from bisect import bisect_left
from dataclasses import dataclass, field

from contracts.wire.leaf import DecisionReason, ReadingFlags, RegisterReading

KEPT_POINTS = 32
"""Readings kept a register: a late one is compared with its neighbours as far back as this."""

_RESETS = int(ReadingFlags.ROLLOVER | ReadingFlags.METER_REPLACED)
_POINT = struct.Struct(">QQ")  # taken_at twice, plus 1 where the counter began anew; value
_SIZE = _POINT.size


@dataclass(slots=True)
class Window:
    """A meter's last readings, register by register: packed points, ascending in time.

    They stay packed, since nearly every reading is newer than all before it and meets the last point only.
    """

    registers: dict[int, bytes] = field(default_factory=dict)

    def place(self, reading: RegisterReading) -> DecisionReason | None:
        """Takes a reading in, or says why it cannot stand.

        A counter never runs backwards in time order, whatever order readings come in, unless the reading says that
        the counter rolled over or was replaced. Two values for one moment: the first stands.
        """
        packed = self.registers.get(reading.register, b"")
        at, value = reading.taken_at, reading.value
        reset = reading.flags & _RESETS != 0
        if packed:
            last_stamp, last_value = _POINT.unpack_from(packed, len(packed) - _SIZE)
            if at <= last_stamp >> 1:
                return self._place_late(packed, reading, reset)
            if value < last_value and not reset:
                return DecisionReason.DECREASING
        kept = packed[_SIZE:] if len(packed) == KEPT_POINTS * _SIZE else packed
        self.registers[reading.register] = kept + _POINT.pack(at << 1 | reset, value)
        return None

    def _place_late(self, packed: bytes, reading: RegisterReading, reset: bool) -> DecisionReason | None:
        points = list(_POINT.iter_unpack(packed))
        at, value = reading.taken_at, reading.value
        i = bisect_left(points, (at << 1,))
        stamp, following = points[i]
        if stamp >> 1 == at:
            if following == value:
                return None
            return DecisionReason.DECREASING if value < following else DecisionReason.JUMP
        if value > following and not stamp & 1:
            return DecisionReason.DECREASING
        if i and value < points[i - 1][1] and not reset:
            return DecisionReason.DECREASING
        if i or len(points) < KEPT_POINTS:
            points.insert(i, (at << 1 | reset, value))
            self.registers[reading.register] = b"".join(_POINT.pack(*point) for point in points[-KEPT_POINTS:])
        return None

    def pack(self) -> bytes:
        """The window's bytes, before they are sealed."""
        return b"".join(bytes((register, len(p) // _SIZE)) + p for register, p in self.registers.items())

    @classmethod
    def unpack(cls, data: bytes) -> Window:
        """The window in ``pack``'s bytes."""
        registers: dict[int, bytes] = {}
        offset = 0
        while offset < len(data):
            end = offset + 2 + data[offset + 1] * _SIZE
            registers[data[offset]] = data[offset + 2 : end]
            offset = end
        return cls(registers)
