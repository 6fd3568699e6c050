// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Batch} from "../../../contracts/src/libraries/Batch.sol";
import {Bill} from "../../../contracts/src/libraries/Bill.sol";
import {Legs} from "../../../contracts/src/libraries/Legs.sol";
import {Payees} from "../../../contracts/src/libraries/Payees.sol";
import {BillKey, Leg} from "../../../contracts/src/types/Types.sol";
import {Test} from "../base/Test.sol";

/// @notice Layouts: what was written reads back, and the quick ways read the same as the plain ones.
contract BillTest is Test {
    struct Parsed {
        bool wellFormed;
        bool plain;
        uint256 kind;
        uint256 lines;
        uint256 credits;
    }

    function parse(bytes calldata blob) external pure returns (Parsed memory parsed) {
        parsed.wellFormed = Bill.wellFormed(blob);
        parsed.plain = Bill.isPlain(blob);
        if (!parsed.wellFormed) return parsed;
        (parsed.kind, parsed.lines, parsed.credits) = (Bill.kind(blob), Bill.lineCount(blob), Bill.creditCount(blob));
    }

    function line(bytes calldata blob, uint256 i) external pure returns (uint256, uint256) {
        return Bill.line(blob, i);
    }

    function credit(bytes calldata blob, uint256 i) external pure returns (uint256, uint256, bytes32) {
        return Bill.credit(blob, i);
    }

    function lines(bytes calldata blob) external pure returns (bytes memory) {
        return Bill.lines(blob);
    }

    function original(bytes calldata blob) external pure returns (BillKey) {
        return Bill.original(blob);
    }

    function at(bytes calldata bills, uint256 place)
        external
        pure
        returns (uint256 index, uint256 maximum, bytes memory blob, uint256 next)
    {
        return Batch.at(bills, place);
    }

    function wholeLegs(uint256[] memory payees, bytes calldata blob)
        external
        pure
        returns (Leg[] memory legs, uint256 total)
    {
        return Payees.wholeLegs(payees, blob);
    }

    function oweWhole(uint256[] memory payees, bytes calldata blob, uint256 maximum)
        external
        pure
        returns (uint256 total, uint256[] memory after_)
    {
        return (Payees.oweWhole(payees, blob, maximum), payees);
    }

    // --- fuzz ---

    /// @dev Random bytes are almost never well formed; those that are hold what the layout says, to the byte.
    function testFuzz_WellFormedIsTheLayout(bytes memory blob, uint8 kind, uint8 count, uint8 tail) public view {
        if (blob.length >= 34) {
            blob[32] = bytes1(kind % 5);
            blob[33] = bytes1(count % 40);
        }
        Parsed memory parsed = this.parse(blob);
        vm.assertTrue(parsed.wellFormed == _wellFormed(blob), "random bytes");
        bytes memory made = abi.encodePacked(
            keccak256("commit"), kind % 5, count % 40, new bytes(8 * uint256(count % 40)), new bytes(tail % 120)
        );
        parsed = this.parse(made);
        vm.assertTrue(parsed.wellFormed == _wellFormed(made), "made");
        bool nets = kind % 5 == 0 && tail % 120 != 0;
        vm.assertTrue(parsed.plain == (parsed.wellFormed && kind % 5 < 2 && !nets), "plain");
        if (!parsed.wellFormed) return;
        vm.assertEq(parsed.kind, kind % 5, "kind");
        vm.assertEq(parsed.lines, count % 40, "lines");
        vm.assertEq(parsed.credits, kind % 5 == 0 ? (tail % 120) / 39 : 0, "credits");
    }

    function testFuzz_LinesReadBack(uint64[] memory raw, uint64 key) public view {
        uint256 count = raw.length < 32 ? raw.length : 32;
        if (count == 0) return;
        bytes memory packed;
        for (uint256 i = 0; i < count; ++i) {
            packed = abi.encodePacked(packed, raw[i]);
        }
        bytes memory blob = abi.encodePacked(keccak256("commit"), uint8(1), uint8(count), packed, key);
        vm.assertEq(this.lines(blob), packed, "lines");
        vm.assertEq(BillKey.unwrap(this.original(blob)), key, "original");
        for (uint256 i = 0; i < count; ++i) {
            (uint256 supplier, uint256 amount) = this.line(blob, i);
            vm.assertEq(supplier, raw[i] >> 48, "supplier");
            vm.assertEq(amount, raw[i] & 0xffffffffffff, "amount");
        }
    }

    function testFuzz_CreditsReadBack(uint8 lineOf, uint48 amount, bytes32 prepayment, uint8 before) public view {
        bytes memory other = abi.encodePacked(uint8(9), uint48(9), keccak256("another"));
        bytes memory blob = abi.encodePacked(keccak256("commit"), uint16(1), uint64(5));
        before %= 4;
        for (uint256 i = 0; i < before; ++i) {
            blob = bytes.concat(blob, other);
        }
        blob = abi.encodePacked(blob, lineOf, amount, prepayment);
        (uint256 l, uint256 a, bytes32 p) = this.credit(blob, before);
        vm.assertEq(l, lineOf, "line");
        vm.assertEq(a, amount, "amount");
        vm.assertEq(p, prepayment, "prepayment");
    }

    function testFuzz_BatchReadsBack(uint32 index, uint48 maximum, bytes memory blob, bytes memory before) public view {
        vm.assume(blob.length < 2 ** 16);
        bytes memory bills = abi.encodePacked(before, index, maximum, uint16(blob.length), blob);
        (uint256 i, uint256 m, bytes memory b, uint256 next) = this.at(bills, before.length);
        vm.assertEq(i, index, "index");
        vm.assertEq(m, maximum, "maximum");
        vm.assertEq(b, blob, "blob");
        vm.assertEq(next, bills.length, "next");
    }

    function testFuzz_RevertWhen_BatchIsCutShort(bytes memory blob, uint256 cut) public {
        vm.assume(blob.length < 2 ** 16);
        bytes memory bills = abi.encodePacked(uint32(1), uint48(2), uint16(blob.length), blob);
        cut = bound(cut, 1, bills.length);
        bytes memory shorter = new bytes(bills.length - cut);
        for (uint256 i = 0; i < shorter.length; ++i) {
            shorter[i] = bills[i];
        }
        vm.expectRevert();
        this.at(shorter, 0);
    }

    /// @dev Four lines at a time or one by one: the same legs, the same total, nothing owed when a line can't be paid.
    function testFuzz_QuickWaysReadTheSame(uint48[] memory amounts, uint256 seed, uint8 unpayable, uint48 maximum)
        public
        view
    {
        uint256 count = amounts.length < 32 ? amounts.length : 32;
        if (count == 0) return;
        uint256[] memory payees = new uint256[](9);
        for (uint256 i = 1; i < 9; ++i) {
            payees[i] = uint160(uint256(keccak256(abi.encode(i)))) | (i == unpayable ? 0 : Payees.PAYABLE);
        }
        bytes memory blob = abi.encodePacked(keccak256("commit"), uint8(0), uint8(count));
        uint256[] memory owed = new uint256[](10);
        uint256 total = 0;
        bool refused = false;
        for (uint256 i = 0; i < count; ++i) {
            uint256 supplier = 1 + (seed >> (4 * i)) % 9; // 9 is unknown
            blob = abi.encodePacked(blob, uint16(supplier), amounts[i]);
            owed[supplier] += amounts[i];
            total += amounts[i];
            refused = refused || supplier == 9 || supplier == unpayable;
        }
        (Leg[] memory legs, uint256 sum) = this.wholeLegs(payees, blob);
        vm.assertEq(sum, refused ? 0 : total, "total of the legs");
        (uint256 taken, uint256[] memory after_) = this.oweWhole(payees, blob, maximum);
        vm.assertEq(taken, refused || total > maximum ? 0 : total, "total owed");
        for (uint256 i = 1; i < 9; ++i) {
            vm.assertEq(after_[i] >> 161, taken == 0 ? 0 : owed[i], "owed to a supplier");
            vm.assertEq(after_[i] << 95, payees[i] << 95, "the entry itself");
        }
        for (uint256 i = 0; i < count && !refused; ++i) {
            (uint256 supplier, uint256 amount) = this.line(blob, i);
            vm.assertEq(Legs.recipientOf(legs[i]), address(uint160(payees[supplier])), "recipient");
            vm.assertEq(Legs.amountOf(legs[i]), amount, "amount");
        }
    }

    function testFuzz_LegsPackAndUnpack(address to, uint96 amount) public pure {
        Leg leg = Legs.pack(to, amount);
        vm.assertEq(Legs.recipientOf(leg), to, "recipient");
        vm.assertEq(Legs.amountOf(leg), amount, "amount");
    }

    /// @dev The page's words, one after the other.
    function _wellFormed(bytes memory blob) private pure returns (bool) {
        if (blob.length < 34) return false;
        (uint256 kind, uint256 count) = (uint8(blob[32]), uint8(blob[33]));
        if (kind > 2 || count < 1 || count > 32) return false;
        if (kind != 0) return blob.length == 34 + 8 * count + 8;
        return blob.length >= 34 + 8 * count && (blob.length - 34 - 8 * count) % 39 == 0;
    }
}
