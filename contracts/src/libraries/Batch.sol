// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title The bills of an agent's batch, packed (docs/protocol.md §6)
library Batch {
    uint256 private constant HEAD = 12;

    /// @notice The bill that starts at a place in the list.
    /// @return index The bill's index in its run.
    /// @return maximum The most kopecks to take for it.
    /// @return blob The bill.
    /// @return next Where the next one starts. A list that is cut short reverts.
    function at(bytes calldata bills, uint256 place)
        internal
        pure
        returns (uint256 index, uint256 maximum, bytes calldata blob, uint256 next)
    {
        uint256 head = uint96(bytes12(bills[place:place + HEAD]));
        unchecked {
            next = place + HEAD + uint16(head);
            blob = bills[place + HEAD:next];
        }
        index = head >> 64;
        maximum = uint48(head >> 16);
    }
}
