// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IChargeBook} from "../../contracts/src/interfaces/IChargeBook.sol";
import {IRouble} from "../../contracts/src/interfaces/IRouble.sol";
import {ISettlement} from "../../contracts/src/interfaces/ISettlement.sol";
import {Merkle} from "../../contracts/src/libraries/Merkle.sol";
import {BillState, ProvenBill} from "../../contracts/src/types/Types.sol";
import {Billing} from "./base/Billing.sol";
import {Blobs} from "./base/Blobs.sol";

/// @notice `Settlement.payBatch`: many bills of one run, from an agent's balance.
contract SettlementBatchTest is Billing {
    bytes32 internal constant REF = keccak256("batch 1");

    uint32 internal run;

    function setUp() public override {
        super.setUp();
        bytes[] memory blobs = new bytes[](11);
        for (uint48 i = 0; i < 11; ++i) {
            blobs[i] = billOf(100 + i, 200 + i, 300 + i);
        }
        run = postRun(blobs);
        fund(agent, 1_000_000);
        fund(otherAgent, 1_000_000);
        fund(payer, 1_000_000);
    }

    function payBatch(address from, bytes32 ref, uint32[] memory indices) internal returns (uint256) {
        (BatchBill[] memory bills, bytes32[] memory multiproof) = batchOf(run, indices);
        vm.prank(from);
        return settlement.payBatch(ref, run, bills.length, packed(bills), multiproof);
    }

    // --- failures ---

    function test_RevertWhen_CallerIsNoAgent() public {
        (BatchBill[] memory bills, bytes32[] memory multiproof) = batchOf(run, _indices(1, 4));
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, payer));
        vm.prank(payer);
        settlement.payBatch(REF, run, bills.length, packed(bills), multiproof);
    }

    function test_RevertWhen_ReferenceIsEmpty() public {
        (BatchBill[] memory bills, bytes32[] memory multiproof) = batchOf(run, _indices(1, 4));
        vm.expectRevert(ISettlement.Settlement_EmptyReference.selector);
        vm.prank(agent);
        settlement.payBatch(0, run, bills.length, packed(bills), multiproof);
    }

    function test_RevertWhen_ReferenceIsReusedForOtherBills() public {
        payBatch(agent, REF, _indices(1, 4));
        (BatchBill[] memory bills, bytes32[] memory multiproof) = batchOf(run, _indices(1, 5));
        vm.expectRevert(abi.encodeWithSelector(ISettlement.Settlement_ReferenceReused.selector, agent, REF));
        vm.prank(agent);
        settlement.payBatch(REF, run, bills.length, packed(bills), multiproof);
        assertState(run, 5, BillState.Open);
    }

    function test_RevertWhen_ReferenceIsReusedForOtherMaximum() public {
        payBatch(agent, REF, _indices(1, 4));
        (BatchBill[] memory bills, bytes32[] memory multiproof) = batchOf(run, _indices(1, 4));
        bills[1].maximum -= 1;
        vm.expectRevert(abi.encodeWithSelector(ISettlement.Settlement_ReferenceReused.selector, agent, REF));
        vm.prank(agent);
        settlement.payBatch(REF, run, bills.length, packed(bills), multiproof);
    }

    function test_RevertWhen_OneBillIsTakenTwice() public {
        (BatchBill[] memory bills, bytes32[] memory multiproof) = batchOf(run, _indices(4, 5));
        bills[1] = bills[0];
        vm.expectRevert(abi.encodeWithSelector(IChargeBook.ChargeBook_NoSuchBill.selector, key(run, 4)));
        vm.prank(agent);
        settlement.payBatch(REF, run, bills.length, packed(bills), multiproof);
    }

    function test_RevertWhen_BillsDescend() public {
        (BatchBill[] memory bills, bytes32[] memory multiproof) = batchOf(run, _indices(4, 5));
        (bills[0], bills[1]) = (bills[1], bills[0]);
        vm.expectRevert(abi.encodeWithSelector(IChargeBook.ChargeBook_NoSuchBill.selector, key(run, 4)));
        vm.prank(agent);
        settlement.payBatch(REF, run, bills.length, packed(bills), multiproof);
    }

    function test_RevertWhen_IndexIsAliased() public {
        (BatchBill[] memory bills, bytes32[] memory multiproof) = batchOf(run, _indices(0, 5));
        bills[1].index = 5 + 16;
        vm.expectRevert(abi.encodeWithSelector(IChargeBook.ChargeBook_NoSuchBill.selector, key(run, 21)));
        vm.prank(agent);
        settlement.payBatch(REF, run, bills.length, packed(bills), multiproof);
    }

    function test_RevertWhen_SumIsLowered() public {
        (BatchBill[] memory bills, bytes32[] memory multiproof) = batchOf(run, _indices(0, 5));
        bills[1].blob[bills[1].blob.length - 1] = 0x00;
        vm.expectRevert(abi.encodeWithSelector(IChargeBook.ChargeBook_WrongMultiproof.selector, run));
        vm.prank(agent);
        settlement.payBatch(REF, run, bills.length, packed(bills), multiproof);
        assertState(run, 0, BillState.Open);
    }

    function test_RevertWhen_ProofIsTooShortOrTooLong() public {
        (BatchBill[] memory bills, bytes32[] memory multiproof) = batchOf(run, _indices(0, 5));
        bytes32[] memory shorter = new bytes32[](multiproof.length - 1);
        bytes32[] memory longer = new bytes32[](multiproof.length + 1);
        for (uint256 i = 0; i < multiproof.length; ++i) {
            if (i < shorter.length) shorter[i] = multiproof[i];
            longer[i] = multiproof[i];
        }
        vm.expectRevert(
            abi.encodeWithSelector(Merkle.Merkle_WrongProofLength.selector, multiproof.length, shorter.length)
        );
        vm.prank(agent);
        settlement.payBatch(REF, run, bills.length, packed(bills), shorter);
        vm.expectRevert(
            abi.encodeWithSelector(Merkle.Merkle_WrongProofLength.selector, multiproof.length, longer.length)
        );
        vm.prank(agent);
        settlement.payBatch(REF, run, bills.length, packed(bills), longer);
    }

    function test_RevertWhen_BatchIsEmpty() public {
        vm.expectRevert(abi.encodeWithSelector(IChargeBook.ChargeBook_WrongMultiproof.selector, run));
        vm.prank(agent);
        settlement.payBatch(REF, run, 0, "", new bytes32[](0));
    }

    function test_RevertWhen_ListIsLongerOrShorterThanItsCount() public {
        (BatchBill[] memory bills, bytes32[] memory multiproof) = batchOf(run, _indices(0, 5));
        bytes memory list = packed(bills);
        vm.expectRevert(
            abi.encodeWithSelector(ISettlement.Settlement_BadBatch.selector, list.length, list.length / 2)
        );
        vm.prank(agent);
        settlement.payBatch(REF, run, 1, list, multiproof);
        for (uint256 cut = 1; cut <= 70; ++cut) {
            bytes memory shorter = new bytes(list.length - cut);
            for (uint256 i = 0; i < shorter.length; ++i) {
                shorter[i] = list[i];
            }
            vm.expectRevert();
            vm.prank(agent);
            settlement.payBatch(REF, run, 2, shorter, multiproof);
        }
        vm.expectRevert();
        vm.prank(agent);
        settlement.payBatch(REF, run, 3, list, multiproof);
        vm.expectRevert();
        vm.prank(agent);
        settlement.payBatch(REF, run, type(uint256).max, list, multiproof);
    }

    function test_RevertWhen_Paused() public {
        uint40 until = START + ACTIVATION_DELAY + 1 hours;
        vm.prank(guardian);
        settlement.pause(until);
        (BatchBill[] memory bills, bytes32[] memory multiproof) = batchOf(run, _indices(1, 4));
        vm.expectRevert(abi.encodeWithSelector(ISettlement.Settlement_Paused.selector, until));
        vm.prank(agent);
        settlement.payBatch(REF, run, bills.length, packed(bills), multiproof);
    }

    function test_RevertWhen_WalletIsTooSmall() public {
        (BatchBill[] memory bills, bytes32[] memory multiproof) = batchOf(run, _indices(0));
        vm.prank(agent);
        rouble.transfer(stranger, 1_000_000 - 599);
        vm.expectRevert(abi.encodeWithSelector(IRouble.Rouble_BalanceTooLow.selector, agent, 599, 600));
        vm.prank(agent);
        settlement.payBatch(REF, run, bills.length, packed(bills), multiproof);
    }

    function test_RevertWhen_ACreditNoteIsInTheBatch() public {
        uint32 notes = postRun(creditNote(_list(1, 2, 3), run, 0));
        (BatchBill[] memory bills, bytes32[] memory multiproof) = batchOf(notes, _indices(0));
        vm.expectRevert(
            abi.encodeWithSelector(ISettlement.Settlement_NotPayable.selector, key(notes, 0), Blobs.CREDIT_NOTE)
        );
        vm.prank(agent);
        settlement.payBatch(REF, notes, bills.length, packed(bills), multiproof);
    }

    /// @dev A biller's malformed blob is in the tree all the same: no kind 3, no loose tail gets paid in a batch.
    function test_RevertWhen_ABlobInTheBatchIsMalformed() public {
        bytes memory good = billOf(100, 200, 300);
        bytes memory strange = bytes.concat(good, hex"0000000000000000");
        strange[32] = 0x03;
        uint32 later = postRun(_blobs(strange, bytes.concat(good, hex"00"), hex"0102"));
        for (uint32 i = 0; i < 3; ++i) {
            (BatchBill[] memory bills, bytes32[] memory multiproof) = batchOf(later, _indices(i));
            vm.expectRevert(abi.encodeWithSelector(ISettlement.Settlement_BadBill.selector, key(later, i)));
            vm.prank(agent);
            settlement.payBatch(REF, later, bills.length, packed(bills), multiproof);
        }
    }

    // --- what it does ---

    function test_OneTransferASupplierAndOneReceiptABill() public {
        vm.expectEmit(address(settlement));
        emit ISettlement.BillPaid(
            key(run, 1), agent, REF, hex"000100000000006500020000000000c9000300000000012d", BillState.Paid
        );
        vm.expectEmit(address(settlement));
        emit ISettlement.BillPaid(
            key(run, 4), agent, REF, hex"000100000000006800020000000000cc0003000000000130", BillState.Paid
        );
        vm.assertEq(payBatch(agent, REF, _indices(1, 4)), 603 + 612, "total");
        vm.assertEq(rouble.balanceOf(payout(1)), 101 + 104, "supplier 1");
        vm.assertEq(rouble.balanceOf(payout(2)), 201 + 204, "supplier 2");
        vm.assertEq(rouble.balanceOf(payout(3)), 301 + 304, "supplier 3");
        assertState(run, 1, BillState.Paid);
        assertState(run, 4, BillState.Paid);
        assertState(run, 2, BillState.Open);
    }

    function test_RepeatedBatchChangesNothing() public {
        payBatch(agent, REF, _indices(1, 4));
        uint256 before = rouble.balanceOf(agent);
        vm.expectEmit(address(settlement));
        emit ISettlement.BatchRepeated(agent, REF);
        vm.assertEq(payBatch(agent, REF, _indices(1, 4)), 0, "nothing the second time");
        vm.assertEq(rouble.balanceOf(agent), before, "agent's balance");
    }

    /// @dev Repeating a batch must not take what its first go left open either.
    function test_RepeatedBatchDoesNotTakeWhatWasSkipped() public {
        setActive(3, false);
        payBatch(agent, REF, _indices(1));
        setActive(3, true);
        vm.assertEq(payBatch(agent, REF, _indices(1)), 0, "a repeat");
        assertState(run, 1, BillState.Partial);
    }

    /// @dev References belong to their agent: who sees one in the mempool can't burn it.
    function test_StolenReferenceDoesNotStopItsOwner() public {
        payBatch(otherAgent, REF, _indices(9));
        vm.assertEq(payBatch(agent, REF, _indices(1, 4)), 603 + 612, "the owner's batch");
    }

    function test_ClosedBillIsSkippedAndTheOthersSettle() public {
        ProvenBill memory bill = proven(run, 4);
        vm.prank(payer);
        settlement.pay(bill, 1000);
        vm.expectEmit(address(settlement));
        emit ISettlement.BillSkipped(key(run, 4), REF, BillState.Paid);
        vm.assertEq(payBatch(agent, REF, _indices(1, 4)), 603, "the open one");
    }

    function test_PartlyPaidBillIsFinished() public {
        ProvenBill memory bill = proven(run, 4);
        vm.prank(payer);
        settlement.pay(bill, 12);
        vm.assertEq(payBatch(agent, REF, _indices(1, 4)), 603 + 600, "what was open");
        assertState(run, 4, BillState.Paid);
    }

    function test_SuspendedAndFrozenSuppliersAreSkippedInEveryBill() public {
        setActive(1, false);
        vm.prank(bank);
        rouble.freeze(payout(2), keccak256("act"));
        vm.assertEq(payBatch(agent, REF, _indices(1, 4)), 301 + 304, "supplier 3 alone");
        assertState(run, 1, BillState.Partial);
        assertState(run, 4, BillState.Partial);
        vm.assertEq(rouble.balanceOf(payout(1)) + rouble.balanceOf(payout(2)), 0, "the skipped");
    }

    /// @dev 300 suppliers, the last of them frozen: more than one word of bits could tell apart.
    function test_FrozenSupplierIsSkippedAmongHundreds() public {
        for (uint16 i = SUPPLIERS + 1; i <= 300; ++i) {
            vm.prank(operator);
            registry.registerSupplier(supplierKey(i), payout(i), 0);
        }
        vm.prank(bank);
        rouble.freeze(payout(300), keccak256("act"));
        bytes[] memory blobs = new bytes[](10);
        for (uint16 i = 0; i < 10; ++i) {
            uint16[] memory suppliers = new uint16[](30);
            uint48[] memory amounts = new uint48[](30);
            for (uint16 j = 0; j < 30; ++j) {
                (suppliers[j], amounts[j]) = (i * 30 + j + 1, 1);
            }
            blobs[i] = Blobs.bill(_commit(), suppliers, amounts);
        }
        uint32 later = postRun(blobs);
        uint32[] memory all = new uint32[](10);
        for (uint32 i = 0; i < 10; ++i) {
            all[i] = i;
        }
        (BatchBill[] memory bills, bytes32[] memory multiproof) = batchOf(later, all);
        vm.prank(agent);
        vm.assertEq(settlement.payBatch(REF, later, bills.length, packed(bills), multiproof), 299, "all but the frozen");
        assertState(later, 9, BillState.Partial);
    }

    function test_MaximumOfEachBillIsKept() public {
        (BatchBill[] memory bills, bytes32[] memory multiproof) = batchOf(run, _indices(1, 4));
        bills[0].maximum = 10;
        bills[1].maximum = 0;
        vm.expectEmit(address(settlement));
        emit ISettlement.BillSkipped(key(run, 4), REF, BillState.Open);
        vm.prank(agent);
        vm.assertEq(settlement.payBatch(REF, run, bills.length, packed(bills), multiproof), 10, "total");
        assertState(run, 1, BillState.Partial);
        assertState(run, 4, BillState.Open);
    }

    function test_ContentIsTheHashOfTheRunAndTheList() public {
        (BatchBill[] memory bills,) = batchOf(run, _indices(1, 4));
        payBatch(agent, REF, _indices(1, 4));
        vm.assertEq(
            settlement.contentOf(agent, REF), keccak256(abi.encodePacked(run, packed(bills))), "content"
        );
    }

    /// @dev Repeating needs no proof: nothing is looked at but the content.
    function test_RepeatedBatchNeedsNoProof() public {
        (BatchBill[] memory bills,) = batchOf(run, _indices(1, 4));
        payBatch(agent, REF, _indices(1, 4));
        vm.prank(agent);
        vm.assertEq(settlement.payBatch(REF, run, 2, packed(bills), new bytes32[](0)), 0, "nothing");
    }

    // --- fuzz ---

    /// @dev Any subset of the run with any maxima and any supplier away: the same money as paying one by one.
    function testFuzz_BatchEqualsPayingOneByOne(uint16 chosen, uint16[11] memory maxima, uint8 suspended) public {
        uint32[] memory indices = _chosen(uint16(bound(chosen, 1, 2 ** 11 - 1)));
        suspended = uint8(bound(suspended, 0, SUPPLIERS));
        if (suspended != 0) setActive(suspended, false);
        (BatchBill[] memory bills, bytes32[] memory multiproof) = batchOf(run, indices);
        for (uint256 i = 0; i < bills.length; ++i) {
            bills[i].maximum = maxima[i] % 1000;
        }
        uint256 snapshot = vm.snapshotState();
        uint256 expected = 0;
        for (uint256 i = 0; i < bills.length; ++i) {
            ProvenBill memory bill = proven(run, indices[i]);
            vm.prank(agent);
            try settlement.pay(bill, bills[i].maximum) returns (uint256 total) {
                expected += total;
            } catch {}
        }
        uint256[] memory one = _standing(indices);
        vm.revertToState(snapshot);
        vm.prank(agent);
        vm.assertEq(settlement.payBatch(REF, run, bills.length, packed(bills), multiproof), expected, "total");
        vm.assertEq(_standing(indices), one, "states and suppliers' balances");
    }

    function _standing(uint32[] memory indices) private returns (uint256[] memory list) {
        list = new uint256[](indices.length + SUPPLIERS);
        for (uint256 i = 0; i < indices.length; ++i) {
            list[i] = uint256(stateOf(run, indices[i]));
        }
        for (uint16 i = 0; i < SUPPLIERS; ++i) {
            list[indices.length + i] = rouble.balanceOf(payout(i + 1));
        }
    }

    function _chosen(uint16 bits) private pure returns (uint32[] memory indices) {
        uint256 count = 0;
        for (uint16 b = bits; b != 0; b >>= 1) {
            count += b & 1;
        }
        indices = new uint32[](count);
        uint256 n = 0;
        for (uint32 i = 0; i < 16; ++i) {
            if ((bits >> i) & 1 == 1) indices[n++] = i;
        }
    }
}
