// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Leg} from "../types/Types.sol";

/// @title A recipient and a sum in one word
library Legs {
    function pack(address recipient, uint256 amount) internal pure returns (Leg) {
        return Leg.wrap(uint256(uint160(recipient)) << 96 | uint96(amount));
    }

    function recipientOf(Leg leg) internal pure returns (address) {
        return address(uint160(Leg.unwrap(leg) >> 96));
    }

    function amountOf(Leg leg) internal pure returns (uint256) {
        return uint96(Leg.unwrap(leg));
    }
}
