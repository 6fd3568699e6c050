// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Ordered Merkle trees (docs/protocol.md §2)
/// @notice The only assembly of the project. `MerklePlain` says the same in plain Solidity, and a test holds the
/// two equal on every input.
library Merkle {
    uint256 internal constant MAX_DEPTH = 32;

    error Merkle_ProofTooShort();
    error Merkle_ProofTooLong();

    /// @notice Hash of a leaf's blob.
    function leafHash(bytes calldata blob) internal pure returns (bytes32) {
        return keccak256(bytes.concat(hex"00", blob));
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
                mstore(add(left, xor(side, 32)), calldataload(next))
                node := keccak256(at, 65)
                index := shr(1, index)
            }
        }
    }

    /// @notice The root that a multiproof leads to.
    /// @param nodes Leaf hashes; overwritten.
    /// @param places Their indices, strictly ascending, checked by the caller; overwritten.
    function rootOfMany(bytes32[] memory nodes, uint256[] memory places, bytes32[] calldata proof, uint256 depth)
        internal
        pure
        returns (bytes32)
    {
        uint256 known = nodes.length;
        uint256 used = 0;
        for (uint256 level = 0; level < depth; ++level) {
            (known, used) = _rise(nodes, places, known, proof, used);
        }
        require(used == proof.length, Merkle_ProofTooLong());
        return nodes[0];
    }

    /// @dev Replaces the known nodes of a level by their parents, in place, from the left.
    function _rise(
        bytes32[] memory nodes,
        uint256[] memory places,
        uint256 known,
        bytes32[] calldata proof,
        uint256 used
    ) private pure returns (uint256 parents, uint256 usedAfter) {
        bool short = false;
        assembly ("memory-safe") {
            let at := mload(0x40)
            mstore8(at, 1)
            let left := add(at, 1)
            let node := add(nodes, 32)
            let place := add(places, 32)
            let end := add(node, shl(5, known))
            let parentNode := node
            let parentPlace := place
            let next := add(proof.offset, shl(5, used))
            let proofEnd := add(proof.offset, shl(5, proof.length))
            for {} lt(node, end) {} {
                let index := mload(place)
                let side := shl(5, and(index, 1))
                mstore(add(left, side), mload(node))
                node := add(node, 32)
                place := add(place, 32)
                let paired := 0
                if iszero(side) { if lt(node, end) { paired := eq(mload(place), add(index, 1)) } }
                switch paired
                case 1 {
                    mstore(add(left, 32), mload(node))
                    node := add(node, 32)
                    place := add(place, 32)
                }
                default {
                    if eq(next, proofEnd) {
                        short := 1
                        break
                    }
                    mstore(add(left, xor(side, 32)), calldataload(next))
                    next := add(next, 32)
                }
                mstore(parentNode, keccak256(at, 65))
                mstore(parentPlace, shr(1, index))
                parentNode := add(parentNode, 32)
                parentPlace := add(parentPlace, 32)
            }
            parents := shr(5, sub(parentNode, add(nodes, 32)))
            usedAfter := shr(5, sub(next, proof.offset))
        }
        require(!short, Merkle_ProofTooShort());
    }
}
