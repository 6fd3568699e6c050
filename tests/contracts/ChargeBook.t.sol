// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IChargeBook} from "../../contracts/src/interfaces/IChargeBook.sol";
import {BatchHeader, BillKey, BillState, ProvenBill} from "../../contracts/src/types/Types.sol";
import {Billing} from "./base/Billing.sol";
import {Signing} from "./base/Signing.sol";
import {Trees} from "./base/Trees.sol";

/// @notice Runs: proposed, vetoed, activated; bills: superseded, proven, set.
contract ChargeBookTest is Billing {
    function expectRefused(IChargeBook.Proposal memory proposal, bytes memory reason) internal {
        vm.expectRevert(reason);
        vm.prank(biller);
        charges.propose(proposal);
    }

    function good() internal returns (IChargeBook.Proposal memory) {
        return proposalFor(_blobs(billOf(100), billOf(200)));
    }

    function activate(uint32 run, BillKey[] memory superseded) internal {
        vm.warp(vm.getBlockTimestamp() + ACTIVATION_DELAY);
        vm.prank(stranger);
        charges.activate(run, superseded);
    }

    // --- propose: failures ---

    function test_RevertWhen_ProposerIsNoBiller() public {
        IChargeBook.Proposal memory proposal = good();
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, operator));
        vm.prank(operator);
        charges.propose(proposal);
    }

    function test_RevertWhen_RunIsEmpty() public {
        IChargeBook.Proposal memory proposal = good();
        proposal.count = 0;
        expectRefused(proposal, abi.encodeWithSelector(IChargeBook.ChargeBook_EmptyRun.selector));
        proposal = good();
        proposal.root = 0;
        expectRefused(proposal, abi.encodeWithSelector(IChargeBook.ChargeBook_EmptyRun.selector));
    }

    function test_RevertWhen_PeriodIsNoMonth() public {
        IChargeBook.Proposal memory proposal = good();
        uint32[5] memory periods = [uint32(0), 202_600, 202_613, 199_912, 26_01];
        for (uint256 i = 0; i < periods.length; ++i) {
            proposal.period = periods[i];
            expectRefused(
                proposal, abi.encodeWithSelector(IChargeBook.ChargeBook_BadPeriod.selector, periods[i])
            );
        }
    }

    function test_RevertWhen_TariffsAreNotPublished() public {
        IChargeBook.Proposal memory proposal = good();
        proposal.tariffVersion = 2;
        expectRefused(
            proposal, abi.encodeWithSelector(IChargeBook.ChargeBook_UnknownTariffVersion.selector, 2)
        );
    }

    function test_RevertWhen_SuppliersDoNotAscend() public {
        uint16[2][3] memory wrong = [[uint16(2), 1], [uint16(2), 2], [uint16(0), 1]];
        for (uint256 i = 0; i < wrong.length; ++i) {
            IChargeBook.Proposal memory proposal = good();
            proposal.suppliers = new IChargeBook.SupplierTotal[](2);
            proposal.suppliers[0].supplier = _supplier(wrong[i][0]);
            proposal.suppliers[1].supplier = _supplier(wrong[i][1]);
            expectRefused(
                proposal,
                abi.encodeWithSelector(
                    IChargeBook.ChargeBook_SuppliersNotAscending.selector, _supplier(wrong[i][i == 2 ? 0 : 1])
                )
            );
        }
    }

    function test_RevertWhen_ReadingsAreNotAnchored() public {
        bytes24 head = _anchor(0);
        IChargeBook.UsedHead[3] memory wrong = [
            IChargeBook.UsedHead(source, 0, 2, head), // not there yet
            IChargeBook.UsedHead(source, 0, 1, bytes24(keccak256("another"))),
            IChargeBook.UsedHead(source, 1, 0, head) // another epoch
        ];
        for (uint256 i = 0; i < wrong.length; ++i) {
            IChargeBook.Proposal memory proposal = good();
            proposal.heads = new IChargeBook.UsedHead[](1);
            proposal.heads[0] = wrong[i];
            expectRefused(
                proposal,
                abi.encodeWithSelector(
                    IChargeBook.ChargeBook_UnknownReadings.selector, source, wrong[i].sequence
                )
            );
        }
    }

    // --- propose ---

    function test_ProposalIsKept() public {
        IChargeBook.Proposal memory proposal = good();
        proposal.heads = new IChargeBook.UsedHead[](1);
        proposal.heads[0] = IChargeBook.UsedHead(source, 0, 1, _anchor(0));
        proposal.suppliers = new IChargeBook.SupplierTotal[](2);
        proposal.suppliers[0] = IChargeBook.SupplierTotal(_supplier(1), 2, -300, keccak256("lines"));
        proposal.suppliers[1] = IChargeBook.SupplierTotal(_supplier(4), 1, 300, keccak256("more"));
        vm.expectEmit(address(charges));
        emit IChargeBook.RunProposed(1, biller, START + ACTIVATION_DELAY, proposal);
        vm.prank(biller);
        vm.assertEq(charges.propose(proposal), 1, "first run");
        (bytes32 root, uint32 count, IChargeBook.RunState state, uint40 at, bytes32 superseded) = charges.runOf(1);
        vm.assertEq(root, proposal.root, "root");
        vm.assertEq(count, 2, "count");
        vm.assertTrue(state == IChargeBook.RunState.Proposed, "state");
        vm.assertEq(at, START + ACTIVATION_DELAY, "activatable");
        vm.assertEq(superseded, 0, "superseded");
        vm.assertEq(charges.runCount(), 1, "runs");
    }

    function test_EarlierReadingsOfAChainMayBeUsed() public {
        bytes24 first = _anchor(0);
        _anchor(first);
        IChargeBook.Proposal memory proposal = good();
        proposal.heads = new IChargeBook.UsedHead[](1);
        proposal.heads[0] = IChargeBook.UsedHead(source, 0, 1, first);
        vm.prank(biller);
        charges.propose(proposal);
    }

    // --- activate ---

    function test_RevertWhen_ActivatedTooEarly() public {
        uint32 run = propose(_blobs(billOf(100)), new BillKey[](0));
        vm.warp(START + ACTIVATION_DELAY - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IChargeBook.ChargeBook_TooEarly.selector, run, START + ACTIVATION_DELAY)
        );
        charges.activate(run, new BillKey[](0));
        vm.warp(START + ACTIVATION_DELAY);
        charges.activate(run, new BillKey[](0));
    }

    function test_RevertWhen_ActivatedTwice() public {
        uint32 run = postRun(billOf(100));
        vm.expectRevert(abi.encodeWithSelector(IChargeBook.ChargeBook_RunNotProposed.selector, run));
        charges.activate(run, new BillKey[](0));
    }

    function test_RevertWhen_UnknownRunIsActivated() public {
        vm.expectRevert(abi.encodeWithSelector(IChargeBook.ChargeBook_RunNotProposed.selector, 9));
        charges.activate(9, new BillKey[](0));
    }

    function test_RevertWhen_VetoedRunIsActivated() public {
        uint32 run = propose(_blobs(billOf(100)), new BillKey[](0));
        vm.expectEmit(address(charges));
        emit IChargeBook.RunVetoed(run, keccak256("why"));
        vm.prank(guardian);
        charges.veto(run, keccak256("why"));
        vm.warp(START + ACTIVATION_DELAY);
        vm.expectRevert(abi.encodeWithSelector(IChargeBook.ChargeBook_RunNotProposed.selector, run));
        charges.activate(run, new BillKey[](0));
    }

    function test_RevertWhen_ActiveRunIsVetoed() public {
        uint32 run = postRun(billOf(100));
        vm.expectRevert(abi.encodeWithSelector(IChargeBook.ChargeBook_RunNotProposed.selector, run));
        vm.prank(guardian);
        charges.veto(run, 0);
    }

    function test_RevertWhen_VetoIsNotTheGuardians() public {
        uint32 run = propose(_blobs(billOf(100)), new BillKey[](0));
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, biller));
        vm.prank(biller);
        charges.veto(run, 0);
    }

    function test_RevertWhen_OtherBillsAreSupersededThanProposed() public {
        uint32 run = postRun(_blobs(billOf(100), billOf(200)));
        uint32 later = propose(_blobs(billOf(90)), _keys(key(run, 0)));
        vm.warp(vm.getBlockTimestamp() + ACTIVATION_DELAY);
        BillKey[][3] memory wrong = [_keys(key(run, 1)), new BillKey[](0), _keys(key(run, 0), key(run, 1))];
        for (uint256 i = 0; i < wrong.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IChargeBook.ChargeBook_SupersededDiffer.selector, later));
            charges.activate(later, wrong[i]);
        }
    }

    function test_RevertWhen_SupersededDoNotAscend() public {
        uint32 run = postRun(_blobs(billOf(100), billOf(200)));
        BillKey[][2] memory wrong = [_keys(key(run, 1), key(run, 0)), _keys(key(run, 1), key(run, 1))];
        for (uint256 i = 0; i < wrong.length; ++i) {
            uint32 later = propose(_blobs(billOf(90)), wrong[i]);
            vm.warp(vm.getBlockTimestamp() + ACTIVATION_DELAY);
            vm.expectRevert(
                abi.encodeWithSelector(IChargeBook.ChargeBook_SupersededNotAscending.selector, wrong[i][1])
            );
            charges.activate(later, wrong[i]);
        }
    }

    function test_RevertWhen_SupersededBillDoesNotExist() public {
        uint32 run = postRun(_blobs(billOf(100), billOf(200)));
        uint32 later = propose(_blobs(billOf(90)), _keys(key(run, 2)));
        vm.warp(vm.getBlockTimestamp() + ACTIVATION_DELAY);
        vm.expectRevert(abi.encodeWithSelector(IChargeBook.ChargeBook_NoSuchBill.selector, key(run, 2)));
        charges.activate(later, _keys(key(run, 2)));
    }

    function test_RevertWhen_SupersededBillIsOfTheRunItself() public {
        BillKey[] memory own = _keys(key(1, 0));
        uint32 run = propose(_blobs(billOf(90)), own);
        vm.warp(vm.getBlockTimestamp() + ACTIVATION_DELAY);
        vm.expectRevert(abi.encodeWithSelector(IChargeBook.ChargeBook_OwnBill.selector, key(run, 0)));
        charges.activate(run, own);
    }

    function test_RevertWhen_SupersededRunIsNotActive() public {
        uint32 run = propose(_blobs(billOf(100)), new BillKey[](0));
        uint32 later = propose(_blobs(billOf(90)), _keys(key(run, 0)));
        vm.warp(vm.getBlockTimestamp() + ACTIVATION_DELAY);
        vm.expectRevert(abi.encodeWithSelector(IChargeBook.ChargeBook_RunNotActive.selector, run));
        charges.activate(later, _keys(key(run, 0)));
    }

    function test_CorrectionReplacesAnOpenBill() public {
        uint32 run = postRun(_blobs(billOf(100), billOf(200)));
        uint32 later = propose(_blobs(billOf(90)), _keys(key(run, 0)));
        vm.warp(vm.getBlockTimestamp() + ACTIVATION_DELAY);
        vm.expectEmit(address(charges));
        emit IChargeBook.RunActivated(later);
        vm.expectEmit(address(charges));
        emit IChargeBook.BillSuperseded(key(run, 0), later);
        charges.activate(later, _keys(key(run, 0)));
        assertState(run, 0, BillState.Superseded);
        assertState(run, 1, BillState.Open);
        assertState(later, 0, BillState.Open);
    }

    /// @dev The correction lost: a kopeck moved first, so the run can't be activated and nothing of it stands.
    function test_RevertWhen_PaymentWinsTheRaceWithACorrection() public {
        uint32 run = postRun(_blobs(billOf(100), billOf(200)));
        fund(payer, 1000);
        BillKey[] memory old = _keys(key(run, 0), key(run, 1));
        uint32 later = propose(_blobs(billOf(90), billOf(190)), old);
        vm.warp(vm.getBlockTimestamp() + ACTIVATION_DELAY);
        ProvenBill memory bill = proven(run, 1);
        vm.prank(payer);
        settlement.pay(bill, 1);
        vm.expectRevert(
            abi.encodeWithSelector(IChargeBook.ChargeBook_BillNotOpen.selector, key(run, 1), BillState.Partial)
        );
        charges.activate(later, old);
        assertState(run, 0, BillState.Open);
        (,, IChargeBook.RunState state,,) = charges.runOf(later);
        vm.assertTrue(state == IChargeBook.RunState.Proposed, "not active");
    }

    /// @dev The payment lost: the old revision is closed, and the payer's next try finds the new one.
    function test_RevertWhen_CorrectionWinsTheRaceWithAPayment() public {
        uint32 run = postRun(billOf(100));
        fund(payer, 1000);
        ProvenBill memory old = proven(run, 0);
        uint32 later = propose(_blobs(billOf(90)), _keys(key(run, 0)));
        activate(later, _keys(key(run, 0)));
        vm.expectPartialRevert(bytes4(keccak256("Settlement_BillClosed(uint64,uint8)")));
        vm.prank(payer);
        settlement.pay(old, 100);
        ProvenBill memory next = proven(later, 0);
        vm.prank(payer);
        vm.assertEq(settlement.pay(next, 100), 90, "the new revision");
    }

    /// @dev Two corrections of one bill: the first to be activated wins, the second can never be.
    function test_RevertWhen_TwoCorrectionsReplaceOneBill() public {
        uint32 run = postRun(billOf(100));
        uint32 first = propose(_blobs(billOf(90)), _keys(key(run, 0)));
        uint32 second = propose(_blobs(billOf(80)), _keys(key(run, 0)));
        activate(second, _keys(key(run, 0)));
        vm.expectRevert(
            abi.encodeWithSelector(
                IChargeBook.ChargeBook_BillNotOpen.selector, key(run, 0), BillState.Superseded
            )
        );
        charges.activate(first, _keys(key(run, 0)));
    }

    // --- the Settlement's side ---

    function test_RevertWhen_CallerIsNotTheSettlement() public {
        uint32 run = postRun(billOf(100));
        ProvenBill memory bill = proven(run, 0);
        bytes32 leaf = Trees.leafHash(bill.blob);
        bytes memory reason =
            abi.encodeWithSelector(IChargeBook.ChargeBook_NotSettlement.selector, operator);
        vm.startPrank(operator);
        vm.expectRevert(reason);
        charges.setState(run, 0, BillState.Paid);
        vm.expectRevert(reason);
        charges.closeIfOpen(run, 0, leaf, bill.proof);
        vm.expectRevert(reason);
        charges.closeManyIfOpen(run, new uint256[](2), bill.proof);
        vm.stopPrank();
    }

    function test_RevertWhen_StateIsFinal() public {
        uint32 run = postRun(_blobs(billOf(100), billOf(200)));
        vm.startPrank(address(settlement));
        charges.setState(run, 0, BillState.Paid);
        charges.setState(run, 1, BillState.Superseded);
        for (uint8 next = 0; next < 4; ++next) {
            for (uint32 i = 0; i < 2; ++i) {
                BillState before = i == 0 ? BillState.Paid : BillState.Superseded;
                if (BillState(next) == before) continue;
                vm.expectRevert(
                    abi.encodeWithSelector(IChargeBook.ChargeBook_StateIsFinal.selector, key(run, i), before)
                );
                charges.setState(run, i, BillState(next));
            }
        }
    }

    /// @dev States of neighbours share a word: none may touch another.
    function testFuzz_StatesDoNotTouchTheirNeighbours(uint32 index, uint8 state) public {
        index = uint32(bound(index, 1, type(uint32).max - 1));
        state = uint8(bound(state, 1, 3));
        vm.prank(address(settlement));
        charges.setState(1, index, BillState(state));
        assertState(1, index, BillState(state));
        assertState(1, index - 1, BillState.Open);
        assertState(1, index + 1, BillState.Open);
        assertState(2, index, BillState.Open);
    }

    function testFuzz_ProofHoldsForItsOwnPlaceAlone(uint8 count, uint8 at, uint32 claimed) public {
        count = uint8(bound(count, 1, 20));
        at = uint8(bound(at, 0, count - 1));
        bytes[] memory blobs = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) {
            blobs[i] = billOf(uint48(i));
        }
        uint32 run = postRun(blobs);
        ProvenBill memory bill = proven(run, at);
        bytes32 leaf = Trees.leafHash(bill.blob);
        vm.assertTrue(charges.proveBill(run, at, leaf, bill.proof) == BillState.Open, "its own place");
        vm.assume(claimed != at);
        vm.expectRevert();
        charges.proveBill(run, claimed, leaf, bill.proof);
    }

    function testFuzz_ProposalsAreCountedAndKept(uint32 count, bytes32 root, uint16 year, uint8 month) public {
        IChargeBook.Proposal memory proposal = good();
        proposal.count = count;
        proposal.root = root;
        proposal.period = uint32(year) * 100 + month;
        vm.prank(biller);
        try charges.propose(proposal) returns (uint32 run) {
            (bytes32 kept, uint32 keptCount,,,) = charges.runOf(run);
            vm.assertEq(kept, root, "root");
            vm.assertEq(keptCount, count, "count");
            vm.assertTrue(count != 0 && root != 0, "an empty run was taken");
            uint256 m = proposal.period % 100;
            vm.assertTrue(m >= 1 && m <= 12 && proposal.period >= 200_000, "a period that is no month was taken");
        } catch {
            uint256 m = proposal.period % 100;
            vm.assertTrue(
                count == 0 || root == 0 || m < 1 || m > 12 || proposal.period < 200_000, "a good run was refused"
            );
        }
    }

    /// @dev Any moment, any set of three bills with any states: activated in time and only over open bills.
    function testFuzz_ActivationNeedsTheDelayAndOpenBills(uint40 waited, uint8 chosen, uint8[3] memory states) public {
        uint32 run = postRun(_blobs(billOf(1), billOf(2), billOf(3)));
        waited = uint40(bound(waited, 0, 2 * ACTIVATION_DELAY));
        uint256 count = (chosen & 1) + ((chosen >> 1) & 1) + ((chosen >> 2) & 1);
        BillKey[] memory old = new BillKey[](count);
        bool right = waited >= ACTIVATION_DELAY;
        count = 0;
        for (uint32 i = 0; i < 3; ++i) {
            vm.prank(address(settlement));
            charges.setState(run, i, BillState(states[i] % 4));
            if ((chosen >> i) & 1 == 0) continue;
            old[count++] = key(run, i);
            right = right && states[i] % 4 == 0;
        }
        uint32 later = propose(_blobs(billOf(9)), old);
        vm.warp(vm.getBlockTimestamp() + waited);
        if (!right) vm.expectRevert();
        charges.activate(later, old);
        for (uint32 i = 0; i < 3; ++i) {
            bool replaced = right && (chosen >> i) & 1 == 1;
            assertState(run, i, replaced ? BillState.Superseded : BillState(states[i] % 4));
        }
    }

    function testFuzz_VetoEndsARunAndOnlyAProposedOne(uint32 named, bool active, bytes32 reason) public {
        uint32 run = active ? postRun(billOf(1)) : propose(_blobs(billOf(1)), new BillKey[](0));
        named = uint32(bound(named, 0, 2));
        vm.prank(guardian);
        if (named != run || active) {
            vm.expectRevert(abi.encodeWithSelector(IChargeBook.ChargeBook_RunNotProposed.selector, named));
        }
        charges.veto(named, reason);
        (,, IChargeBook.RunState state,,) = charges.runOf(run);
        IChargeBook.RunState expected = active ? IChargeBook.RunState.Active : IChargeBook.RunState.Proposed;
        if (named == run && !active) expected = IChargeBook.RunState.Vetoed;
        vm.assertTrue(state == expected, "state");
    }

    function testFuzz_CloseIfOpenClosesTheOpenAlone(uint8 before, uint8 index) public {
        uint32 run = postRun(_blobs(billOf(1), billOf(2), billOf(3)));
        index %= 3;
        ProvenBill memory bill = proven(run, index);
        vm.startPrank(address(settlement));
        charges.setState(run, index, BillState(before % 4));
        BillState was = charges.closeIfOpen(run, index, Trees.leafHash(bill.blob), bill.proof);
        vm.assertTrue(was == BillState(before % 4), "what it was");
        assertState(run, index, before % 4 == 0 ? BillState.Paid : BillState(before % 4));
        for (uint32 i = 0; i < 3; ++i) {
            if (i != index) assertState(run, i, BillState.Open);
        }
    }

    /// @dev Any bills of a run in any states, each asked to be closed or not: the answer lists what was not closed.
    function testFuzz_CloseManyListsWhatItDidNotClose(uint8 count, uint32[3] memory bits) public {
        count = uint8(bound(count, 1, 16));
        bytes[] memory blobs = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) {
            blobs[i] = billOf(uint48(i));
        }
        uint32 run = postRun(blobs);
        // Chosen bills, those asked to be closed, and two bits of state each.
        bits[0] = uint32(bound(bits[0], 1, 2 ** uint256(count) - 1));
        uint256[] memory indices = new uint256[](_ones(bits[0]));
        uint256[] memory pairs = new uint256[](2 * indices.length);
        uint256 n = 0;
        uint256 left = 0;
        vm.startPrank(address(settlement));
        for (uint32 i = 0; i < count; ++i) {
            charges.setState(run, i, BillState((bits[2] >> (2 * i)) & 3));
            if ((bits[0] >> i) & 1 == 0) continue;
            bool asked = (bits[1] >> i) & 1 == 1;
            indices[n] = i;
            pairs[2 * n] = asked ? uint256(2 ** 32) + i : i;
            pairs[2 * n++ + 1] = uint256(Trees.leafHash(blobs[i]));
            if (!asked || (bits[2] >> (2 * i)) & 3 != 0) ++left;
        }
        bytes32[] memory proof = Trees.multiproof(_leaves(blobs), indices);
        uint256[] memory others = charges.closeManyIfOpen(run, pairs, proof);
        vm.stopPrank();
        vm.assertEq(others.length, left, "what was not closed");
        for (uint256 j = 0; j < left; ++j) {
            uint256 at = indices[others[j] >> 8];
            vm.assertEq(others[j] & 0xff, (bits[2] >> (2 * at)) & 3, "its state");
        }
        for (uint32 i = 0; i < count; ++i) {
            uint256 before = (bits[2] >> (2 * i)) & 3;
            bool closed = before == 0 && (bits[0] >> i) & 1 == 1 && (bits[1] >> i) & 1 == 1;
            assertState(run, i, closed ? BillState.Paid : BillState(before));
        }
    }

    function _ones(uint256 bits) private pure returns (uint256 count) {
        for (; bits != 0; bits >>= 1) {
            count += bits & 1;
        }
    }

    function _anchor(bytes24 previous) private returns (bytes24) {
        BatchHeader memory h;
        h.source = source;
        h.sequence = previous == 0 ? 1 : 2;
        h.previous = previous;
        h.root = keccak256("readings");
        h.count = 1;
        bytes32 domain = Signing.domain("Kopeck ReadingAnchor", block.chainid, address(anchor));
        anchor.anchor(h, signature(concentrator, Signing.digest(domain, Signing.header(h))));
        return bytes24(Signing.header(h));
    }
}
