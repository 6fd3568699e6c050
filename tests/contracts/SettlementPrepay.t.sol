// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IRouble} from "../../contracts/src/interfaces/IRouble.sol";
import {ISettlement} from "../../contracts/src/interfaces/ISettlement.sol";
import {BillState, ProvenBill, SupplierId} from "../../contracts/src/types/Types.sol";
import {Billing} from "./base/Billing.sol";
import {Blobs} from "./base/Blobs.sol";

/// @notice `Settlement.prepay`, `net` and `pause`.
contract SettlementPrepayTest is Billing {
    bytes32 internal constant TAG = keccak256("tag");

    function setUp() public override {
        super.setUp();
        fund(payer, 10_000);
        fund(stranger, 10_000);
    }

    function prepay(address from, uint16 supplier, uint48 amount) internal returns (bytes32) {
        vm.prank(from);
        settlement.prepay(_supplier(supplier), amount, TAG);
        return keccak256(abi.encodePacked(from, TAG));
    }

    function net(uint32 run, uint32 index) internal {
        ProvenBill memory bill = proven(run, index);
        vm.prank(stranger);
        settlement.net(bill);
    }

    function left(bytes32 prepayment) internal view returns (uint48 amount) {
        (, amount) = settlement.prepaymentOf(prepayment);
    }

    // --- prepay: failures ---

    function test_RevertWhen_AmountIsZero() public {
        vm.expectRevert(abi.encodeWithSelector(ISettlement.Settlement_AmountOutOfRange.selector, 0));
        vm.prank(payer);
        settlement.prepay(_supplier(1), 0, TAG);
    }

    function test_RevertWhen_SupplierIsUnknown() public {
        for (uint16 id = 0; id < 2; ++id) {
            SupplierId unknown = SupplierId.wrap(id == 0 ? 0 : SUPPLIERS + 1);
            vm.expectRevert(abi.encodeWithSelector(ISettlement.Settlement_UnknownSupplier.selector, unknown));
            vm.prank(payer);
            settlement.prepay(unknown, 1, TAG);
        }
    }

    function test_RevertWhen_SupplierIsSuspendedOrFrozen() public {
        setActive(1, false);
        vm.prank(bank);
        rouble.freeze(payout(2), keccak256("act"));
        for (uint16 id = 1; id <= 2; ++id) {
            vm.expectRevert(
                abi.encodeWithSelector(ISettlement.Settlement_SupplierSuspended.selector, _supplier(id))
            );
            vm.prank(payer);
            settlement.prepay(_supplier(id), 1, TAG);
        }
    }

    function test_RevertWhen_TagIsUsedAgain() public {
        prepay(payer, 1, 100);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.Settlement_TagAlreadyUsed.selector, TAG));
        vm.prank(payer);
        settlement.prepay(_supplier(2), 1, TAG);
    }

    /// @dev Netted to the last kopeck, a tag stays used.
    function test_RevertWhen_TagIsUsedAgainAfterNetting() public {
        bytes32 prepayment = prepay(payer, 1, 100);
        net(postRun(billNetting(_list(100), 0, 100, prepayment)), 0);
        vm.assertEq(left(prepayment), 0, "used up");
        vm.expectRevert(abi.encodeWithSelector(ISettlement.Settlement_TagAlreadyUsed.selector, TAG));
        vm.prank(payer);
        settlement.prepay(_supplier(1), 1, TAG);
    }

    function test_RevertWhen_WalletIsEmpty() public {
        vm.expectRevert(abi.encodeWithSelector(IRouble.Rouble_BalanceTooLow.selector, payer, 10_000, 10_001));
        vm.prank(payer);
        settlement.prepay(_supplier(1), 10_001, TAG);
    }

    function test_RevertWhen_PrepayingInAPause() public {
        vm.prank(guardian);
        settlement.pause(START + 1 hours);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.Settlement_Paused.selector, START + 1 hours));
        vm.prank(payer);
        settlement.prepay(_supplier(1), 1, TAG);
    }

    // --- prepay ---

    function test_PrepaymentGoesToTheSupplier() public {
        vm.expectEmit(address(settlement));
        emit ISettlement.Prepaid(keccak256(abi.encodePacked(payer, TAG)), payer, _supplier(3), 100, TAG);
        bytes32 prepayment = prepay(payer, 3, 100);
        vm.assertEq(rouble.balanceOf(payout(3)), 100, "supplier");
        vm.assertEq(left(prepayment), 100, "left");
    }

    /// @dev A stranger who sees the tag in the mempool makes a prepayment of its own, in nobody's way, and a bill that
    /// names the payer's nets the payer's.
    function test_FrontRunTagMakesAnotherPrepayment() public {
        bytes32 strangers = prepay(stranger, 1, 1);
        bytes32 payers = prepay(payer, 1, 100);
        net(postRun(billNetting(_list(100), 0, 100, payers)), 0);
        vm.assertEq(left(strangers), 1, "the stranger's");
        vm.assertEq(left(payers), 0, "the payer's");
    }

    // --- net: failures ---

    function test_RevertWhen_NothingIsNetted() public {
        bytes32 prepayment = prepay(payer, 1, 100);
        bytes[] memory blobs = new bytes[](4);
        blobs[0] = billOf(100); // names none
        blobs[1] = billNetting(_list(100), 0, 10, keccak256("nobody's"));
        blobs[2] = billNetting(_list(100), 0, 0, prepayment); // of nothing
        blobs[3] = Blobs.billWithCredits(_commit(), _second(), _list(100), _credit(0, 10, prepayment)); // supplier 2
        uint32 run = postRun(blobs);
        for (uint32 i = 0; i < 4; ++i) {
            ProvenBill memory bill = proven(run, i);
            vm.expectRevert(abi.encodeWithSelector(ISettlement.Settlement_NothingToPay.selector, key(run, i)));
            settlement.net(bill);
        }
    }

    function test_RevertWhen_NettedTwice() public {
        bytes32 prepayment = prepay(payer, 1, 100);
        uint32 run = postRun(billNetting(_list(100), 0, 60, prepayment));
        net(run, 0);
        ProvenBill memory bill = proven(run, 0);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.Settlement_NothingToPay.selector, key(run, 0)));
        settlement.net(bill);
    }

    function test_RevertWhen_BillIsClosed() public {
        bytes32 prepayment = prepay(payer, 1, 100);
        uint32 run = postRun(billNetting(_list(100), 0, 100, prepayment));
        net(run, 0);
        ProvenBill memory bill = proven(run, 0);
        vm.expectRevert(
            abi.encodeWithSelector(ISettlement.Settlement_BillClosed.selector, key(run, 0), BillState.Paid)
        );
        settlement.net(bill);
    }

    function test_RevertWhen_CreditIsOnALineTheBillHasNot() public {
        uint32 run = postRun(billNetting(_list(100), 1, 100, prepay(payer, 1, 100)));
        ProvenBill memory bill = proven(run, 0);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.Settlement_BadBill.selector, key(run, 0)));
        settlement.net(bill);
    }

    function test_RevertWhen_NettingACreditNote() public {
        uint32 run = postRun(billOf(100));
        uint32 notes = postRun(creditNote(_list(10), run, 0));
        ProvenBill memory note = proven(notes, 0);
        vm.expectRevert(
            abi.encodeWithSelector(ISettlement.Settlement_NotPayable.selector, key(notes, 0), uint8(2))
        );
        settlement.net(note);
    }

    function test_RevertWhen_NettingInAPause() public {
        uint32 run = postRun(billNetting(_list(100), 0, 100, prepay(payer, 1, 100)));
        ProvenBill memory bill = proven(run, 0);
        uint40 until = uint40(vm.getBlockTimestamp()) + 1 hours;
        vm.prank(guardian);
        settlement.pause(until);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.Settlement_Paused.selector, until));
        settlement.net(bill);
    }

    // --- net ---

    function test_NettingMovesNoMoney() public {
        bytes32 prepayment = prepay(payer, 1, 100);
        uint32 run = postRun(billNetting(_list(250), 0, 100, prepayment));
        vm.expectEmit(address(settlement));
        emit ISettlement.PrepaymentNetted(prepayment, key(run, 0), 0, _supplier(1), 100);
        vm.expectEmit(address(settlement));
        emit ISettlement.BillStateChanged(key(run, 0), BillState.Partial);
        net(run, 0);
        vm.assertEq(rouble.balanceOf(payout(1)), 100, "supplier as before");
        vm.assertEq(recordOf(run, 0, 0).netted, 100, "record");
    }

    function test_PaymentNetsFirst() public {
        bytes32 prepayment = prepay(payer, 1, 100);
        uint32 run = postRun(billNetting(_list(250), 0, 100, prepayment));
        ProvenBill memory bill = proven(run, 0);
        vm.prank(payer);
        vm.assertEq(settlement.pay(bill, 250), 150, "the rest");
        assertState(run, 0, BillState.Paid);
        vm.assertEq(rouble.balanceOf(payout(1)), 250, "charged once");
    }

    /// @dev Two bills name one prepayment: it is netted once over, not twice.
    function test_TwoBillsShareOnePrepayment() public {
        bytes32 prepayment = prepay(payer, 1, 100);
        uint32 run = postRun(
            _blobs(billNetting(_list(70), 0, 70, prepayment), billNetting(_list(70), 0, 70, prepayment))
        );
        net(run, 0);
        net(run, 1);
        vm.assertEq(recordOf(run, 1, 0).netted, 30, "what was left");
        vm.assertEq(left(prepayment), 0, "no more");
    }

    function test_SecondCreditOnOneLineIsIgnored() public {
        bytes32 prepayment = prepay(payer, 1, 100);
        Blobs.Credit[] memory credits = new Blobs.Credit[](2);
        credits[0] = Blobs.Credit(0, 10, prepayment);
        credits[1] = Blobs.Credit(0, 20, prepayment);
        uint32 run = postRun(Blobs.billWithCredits(_commit(), _suppliers(1), _list(100), credits));
        net(run, 0);
        vm.assertEq(recordOf(run, 0, 0).netted, 10, "the first alone");
    }

    function test_CreditIsCutToWhatIsOpen() public {
        bytes32 prepayment = prepay(payer, 1, 100);
        uint32 run = postRun(billNetting(_list(40), 0, 100, prepayment));
        net(run, 0);
        vm.assertEq(left(prepayment), 60, "left");
        assertState(run, 0, BillState.Paid);
    }

    // --- pause ---

    function test_RevertWhen_PauseIsNotTheGuardians() public {
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, operator));
        vm.prank(operator);
        settlement.pause(START + 1);
    }

    function test_RevertWhen_PauseIsTooLong() public {
        vm.expectRevert(abi.encodeWithSelector(ISettlement.Settlement_PauseTooLong.selector, 3 days));
        vm.prank(guardian);
        settlement.pause(START + 3 days + 1);
    }

    function test_PauseExpiresByItself() public {
        vm.expectEmit(address(settlement));
        emit ISettlement.PausedUntil(START + 3 days);
        vm.prank(guardian);
        settlement.pause(START + 3 days);
        vm.warp(START + 3 days);
        prepay(payer, 1, 1);
    }

    function test_GuardianEndsAPause() public {
        vm.startPrank(guardian);
        settlement.pause(START + 3 days);
        settlement.pause(0);
        vm.stopPrank();
        prepay(payer, 1, 1);
        (, uint40 until) = settlement.payouts();
        vm.assertEq(until, 0, "no pause");
    }

    function testFuzz_PauseIsNeverLongerThanThreeDays(uint40 until) public {
        vm.prank(guardian);
        if (until > START + 3 days) {
            vm.expectRevert(abi.encodeWithSelector(ISettlement.Settlement_PauseTooLong.selector, 3 days));
        }
        settlement.pause(until);
    }

    function testFuzz_NettingAddsUp(uint48 amount, uint48 charge, uint48 credit, uint48 paid) public {
        amount = uint48(bound(amount, 1, 10_000));
        charge = uint48(bound(charge, 1, 10_000));
        paid = uint48(bound(paid, 0, charge - 1));
        fund(payer, 30_000);
        bytes32 prepayment = prepay(payer, 1, amount);
        uint32 run = postRun(billNetting(_list(charge), 0, credit, prepayment));
        ProvenBill memory bill = proven(run, 0);
        vm.prank(payer);
        try settlement.pay(bill, paid) {} catch {}
        vm.prank(payer);
        try settlement.pay(bill, type(uint256).max) {} catch {}
        uint256 netted = credit < amount ? credit : amount;
        if (netted > charge) netted = charge;
        if (netted == charge) {
            try settlement.net(bill) {} catch {}
        }
        assertState(run, 0, BillState.Paid);
        vm.assertEq(rouble.balanceOf(payout(1)), uint256(amount) + charge - netted, "supplier");
        vm.assertEq(left(prepayment), amount - netted, "left");
    }

    function testFuzz_PrepaymentsBelongToTheirPayers(bytes32 tag, uint48 a, uint48 b) public {
        a = uint48(bound(a, 1, 10_000));
        b = uint48(bound(b, 1, 10_000));
        vm.prank(payer);
        settlement.prepay(_supplier(1), a, tag);
        vm.prank(stranger);
        settlement.prepay(_supplier(2), b, tag);
        vm.assertEq(left(keccak256(abi.encodePacked(payer, tag))), a, "payer's");
        vm.assertEq(left(keccak256(abi.encodePacked(stranger, tag))), b, "stranger's");
    }

    function _second() private pure returns (uint16[] memory list) {
        list = new uint16[](1);
        list[0] = 2;
    }

    function _credit(uint8 line, uint48 amount, bytes32 prepayment)
        private
        pure
        returns (Blobs.Credit[] memory list)
    {
        list = new Blobs.Credit[](1);
        list[0] = Blobs.Credit(line, amount, prepayment);
    }
}
