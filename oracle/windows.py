"""The last readings of a meter: what a new one is compared with. Pure, but for sealing at its edge."""

from __future__ import annotations

import struct
from bisect import bisect_left
from dataclasses import dataclass, field

from contracts.wire.leaf import DecisionReason, ReadingFlags, RegisterReading

KEPT_POINTS = 40
"""Readings kept a register: a late one is compared with its neighbours as far back as this."""

_RESETS = ReadingFlags.ROLLOVER | ReadingFlags.METER_REPLACED
_Point = tuple[int, int, int]  # taken_at, value, 1 where the counter began anew


@dataclass(slots=True)
class Window:
    """A meter's last readings, register by register, each list ascending in time."""

    registers: dict[int, list[_Point]] = field(default_factory=dict)

    def place(self, reading: RegisterReading) -> DecisionReason | None:
        """Takes a reading in, or says why it cannot stand.

        A counter never runs backwards in time order, whatever order readings come in, unless the reading says that
        the counter rolled over or was replaced. Two values for one moment: the first stands.
        """
        points = self.registers.setdefault(reading.register, [])
        at, value = reading.taken_at, reading.value
        reset = bool(reading.flags & _RESETS)
        if not points or at > points[-1][0]:
            if points and value < points[-1][1] and not reset:
                return DecisionReason.DECREASING
            points.append((at, value, int(reset)))
            del points[:-KEPT_POINTS]
            return None
        return self._place_late(points, at, value, reset)

    def _place_late(self, points: list[_Point], at: int, value: int, reset: bool) -> DecisionReason | None:
        i = bisect_left(points, (at,))
        following = points[i]
        if following[0] == at:
            if following[1] == value:
                return None
            return DecisionReason.DECREASING if value < following[1] else DecisionReason.JUMP
        if value > following[1] and not following[2]:
            return DecisionReason.DECREASING
        if i and value < points[i - 1][1] and not reset:
            return DecisionReason.DECREASING
        if i or len(points) < KEPT_POINTS:
            points.insert(i, (at, value, int(reset)))
            del points[:-KEPT_POINTS]
        return None

    def pack(self) -> bytes:
        """The window's bytes, before they are sealed."""
        out = bytearray()
        for register, points in self.registers.items():
            flat = [n for at, value, reset in points for n in (at << 1 | reset, value)]
            out += struct.pack(f">BB{len(flat)}Q", register, len(points), *flat)
        return bytes(out)

    @classmethod
    def unpack(cls, data: bytes) -> Window:
        """The window in ``pack``'s bytes."""
        registers: dict[int, list[_Point]] = {}
        offset = 0
        while offset < len(data):
            register, count = data[offset], data[offset + 1]
            flat = struct.unpack_from(f">{2 * count}Q", data, offset + 2)
            registers[register] = [
                (stamp >> 1, value, stamp & 1) for stamp, value in zip(flat[0::2], flat[1::2], strict=True)
            ]
            offset += 2 + 16 * count
        return cls(registers)
