"""The Merkle-Patricia trie over a block's receipts (the yellow paper, app. D): roots, and proofs both ways.

A trie of a block is keyed by the RLP of an index, so no key is a prefix of another and no branch holds a value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from contracts.wire.ids import Hash
from contracts.wire.keccak import keccak
from contracts.wire.rlp import Item, RlpError, decode_rlp, encode_rlp, rlp_list, rlp_string, rlp_uint


class TrieError(ValueError):
    """A proof does not lead from its root to a value at the index."""


EMPTY_TRIE = Hash(keccak(b"\x80"))
"""Root of a trie with nothing in it."""


def trie_value(root: Hash, index: int, proof: Sequence[bytes]) -> bytes:
    """The value that ``proof`` (nodes from the root down, each used) shows at ``index``. Raises TrieError."""
    path = _nibbles(encode_rlp(rlp_uint(index)))
    reference: Item = bytes(root)
    used = 0
    is_value = False
    while not is_value:
        if isinstance(reference, bytes):
            if used == len(proof):
                raise TrieError("the proof is too short")
            reference = _opened(reference, proof[used])
            used += 1
        reference, path, is_value = _descend(reference, path)
    if path or used != len(proof):
        raise TrieError("the proof goes on after its value, or stops before its key does")
    return _string(reference)


def _opened(name: bytes, data: bytes) -> list[Item]:
    """The node of a hash."""
    if keccak(data) != name:
        raise TrieError("a node of the proof is not the one that the node above names")
    try:
        return rlp_list(data)
    except RlpError as error:
        raise TrieError(f"a node is no RLP list: {error}") from error


def _descend(node: list[Item], path: tuple[int, ...]) -> tuple[Item, tuple[int, ...], bool]:
    """What the path leads to below a node, the path that is left, and whether it is the value."""
    if len(node) == 17:
        if not path:
            raise TrieError("the key ends at a branch")
        return node[path[0]], path[1:], False
    if len(node) != 2:
        raise TrieError("a node has 2 or 17 parts")
    prefix = _nibbles(_string(node[0]))
    if not prefix or prefix[0] > 3 or (prefix[0] in (0, 2) and (len(prefix) < 2 or prefix[1])):
        raise TrieError("a path with a flag that there is not")
    own = prefix[1:] if prefix[0] & 1 else prefix[2:]
    if path[: len(own)] != own:
        raise TrieError("the proof leads aside from the index")
    return node[1], path[len(own) :], prefix[0] >= 2


def _string(item: Item) -> bytes:
    try:
        return rlp_string(item)
    except RlpError as error:
        raise TrieError(str(error)) from error


def _nibbles(data: bytes) -> tuple[int, ...]:
    return tuple(half for byte in data for half in (byte >> 4, byte & 15))


class Trie:
    """A whole trie over values by index: what a proof is taken from."""

    def __init__(self, values: Sequence[bytes]) -> None:
        self._nodes: dict[bytes, bytes] = {}
        top = encode_rlp(self._node({_nibbles(encode_rlp(rlp_uint(i))): v for i, v in enumerate(values)}))
        self.root = Hash(keccak(top)) if values else EMPTY_TRIE
        """The root, as a block's header names it."""
        self._nodes[self.root] = top

    def proof(self, index: int) -> list[bytes]:
        """Nodes from the root down to the value at an index; those shorter than a hash stand in the one above."""
        path = _nibbles(encode_rlp(rlp_uint(index)))
        out: list[bytes] = []
        reference: Item = bytes(self.root)
        is_value = False
        while not is_value:
            if isinstance(reference, bytes):
                out.append(self._nodes[reference])
                reference = decode_rlp(out[-1])
            assert isinstance(reference, list)
            reference, path, is_value = _descend(reference, path)
        return out

    def _node(self, values: Mapping[tuple[int, ...], bytes]) -> Item:
        """The node over values by what is left of their keys."""
        if not values:
            return b""
        if len(values) == 1:
            ((path, value),) = values.items()
            return [_hex_prefix(path, 2), value]
        shared = _shared(list(values))
        if shared:
            below = self._reference(self._node({path[len(shared) :]: v for path, v in values.items()}))
            return [_hex_prefix(shared, 0), below]
        children: list[Item] = []
        for nibble in range(16):
            here = {path[1:]: value for path, value in values.items() if path[0] == nibble}
            children.append(self._reference(self._node(here)))
        return [*children, b""]

    def _reference(self, node: Item) -> Item:
        """How the node above names this one: by its hash, or by itself where it is shorter."""
        encoded = encode_rlp(node)
        if len(encoded) < 32 or not node:
            return node
        name = keccak(encoded)
        self._nodes[name] = encoded
        return name


def _shared(paths: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    low, high = min(paths), max(paths)
    size = 0
    while size < len(low) and size < len(high) and low[size] == high[size]:
        size += 1
    return low[:size]


def _hex_prefix(path: tuple[int, ...], flag: int) -> bytes:
    nibbles = (flag + 1, *path) if len(path) % 2 else (flag, 0, *path)
    return bytes(nibbles[i] << 4 | nibbles[i + 1] for i in range(0, len(nibbles), 2))
