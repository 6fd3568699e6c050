// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {ISubsidyBook} from "../../contracts/src/interfaces/ISubsidyBook.sol";
import {BillKey, GrantClaim} from "../../contracts/src/types/Types.sol";
import {Billing} from "./base/Billing.sol";

/// @notice Grant batches: posted, proven, reversed.
contract SubsidyBookTest is Billing {
    bytes32 internal constant ACT = keccak256("act");
    uint32 internal run;

    function setUp() public override {
        super.setUp();
        run = postRun(_blobs(billOf(100, 200, 300), billOf(1000)));
        fund(welfare, 10_000);
        fund(otherWelfare, 10_000);
    }

    // --- post ---

    function test_RevertWhen_PosterIsNotWelfare() public {
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, operator));
        vm.prank(operator);
        subsidies.post(keccak256("root"), 1, 1, ACT);
    }

    function test_RevertWhen_BatchIsEmpty() public {
        vm.startPrank(welfare);
        bytes4 empty = ISubsidyBook.SubsidyBook_EmptyBatch.selector;
        vm.expectRevert(empty);
        subsidies.post(0, 1, 1, ACT);
        vm.expectRevert(empty);
        subsidies.post(keccak256("root"), 0, 1, ACT);
        vm.expectRevert(empty);
        subsidies.post(keccak256("root"), 1, 0, ACT);
        vm.expectRevert(empty);
        subsidies.post(keccak256("root"), 1, 1, 0);
    }

    /// @dev Live batches together need the allowance, not each by itself.
    function test_RevertWhen_TotalsAreAboveTheAllowance() public {
        vm.startPrank(welfare);
        rouble.approve(address(settlement), 100);
        subsidies.post(keccak256("root"), 1, 60, ACT);
        vm.expectRevert(abi.encodeWithSelector(ISubsidyBook.SubsidyBook_TotalNotAllowed.selector, 100, 101));
        subsidies.post(keccak256("root"), 1, 41, ACT);
        subsidies.post(keccak256("root"), 1, 40, ACT);
    }

    function test_PostedBatchIsKept() public {
        vm.expectEmit(address(subsidies));
        emit ISubsidyBook.GrantsPosted(1, welfare, keccak256("root"), 3, 600, ACT);
        vm.prank(welfare);
        vm.assertEq(subsidies.post(keccak256("root"), 3, 600, ACT), 1, "first batch");
        (address wallet, bytes32 root, uint32 count, uint64 total, uint64 used, bool reversed) =
            subsidies.batchOf(1);
        vm.assertEq(wallet, welfare, "wallet");
        vm.assertEq(root, keccak256("root"), "root");
        vm.assertEq(count, 3, "count");
        vm.assertEq(total, 600, "total");
        vm.assertEq(used, 0, "used");
        vm.assertFalse(reversed, "reversed");
        vm.assertEq(subsidies.committedBy(welfare), 600, "committed");
    }

    // --- reverse ---

    function test_RevertWhen_AnothersBatchIsReversed() public {
        uint32 batch = postGrant(welfare, run, 0, 0, 50);
        bytes memory reason =
            abi.encodeWithSelector(ISubsidyBook.SubsidyBook_NotWallet.selector, batch, otherWelfare);
        vm.startPrank(otherWelfare);
        vm.expectRevert(reason);
        subsidies.reverseBatch(batch, ACT);
        vm.expectRevert(reason);
        subsidies.reverseGrant(batch, 0, ACT);
    }

    function test_RevertWhen_ReversedBatchIsUnknown() public {
        vm.expectRevert(abi.encodeWithSelector(ISubsidyBook.SubsidyBook_UnknownBatch.selector, 9));
        vm.prank(welfare);
        subsidies.reverseBatch(9, ACT);
    }

    function test_RevertWhen_ReversedTwice() public {
        uint32 batch = postGrant(welfare, run, 0, 0, 50);
        vm.startPrank(welfare);
        subsidies.reverseGrant(batch, 0, ACT);
        vm.expectRevert(abi.encodeWithSelector(ISubsidyBook.SubsidyBook_GrantSpent.selector, batch, 0));
        subsidies.reverseGrant(batch, 0, ACT);
        subsidies.reverseBatch(batch, ACT);
        vm.expectRevert(abi.encodeWithSelector(ISubsidyBook.SubsidyBook_BatchReversed.selector, batch));
        subsidies.reverseBatch(batch, ACT);
    }

    function test_RevertWhen_ReversedGrantIsBeyondTheBatch() public {
        uint32 batch = postGrant(welfare, run, 0, 0, 50);
        vm.expectRevert(abi.encodeWithSelector(ISubsidyBook.SubsidyBook_NoSuchGrant.selector, batch, 1));
        vm.prank(welfare);
        subsidies.reverseGrant(batch, 1, ACT);
    }

    function test_RevertWhen_ReversedBatchIsApplied() public {
        uint32 batch = postGrant(welfare, run, 0, 0, 50);
        vm.prank(welfare);
        subsidies.reverseBatch(batch, ACT);
        GrantClaim[] memory list = claims(batch, run, 0);
        vm.expectRevert(abi.encodeWithSelector(ISubsidyBook.SubsidyBook_BatchReversed.selector, batch));
        settlement.applyGrants(list);
        vm.assertEq(subsidies.committedBy(welfare), 0, "nothing committed");
    }

    function test_RevertWhen_ReversedGrantIsApplied() public {
        uint32 batch = postGrant(welfare, run, 0, 0, 50);
        vm.expectEmit(address(subsidies));
        emit ISubsidyBook.GrantReversed(batch, 0, ACT);
        vm.prank(welfare);
        subsidies.reverseGrant(batch, 0, ACT);
        GrantClaim[] memory list = claims(batch, run, 0);
        vm.expectRevert(abi.encodeWithSelector(ISubsidyBook.SubsidyBook_GrantSpent.selector, batch, 0));
        settlement.applyGrants(list);
    }

    function test_RevertWhen_AppliedGrantIsReversed() public {
        uint32 batch = postGrant(welfare, run, 0, 0, 50);
        GrantClaim[] memory list = claims(batch, run, 0);
        settlement.applyGrants(list);
        vm.expectRevert(abi.encodeWithSelector(ISubsidyBook.SubsidyBook_GrantSpent.selector, batch, 0));
        vm.prank(welfare);
        subsidies.reverseGrant(batch, 0, ACT);
    }

    /// @dev What was used stays used; only the rest is free again.
    function test_ReversedBatchFreesWhatIsLeft() public {
        uint32 batch = postGrants(welfare, _blobs(grantFor(run, 0, 0, 50), grantFor(run, 1, 0, 70)), 120);
        GrantClaim[] memory list = claims(batch, run, 0);
        settlement.applyGrants(list);
        vm.assertEq(subsidies.committedBy(welfare), 70, "left");
        vm.prank(welfare);
        subsidies.reverseBatch(batch, ACT);
        vm.assertEq(subsidies.committedBy(welfare), 0, "free");
    }

    // --- prove ---

    function test_RevertWhen_GrantIsUnknownOrAliased() public {
        uint32 batch = postGrants(
            welfare, _blobs(grantFor(run, 0, 0, 50), grantFor(run, 0, 1, 50), grantFor(run, 0, 2, 50)), 150
        );
        GrantClaim memory one = claim(batch, 1, run, 0);
        vm.expectRevert(abi.encodeWithSelector(ISubsidyBook.SubsidyBook_UnknownBatch.selector, batch + 1));
        subsidies.proveGrant(batch + 1, 1, one.blob, one.proof);
        for (uint32 index = 3; index < 30; ++index) {
            vm.expectRevert(abi.encodeWithSelector(ISubsidyBook.SubsidyBook_NoSuchGrant.selector, batch, index));
            subsidies.proveGrant(batch, index, one.blob, one.proof);
        }
        vm.expectRevert(abi.encodeWithSelector(ISubsidyBook.SubsidyBook_WrongProof.selector, batch, 2));
        subsidies.proveGrant(batch, 2, one.blob, one.proof);
        vm.expectRevert(abi.encodeWithSelector(ISubsidyBook.SubsidyBook_NoSuchGrant.selector, batch, 1));
        subsidies.proveGrant(batch, 1, one.blob, new bytes32[](3));
    }

    function test_RevertWhen_GrantBlobHasOtherLength() public {
        bytes memory long = bytes.concat(grantFor(run, 0, 0, 50), hex"00");
        uint32 batch = postGrants(welfare, _blobs(long), 50);
        vm.expectRevert(abi.encodeWithSelector(ISubsidyBook.SubsidyBook_WrongLength.selector, 53));
        subsidies.proveGrant(batch, 0, long, new bytes32[](0));
    }

    // --- use ---

    function test_RevertWhen_UserIsNotTheSettlement() public {
        uint32 batch = postGrant(welfare, run, 0, 0, 50);
        BillKey bill = key(run, 0);
        vm.expectRevert(abi.encodeWithSelector(ISubsidyBook.SubsidyBook_NotSettlement.selector, welfare));
        vm.prank(welfare);
        subsidies.use(batch, 0, bill, 0, 50);
    }

    function test_RevertWhen_UseIsAboveTheTotal() public {
        uint32 batch = postGrant(welfare, run, 0, 0, 50);
        BillKey bill = key(run, 0);
        vm.expectRevert(abi.encodeWithSelector(ISubsidyBook.SubsidyBook_TotalExceeded.selector, batch, 50, 51));
        vm.prank(address(settlement));
        subsidies.use(batch, 0, bill, 0, 51);
    }

    // --- fuzz ---

    function testFuzz_GrantReadsBackAsItWasWritten(
        bytes32 commit,
        uint64 bill,
        uint8 line,
        uint48 maximum,
        uint40 expiry,
        uint64 total
    ) public {
        total = uint64(bound(total, 1, type(uint64).max));
        bytes memory blob = abi.encodePacked(commit, bill, line, maximum, expiry);
        uint32 batch = postGrants(welfare, _blobs(blob), total);
        if (expiry <= vm.getBlockTimestamp()) {
            vm.expectRevert(
                abi.encodeWithSelector(ISubsidyBook.SubsidyBook_GrantExpired.selector, batch, 0, expiry)
            );
            subsidies.proveGrant(batch, 0, blob, new bytes32[](0));
            return;
        }
        (address wallet, BillKey provenBill, uint8 provenLine, uint48 provenMaximum) =
            subsidies.proveGrant(batch, 0, blob, new bytes32[](0));
        vm.assertEq(wallet, welfare, "wallet");
        vm.assertEq(BillKey.unwrap(provenBill), bill, "bill");
        vm.assertEq(provenLine, line, "line");
        vm.assertEq(provenMaximum, maximum < total ? maximum : total, "maximum");
    }

    function testFuzz_CommitmentsFollowPostsAndReversals(uint64[6] memory totals, uint8 reversed) public {
        uint256 expected = 0;
        for (uint256 i = 0; i < 6; ++i) {
            totals[i] = uint64(bound(totals[i], 1, type(uint64).max));
            vm.startPrank(welfare);
            uint32 batch = subsidies.post(keccak256("root"), 1, totals[i], ACT);
            if ((reversed >> i) & 1 == 1) subsidies.reverseBatch(batch, ACT);
            else expected += totals[i];
            vm.stopPrank();
        }
        vm.assertEq(subsidies.committedBy(welfare), expected, "committed");
        vm.assertEq(subsidies.committedBy(otherWelfare), 0, "nobody else's");
    }

    function testFuzz_ReversedGrantsAreSpent(uint16 count, uint32 index) public {
        count = uint16(bound(count, 1, type(uint16).max));
        index = uint32(bound(index, 0, count - 1));
        vm.startPrank(welfare);
        uint32 batch = subsidies.post(keccak256("root"), count, 1, ACT);
        subsidies.reverseGrant(batch, index, ACT);
        vm.assertTrue(subsidies.isSpent(batch, index), "spent");
        vm.assertFalse(subsidies.isSpent(batch, index + 1), "its neighbour");
        vm.assertFalse(subsidies.isSpent(batch + 1, index), "another batch");
    }
}
