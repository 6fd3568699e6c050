// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Division of a sum so that the parts make it up (docs/protocol.md §7)
library Allocation {
    error Allocation_NoWeight();

    /// @notice Divides `sum` in proportion to `weights` by largest remainder; ties go to the lower place.
    /// @dev No more than 32 weights of 48 bits and a sum no larger than theirs: nothing overflows. Rounding: each
    /// part is within one unit of its exact share, and the parts sum to `sum`.
    function byLargestRemainder(uint256 sum, uint256[] memory weights) internal pure returns (uint256[] memory parts) {
        uint256 whole = 0;
        for (uint256 i = 0; i < weights.length; ++i) {
            whole += weights[i];
        }
        require(whole != 0, Allocation_NoWeight());
        parts = new uint256[](weights.length);
        uint256[] memory remainders = new uint256[](weights.length);
        uint256 left = sum;
        for (uint256 i = 0; i < weights.length; ++i) {
            parts[i] = sum * weights[i] / whole;
            remainders[i] = sum * weights[i] % whole;
            left -= parts[i];
        }
        for (; left != 0; --left) {
            uint256 largest = 0;
            for (uint256 i = 1; i < weights.length; ++i) {
                if (remainders[i] > remainders[largest]) largest = i;
            }
            ++parts[largest];
            remainders[largest] = 0;
        }
    }

    /// @notice `amount · part / whole`, half up.
    function shareHalfUp(uint256 amount, uint256 part, uint256 whole) internal pure returns (uint256) {
        return (2 * amount * part + whole) / (2 * whole);
    }
}
