"""RLP, the encoding of headers, receipts and trie nodes. Decoding takes the one shortest spelling and no other."""

from __future__ import annotations

from collections.abc import Sequence

Item = bytes | list["Item"]
"""A string of bytes, or a list of items."""


class RlpError(ValueError):
    """Not RLP, or not its one shortest spelling."""


def rlp_uint(value: int) -> bytes:
    """A number as the string that stands for it: big-endian without leading zeros."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def encode_rlp(item: Item | Sequence[Item]) -> bytes:
    """The bytes of an item."""
    if isinstance(item, bytes):
        return item if len(item) == 1 and item[0] < 0x80 else _prefix(0x80, len(item)) + item
    body = b"".join(encode_rlp(part) for part in item)
    return _prefix(0xC0, len(body)) + body


def decode_rlp(data: bytes) -> Item:
    """The one item that ``data`` is, to its last byte. Raises RlpError."""
    item, end = _item(data, 0, len(data), 0)
    if end != len(data):
        raise RlpError(f"{len(data) - end} bytes after the item")
    return item


def rlp_list(data: bytes) -> list[Item]:
    """The same where a list is expected. Raises RlpError."""
    item = decode_rlp(data)
    if isinstance(item, bytes):
        raise RlpError("a string where a list belongs")
    return item


def rlp_string(item: Item) -> bytes:
    """The item where a string is expected. Raises RlpError."""
    if not isinstance(item, bytes):
        raise RlpError("a list where a string belongs")
    return item


_DEEPEST = 16
"""Nothing of Ethereum's nests deeper; the bound keeps hostile input from the interpreter's own."""


def _item(data: bytes, at: int, end: int, level: int) -> tuple[Item, int]:
    start, size, is_list = _head(data, at, end)
    stop = start + size
    if stop > end:
        raise RlpError("cut short")
    if not is_list:
        return data[start:stop], stop
    if level == _DEEPEST:
        raise RlpError("nested too deep")
    out: list[Item] = []
    while start < stop:
        part, start = _item(data, start, stop, level + 1)
        out.append(part)
    return out, stop


def _head(data: bytes, at: int, end: int) -> tuple[int, int, bool]:
    """Where the content begins, its length, and whether it is a list."""
    if at >= end:
        raise RlpError("cut short")
    first = data[at]
    if first < 0x80:
        return at, 1, False
    base = 0xC0 if first >= 0xC0 else 0x80
    size = first - base
    if size < 56:
        if base == 0x80 and size == 1 and (at + 1 >= end or data[at + 1] < 0x80):
            raise RlpError("a byte that stands for itself was given a length")
        return at + 1, size, base == 0xC0
    start = at + 1 + size - 55
    length = data[at + 1 : min(start, end)]
    if len(length) != size - 55 or length[0] == 0 or int.from_bytes(length, "big") < 56:
        raise RlpError("a length that is cut short, or longer than it need be")
    return start, int.from_bytes(length, "big"), base == 0xC0


def _prefix(base: int, size: int) -> bytes:
    if size < 56:
        return bytes((base + size,))
    length = rlp_uint(size)
    return bytes((base + 55 + len(length),)) + length
