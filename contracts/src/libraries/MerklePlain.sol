// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title The plain twin of `Merkle`: what its assembly means
library MerklePlain {
    error MerklePlain_WrongProofLength(uint256 needed, uint256 given);

    function leafHash(bytes calldata blob) internal pure returns (bytes32) {
        return keccak256(bytes.concat(hex"00", blob));
    }

    function nodeHash(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x01), left, right));
    }

    function rootOf(bytes32 leaf, uint256 index, bytes32[] calldata proof) internal pure returns (bytes32 node) {
        node = leaf;
        for (uint256 i = 0; i < proof.length; ++i) {
            node = (index >> i) & 1 == 1 ? nodeHash(proof[i], node) : nodeHash(node, proof[i]);
        }
    }

    function rootOfMany(uint256[] memory pairs, bytes32[] calldata proof, uint256 depth)
        internal
        pure
        returns (bytes32)
    {
        uint256 known = pairs.length / 2;
        uint256 used = 0;
        for (uint256 level = 0; level < depth; ++level) {
            uint256 parents = 0;
            for (uint256 i = 0; i < known; ++i) {
                uint256 index = pairs[2 * i];
                bytes32 node = bytes32(pairs[2 * i + 1]);
                if (index % 2 == 0 && i + 1 < known && pairs[2 * i + 2] == index + 1) {
                    ++i;
                    node = nodeHash(node, bytes32(pairs[2 * i + 1]));
                } else {
                    bytes32 sibling = used < proof.length ? proof[used] : bytes32(0);
                    ++used;
                    node = index % 2 == 1 ? nodeHash(sibling, node) : nodeHash(node, sibling);
                }
                pairs[2 * parents] = index / 2;
                pairs[2 * parents + 1] = uint256(node);
                ++parents;
            }
            known = parents;
        }
        require(used == proof.length, MerklePlain_WrongProofLength(used, proof.length));
        return bytes32(pairs[1]);
    }
}
