// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IChargeBook} from "../../contracts/src/interfaces/IChargeBook.sol";
import {IRouble} from "../../contracts/src/interfaces/IRouble.sol";
import {ISettlement} from "../../contracts/src/interfaces/ISettlement.sol";
import {BillKey, BillState, ProvenBill} from "../../contracts/src/types/Types.sol";
import {Billing} from "./base/Billing.sol";
import {Blobs} from "./base/Blobs.sol";
import {Vm} from "./base/Vm.sol";

/// @notice `Settlement.pay`: one bill, from the caller's balance.
contract SettlementPayTest is Billing {
    uint32 internal run;

    function setUp() public override {
        super.setUp();
        run = postRun(_blobs(billOf(100, 200, 300), billOf(7, 11, 13), billOf(1000)));
        fund(payer, 10_000);
    }

    function pay(uint32 index, uint256 maximum) internal returns (uint256) {
        ProvenBill memory bill = proven(run, index);
        vm.prank(payer);
        return settlement.pay(bill, maximum);
    }

    // --- failures ---

    function test_RevertWhen_PaidTwice() public {
        pay(0, 600);
        ProvenBill memory bill = proven(run, 0);
        vm.expectRevert(
            abi.encodeWithSelector(ISettlement.Settlement_BillClosed.selector, key(run, 0), BillState.Paid)
        );
        vm.prank(payer);
        settlement.pay(bill, 600);
    }

    /// @dev Three bills pad to four places: 3 is the empty leaf, and 4 would alias 0 were the index not held to count.
    function test_RevertWhen_IndexAliased() public {
        ProvenBill memory bill = proven(run, 0);
        for (uint32 alias_ = 4; alias_ < 64; alias_ += 4) {
            bill.index = alias_;
            vm.expectRevert(
                abi.encodeWithSelector(IChargeBook.ChargeBook_NoSuchBill.selector, key(run, alias_))
            );
            vm.prank(payer);
            settlement.pay(bill, 600);
        }
    }

    function test_RevertWhen_PaddingIsClaimed() public {
        ProvenBill memory bill = proven(run, 0);
        bill.index = 3;
        vm.expectRevert(abi.encodeWithSelector(IChargeBook.ChargeBook_NoSuchBill.selector, key(run, 3)));
        vm.prank(payer);
        settlement.pay(bill, 600);
    }

    function test_RevertWhen_ProofHasOtherLength() public {
        ProvenBill memory bill = proven(run, 0);
        bytes32[] memory shorter = new bytes32[](1);
        shorter[0] = bill.proof[0];
        bytes32[] memory longer = new bytes32[](3);
        (longer[0], longer[1]) = (bill.proof[0], bill.proof[1]);
        for (uint256 i = 0; i < 2; ++i) {
            bill.proof = i == 0 ? shorter : longer;
            vm.expectRevert(abi.encodeWithSelector(IChargeBook.ChargeBook_NoSuchBill.selector, key(run, 0)));
            vm.prank(payer);
            settlement.pay(bill, 600);
        }
    }

    /// @dev An inner node has two 32-byte halves like a leaf might; the prefixes keep them apart.
    function test_RevertWhen_InnerNodeIsClaimedAsLeaf() public {
        ProvenBill memory bill = proven(run, 0);
        bytes memory inner = abi.encodePacked(keccak256("left"), keccak256("right"));
        bytes32[] memory proof = new bytes32[](2);
        bill.blob = inner;
        bill.proof = proof;
        vm.expectRevert(abi.encodeWithSelector(IChargeBook.ChargeBook_WrongProof.selector, key(run, 0)));
        vm.prank(payer);
        settlement.pay(bill, 600);
    }

    function test_RevertWhen_SumOnTheBillIsLowered() public {
        ProvenBill memory bill = proven(run, 2);
        bill.blob[bill.blob.length - 1] = 0x01;
        vm.expectRevert(abi.encodeWithSelector(IChargeBook.ChargeBook_WrongProof.selector, key(run, 2)));
        vm.prank(payer);
        settlement.pay(bill, 600);
    }

    function test_RevertWhen_RunIsUnknown() public {
        ProvenBill memory bill = proven(run, 0);
        bill.run = run + 1;
        vm.expectRevert(abi.encodeWithSelector(IChargeBook.ChargeBook_UnknownRun.selector, run + 1));
        vm.prank(payer);
        settlement.pay(bill, 600);
    }

    function test_RevertWhen_RunIsNotActiveYet() public {
        uint32 later = propose(_blobs(billOf(5)), new BillKey[](0));
        ProvenBill memory bill = proven(later, 0);
        vm.expectRevert(abi.encodeWithSelector(IChargeBook.ChargeBook_RunNotActive.selector, later));
        vm.prank(payer);
        settlement.pay(bill, 600);
    }

    function test_RevertWhen_MaximumIsZero() public {
        ProvenBill memory bill = proven(run, 0);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.Settlement_NothingToPay.selector, key(run, 0)));
        vm.prank(payer);
        settlement.pay(bill, 0);
    }

    function test_RevertWhen_WalletIsEmpty() public {
        ProvenBill memory bill = proven(run, 0);
        vm.prank(stranger);
        rouble.approve(address(settlement), 600);
        vm.expectRevert(
            abi.encodeWithSelector(IRouble.Rouble_BalanceTooLow.selector, stranger, 0, 600)
        );
        vm.prank(stranger);
        settlement.pay(bill, 600);
        assertState(run, 0, BillState.Open);
    }

    function test_RevertWhen_AllowanceIsTooLow() public {
        vm.prank(payer);
        rouble.approve(address(settlement), 599);
        ProvenBill memory bill = proven(run, 0);
        vm.expectRevert(
            abi.encodeWithSelector(
                IRouble.Rouble_AllowanceTooLow.selector, payer, address(settlement), 599, 600
            )
        );
        vm.prank(payer);
        settlement.pay(bill, 600);
    }

    function test_RevertWhen_PayerIsFrozen() public {
        vm.prank(bank);
        rouble.freeze(payer, keccak256("act"));
        ProvenBill memory bill = proven(run, 0);
        vm.expectRevert(abi.encodeWithSelector(IRouble.Rouble_AccountFrozen.selector, payer));
        vm.prank(payer);
        settlement.pay(bill, 600);
    }

    function test_RevertWhen_Paused() public {
        uint40 until = START + ACTIVATION_DELAY + 1 hours;
        vm.prank(guardian);
        settlement.pause(until);
        ProvenBill memory bill = proven(run, 0);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.Settlement_Paused.selector, until));
        vm.prank(payer);
        settlement.pay(bill, 600);
    }

    function test_RevertWhen_EverySupplierIsSuspended() public {
        setActive(1, false);
        ProvenBill memory bill = proven(run, 2);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.Settlement_NothingToPay.selector, key(run, 2)));
        vm.prank(payer);
        settlement.pay(bill, 1000);
    }

    function test_RevertWhen_CreditNoteIsPaid() public {
        uint32 notes = postRun(creditNote(_list(1, 2, 3), run, 0));
        ProvenBill memory note = proven(notes, 0);
        vm.expectRevert(
            abi.encodeWithSelector(ISettlement.Settlement_NotPayable.selector, key(notes, 0), Blobs.CREDIT_NOTE)
        );
        vm.prank(payer);
        settlement.pay(note, 6);
    }

    /// @dev The biller's own mistake: it must stop there, not move a kopeck.
    function test_RevertWhen_BlobIsMalformed() public {
        bytes memory good = billOf(100, 200, 300);
        bytes[] memory bad = new bytes[](6);
        bad[0] = bytes.concat(good, hex"00"); // a tail that is no credit
        bad[1] = Blobs.bill(_commit(), new uint16[](0), new uint48[](0)); // no lines
        bad[2] = Blobs.bill(_commit(), _suppliers(33), new uint48[](33)); // too many lines
        bad[3] = bytes.concat(good, hex"0000000000000000");
        bad[3][32] = 0x03; // no such kind
        bad[4] = hex"0102"; // too short for a head
        bad[5] = Blobs.bill(_commit(), _suppliers(2), new uint48[](2));
        bad[5][33] = 0x03; // a line more than there is
        uint32 later = postRun(bad);
        for (uint32 i = 0; i < bad.length; ++i) {
            ProvenBill memory bill = proven(later, i);
            vm.expectRevert(abi.encodeWithSelector(ISettlement.Settlement_BadBill.selector, key(later, i)));
            vm.prank(payer);
            settlement.pay(bill, 600);
        }
    }

    // --- what it does ---

    function test_WholeBillGoesToItsSuppliers() public {
        vm.recordLogs();
        vm.assertEq(pay(0, 600), 600, "returned total");
        vm.assertEq(rouble.balanceOf(payout(1)), 100, "supplier 1");
        vm.assertEq(rouble.balanceOf(payout(2)), 200, "supplier 2");
        vm.assertEq(rouble.balanceOf(payout(3)), 300, "supplier 3");
        vm.assertEq(rouble.balanceOf(payer), 9400, "payer");
        vm.assertEq(rouble.balanceOf(address(settlement)), 0, "custody");
        assertState(run, 0, BillState.Paid);
        _assertReceipt(0, payer, 0, hex"000100000000006400020000000000c8000300000000012c", BillState.Paid);
    }

    function test_PartIsDividedByLargestRemainder() public {
        // 20 of 7:11:13 (31): exact shares 4.516, 7.097, 8.387 → 4, 7, 8 and the one left to line 0.
        vm.recordLogs();
        vm.assertEq(pay(1, 20), 20, "returned total");
        vm.assertEq(rouble.balanceOf(payout(1)), 5, "line 0");
        vm.assertEq(rouble.balanceOf(payout(2)), 7, "line 1");
        vm.assertEq(rouble.balanceOf(payout(3)), 8, "line 2");
        assertState(run, 1, BillState.Partial);
        vm.assertEq(pay(1, 1000), 11, "the rest");
        assertState(run, 1, BillState.Paid);
        vm.assertEq(recordOf(run, 1, 0).paid, 7, "line 0 whole");
        vm.assertEq(recordOf(run, 1, 1).paid, 11, "line 1 whole");
        vm.assertEq(recordOf(run, 1, 2).paid, 13, "line 2 whole");
    }

    /// @dev A stranger's kopeck lands first; the payer's call takes what is open.
    function test_StrangersKopeckDoesNotStopThePayer() public {
        fund(stranger, 1);
        ProvenBill memory bill = proven(run, 2);
        vm.prank(stranger);
        settlement.pay(bill, 1);
        vm.assertEq(pay(2, 1000), 999, "the rest");
        assertState(run, 2, BillState.Paid);
    }

    function test_SuspendedSupplierIsSkippedAndTheOthersSettle() public {
        setActive(2, false);
        vm.expectEmit(address(settlement));
        emit ISettlement.LegSkipped(key(run, 0), 1, _supplier(2), 200);
        vm.assertEq(pay(0, 600), 400, "what could be paid");
        assertState(run, 0, BillState.Partial);
        vm.assertEq(rouble.balanceOf(payout(2)), 0, "nothing to the suspended");
        setActive(2, true);
        vm.assertEq(pay(0, 600), 200, "the leg that was left");
        assertState(run, 0, BillState.Paid);
    }

    function test_FrozenPayoutIsSkippedAndTheOthersSettle() public {
        vm.prank(bank);
        rouble.freeze(payout(3), keccak256("act"));
        vm.assertEq(pay(0, 600), 300, "what could be paid");
        assertState(run, 0, BillState.Partial);
        vm.prank(bank);
        rouble.unfreeze(payout(3), keccak256("act"));
        vm.assertEq(pay(0, 600), 300, "the leg that was left");
        assertState(run, 0, BillState.Paid);
    }

    function test_UnknownSupplierOnABillIsSkipped() public {
        uint16[] memory suppliers = new uint16[](2);
        (suppliers[0], suppliers[1]) = (1, 999);
        uint48[] memory amounts = new uint48[](2);
        (amounts[0], amounts[1]) = (10, 20);
        uint32 later = postRun(Blobs.bill(_commit(), suppliers, amounts));
        ProvenBill memory bill = proven(later, 0);
        vm.prank(payer);
        vm.assertEq(settlement.pay(bill, 30), 10, "the known one");
        assertState(later, 0, BillState.Partial);
    }

    function test_SupplierOnTwoLinesGetsBoth() public {
        uint16[] memory suppliers = new uint16[](2);
        (suppliers[0], suppliers[1]) = (4, 4);
        uint48[] memory amounts = new uint48[](2);
        (amounts[0], amounts[1]) = (10, 20);
        uint32 later = postRun(Blobs.bill(_commit(), suppliers, amounts));
        ProvenBill memory bill = proven(later, 0);
        vm.prank(payer);
        settlement.pay(bill, 30);
        vm.assertEq(rouble.balanceOf(payout(4)), 30, "both lines");
    }

    function test_DebitNoteIsPaidLikeABill() public {
        uint32 notes = postRun(debitNote(_list(1, 2, 3), run, 0));
        ProvenBill memory note = proven(notes, 0);
        vm.prank(payer);
        vm.assertEq(settlement.pay(note, 6), 6, "the note");
        assertState(notes, 0, BillState.Paid);
    }

    function test_LastIndexOfAWordAndFirstOfTheNext() public {
        bytes[] memory blobs = new bytes[](130);
        for (uint256 i = 0; i < blobs.length; ++i) {
            blobs[i] = billOf(uint48(i + 1));
        }
        uint32 later = postRun(blobs);
        for (uint32 i = 127; i < 130; ++i) {
            ProvenBill memory bill = proven(later, i);
            vm.prank(payer);
            settlement.pay(bill, i + 1);
        }
        assertState(later, 126, BillState.Open);
        assertState(later, 127, BillState.Paid);
        assertState(later, 128, BillState.Paid);
        assertState(later, 129, BillState.Paid);
    }

    /// @dev A bill of nothing stays as it is: there is no sum to pay.
    function test_RevertWhen_BillIsAllZero() public {
        uint32 later = postRun(billOf(0, 0, 0));
        ProvenBill memory bill = proven(later, 0);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.Settlement_NothingToPay.selector, key(later, 0)));
        vm.prank(payer);
        settlement.pay(bill, 1);
    }

    // --- fuzz ---

    /// @dev Any bill, any supplier suspended, paid in any three parts: parts make up the sums, lines never exceed.
    function testFuzz_PartsMakeUpTheBill(uint48[5] memory sums, uint256[3] memory maxima, uint8 suspended) public {
        uint48[] memory amounts = new uint48[](5);
        uint256 whole = 0;
        for (uint256 i = 0; i < 5; ++i) {
            amounts[i] = uint48(bound(sums[i], 0, 10 ** 12));
            whole += amounts[i];
        }
        suspended = uint8(bound(suspended, 0, SUPPLIERS)); // 0: none
        uint32 later = postRun(billOf(amounts));
        fund(payer, whole);
        if (suspended != 0) setActive(suspended, false);
        ProvenBill memory bill = proven(later, 0);
        uint256 taken = 0;
        for (uint256 i = 0; i < 3; ++i) {
            uint256 maximum = bound(maxima[i], 0, whole + 1);
            vm.prank(payer);
            try settlement.pay(bill, maximum) returns (uint256 total) {
                vm.assertLe(total, maximum, "above the maximum");
                taken += total;
            } catch {}
        }
        _assertLines(amounts, taken, suspended);
        if (suspended != 0) setActive(suspended, true);
        if (taken < whole) {
            vm.prank(payer);
            vm.assertEq(settlement.pay(bill, type(uint256).max), whole - taken, "the rest");
        }
        if (whole != 0) assertState(later, 0, BillState.Paid);
        _assertLines(amounts, whole, 0);
    }

    function testFuzz_RevertWhen_BlobIsTamperedWith(uint256 at, uint8 with) public {
        ProvenBill memory bill = proven(run, 0);
        at = bound(at, 0, bill.blob.length - 1);
        vm.assume(uint8(bill.blob[at]) != with);
        bill.blob[at] = bytes1(with);
        vm.expectRevert();
        vm.prank(payer);
        settlement.pay(bill, type(uint256).max);
    }

    function _assertLines(uint48[] memory amounts, uint256 taken, uint256 suspended) internal {
        uint256 received = 0;
        for (uint16 i = 0; i < amounts.length; ++i) {
            uint256 got = rouble.balanceOf(payout(i + 1));
            vm.assertLe(got, amounts[i], "a line above its charge");
            if (i + 1 == suspended) vm.assertEq(got, 0, "a suspended supplier got money");
            received += got;
        }
        vm.assertEq(received, taken, "legs do not make up the payments");
    }

    function _assertReceipt(uint32 index, address from, bytes32 ref, bytes memory legs, BillState state) internal {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter != address(settlement) || logs[i].topics[0] != ISettlement.BillPaid.selector) continue;
            vm.assertEq(logs[i].topics[1], bytes32(uint256(rawKey(run, index))), "bill in the receipt");
            vm.assertEq(logs[i].topics[2], bytes32(uint256(uint160(from))), "payer in the receipt");
            vm.assertEq(logs[i].topics[3], ref, "ref in the receipt");
            vm.assertEq(logs[i].data, abi.encode(legs, state), "legs and state in the receipt");
            return;
        }
        vm.assertTrue(false, "no receipt");
    }
}
