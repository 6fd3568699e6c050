"""Many byte strings one after another: a million blobs take what they hold and four bytes each, and no objects."""

from __future__ import annotations

from array import array


class Packed:
    """Byte strings by their places; an empty one stands for none."""

    __slots__ = ("_data", "_ends")

    def __init__(self) -> None:
        self._data = bytearray()
        self._ends = array("L")

    def __len__(self) -> int:
        return len(self._ends)

    def add(self, value: bytes | None) -> None:
        """One more."""
        self._data += value or b""
        self._ends.append(len(self._data))

    def add_none(self, count: int) -> None:
        """So many more, none of them there."""
        self._ends.extend([len(self._data)] * count)

    def __getitem__(self, place: int) -> bytes | None:
        """The value at a place, or None. Raises IndexError past the last."""
        start = self._ends[place - 1] if place else 0
        return bytes(self._data[start : self._ends[place]]) or None
