// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Merkle} from "../../../contracts/src/libraries/Merkle.sol";
import {MerklePlain} from "../../../contracts/src/libraries/MerklePlain.sol";
import {Test} from "../base/Test.sol";
import {Trees} from "../base/Trees.sol";

/// @notice The library with assembly, as the product compiles it, beside its plain twin, a tree built whole, and the
/// golden vectors that Python and JavaScript check too.
contract MerkleTest is Test {
    // --- the libraries, from calldata ---

    function leafHash(bytes calldata blob) external pure returns (bytes32, bytes32) {
        return (Merkle.leafHash(blob), MerklePlain.leafHash(blob));
    }

    function rootOf(bytes32 leaf, uint256 index, bytes32[] calldata proof) external pure returns (bytes32, bytes32) {
        return (Merkle.rootOf(leaf, index, proof), MerklePlain.rootOf(leaf, index, proof));
    }

    function rootOfMany(uint256[] memory pairs, bytes32[] calldata proof, uint256 depth)
        external
        pure
        returns (bytes32)
    {
        return Merkle.rootOfMany(pairs, proof, depth);
    }

    function rootOfManyPlain(uint256[] memory pairs, bytes32[] calldata proof, uint256 depth)
        external
        pure
        returns (bytes32)
    {
        return MerklePlain.rootOfMany(pairs, proof, depth);
    }

    // --- twin beside twin ---

    function testFuzz_LeafHashesAgree(bytes calldata blob) public view {
        (bytes32 fast, bytes32 plain) = this.leafHash(blob);
        vm.assertEq(fast, plain, "twins");
        vm.assertEq(fast, Trees.leafHash(blob), "the page");
    }

    function testFuzz_RootsAgree(bytes32 leaf, uint256 index, bytes32[] memory proof) public view {
        (bytes32 fast, bytes32 plain) = this.rootOf(leaf, index, proof);
        vm.assertEq(fast, plain, "twins");
    }

    /// @dev Any ascending places, in the tree or not, any proof, any depth: the same root or the same refusal.
    function testFuzz_RootsOfManyAgree(
        uint256[] memory gaps,
        bytes32[] memory leaves,
        bytes32[] memory proof,
        uint8 depth
    ) public view {
        uint256 count = gaps.length < leaves.length ? gaps.length : leaves.length;
        if (count == 0) return;
        depth = uint8(bound(depth, 0, 34));
        uint256[] memory pairs = new uint256[](2 * count);
        uint256 place = 0;
        for (uint256 i = 0; i < count; ++i) {
            // Mostly neighbours, now and then far off; the first may be 0.
            place += (i == 0 ? 0 : 1) + (gaps[i] % 4 == 3 ? gaps[i] % 2 ** 30 : gaps[i] % 3);
            pairs[2 * i] = place;
            pairs[2 * i + 1] = uint256(leaves[i]);
        }
        _assertTwins(pairs, proof, depth);
    }

    /// @dev The same with proofs that are right, then one word short, one long, one wrong.
    function testFuzz_TreesProveTheirLeaves(uint8 count, uint256 chosen, bytes32 seed) public view {
        count = uint8(bound(count, 1, 70));
        bytes32[] memory leaves = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            leaves[i] = keccak256(abi.encode(seed, i));
        }
        bytes32 root = Trees.root(leaves);
        uint256 depth = Merkle.depthOf(count);
        uint256 one = chosen % count;
        (bytes32 fast,) = this.rootOf(leaves[one], one, Trees.proof(leaves, one));
        vm.assertEq(fast, root, "one leaf");
        vm.assertEq(Trees.proof(leaves, one).length, depth, "depth");

        (uint256[] memory indices, uint256[] memory pairs) = _choose(leaves, chosen);
        if (indices.length == 0) return;
        bytes32[] memory proof = Trees.multiproof(leaves, indices);
        vm.assertEq(this.rootOfMany(pairs, proof, depth), root, "many leaves");
        _assertTwins(pairs, proof, depth);
        _assertTwins(pairs, _resized(proof, proof.length + 1), depth);
        if (proof.length == 0) return;
        _assertTwins(pairs, _resized(proof, proof.length - 1), depth);
        proof[chosen % proof.length] = keccak256("wrong");
        vm.assertNotEq(this.rootOfMany(pairs, proof, depth), root, "a wrong word");
        _assertTwins(pairs, proof, depth);
    }

    /// @dev No two trees of other size, order or content have one root, though padding fills them up.
    function testFuzz_RootsDiffer(uint8 a, uint8 b, bytes32 seed) public pure {
        a = uint8(bound(a, 1, 40));
        b = uint8(bound(b, 1, 40));
        vm.assume(a != b);
        bytes32[] memory first = new bytes32[](a);
        bytes32[] memory second = new bytes32[](b);
        for (uint256 i = 0; i < 40; ++i) {
            if (i < a) first[i] = keccak256(abi.encode(seed, i));
            if (i < b) second[i] = keccak256(abi.encode(seed, i));
        }
        vm.assertNotEq(Trees.root(first), Trees.root(second), "sizes");
        if (a < 2) return;
        bytes32 before = Trees.root(first);
        (first[0], first[a - 1]) = (first[a - 1], first[0]);
        vm.assertNotEq(Trees.root(first), before, "order");
    }

    function testFuzz_DepthIsTheLeastThatHolds(uint32 count) public pure {
        if (count == 0) return;
        uint256 depth = Merkle.depthOf(count);
        vm.assertLe(count, uint256(1) << depth, "holds");
        if (depth != 0) vm.assertGe(count - 1, uint256(1) << (depth - 1), "the least");
        vm.assertLe(depth, Merkle.MAX_DEPTH, "no deeper than 32");
    }

    // --- golden vectors ---

    function test_GoldenTrees() public view {
        string memory json = vm.readFile("tests/vectors/trees.json");
        uint256 trees = 0;
        for (; vm.keyExistsJson(json, string.concat("$[", vm.toString(trees), "]")); ++trees) {
            _assertGolden(json, string.concat("$[", vm.toString(trees), "]."));
        }
        vm.assertGe(trees, 5, "trees in the file");
    }

    function _assertGolden(string memory json, string memory at) private view {
        bytes[] memory blobs = vm.parseJsonBytesArray(json, string.concat(at, "blobs"));
        bytes32[] memory leaves = vm.parseJsonBytes32Array(json, string.concat(at, "leaves"));
        bytes32 root = vm.parseJsonBytes32(json, string.concat(at, "root"));
        uint256 depth = vm.parseJsonUint(json, string.concat(at, "depth"));
        vm.assertEq(Merkle.depthOf(leaves.length), depth, "depth");
        for (uint256 i = 0; i < leaves.length; ++i) {
            (bytes32 leaf,) = this.leafHash(blobs[i]);
            vm.assertEq(leaf, leaves[i], "leaf");
            bytes32[] memory proof =
                vm.parseJsonBytes32Array(json, string.concat(at, "proofs[", vm.toString(i), "]"));
            (bytes32 found, bytes32 plain) = this.rootOf(leaf, i, proof);
            vm.assertEq(found, root, "root");
            vm.assertEq(plain, root, "root of the twin");
        }
        uint256[] memory indices = vm.parseJsonUintArray(json, string.concat(at, "multiproof.indices"));
        bytes32[] memory many = vm.parseJsonBytes32Array(json, string.concat(at, "multiproof.proof"));
        vm.assertEq(this.rootOfMany(_pairs(leaves, indices), many, depth), root, "multiproof");
    }

    // --- helpers ---

    function _assertTwins(uint256[] memory pairs, bytes32[] memory proof, uint256 depth) private view {
        try this.rootOfManyPlain(pairs, proof, depth) returns (bytes32 plain) {
            vm.assertEq(this.rootOfMany(pairs, proof, depth), plain, "twins");
        } catch (bytes memory reason) {
            try this.rootOfMany(pairs, proof, depth) {
                vm.assertTrue(false, "the fast one took what the plain one refused");
            } catch (bytes memory other) {
                // Two words: how many the proof needed, and how many it had.
                (uint256 needed, uint256 given) = _arguments(reason);
                (uint256 neededFast, uint256 givenFast) = _arguments(other);
                vm.assertEq(neededFast, needed, "words needed");
                vm.assertEq(givenFast, given, "words given");
            }
        }
    }

    function _arguments(bytes memory reason) private pure returns (uint256 needed, uint256 given) {
        vm.assertEq(reason.length, 68, "a refusal of another kind");
        assembly ("memory-safe") {
            needed := mload(add(reason, 36))
            given := mload(add(reason, 68))
        }
    }

    function _choose(bytes32[] memory leaves, uint256 bits)
        private
        pure
        returns (uint256[] memory indices, uint256[] memory pairs)
    {
        uint256 n = 0;
        for (uint256 i = 0; i < leaves.length; ++i) {
            n += (bits >> i) & 1;
        }
        indices = new uint256[](n);
        n = 0;
        for (uint256 i = 0; i < leaves.length; ++i) {
            if ((bits >> i) & 1 == 1) indices[n++] = i;
        }
        pairs = _pairs(leaves, indices);
    }

    function _pairs(bytes32[] memory leaves, uint256[] memory indices) private pure returns (uint256[] memory pairs) {
        pairs = new uint256[](2 * indices.length);
        for (uint256 i = 0; i < indices.length; ++i) {
            pairs[2 * i] = indices[i];
            pairs[2 * i + 1] = uint256(leaves[indices[i]]);
        }
    }

    function _resized(bytes32[] memory list, uint256 length) private pure returns (bytes32[] memory other) {
        other = new bytes32[](length);
        for (uint256 i = 0; i < length && i < list.length; ++i) {
            other[i] = list[i];
        }
    }
}
