// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Allocation} from "../../../contracts/src/libraries/Allocation.sol";
import {Test} from "../base/Test.sol";

/// @notice Division of a sum (docs/protocol.md §7): the parts make it up, each within a kopeck of its share.
contract AllocationTest is Test {
    function divide(uint256 sum, uint256[] memory weights) external pure returns (uint256[] memory) {
        return Allocation.byLargestRemainder(sum, weights);
    }

    function test_RevertWhen_NothingIsOpen() public {
        vm.expectRevert(Allocation.Allocation_NoWeight.selector);
        this.divide(1, new uint256[](3));
    }

    function testFuzz_PartsMakeUpTheSum(uint48[] memory raw, uint256 sum) public view {
        uint256 count = raw.length < 32 ? raw.length : 32;
        uint256[] memory weights = new uint256[](count);
        uint256 whole = 0;
        for (uint256 i = 0; i < count; ++i) {
            weights[i] = raw[i];
            whole += raw[i];
        }
        if (whole == 0) return;
        sum = bound(sum, 0, whole);
        uint256[] memory parts = this.divide(sum, weights);
        uint256 total = 0;
        for (uint256 i = 0; i < count; ++i) {
            vm.assertLe(parts[i], weights[i], "a part above its line");
            uint256 floor = sum * weights[i] / whole;
            vm.assertTrue(parts[i] == floor || parts[i] == floor + 1, "a part off its share");
            total += parts[i];
        }
        vm.assertEq(total, sum, "parts do not make up the sum");
        _assertLargestRemainders(sum, weights, whole, parts);
    }

    function testFuzz_HalfUp(uint48 amount, uint48 part, uint48 rest) public pure {
        uint256 whole = uint256(part) + rest;
        if (whole == 0) return;
        uint256 share = Allocation.shareHalfUp(amount, part, whole);
        // |share - exact| <= 1/2, and the half goes up.
        vm.assertLe(2 * share * whole, 2 * uint256(amount) * part + whole, "too much");
        vm.assertGe(2 * share * whole + whole, 2 * uint256(amount) * part + 1, "too little");
        vm.assertLe(share, amount, "more than there is");
    }

    function test_GoldenDivisions() public view {
        string memory json = vm.readFile("tests/vectors/divisions.json");
        uint256 i = 0;
        for (;; ++i) {
            string memory at = string.concat("$[", vm.toString(i), "].");
            if (!vm.keyExistsJson(json, string.concat(at, "total"))) break;
            uint256[] memory weights = vm.parseJsonUintArray(json, string.concat(at, "weights"));
            uint256[] memory expected = vm.parseJsonUintArray(json, string.concat(at, "parts"));
            uint256[] memory parts = this.divide(vm.parseJsonUint(json, string.concat(at, "total")), weights);
            vm.assertEq(parts, expected, "parts");
        }
        vm.assertGe(i, 10, "divisions in the file");
    }

    /// @dev Whoever got the odd kopeck had no smaller remainder than whoever did not, and of equals the lower place.
    function _assertLargestRemainders(
        uint256 sum,
        uint256[] memory weights,
        uint256 whole,
        uint256[] memory parts
    ) private pure {
        for (uint256 i = 0; i < weights.length; ++i) {
            if (parts[i] == sum * weights[i] / whole) continue;
            for (uint256 j = 0; j < weights.length; ++j) {
                if (parts[j] != sum * weights[j] / whole) continue;
                uint256 mine = sum * weights[i] % whole;
                uint256 other = sum * weights[j] % whole;
                vm.assertTrue(mine > other || (mine == other && i < j), "an odd kopeck out of turn");
            }
        }
    }
}

/// @notice The same for every input, by symbolic execution: see `make check`. Three lines are what the solver takes.
contract AllocationProof is Test {
    function check_PartsMakeUpTheSum(uint16 a, uint16 b, uint16 sum) public pure {
        uint256[] memory weights = new uint256[](2);
        (weights[0], weights[1]) = (a, b);
        uint256 whole = uint256(a) + b;
        if (whole == 0 || sum > whole) return;
        uint256[] memory parts = Allocation.byLargestRemainder(sum, weights);
        assert(parts[0] + parts[1] == sum);
        assert(parts[0] <= a && parts[1] <= b);
    }
}
