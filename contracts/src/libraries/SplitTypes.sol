// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {SplitAuthorization} from "../types/Types.sol";

/// @title EIP-712 structs of what a payer signs (docs/protocol.md §6)
library SplitTypes {
    bytes32 internal constant PURPOSE_TYPE =
        keccak256("Purpose(string action,uint32 run,uint32 index,uint8 line,address recipient)");
    bytes32 internal constant SPLIT_TYPE = keccak256(
        "SplitAuthorization(address payer,address spender,uint256 maximum,Purpose purpose,uint256 nonce,uint256 validBefore)Purpose(string action,uint32 run,uint32 index,uint8 line,address recipient)"
    );
    bytes32 private constant PAY = keccak256("pay");
    bytes32 private constant REFUND = keccak256("refund");

    function payPurpose(uint32 run, uint32 index) internal pure returns (bytes32) {
        return keccak256(abi.encode(PURPOSE_TYPE, PAY, run, index, uint8(0), address(0)));
    }

    function refundPurpose(uint32 run, uint32 index, uint8 line, address recipient) internal pure returns (bytes32) {
        return keccak256(abi.encode(PURPOSE_TYPE, REFUND, run, index, line, recipient));
    }

    function structHash(SplitAuthorization calldata authorization, address spender, bytes32 purpose)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(
            abi.encode(
                SPLIT_TYPE,
                authorization.payer,
                spender,
                authorization.maximum,
                purpose,
                authorization.nonce,
                authorization.validBefore
            )
        );
    }
}
