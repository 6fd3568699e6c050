"""RLP and the root of an Ethereum list trie: what a block's header says of its receipts, worked out again.

Written from the Ethereum Yellow Paper, appendices B and D. Only encoding is needed: what a node says is put together
again and hashed, nothing of it is taken apart.
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.wire.ids import Hash
from contracts.wire.keccak import keccak

Item = bytes | Sequence["Item"]
_Pair = tuple[bytes, bytes]

EMPTY_ROOT = Hash(keccak(b"\x80"))
"""Root of a trie of nothing."""


def number_bytes(value: int) -> bytes:
    """A scalar: big-endian without leading zeros, nothing for zero."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def encode(item: Item) -> bytes:
    """The RLP encoding of bytes, or of a list of items."""
    if isinstance(item, bytes):
        return item if len(item) == 1 and item[0] < 0x80 else _prefix(len(item), 0x80) + item
    return encode_list([encode(part) for part in item])


def encode_list(encoded: Sequence[bytes]) -> bytes:
    """The encoding of a list whose items are encoded already."""
    body = b"".join(encoded)
    return _prefix(len(body), 0xC0) + body


def _prefix(size: int, offset: int) -> bytes:
    if size < 56:
        return bytes((offset + size,))
    length = number_bytes(size)
    return bytes((offset + 55 + len(length),)) + length


def list_root(values: Sequence[bytes]) -> Hash:
    """Root of the trie that holds each value under the encoding of its place: transactions, receipts."""
    if not values:
        return EMPTY_ROOT
    pairs = sorted((_nibbles(encode(number_bytes(place))), value) for place, value in enumerate(values))
    return Hash(keccak(_node(pairs, 0)))


def _nibbles(data: bytes) -> bytes:
    return bytes(nibble for byte in data for nibble in (byte >> 4, byte & 15))


def _node(pairs: Sequence[_Pair], at: int) -> bytes:
    """The encoding of the node over ``pairs``, which agree on their first ``at`` nibbles and are ascending."""
    first, last = pairs[0][0], pairs[-1][0]
    if len(pairs) == 1:
        return encode([_compact(first[at:], is_leaf=True), pairs[0][1]])
    shared = at
    while shared < min(len(first), len(last)) and first[shared] == last[shared]:
        shared += 1
    if shared > at:
        return encode_list([encode(_compact(first[at:shared], is_leaf=False)), _reference(_node(pairs, shared))])
    branches: list[list[_Pair]] = [[] for _ in range(16)]
    value = b""
    for pair in pairs:
        if len(pair[0]) == at:
            value = pair[1]
        else:
            branches[pair[0][at]].append(pair)
    parts = [_reference(_node(branch, at + 1)) if branch else b"\x80" for branch in branches]
    return encode_list([*parts, encode(value)])


def _reference(node: bytes) -> bytes:
    """How a node names its child: by hash, or whole where that is shorter."""
    return node if len(node) < 32 else b"\xa0" + keccak(node)


def _compact(nibbles: bytes, *, is_leaf: bool) -> bytes:
    flag = 2 * is_leaf + len(nibbles) % 2
    padded = bytes((flag,)) + nibbles if len(nibbles) % 2 else bytes((flag, 0)) + nibbles
    return bytes(padded[i] << 4 | padded[i + 1] for i in range(0, len(padded), 2))
