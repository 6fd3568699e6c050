// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Leg} from "../types/Types.sol";
import {Bill} from "./Bill.sol";
import {Legs} from "./Legs.sol";

/// @title Who can be paid in this call, and what each is owed so far
/// @notice One word a supplier, at its id: payout wallet in the lower 160 bits, then PAYABLE, then what this call owes
/// it, 95 bits: more than the token's supply can reach. The words come from the payout table with nothing owed.
library Payees {
    /// @dev Set for a supplier that is active and whose payout is not frozen.
    uint256 internal constant PAYABLE = 1 << 160;

    uint256 private constant OWED = 161;

    /// @notice Whether a leg to a supplier can be paid; an unknown supplier's can't.
    function canPay(uint256[] memory payees, uint256 supplier) internal pure returns (bool) {
        return supplier < payees.length && payees[supplier] & PAYABLE != 0;
    }

    /// @notice Adds a sum to what a supplier is owed.
    function owe(uint256[] memory payees, uint256 supplier, uint256 amount) internal pure {
        payees[supplier] += amount << OWED;
    }

    /// @notice One leg for each supplier that is owed something.
    function legsOf(uint256[] memory payees) internal pure returns (Leg[] memory legs) {
        uint256 n = 0;
        for (uint256 supplier = 1; supplier < payees.length; ++supplier) {
            if (payees[supplier] >> OWED != 0) ++n;
        }
        legs = new Leg[](n);
        n = 0;
        for (uint256 supplier = 1; supplier < payees.length; ++supplier) {
            uint256 amount = payees[supplier] >> OWED;
            if (amount != 0) legs[n++] = Legs.pack(address(uint160(payees[supplier])), amount);
        }
    }

    /// @notice The legs of a bill paid whole, one a line.
    /// @return legs In the order of the lines.
    /// @return total Their sum, or 0 when some line can't be paid.
    function wholeLegs(uint256[] memory payees, bytes calldata blob)
        internal
        pure
        returns (Leg[] memory legs, uint256 total)
    {
        uint256 count = Bill.lineCount(blob);
        legs = new Leg[](count);
        uint256 word = 0;
        for (uint256 i = 0; i < count; ++i) {
            word = i & 3 == 0 ? Bill.lineWord(blob, i) : word << 64;
            uint256 supplier = word >> 240;
            if (!canPay(payees, supplier)) return (legs, 0);
            uint256 amount = uint48(word >> 192);
            legs[i] = Legs.pack(address(uint160(payees[supplier])), amount);
            unchecked {
                total += amount; // 32 times 48 bits
            }
        }
    }

    /// @notice Adds the lines of a bill paid whole to what each supplier is owed.
    /// @return total Their sum, or 0 when some line can't be paid or the sum is above `maximum`: then nothing is added.
    function oweWhole(uint256[] memory payees, bytes calldata blob, uint256 maximum)
        internal
        pure
        returns (uint256 total)
    {
        uint256 known = payees.length;
        uint256 count = Bill.lineCount(blob);
        uint256 word = 0;
        for (uint256 i = 0; i < count; ++i) {
            word = i & 3 == 0 ? Bill.lineWord(blob, i) : word << 64;
            uint256 supplier = word >> 240;
            uint256 payee = supplier < known ? payees[supplier] : 0;
            if (payee & PAYABLE == 0) {
                disown(payees, blob, i);
                return 0;
            }
            uint256 amount = uint48(word >> 192);
            unchecked {
                payees[supplier] = payee + (amount << OWED); // a block can't hold 2^47 lines
                total += amount;
            }
        }
        if (total > maximum) {
            disown(payees, blob, count);
            return 0;
        }
    }

    /// @notice Takes back what `oweWhole` added for the first `count` lines of a bill.
    /// @return total Their sum.
    function disown(uint256[] memory payees, bytes calldata blob, uint256 count)
        internal
        pure
        returns (uint256 total)
    {
        for (uint256 i = 0; i < count; ++i) {
            (uint256 supplier, uint256 amount) = Bill.line(blob, i);
            payees[supplier] -= amount << OWED;
            total += amount;
        }
    }
}
