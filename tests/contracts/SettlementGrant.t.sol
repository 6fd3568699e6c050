// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IRouble} from "../../contracts/src/interfaces/IRouble.sol";
import {ISettlement} from "../../contracts/src/interfaces/ISettlement.sol";
import {ISubsidyBook} from "../../contracts/src/interfaces/ISubsidyBook.sol";
import {BillKey, BillState, GrantClaim, ProvenBill} from "../../contracts/src/types/Types.sol";
import {Billing} from "./base/Billing.sol";

/// @notice `Settlement.applyGrants`: welfare's money, straight from its wallet to the line it was granted for.
contract SettlementGrantTest is Billing {
    uint32 internal run;

    function setUp() public override {
        super.setUp();
        run = postRun(_blobs(billOf(100, 200, 300), billOf(7, 11, 13), billOf(1000)));
        fund(welfare, 10_000);
        fund(otherWelfare, 10_000);
        fund(payer, 10_000);
    }

    function apply_(uint32 batch, uint32 index) internal {
        GrantClaim[] memory list = claims(batch, run, index);
        vm.prank(stranger);
        settlement.applyGrants(list);
    }

    function expectSkipped(uint32 batch, uint32 index, BillState state) internal {
        GrantClaim[] memory list = claims(batch, run, index);
        vm.expectEmit(address(settlement));
        emit ISettlement.BillSkipped(key(run, index), bytes32(uint256(batch) * 2 ** 32), state);
        settlement.applyGrants(list);
    }

    // --- failures ---

    function test_RevertWhen_GrantIsAppliedTwice() public {
        uint32 batch = postGrant(welfare, run, 0, 1, 150);
        apply_(batch, 0);
        GrantClaim[] memory list = claims(batch, run, 0);
        vm.expectRevert(abi.encodeWithSelector(ISubsidyBook.SubsidyBook_GrantSpent.selector, batch, 0));
        settlement.applyGrants(list);
    }

    function test_RevertWhen_GrantIsNamedTwiceInOneCall() public {
        uint32 batch = postGrant(welfare, run, 0, 1, 50);
        GrantClaim[] memory list = new GrantClaim[](2);
        (list[0], list[1]) = (claim(batch, 0, run, 0), claim(batch, 0, run, 0));
        vm.expectRevert(abi.encodeWithSelector(ISubsidyBook.SubsidyBook_GrantSpent.selector, batch, 0));
        settlement.applyGrants(list);
    }

    function test_RevertWhen_GrantIsForAnotherBill() public {
        uint32 batch = postGrant(welfare, run, 0, 0, 150);
        GrantClaim[] memory list = claims(batch, run, 2);
        vm.expectRevert(
            abi.encodeWithSelector(ISettlement.Settlement_GrantForOtherBill.selector, key(run, 0), key(run, 2))
        );
        settlement.applyGrants(list);
    }

    function test_RevertWhen_BillHasNoSuchLine() public {
        uint32 batch = postGrant(welfare, run, 0, 3, 150);
        GrantClaim[] memory list = claims(batch, run, 0);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.Settlement_NoSuchLine.selector, key(run, 0), 3));
        settlement.applyGrants(list);
    }

    function test_RevertWhen_GrantIsOnACreditNote() public {
        uint32 notes = postRun(creditNote(_list(1, 2, 3), run, 0));
        uint32 batch = postGrant(welfare, notes, 0, 0, 1);
        GrantClaim[] memory list = claims(batch, notes, 0);
        vm.expectRevert(
            abi.encodeWithSelector(ISettlement.Settlement_NotPayable.selector, key(notes, 0), uint8(2))
        );
        settlement.applyGrants(list);
    }

    function test_RevertWhen_GrantExpired() public {
        uint32 batch = postGrant(welfare, run, 0, 0, 50);
        uint40 expiry = uint40(vm.getBlockTimestamp()) + 365 days;
        GrantClaim[] memory list = claims(batch, run, 0);
        vm.warp(expiry);
        vm.expectRevert(abi.encodeWithSelector(ISubsidyBook.SubsidyBook_GrantExpired.selector, batch, 0, expiry));
        settlement.applyGrants(list);
        vm.warp(expiry - 1);
        settlement.applyGrants(list);
    }

    function test_RevertWhen_MaximumIsRaised() public {
        uint32 batch = postGrant(welfare, run, 0, 0, 50);
        GrantClaim[] memory list = claims(batch, run, 0);
        list[0].blob[46] = 0xff;
        vm.expectRevert(abi.encodeWithSelector(ISubsidyBook.SubsidyBook_WrongProof.selector, batch, 0));
        settlement.applyGrants(list);
    }

    function test_RevertWhen_WalletTookItsAllowanceBack() public {
        uint32 batch = postGrant(welfare, run, 0, 0, 50);
        vm.prank(welfare);
        rouble.approve(address(settlement), 49);
        GrantClaim[] memory list = claims(batch, run, 0);
        vm.expectRevert(
            abi.encodeWithSelector(
                IRouble.Rouble_AllowanceTooLow.selector, welfare, address(settlement), 49, 50
            )
        );
        settlement.applyGrants(list);
        vm.assertFalse(subsidies.isSpent(batch, 0), "the grant stands");
    }

    function test_RevertWhen_WalletIsEmpty() public {
        uint32 batch = postGrant(welfare, run, 0, 0, 50);
        vm.prank(welfare);
        rouble.transfer(stranger, 9951);
        GrantClaim[] memory list = claims(batch, run, 0);
        vm.expectRevert(abi.encodeWithSelector(IRouble.Rouble_BalanceTooLow.selector, welfare, 49, 50));
        settlement.applyGrants(list);
    }

    function test_RevertWhen_Paused() public {
        uint32 batch = postGrant(welfare, run, 0, 0, 50);
        uint40 until = uint40(vm.getBlockTimestamp()) + 1 hours;
        vm.prank(guardian);
        settlement.pause(until);
        GrantClaim[] memory list = claims(batch, run, 0);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.Settlement_Paused.selector, until));
        settlement.applyGrants(list);
    }

    /// @dev Another wallet's grant on a granted line takes nothing, and so asked no payee: the pause must hold anyway.
    function test_RevertWhen_NettingThroughAGrantInAPause() public {
        bytes32 prepayment = _prepay(1, 40, "tag");
        uint32 later = postRun(billNetting(_list(100), 0, 40, prepayment));
        uint32 first = postGrant(welfare, later, 0, 0, 10);
        uint32 second = postGrant(otherWelfare, later, 0, 0, 10);
        GrantClaim[] memory list = claims(second, later, 0);
        uint40 until = uint40(vm.getBlockTimestamp()) + 1 hours;
        vm.prank(guardian);
        settlement.pause(until);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.Settlement_Paused.selector, until));
        settlement.applyGrants(list);
        vm.assertTrue(first != second, "two batches");
    }

    // --- what it does ---

    function test_GrantPaysItsOwnLine() public {
        uint32 batch = postGrant(welfare, run, 0, 1, 150);
        vm.expectEmit(address(settlement));
        emit ISettlement.GrantApplied(batch, 0, key(run, 0), 1, _supplier(2), 150, BillState.Partial);
        apply_(batch, 0);
        vm.assertEq(rouble.balanceOf(payout(2)), 150, "supplier");
        vm.assertEq(rouble.balanceOf(welfare), 9850, "welfare");
        vm.assertEq(recordOf(run, 0, 1).granted, 150, "record");
        assertState(run, 0, BillState.Partial);
    }

    /// @dev A grant that lands between an order's signing and its relaying: no line is paid above its charge.
    function test_GrantLandsBeforeThePayment() public {
        apply_(postGrant(welfare, run, 0, 1, 150), 0);
        ProvenBill memory bill = proven(run, 0);
        vm.prank(payer);
        vm.assertEq(settlement.pay(bill, 600), 450, "the rest");
        vm.assertEq(rouble.balanceOf(payout(2)), 200, "line 1 once");
        assertState(run, 0, BillState.Paid);
    }

    function test_GrantLargerThanTheLineIsCut() public {
        uint32 batch = postGrant(welfare, run, 2, 0, 5000);
        apply_(batch, 2);
        vm.assertEq(rouble.balanceOf(payout(1)), 1000, "no more than the line");
        assertState(run, 2, BillState.Paid);
        vm.assertTrue(subsidies.isSpent(batch, 0), "what it did not take is void");
    }

    function test_GrantForAPaidBillIsSkipped() public {
        ProvenBill memory bill = proven(run, 2);
        vm.prank(payer);
        settlement.pay(bill, 1000);
        expectSkipped(postGrant(welfare, run, 2, 0, 100), 2, BillState.Paid);
        vm.assertEq(rouble.balanceOf(welfare), 10_000, "welfare");
    }

    function test_GrantForASupersededBillIsSkipped() public {
        uint32 batch = postGrant(welfare, run, 2, 0, 100);
        BillKey[] memory old = _keys(key(run, 2));
        uint32 later = propose(_blobs(billOf(900)), old);
        vm.warp(vm.getBlockTimestamp() + ACTIVATION_DELAY);
        charges.activate(later, old);
        expectSkipped(batch, 2, BillState.Superseded);
    }

    function test_GrantForACoveredLineIsSkipped() public {
        apply_(postGrant(welfare, run, 0, 1, 200), 0);
        uint32 second = postGrant(welfare, run, 0, 1, 50);
        expectSkipped(second, 0, BillState.Partial);
        vm.assertFalse(subsidies.isSpent(second, 0), "a skipped grant is not used up");
    }

    function test_GrantForASuspendedSupplierIsSkipped() public {
        setActive(2, false);
        uint32 batch = postGrant(welfare, run, 0, 1, 50);
        expectSkipped(batch, 0, BillState.Open);
        setActive(2, true);
        apply_(batch, 0);
        vm.assertEq(rouble.balanceOf(payout(2)), 50, "later");
    }

    function test_GrantForAFrozenPayoutIsSkipped() public {
        vm.prank(bank);
        rouble.freeze(payout(2), keccak256("act"));
        expectSkipped(postGrant(welfare, run, 0, 1, 50), 0, BillState.Open);
    }

    /// @dev A bill that names a prepayment nobody made, and a grant that is skipped: nothing moved, so it stays open
    /// and can still be replaced by a correction.
    function test_SkippedGrantLeavesAnOpenBillOpen() public {
        uint32 later = postRun(billNetting(_list(100), 0, 40, keccak256("nobody's")));
        setActive(1, false);
        uint32 batch = postGrant(welfare, later, 0, 0, 50);
        GrantClaim[] memory list = claims(batch, later, 0);
        settlement.applyGrants(list);
        assertState(later, 0, BillState.Open);
    }

    function test_GrantNetsThePrepaymentFirst() public {
        bytes32 prepayment = _prepay(1, 40, "tag");
        uint32 later = postRun(billNetting(_list(100), 0, 40, prepayment));
        uint32 batch = postGrant(welfare, later, 0, 0, 80);
        GrantClaim[] memory list = claims(batch, later, 0);
        settlement.applyGrants(list);
        vm.assertEq(recordOf(later, 0, 0).netted, 40, "netted");
        vm.assertEq(recordOf(later, 0, 0).granted, 60, "granted");
        assertState(later, 0, BillState.Paid);
    }

    function test_TwoGrantsOfOneWalletAddUp() public {
        apply_(postGrant(welfare, run, 0, 1, 60), 0);
        apply_(postGrant(welfare, run, 0, 1, 70), 0);
        vm.assertEq(recordOf(run, 0, 1).granted, 130, "both");
    }

    /// @dev A refund must know whose money it gives back.
    function test_AnotherWalletsGrantOnTheLineIsSkipped() public {
        apply_(postGrant(welfare, run, 0, 1, 60), 0);
        expectSkipped(postGrant(otherWelfare, run, 0, 1, 70), 0, BillState.Partial);
        vm.assertEq(rouble.balanceOf(otherWelfare), 10_000, "untouched");
        apply_(postGrant(otherWelfare, run, 0, 2, 70), 0);
        vm.assertEq(rouble.balanceOf(otherWelfare), 9930, "another line is free");
    }

    /// @dev Grants that promise more than their batch's total: the total holds.
    function test_BatchNeverPaysMoreThanItsTotal() public {
        bytes memory first = grantFor(run, 0, 1, 200);
        bytes memory second = grantFor(run, 0, 2, 300);
        uint32 batch = postGrants(welfare, _blobs(first, second), 250);
        GrantClaim[] memory list = new GrantClaim[](2);
        (list[0], list[1]) = (claim(batch, 0, run, 0), claim(batch, 1, run, 0));
        settlement.applyGrants(list);
        vm.assertEq(rouble.balanceOf(welfare), 9750, "the total and no more");
        (,,, uint64 total, uint64 used,) = subsidies.batchOf(batch);
        vm.assertEq(total, used, "used up");
        vm.assertEq(subsidies.committedBy(welfare), 0, "nothing committed");
    }

    // --- fuzz ---

    function testFuzz_GrantTakesNoMoreThanLineMaximumAndTotal(uint48 maximum, uint48 paid, uint64 total) public {
        paid = uint48(bound(paid, 0, 999));
        total = uint64(bound(total, 1, 10_000));
        if (paid != 0) {
            ProvenBill memory bill = proven(run, 2);
            vm.prank(payer);
            settlement.pay(bill, paid);
        }
        uint32 batch = postGrants(welfare, _blobs(grantFor(run, 2, 0, maximum)), total);
        GrantClaim[] memory list = claims(batch, run, 2);
        settlement.applyGrants(list);
        uint256 expected = 1000 - paid;
        if (maximum < expected) expected = maximum;
        if (total < expected) expected = total;
        vm.assertEq(10_000 - rouble.balanceOf(welfare), expected, "what it took");
        vm.assertEq(recordOf(run, 2, 0).granted, expected, "record");
        vm.assertTrue(subsidies.isSpent(batch, 0) == (expected != 0), "used once it moved");
    }

    function testFuzz_RevertWhen_GrantBlobIsTamperedWith(uint256 at, uint8 flip) public {
        uint32 batch = postGrant(welfare, run, 0, 0, 50);
        GrantClaim[] memory list = claims(batch, run, 0);
        vm.assume(flip != 0);
        at = bound(at, 0, 51);
        list[0].blob[at] = bytes1(uint8(list[0].blob[at]) ^ flip);
        vm.expectRevert(abi.encodeWithSelector(ISubsidyBook.SubsidyBook_WrongProof.selector, batch, 0));
        settlement.applyGrants(list);
    }

    function _prepay(uint16 supplier, uint48 amount, bytes32 tag) private returns (bytes32) {
        vm.prank(payer);
        settlement.prepay(_supplier(supplier), amount, tag);
        return keccak256(abi.encodePacked(payer, tag));
    }
}
