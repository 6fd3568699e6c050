// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IChargeBook} from "../../contracts/src/interfaces/IChargeBook.sol";
import {IRouble} from "../../contracts/src/interfaces/IRouble.sol";
import {ISettlement} from "../../contracts/src/interfaces/ISettlement.sol";
import {
    BillKey, BillState, GrantClaim, LineRecord, ProvenBill, SplitAuthorization
} from "../../contracts/src/types/Types.sol";
import {Billing} from "./base/Billing.sol";
import {Blobs} from "./base/Blobs.sol";

/// @notice `Settlement.refund`: a credit note's line, written off where open, given back where moved.
contract SettlementRefundTest is Billing {
    uint32 internal run;
    uint32 internal notes;
    address internal recipient = actor("recipient");

    SplitAuthorization private _none;

    function setUp() public override {
        super.setUp();
        run = postRun(_blobs(billOf(100, 200, 300), billOf(1000)));
        notes = postRun(_blobs(creditNote(_list(30, 0, 40), run, 0), creditNote(_list(300), run, 1)));
        fund(payer, 10_000);
        fund(welfare, 10_000);
    }

    /// @notice A refund of a line of `run`, under the signature of the supplier's payout wallet.
    function refund(uint32 note, uint32 index, uint8 line, uint256 maximum, uint256 nonce) internal {
        (ProvenBill memory n, ProvenBill memory b) = (proven(notes, note), proven(run, index));
        SplitAuthorization memory auth = signed(line + 1, note, line, maximum, nonce);
        vm.prank(stranger);
        settlement.refund(n, b, line, recipient, welfare, auth);
    }

    function signed(uint16 supplier, uint32 note, uint8 line, uint256 maximum, uint256 nonce)
        internal
        returns (SplitAuthorization memory)
    {
        return refundOrder(payout(supplier), notes, note, line, recipient, maximum, nonce);
    }

    function expectRefused(bytes memory reason, uint32 note, uint32 index, uint8 line, SplitAuthorization memory auth)
        internal
    {
        (ProvenBill memory n, ProvenBill memory b) = (proven(notes, note), proven(run, index));
        vm.expectRevert(reason);
        settlement.refund(n, b, line, recipient, welfare, auth);
    }

    function pay(uint32 index, uint256 maximum) internal {
        ProvenBill memory bill = proven(run, index);
        vm.prank(payer);
        settlement.pay(bill, maximum);
    }

    function grant(uint32 index, uint8 line, uint48 maximum) internal {
        uint32 batch = postGrant(welfare, run, index, line, maximum);
        GrantClaim[] memory list = claims(batch, run, index);
        settlement.applyGrants(list);
    }

    // --- failures ---

    function test_RevertWhen_LineIsRefundedTwice() public {
        pay(0, 600);
        refund(0, 0, 0, 30, 0);
        expectRefused(
            abi.encodeWithSelector(ISettlement.Settlement_NothingToRefund.selector, key(notes, 0), 0),
            0,
            0,
            0,
            signed(1, 0, 0, 30, 1)
        );
    }

    function test_RevertWhen_LineHasNoCredit() public {
        pay(0, 600);
        expectRefused(
            abi.encodeWithSelector(ISettlement.Settlement_NothingToRefund.selector, key(notes, 0), 1),
            0,
            0,
            1,
            signed(2, 0, 1, 30, 0)
        );
    }

    function test_RevertWhen_SupplierSignedLess() public {
        pay(0, 600);
        expectRefused(
            abi.encodeWithSelector(IRouble.Rouble_AboveMaximum.selector, 29, 30), 0, 0, 0, signed(1, 0, 0, 29, 0)
        );
    }

    function test_RevertWhen_AnotherSupplierSigned() public {
        pay(0, 600);
        expectRefused(
            abi.encodeWithSelector(
                ISettlement.Settlement_NotSupplierWallet.selector, _supplier(1), payout(2)
            ),
            0,
            0,
            0,
            signed(2, 0, 0, 30, 0)
        );
    }

    function test_RevertWhen_TheSuppliersKeySignedAndNotItsWallet() public {
        pay(0, 600);
        SplitAuthorization memory auth = refundOrder(supplierKey(1), notes, 0, 0, recipient, 30, 0);
        expectRefused(
            abi.encodeWithSelector(
                ISettlement.Settlement_NotSupplierWallet.selector, _supplier(1), supplierKey(1)
            ),
            0,
            0,
            0,
            auth
        );
    }

    function test_RevertWhen_RecipientIsAnother() public {
        pay(0, 600);
        (ProvenBill memory n, ProvenBill memory b) = (proven(notes, 0), proven(run, 0));
        SplitAuthorization memory auth = signed(1, 0, 0, 30, 0);
        vm.expectPartialRevert(IRouble.Rouble_WrongSigner.selector);
        vm.prank(stranger);
        settlement.refund(n, b, 0, stranger, welfare, auth);
    }

    function test_RevertWhen_SignatureIsForAnotherLine() public {
        pay(0, 600);
        SplitAuthorization memory auth = signed(3, 0, 0, 40, 0);
        (ProvenBill memory n, ProvenBill memory b) = (proven(notes, 0), proven(run, 0));
        vm.expectPartialRevert(IRouble.Rouble_WrongSigner.selector);
        settlement.refund(n, b, 2, recipient, welfare, auth);
    }

    function test_RevertWhen_SupplierHasSpentTheMoney() public {
        pay(0, 600);
        address wallet = payout(1);
        vm.prank(wallet);
        rouble.transfer(stranger, 71);
        expectRefused(
            abi.encodeWithSelector(IRouble.Rouble_BalanceTooLow.selector, wallet, 29, 30),
            0,
            0,
            0,
            signed(1, 0, 0, 30, 0)
        );
        assertState(notes, 0, BillState.Open);
    }

    function test_RevertWhen_NoteIsABill() public {
        pay(0, 600);
        (ProvenBill memory n, ProvenBill memory b) = (proven(run, 1), proven(run, 0));
        vm.expectRevert(abi.encodeWithSelector(ISettlement.Settlement_NotCreditNote.selector, key(run, 1)));
        settlement.refund(n, b, 0, recipient, welfare, _none);
    }

    function test_RevertWhen_NoteIsForAnotherBill() public {
        expectRefused(
            abi.encodeWithSelector(
                ISettlement.Settlement_NoteForOtherBill.selector, key(run, 0), key(run, 1)
            ),
            0,
            1,
            0,
            _none
        );
    }

    function test_RevertWhen_LineIsBeyondTheBill() public {
        expectRefused(
            abi.encodeWithSelector(ISettlement.Settlement_NoSuchLine.selector, key(notes, 0), 3), 0, 0, 3, _none
        );
    }

    function test_RevertWhen_NoteHasOtherNumberOfLines() public {
        uint32 later = postRun(creditNote(_list(30), run, 0));
        (ProvenBill memory n, ProvenBill memory b) = (proven(later, 0), proven(run, 0));
        vm.expectRevert(abi.encodeWithSelector(ISettlement.Settlement_NoSuchLine.selector, key(later, 0), 0));
        settlement.refund(n, b, 0, recipient, welfare, _none);
    }

    function test_RevertWhen_NoteNamesAnotherSupplier() public {
        uint16[] memory suppliers = new uint16[](1);
        suppliers[0] = 2;
        uint32 later =
            postRun(Blobs.note(_commit(), Blobs.CREDIT_NOTE, suppliers, _list(300), rawKey(run, 1)));
        (ProvenBill memory n, ProvenBill memory b) = (proven(later, 0), proven(run, 1));
        vm.expectRevert(abi.encodeWithSelector(ISettlement.Settlement_BadBill.selector, key(later, 0)));
        settlement.refund(n, b, 0, recipient, welfare, _none);
    }

    function test_RevertWhen_BillIsSuperseded() public {
        BillKey[] memory old = _keys(key(run, 1));
        uint32 later = propose(_blobs(billOf(900)), old);
        vm.warp(vm.getBlockTimestamp() + ACTIVATION_DELAY);
        charges.activate(later, old);
        expectRefused(
            abi.encodeWithSelector(
                ISettlement.Settlement_BillClosed.selector, key(run, 1), BillState.Superseded
            ),
            1,
            1,
            0,
            _none
        );
    }

    /// @dev A note that a later run replaced is no note any more.
    function test_RevertWhen_NoteIsSuperseded() public {
        BillKey[] memory old = _keys(key(notes, 1));
        uint32 later = propose(_blobs(creditNote(_list(200), run, 1)), old);
        vm.warp(vm.getBlockTimestamp() + ACTIVATION_DELAY);
        charges.activate(later, old);
        expectRefused(
            abi.encodeWithSelector(
                IChargeBook.ChargeBook_StateIsFinal.selector, key(notes, 1), BillState.Superseded
            ),
            1,
            1,
            0,
            _none
        );
    }

    function test_RevertWhen_NoteIsNotActiveYet() public {
        uint32 later = propose(_blobs(creditNote(_list(200), run, 1)), new BillKey[](0));
        (ProvenBill memory n, ProvenBill memory b) = (proven(later, 0), proven(run, 1));
        vm.expectRevert(abi.encodeWithSelector(IChargeBook.ChargeBook_RunNotActive.selector, later));
        settlement.refund(n, b, 0, recipient, welfare, _none);
    }

    function test_RevertWhen_Paused() public {
        uint40 until = uint40(vm.getBlockTimestamp()) + 1 hours;
        vm.prank(guardian);
        settlement.pause(until);
        expectRefused(abi.encodeWithSelector(ISettlement.Settlement_Paused.selector, until), 1, 1, 0, _none);
    }

    function test_RevertWhen_GrantedPartIsSentToAnotherWallet() public {
        grant(1, 0, 400);
        pay(1, 600);
        (ProvenBill memory n, ProvenBill memory b) = (proven(notes, 1), proven(run, 1));
        SplitAuthorization memory auth = signed(1, 1, 0, 300, 0);
        vm.expectRevert(
            abi.encodeWithSelector(ISettlement.Settlement_WrongWallet.selector, welfare, stranger)
        );
        vm.prank(stranger);
        settlement.refund(n, b, 0, recipient, stranger, auth);
    }

    // --- what it does ---

    function test_PaidLineIsGivenBackFromTheSuppliersWallet() public {
        pay(0, 600);
        vm.expectEmit(address(settlement));
        emit ISettlement.CreditApplied(key(notes, 0), key(run, 0), 0, 0);
        vm.expectEmit(address(settlement));
        emit ISettlement.BillStateChanged(key(notes, 0), BillState.Partial);
        vm.expectEmit(address(settlement));
        emit ISettlement.Refunded(
            key(notes, 0), key(run, 0), 0, _supplier(1), recipient, 30, address(0), 0
        );
        refund(0, 0, 0, 30, 0);
        vm.assertEq(rouble.balanceOf(payout(1)), 70, "supplier");
        vm.assertEq(rouble.balanceOf(recipient), 30, "recipient");
        refund(0, 0, 2, 40, 0);
        assertState(notes, 0, BillState.Paid);
        assertState(run, 0, BillState.Paid);
    }

    function test_GrantedPartReturnsToWelfare() public {
        grant(1, 0, 400);
        pay(1, 600);
        refund(1, 1, 0, 300, 0);
        vm.assertEq(rouble.balanceOf(recipient), 180, "the payer's three fifths");
        vm.assertEq(rouble.balanceOf(welfare), 9600 + 120, "welfare's two fifths");
    }

    /// @dev Open money is written off first: nothing moves, and no signature is asked for.
    function test_OpenLineIsWrittenOffByAnyone() public {
        (ProvenBill memory n, ProvenBill memory b) = (proven(notes, 1), proven(run, 1));
        vm.prank(stranger);
        settlement.refund(n, b, 0, stranger, stranger, _none);
        vm.assertEq(recordOf(run, 1, 0).writtenOff, 300, "written off");
        assertState(run, 1, BillState.Partial);
        pay(1, 1000);
        vm.assertEq(rouble.balanceOf(payout(1)), 700, "what was left");
        assertState(run, 1, BillState.Paid);
        vm.assertEq(rouble.balanceOf(stranger), 0, "a stranger got nothing");
    }

    /// @dev 900 of 1000 paid, a credit of 300: 100 was open, 200 had moved.
    function test_CreditIsPartWriteOffAndPartRefund() public {
        pay(1, 900);
        refund(1, 1, 0, 200, 0);
        LineRecord memory record = recordOf(run, 1, 0);
        vm.assertEq(record.writtenOff, 100, "written off");
        vm.assertEq(record.refunded, 200, "refunded");
        vm.assertEq(rouble.balanceOf(recipient), 200, "recipient");
        assertState(run, 1, BillState.Paid);
    }

    /// @dev Notes for more than was ever moved give back what there is, and no more.
    function test_RefundsNeverGiveBackMoreThanMoved() public {
        pay(1, 1000);
        notes = postRun(_blobs(creditNote(_list(700), run, 1), creditNote(_list(800), run, 1)));
        refund(0, 1, 0, 700, 0);
        refund(1, 1, 0, 300, 1);
        vm.assertEq(rouble.balanceOf(recipient), 1000, "all that moved");
        vm.assertEq(rouble.balanceOf(payout(1)), 0, "supplier");
        vm.assertEq(recordOf(run, 1, 0).refunded, 1000, "record");
        notes = postRun(creditNote(_list(5), run, 1));
        (ProvenBill memory n, ProvenBill memory b) = (proven(notes, 0), proven(run, 1));
        settlement.refund(n, b, 0, recipient, welfare, _none);
        vm.assertEq(rouble.balanceOf(recipient), 1000, "nothing was left");
    }

    function test_SuspendedSupplierStillGivesBack() public {
        pay(0, 600);
        setActive(1, false);
        refund(0, 0, 0, 30, 0);
        vm.assertEq(rouble.balanceOf(recipient), 30, "recipient");
    }

    // --- fuzz ---

    /// @dev Any payment, grant and prepayment on a line, any two credits: charges, write-offs and refunds add up, and
    /// welfare's share over both refunds is what one refund of their sum would give.
    function testFuzz_LineAddsUp(uint48 charge, uint48 granted, uint48 paid, uint48 first, uint48 second) public {
        charge = uint48(bound(charge, 1, 10 ** 11));
        granted = uint48(bound(granted, 0, charge));
        paid = uint48(bound(paid, 0, charge - granted));
        run = postRun(billOf(charge));
        notes = postRun(
            _blobs(
                creditNote(_list(uint48(bound(first, 1, charge))), run, 0),
                creditNote(_list(uint48(bound(second, 1, charge))), run, 0)
            )
        );
        fund(payer, paid);
        fund(welfare, granted);
        uint256 payersMoney = rouble.balanceOf(payer);
        uint256 welfaresMoney = rouble.balanceOf(welfare);
        if (granted != 0) grant(0, 0, granted);
        if (paid != 0) pay(0, paid);
        refund(0, 0, 0, type(uint256).max, 0);
        refund(1, 0, 0, type(uint256).max, 1);

        LineRecord memory record = recordOf(run, 0, 0);
        uint256 moved = uint256(granted) + paid;
        vm.assertEq(rouble.balanceOf(payout(1)), moved - record.refunded, "supplier");
        vm.assertEq(payersMoney - rouble.balanceOf(payer), paid, "payer");
        uint256 toWelfare = rouble.balanceOf(welfare) + granted - welfaresMoney;
        vm.assertEq(rouble.balanceOf(recipient) + toWelfare, record.refunded, "refunds");
        uint256 share =
            moved == 0 ? 0 : (2 * uint256(record.refunded) * granted + moved) / (2 * moved);
        vm.assertEq(toWelfare, share, "welfare's share, half up");
        uint256 credits = bound(first, 1, charge) + bound(second, 1, charge);
        uint256 expected = credits < charge ? credits : charge;
        vm.assertEq(uint256(record.writtenOff) + record.refunded, expected, "credits carried out");
        vm.assertLe(record.refunded, moved, "no more than moved");
    }
}
