// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IRegistry} from "../interfaces/IRegistry.sol";
import {IRouble} from "../interfaces/IRouble.sol";
import {Leg} from "../types/Types.sol";
import {Bill} from "./Bill.sol";
import {Legs} from "./Legs.sol";

/// @title Who can be paid in this call, and what each is owed so far
/// @notice One read of the payout table and one of the token serve any number of bills.
library Payees {
    struct Book {
        uint256[] entries; // by supplier: payout wallet, ACTIVE bit; 0 where unknown
        uint256[] owed; // by supplier: kopecks this call moves to it
        uint256 meant; // suppliers with a leg to ask the token about
    }

    uint256 internal constant ACTIVE = 1 << 160;

    /// @dev Marks a supplier that some bill names, before sums are known.
    uint256 private constant MEANT = type(uint256).max;

    function load(IRegistry registry) internal view returns (Book memory book) {
        book.entries = abi.decode(registry.payoutTable().code, (uint256[]));
        book.owed = new uint256[](book.entries.length);
    }

    /// @notice Notes the suppliers of a bill, so that `dropFrozen` asks about them.
    function mean(Book memory book, bytes calldata blob) internal pure {
        uint256 count = Bill.lineCount(blob);
        for (uint256 i = 0; i < count; ++i) {
            (uint256 supplier,) = Bill.line(blob, i);
            if (payable_(book, supplier) && book.owed[supplier] == 0) {
                book.owed[supplier] = MEANT;
                ++book.meant;
            }
        }
    }

    /// @notice Asks the token once which of the noted suppliers' payouts are frozen, and treats them as suspended.
    function dropFrozen(Book memory book, IRouble rouble) internal view {
        Leg[] memory legs = new Leg[](book.meant);
        uint256[] memory suppliers = new uint256[](book.meant);
        uint256 n = 0;
        for (uint256 supplier = 1; supplier < book.owed.length; ++supplier) {
            if (book.owed[supplier] != MEANT) continue;
            book.owed[supplier] = 0;
            suppliers[n] = supplier;
            legs[n++] = Legs.pack(address(uint160(book.entries[supplier])), 0);
        }
        uint256 frozen = n == 0 ? 0 : rouble.frozenAmong(legs);
        for (uint256 i = 0; frozen != 0; ++i) {
            if (frozen & 1 == 1) book.entries[suppliers[i]] &= ~ACTIVE;
            frozen >>= 1;
        }
    }

    /// @notice Whether a leg to a supplier can be paid; an unknown supplier's can't.
    function payable_(Book memory book, uint256 supplier) internal pure returns (bool) {
        return supplier < book.entries.length && book.entries[supplier] & ACTIVE != 0;
    }

    function payout(Book memory book, uint256 supplier) internal pure returns (address) {
        return address(uint160(book.entries[supplier]));
    }

    /// @notice One leg for each supplier that is owed something.
    function legsOf(Book memory book) internal pure returns (Leg[] memory legs) {
        uint256 n = 0;
        for (uint256 supplier = 1; supplier < book.owed.length; ++supplier) {
            if (book.owed[supplier] != 0) ++n;
        }
        legs = new Leg[](n);
        n = 0;
        for (uint256 supplier = 1; supplier < book.owed.length; ++supplier) {
            uint256 amount = book.owed[supplier];
            if (amount != 0) legs[n++] = Legs.pack(payout(book, supplier), amount);
        }
    }
}
