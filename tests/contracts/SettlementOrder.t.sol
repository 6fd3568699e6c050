// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IRouble} from "../../contracts/src/interfaces/IRouble.sol";
import {ISettlement} from "../../contracts/src/interfaces/ISettlement.sol";
import {BillState, Leg, ProvenBill, SplitAuthorization} from "../../contracts/src/types/Types.sol";
import {Billing} from "./base/Billing.sol";
import {Signing} from "./base/Signing.sol";

/// @notice `Settlement.payOrder` and `payOrders`: a resident's signed order, relayed by anyone.
contract SettlementOrderTest is Billing {
    uint32 internal run;

    function setUp() public override {
        super.setUp();
        run = postRun(_blobs(billOf(100, 200, 300), billOf(7, 11, 13), billOf(1000)));
        vm.prank(bank);
        rouble.mint(payer, 10_000, keccak256("deposit")); // no allowance: the signature alone moves it
    }

    function relay(uint32 index, SplitAuthorization memory auth) internal returns (uint256) {
        ProvenBill memory bill = proven(run, index);
        vm.prank(stranger);
        return settlement.payOrder(bill, auth);
    }

    function expectWrongSigner(uint32 index, SplitAuthorization memory auth) internal {
        ProvenBill memory bill = proven(run, index);
        vm.expectPartialRevert(IRouble.Rouble_WrongSigner.selector);
        vm.prank(stranger);
        settlement.payOrder(bill, auth);
        vm.assertEq(rouble.balanceOf(payer), 10_000, "payer");
    }

    function digestOf(SplitAuthorization memory auth, uint32 index) internal view returns (bytes32) {
        bytes32 purpose = Signing.purpose("pay", run, index, 0, address(0));
        return Signing.digest(roubleDomain(), Signing.split(auth, address(settlement), purpose));
    }

    // --- failures ---

    function test_RevertWhen_OrderIsReplayed() public {
        SplitAuthorization memory auth = order(payer, run, 0, 50, 0);
        relay(0, auth);
        ProvenBill memory bill = proven(run, 0);
        vm.expectRevert(abi.encodeWithSelector(IRouble.Rouble_NonceAlreadyUsed.selector, payer, 0));
        vm.prank(stranger);
        settlement.payOrder(bill, auth);
        vm.assertEq(rouble.balanceOf(payer), 9950, "once");
    }

    /// @dev Two relayers with one order, the second of them in the same call as a good one.
    function test_RevertWhen_TwoRelayersSendOneOrder() public {
        SplitAuthorization[] memory auths = new SplitAuthorization[](2);
        ProvenBill[] memory bills = new ProvenBill[](2);
        (bills[0], bills[1]) = (proven(run, 0), proven(run, 1));
        (auths[0], auths[1]) = (order(payer, run, 0, 600, 0), order(payer, run, 1, 31, 1));
        relay(1, auths[1]);
        vm.expectRevert(abi.encodeWithSelector(IRouble.Rouble_NonceAlreadyUsed.selector, payer, 1));
        vm.prank(stranger);
        settlement.payOrders(bills, auths);
        vm.assertEq(rouble.balanceOf(payer), 9969, "one of them");
    }

    function test_RevertWhen_OrderExpired() public {
        bytes32 purpose = Signing.purpose("pay", run, 0, 0, address(0));
        uint256 until = vm.getBlockTimestamp();
        SplitAuthorization memory auth = _authorized(payer, 600, 0, until, purpose);
        ProvenBill memory bill = proven(run, 0);
        vm.expectRevert(abi.encodeWithSelector(IRouble.Rouble_Expired.selector, until));
        vm.prank(stranger);
        settlement.payOrder(bill, auth);
        vm.warp(until - 1);
        relay(0, auth);
    }

    function test_RevertWhen_OrderIsForAnotherBill() public {
        expectWrongSigner(1, order(payer, run, 0, 600, 0));
    }

    function test_RevertWhen_OrderIsForAnotherChain() public {
        vm.chainId(4242);
        SplitAuthorization memory auth = order(payer, run, 0, 600, 0);
        vm.chainId(31337);
        expectWrongSigner(0, auth);
    }

    function test_RevertWhen_OrderIsForAnotherContract() public {
        SplitAuthorization memory auth = order(payer, run, 0, 600, 0);
        bytes32 purpose = Signing.purpose("pay", run, 0, 0, address(0));
        bytes32 hash = Signing.split(auth, address(settlement), purpose);
        bytes32 elsewhere = Signing.domain("Kopeck Rouble", block.chainid, address(settlement));
        auth.signature = signature(payer, Signing.digest(elsewhere, hash));
        expectWrongSigner(0, auth);
    }

    function test_RevertWhen_SpenderIsAnother() public {
        SplitAuthorization memory auth = order(payer, run, 0, 600, 0);
        bytes32 purpose = Signing.purpose("pay", run, 0, 0, address(0));
        auth.signature = signature(payer, Signing.digest(roubleDomain(), Signing.split(auth, stranger, purpose)));
        expectWrongSigner(0, auth);
    }

    /// @dev A refund's signature is no payment's, though payer, spender and sums are the same.
    function test_RevertWhen_PurposeIsRefund() public {
        expectWrongSigner(0, refundOrder(payer, run, 0, 0, address(0), 600, 0));
    }

    function test_RevertWhen_MaximumIsRaised() public {
        SplitAuthorization memory auth = order(payer, run, 0, 600, 0);
        auth.maximum = 601;
        expectWrongSigner(0, auth);
    }

    function test_RevertWhen_NonceOrDeadlineIsChanged() public {
        SplitAuthorization memory auth = order(payer, run, 0, 600, 0);
        auth.nonce = 1;
        expectWrongSigner(0, auth);
        auth.nonce = 0;
        auth.validBefore -= 1;
        expectWrongSigner(0, auth);
    }

    function test_RevertWhen_SomebodyElseSigned() public {
        SplitAuthorization memory auth = order(stranger, run, 0, 600, 0);
        auth.payer = payer;
        expectWrongSigner(0, auth);
    }

    function test_RevertWhen_SignatureIsMalleated() public {
        SplitAuthorization memory auth = order(payer, run, 0, 600, 0);
        auth.signature = highS(auth.signature);
        ProvenBill memory bill = proven(run, 0);
        vm.expectPartialRevert(ECDSA.ECDSAInvalidSignatureS.selector);
        vm.prank(stranger);
        settlement.payOrder(bill, auth);
    }

    function test_RevertWhen_SignatureHasOtherLength() public {
        SplitAuthorization memory auth = order(payer, run, 0, 600, 0);
        auth.signature = bytes.concat(auth.signature, hex"00");
        ProvenBill memory bill = proven(run, 0);
        vm.expectRevert(abi.encodeWithSelector(IRouble.Rouble_WrongSigner.selector, payer, address(0)));
        settlement.payOrder(bill, auth);
    }

    function test_RevertWhen_OrderWasCancelled() public {
        SplitAuthorization memory auth = order(payer, run, 0, 600, 77);
        vm.prank(payer);
        rouble.cancelSplit(77);
        ProvenBill memory bill = proven(run, 0);
        vm.expectRevert(abi.encodeWithSelector(IRouble.Rouble_NonceAlreadyUsed.selector, payer, 77));
        settlement.payOrder(bill, auth);
    }

    function test_RevertWhen_WalletIsEmpty() public {
        vm.prank(payer);
        rouble.transfer(stranger, 10_000);
        ProvenBill memory bill = proven(run, 0);
        SplitAuthorization memory auth = order(payer, run, 0, 600, 0);
        vm.expectRevert(abi.encodeWithSelector(IRouble.Rouble_BalanceTooLow.selector, payer, 0, 600));
        settlement.payOrder(bill, auth);
    }

    function test_RevertWhen_Paused() public {
        uint40 until = START + ACTIVATION_DELAY + 1 hours;
        vm.prank(guardian);
        settlement.pause(until);
        ProvenBill memory bill = proven(run, 0);
        SplitAuthorization memory auth = order(payer, run, 0, 600, 0);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.Settlement_Paused.selector, until));
        settlement.payOrder(bill, auth);
    }

    function test_RevertWhen_ListsDiffer() public {
        vm.expectRevert(ISettlement.Settlement_LengthsDiffer.selector);
        settlement.payOrders(new ProvenBill[](1), new SplitAuthorization[](0));
    }

    /// @dev The relayer could skip the Settlement and go to the token: the order names the Settlement as spender.
    function test_RevertWhen_OrderIsTakenStraightToTheToken() public {
        SplitAuthorization memory auth = order(payer, run, 0, 600, 0);
        bytes32 purpose = Signing.purpose("pay", run, 0, 0, address(0));
        Leg[] memory legs = new Leg[](1);
        legs[0] = Leg.wrap(uint256(uint160(stranger)) << 96 | 600);
        vm.expectPartialRevert(IRouble.Rouble_WrongSigner.selector);
        vm.prank(stranger);
        rouble.splitWithAuthorization(auth, purpose, legs);
    }

    // --- what it does ---

    function test_OrderPaysAndItsDigestIsTheReference() public {
        SplitAuthorization memory auth = order(payer, run, 0, 600, 0);
        vm.expectEmit(address(settlement));
        emit ISettlement.BillPaid(
            key(run, 0),
            payer,
            digestOf(auth, 0),
            hex"000100000000006400020000000000c8000300000000012c",
            BillState.Paid
        );
        vm.assertEq(relay(0, auth), 600, "total");
        vm.assertEq(rouble.balanceOf(payer), 9400, "payer");
        vm.assertTrue(rouble.splitNonceUsed(payer, 0), "nonce used");
        vm.assertEq(
            rouble.splitDigest(auth, address(settlement), Signing.purpose("pay", run, 0, 0, address(0))),
            digestOf(auth, 0),
            "the token's own digest"
        );
    }

    function test_OrderForAClosedBillIsSkippedAndUsedUp() public {
        relay(0, order(payer, run, 0, 600, 0));
        SplitAuthorization memory auth = order(payer, run, 0, 600, 1);
        vm.expectEmit(address(settlement));
        emit ISettlement.BillSkipped(key(run, 0), digestOf(auth, 0), BillState.Paid);
        vm.assertEq(relay(0, auth), 0, "nothing taken");
        vm.assertEq(rouble.balanceOf(payer), 9400, "payer");
        vm.assertTrue(rouble.splitNonceUsed(payer, 1), "single use");
    }

    /// @dev Nobody writes a receipt or a skip in a payer's name without the payer's signature.
    function test_RevertWhen_ClosedBillIsNamedByAForgedOrder() public {
        relay(0, order(payer, run, 0, 600, 0));
        SplitAuthorization memory auth = order(stranger, run, 0, 600, 1);
        auth.payer = payer;
        ProvenBill memory bill = proven(run, 0);
        vm.expectPartialRevert(IRouble.Rouble_WrongSigner.selector);
        settlement.payOrder(bill, auth);
    }

    function test_StrangersKopeckDoesNotStopTheOrder() public {
        fund(stranger, 1);
        ProvenBill memory bill = proven(run, 2);
        vm.prank(stranger);
        settlement.pay(bill, 1);
        vm.assertEq(relay(2, order(payer, run, 2, 1000, 0)), 999, "the rest");
        assertState(run, 2, BillState.Paid);
    }

    function test_DoubleClickedAHundredTimesPaysOnce() public {
        for (uint256 nonce = 0; nonce < 100; ++nonce) {
            relay(1, order(payer, run, 1, 31, nonce));
        }
        vm.assertEq(rouble.balanceOf(payer), 10_000 - 31, "once");
    }

    function test_SuspendedSupplierIsSkipped() public {
        setActive(3, false);
        vm.assertEq(relay(0, order(payer, run, 0, 600, 0)), 300, "the others");
        assertState(run, 0, BillState.Partial);
    }

    function test_OrderWithNothingPayableLeavesTheBillOpen() public {
        setActive(1, false);
        vm.assertEq(relay(2, order(payer, run, 2, 1000, 0)), 0, "nothing");
        assertState(run, 2, BillState.Open);
    }

    function test_ManyOrdersInOneCall() public {
        SplitAuthorization[] memory auths = new SplitAuthorization[](3);
        ProvenBill[] memory bills = new ProvenBill[](3);
        (auths[0], auths[1], auths[2]) =
            (order(payer, run, 0, 600, 5), order(payer, run, 1, 20, 3), order(payer, run, 1, 20, 300));
        (bills[0], bills[1], bills[2]) = (proven(run, 0), proven(run, 1), proven(run, 1));
        settlement.payOrders(bills, auths);
        vm.assertEq(rouble.balanceOf(payer), 10_000 - 631, "both bills whole");
        assertState(run, 1, BillState.Paid);
    }

    // --- fuzz ---

    function testFuzz_OrderTakesAtMostItsMaximum(uint256 maximum, uint256 nonce, uint48 strangers) public {
        strangers = uint48(bound(strangers, 0, 600));
        if (strangers != 0) {
            fund(stranger, strangers);
            ProvenBill memory bill = proven(run, 0);
            vm.prank(stranger);
            settlement.pay(bill, strangers);
        }
        uint256 open = 600 - strangers;
        uint256 taken = relay(0, order(payer, run, 0, maximum, nonce));
        vm.assertEq(taken, maximum < open ? maximum : open, "what was taken");
        vm.assertEq(rouble.balanceOf(payer), 10_000 - taken, "payer");
        vm.assertTrue(rouble.splitNonceUsed(payer, nonce), "nonce");
    }

    function testFuzz_RevertWhen_SignatureIsTamperedWith(uint256 at, uint8 flip) public {
        SplitAuthorization memory auth = order(payer, run, 0, 600, 0);
        vm.assume(flip != 0);
        at = bound(at, 0, 64);
        auth.signature[at] = bytes1(uint8(auth.signature[at]) ^ flip);
        ProvenBill memory bill = proven(run, 0);
        vm.expectRevert();
        settlement.payOrder(bill, auth);
    }

    function testFuzz_ManyOrdersEqualOneByOne(uint16[3] memory maxima) public {
        SplitAuthorization[] memory auths = new SplitAuthorization[](3);
        ProvenBill[] memory bills = new ProvenBill[](3);
        for (uint32 i = 0; i < 3; ++i) {
            auths[i] = order(payer, run, i, maxima[i] % 1100, i);
            bills[i] = proven(run, i);
        }
        uint256 snapshot = vm.snapshotState();
        uint256 expected = 0;
        for (uint32 i = 0; i < 3; ++i) {
            expected += relay(i, auths[i]);
        }
        vm.revertToState(snapshot);
        settlement.payOrders(bills, auths);
        vm.assertEq(rouble.balanceOf(payer), 10_000 - expected, "together");
    }
}
