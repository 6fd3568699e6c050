// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Ordered Merkle trees (docs/protocol.md §2)
/// @notice The only assembly of the project. `MerklePlain` says the same in plain Solidity, and a test holds the
/// two equal on every input.
library Merkle {
    uint256 internal constant MAX_DEPTH = 32;

    error Merkle_WrongProofLength(uint256 needed, uint256 given);

    /// @notice Hash of a leaf's blob.
    function leafHash(bytes calldata blob) internal pure returns (bytes32 hash) {
        // `MerklePlain` says the same, and a test holds them equal.
        // slither-disable-next-line assembly
        assembly ("memory-safe") {
            let at := mload(0x40)
            mstore8(at, 0)
            calldatacopy(add(at, 1), blob.offset, blob.length)
            hash := keccak256(at, add(blob.length, 1))
        }
    }

    /// @notice Depth of a tree of `count` leaves; count is at least 1.
    function depthOf(uint256 count) internal pure returns (uint256 depth) {
        for (uint256 width = 1; width < count; width <<= 1) {
            ++depth;
        }
    }

    /// @notice The root that a proof leads to. The caller has checked the index and the length of the proof.
    function rootOf(bytes32 leaf, uint256 index, bytes32[] calldata proof) internal pure returns (bytes32 node) {
        // A node is 65 bytes: 0x01, left, right. They are laid past the free memory pointer, which stays.
        // `MerklePlain` says the same, and a test holds them equal.
        // slither-disable-next-line assembly
        assembly ("memory-safe") {
            node := leaf
            let at := mload(0x40)
            mstore8(at, 1)
            let left := add(at, 1)
            let next := proof.offset
            let end := add(next, shl(5, proof.length))
            for {} lt(next, end) { next := add(next, 32) } {
                let side := shl(5, and(index, 1))
                mstore(add(left, side), node)
                // `xor` is meant: it gives the other side.
                // slither-disable-next-line incorrect-exp
                mstore(add(left, xor(side, 32)), calldataload(next))
                node := keccak256(at, 65)
                index := shr(1, index)
            }
        }
    }

    /// @notice The root that a multiproof leads to.
    /// @param pairs Index and leaf hash of each leaf, one after the other, strictly ascending by index, within the
    /// tree, at least one: checked by the caller. Overwritten.
    /// @return root The root, unless the proof is too short or too long, which reverts.
    function rootOfMany(uint256[] memory pairs, bytes32[] calldata proof, uint256 depth)
        internal
        pure
        returns (bytes32 root)
    {
        uint256 used;
        // Level by level the known nodes are replaced by their parents, in place, from the left. A proof that is too
        // short is read past its end, and found out by the count of what was used.
        // `MerklePlain` says the same, and a test holds them equal.
        // slither-disable-next-line assembly
        assembly ("memory-safe") {
            let at := mload(0x40)
            mstore8(at, 1)
            let left := add(at, 1)
            let first := add(pairs, 32)
            let end := add(first, shl(5, mload(pairs)))
            let next := proof.offset
            for {} depth { depth := sub(depth, 1) } {
                let parent := first
                for { let node := first } lt(node, end) {} {
                    let index := mload(node)
                    let side := shl(5, and(index, 1))
                    mstore(add(left, side), mload(add(node, 32)))
                    node := add(node, 64)
                    // The next index is larger, so that it equals index | 1 only for a left child's own sibling.
                    switch and(lt(node, end), eq(mload(node), or(index, 1)))
                    case 1 {
                        mstore(add(left, 32), mload(add(node, 32)))
                        node := add(node, 64)
                    }
                    default {
                        // `xor` is meant: it gives the other side.
                        // slither-disable-next-line incorrect-exp
                        mstore(add(left, xor(side, 32)), calldataload(next))
                        next := add(next, 32)
                    }
                    mstore(parent, shr(1, index))
                    mstore(add(parent, 32), keccak256(at, 65))
                    parent := add(parent, 64)
                }
                end := parent
            }
            root := mload(add(first, 32))
            used := shr(5, sub(next, proof.offset))
        }
        require(used == proof.length, Merkle_WrongProofLength(used, proof.length));
    }
}
