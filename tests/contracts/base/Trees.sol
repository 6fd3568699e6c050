// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Trees as docs/protocol.md §2 has them, built whole
/// @notice Shares no code with the contracts: the whole padded tree is laid out, level by level, and proofs are read
/// off it.
library Trees {
    function leafHash(bytes memory blob) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0), blob));
    }

    function root(bytes32[] memory leaves) internal pure returns (bytes32) {
        bytes32[][] memory levels = _levels(leaves);
        return levels[levels.length - 1][0];
    }

    function proof(bytes32[] memory leaves, uint256 index) internal pure returns (bytes32[] memory siblings) {
        bytes32[][] memory levels = _levels(leaves);
        siblings = new bytes32[](levels.length - 1);
        for (uint256 i = 0; i < siblings.length; ++i) {
            siblings[i] = levels[i][(index >> i) ^ 1];
        }
    }

    /// @notice Siblings that the leaves at `indices`, strictly ascending, do not give themselves.
    function multiproof(bytes32[] memory leaves, uint256[] memory indices) internal pure returns (bytes32[] memory) {
        bytes32[][] memory levels = _levels(leaves);
        bytes32[] memory words = new bytes32[](leaves.length * levels.length);
        bool[] memory known = new bool[](levels[0].length);
        for (uint256 i = 0; i < indices.length; ++i) {
            known[indices[i]] = true;
        }
        uint256 used = 0;
        for (uint256 level = 0; level + 1 < levels.length; ++level) {
            bool[] memory parents = new bool[](known.length / 2);
            for (uint256 i = 0; i < known.length; ++i) {
                if (!known[i]) continue;
                if (!known[i ^ 1]) words[used++] = levels[level][i ^ 1];
                parents[i / 2] = true;
            }
            known = parents;
        }
        bytes32[] memory cut = new bytes32[](used);
        for (uint256 i = 0; i < used; ++i) {
            cut[i] = words[i];
        }
        return cut;
    }

    function _levels(bytes32[] memory leaves) private pure returns (bytes32[][] memory levels) {
        uint256 depth = 0;
        while (uint256(1) << depth < leaves.length) ++depth;
        levels = new bytes32[][](depth + 1);
        levels[0] = new bytes32[](uint256(1) << depth); // padding is zero already
        for (uint256 i = 0; i < leaves.length; ++i) {
            levels[0][i] = leaves[i];
        }
        for (uint256 level = 1; level <= depth; ++level) {
            bytes32[] memory below = levels[level - 1];
            levels[level] = new bytes32[](below.length / 2);
            for (uint256 i = 0; i < levels[level].length; ++i) {
                levels[level][i] = keccak256(abi.encodePacked(bytes1(0x01), below[2 * i], below[2 * i + 1]));
            }
        }
    }
}
