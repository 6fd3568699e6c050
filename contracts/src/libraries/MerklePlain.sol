// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title The plain twin of `Merkle`: what its assembly means
library MerklePlain {
    error MerklePlain_ProofTooShort();
    error MerklePlain_ProofTooLong();

    function nodeHash(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x01), left, right));
    }

    function rootOf(bytes32 leaf, uint256 index, bytes32[] calldata proof) internal pure returns (bytes32 node) {
        node = leaf;
        for (uint256 i = 0; i < proof.length; ++i) {
            node = (index >> i) & 1 == 1 ? nodeHash(proof[i], node) : nodeHash(node, proof[i]);
        }
    }

    function rootOfMany(bytes32[] memory nodes, uint256[] memory places, bytes32[] calldata proof, uint256 depth)
        internal
        pure
        returns (bytes32)
    {
        uint256 known = nodes.length;
        uint256 used = 0;
        for (uint256 level = 0; level < depth; ++level) {
            uint256 parents = 0;
            for (uint256 i = 0; i < known; ++i) {
                uint256 place = places[i];
                if (place % 2 == 0 && i + 1 < known && places[i + 1] == place + 1) {
                    nodes[parents] = nodeHash(nodes[i], nodes[i + 1]);
                    ++i;
                } else {
                    require(used < proof.length, MerklePlain_ProofTooShort());
                    bytes32 sibling = proof[used++];
                    nodes[parents] = place % 2 == 1 ? nodeHash(sibling, nodes[i]) : nodeHash(nodes[i], sibling);
                }
                places[parents++] = place / 2;
            }
            known = parents;
        }
        require(used == proof.length, MerklePlain_ProofTooLong());
        return nodes[0];
    }
}
