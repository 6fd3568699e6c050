"""Ordered Merkle trees, docs/protocol.md §2. The plain twin of contracts/src/libraries/Merkle.sol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.wire.ids import Hash
from contracts.wire.keccak import keccak

EMPTY_LEAF = Hash(bytes(32))
MAX_DEPTH = 32


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


@dataclass(frozen=True, slots=True)
class Tree:
    """A whole tree, level by level: ``levels[0]`` are the padded leaves, the last level is the root alone."""

    levels: tuple[tuple[Hash, ...], ...]
    count: int

    @classmethod
    def of(cls, leaves: Sequence[Hash]) -> Tree:
        """The tree over leaf hashes in their order."""
        depth = depth_of(len(leaves))
        level: list[Hash] = list(leaves)
        level.extend([EMPTY_LEAF] * ((1 << depth) - len(level)))
        levels = [tuple(level)]
        for _ in range(depth):
            level = [Hash(keccak(b"\x01" + level[i] + level[i + 1])) for i in range(0, len(level), 2)]
            levels.append(tuple(level))
        return cls(tuple(levels), len(leaves))

    @property
    def root(self) -> Hash:
        """The root."""
        return self.levels[-1][0]

    def proof(self, index: int) -> list[Hash]:
        """Siblings from the leaf up. Raises ProofError for an index past the last leaf."""
        if not 0 <= index < self.count:
            raise ProofError(f"leaf {index} of {self.count}")
        return [level[(index >> i) ^ 1] for i, level in enumerate(self.levels[:-1])]

    def multiproof(self, indices: Sequence[int]) -> list[Hash]:
        """What ``root_of_many`` needs beside the leaves at ``indices``, which grow strictly."""
        if list(indices) != sorted(set(indices)) or not indices or not 0 <= indices[0] <= indices[-1] < self.count:
            raise ProofError("indices must grow strictly and lie within the tree")
        out: list[Hash] = []
        known = list(indices)
        for level in self.levels[:-1]:
            parents: list[int] = []
            i = 0
            while i < len(known):
                here = known[i]
                if here % 2 == 0 and i + 1 < len(known) and known[i + 1] == here + 1:
                    i += 1
                else:
                    out.append(level[here ^ 1])
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
