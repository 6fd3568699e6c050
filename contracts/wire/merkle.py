"""Ordered Merkle trees, docs/protocol.md §2. The plain twin of contracts/src/libraries/Merkle.sol."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from contracts.wire.ids import Hash
from contracts.wire.keccak import keccak, keccak_many

EMPTY_LEAF = Hash(bytes(32))
MAX_DEPTH = 32
HASH_SIZE = 32


class ProofError(ValueError):
    """A proof does not have the shape that its tree asks for."""


def leaf_hash(blob: bytes) -> Hash:
    """Hash of a leaf's blob."""
    return Hash(keccak(b"\x00" + blob))


def node_hash(left: bytes, right: bytes) -> Hash:
    """Hash of an inner node."""
    return Hash(keccak(b"\x01" + left + right))


def depth_of(count: int) -> int:
    """Depth of a tree of ``count`` leaves. Raises ProofError for none or more than 2³²."""
    if not 1 <= count <= 1 << MAX_DEPTH:
        raise ProofError(f"a tree holds 1 to 2^{MAX_DEPTH} leaves, not {count}")
    return (count - 1).bit_length()


def _padding() -> tuple[Hash, ...]:
    """The node that pads each level: over nothing but empty leaves."""
    levels = [EMPTY_LEAF]
    for _ in range(MAX_DEPTH):
        levels.append(node_hash(levels[-1], levels[-1]))
    return tuple(levels)


_PADDING = _padding()


def _levels_of(leaves: bytes, depth: int) -> Iterator[bytes]:
    level = leaves
    yield level
    for height in range(depth):
        if len(level) % (2 * HASH_SIZE):
            level += _PADDING[height]
        level = keccak_many([b"\x01" + level[i : i + 64] for i in range(0, len(level), 2 * HASH_SIZE)])
        yield level


def root_of_leaves(leaves: bytes) -> Hash:
    """The root over leaf hashes of 32 bytes each, one after another, keeping one level at a time. Raises ProofError."""
    root = leaves
    for level in _levels_of(leaves, depth_of(len(leaves) // HASH_SIZE)):
        root = level
    return Hash(root)


def leaf_hashes(blobs: Iterable[bytes]) -> bytes:
    """Hashes of the leaves' blobs, one after another."""
    return keccak_many([b"\x00" + blob for blob in blobs])


class Tree:
    """A whole tree: each level is the hashes of its nodes one after another, without the padding.

    The padding of a level is one and the same node, known beforehand, so a million leaves take 64 MB and no objects.
    """

    __slots__ = ("_levels", "count")

    def __init__(self, leaves: bytes) -> None:
        """The tree over leaf hashes of 32 bytes each, one after another. Raises ProofError for none or too many."""
        self.count = len(leaves) // HASH_SIZE
        self._levels = list(_levels_of(leaves, depth_of(self.count)))

    @classmethod
    def of(cls, leaves: Iterable[bytes]) -> Tree:
        """The tree over leaf hashes in their order."""
        return cls(b"".join(leaves))

    @property
    def root(self) -> Hash:
        """The root."""
        return Hash(self._levels[-1])

    def proof(self, index: int) -> list[Hash]:
        """Siblings from the leaf up. Raises ProofError for an index past the last leaf."""
        if not 0 <= index < self.count:
            raise ProofError(f"leaf {index} of {self.count}")
        return [self._node(height, (index >> height) ^ 1) for height in range(len(self._levels) - 1)]

    def _node(self, height: int, place: int) -> Hash:
        start = place * HASH_SIZE
        return Hash(self._levels[height][start : start + HASH_SIZE] or _PADDING[height])

    def multiproof(self, indices: Sequence[int]) -> list[Hash]:
        """What ``root_of_many`` needs beside the leaves at ``indices``, which grow strictly."""
        if list(indices) != sorted(set(indices)) or not indices or not 0 <= indices[0] <= indices[-1] < self.count:
            raise ProofError("indices must grow strictly and lie within the tree")
        out: list[Hash] = []
        known = list(indices)
        for height in range(len(self._levels) - 1):
            parents: list[int] = []
            i = 0
            while i < len(known):
                here = known[i]
                if here % 2 == 0 and i + 1 < len(known) and known[i + 1] == here + 1:
                    i += 1
                else:
                    out.append(self._node(height, here ^ 1))
                parents.append(here // 2)
                i += 1
            known = parents
        return out


def root_of(leaf: Hash, index: int, proof: Sequence[Hash], count: int) -> Hash:
    """The root that a proof leads to. Raises ProofError where its shape is wrong."""
    if not 0 <= index < count or len(proof) != depth_of(count):
        raise ProofError(f"leaf {index} of {count} with a proof of {len(proof)}")
    node = leaf
    for i, sibling in enumerate(proof):
        node = node_hash(sibling, node) if index >> i & 1 else node_hash(node, sibling)
    return node


def root_of_many(leaves: Sequence[Hash], indices: Sequence[int], proof: Sequence[Hash], count: int) -> Hash:
    """The root that a multiproof leads to. Raises ProofError where its shape is wrong."""
    depth = depth_of(count)
    if len(leaves) != len(indices) or not leaves or list(indices) != sorted(set(indices)) or indices[-1] >= count:
        raise ProofError("indices must grow strictly, lie within the tree and match the leaves")
    known = list(zip(indices, leaves, strict=True))
    used = 0
    for _ in range(depth):
        parents: list[tuple[int, Hash]] = []
        i = 0
        while i < len(known):
            index, node = known[i]
            if index % 2 == 0 and i + 1 < len(known) and known[i + 1][0] == index + 1:
                i += 1
                parents.append((index // 2, node_hash(node, known[i][1])))
            else:
                if used == len(proof):
                    raise ProofError("the multiproof is too short")
                sibling = proof[used]
                used += 1
                parents.append((index // 2, node_hash(sibling, node) if index & 1 else node_hash(node, sibling)))
            i += 1
        known = parents
    if used != len(proof):
        raise ProofError("the multiproof is too long")
    return known[0][1]
