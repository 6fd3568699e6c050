// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Leaf blobs as docs/protocol.md §4 and §5 lay them out
library Blobs {
    struct Credit {
        uint8 line;
        uint48 amount;
        bytes32 prepayment;
    }

    uint8 internal constant BILL = 0;
    uint8 internal constant DEBIT_NOTE = 1;
    uint8 internal constant CREDIT_NOTE = 2;

    function bill(bytes32 commit, uint16[] memory suppliers, uint48[] memory amounts)
        internal
        pure
        returns (bytes memory)
    {
        return _head(commit, BILL, suppliers, amounts);
    }

    function billWithCredits(
        bytes32 commit,
        uint16[] memory suppliers,
        uint48[] memory amounts,
        Credit[] memory credits
    ) internal pure returns (bytes memory blob) {
        blob = _head(commit, BILL, suppliers, amounts);
        for (uint256 i = 0; i < credits.length; ++i) {
            blob = abi.encodePacked(blob, credits[i].line, credits[i].amount, credits[i].prepayment);
        }
    }

    function note(bytes32 commit, uint8 kind, uint16[] memory suppliers, uint48[] memory amounts, uint64 original)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(_head(commit, kind, suppliers, amounts), original);
    }

    function grant(bytes32 commit, uint64 billKey, uint8 line, uint48 maximum, uint40 expiresAt)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(commit, billKey, line, maximum, expiresAt);
    }

    function _head(bytes32 commit, uint8 kind, uint16[] memory suppliers, uint48[] memory amounts)
        private
        pure
        returns (bytes memory blob)
    {
        blob = abi.encodePacked(commit, kind, uint8(suppliers.length));
        for (uint256 i = 0; i < suppliers.length; ++i) {
            blob = abi.encodePacked(blob, suppliers[i], amounts[i]);
        }
    }
}
