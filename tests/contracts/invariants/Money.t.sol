// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {BillState, LineRecord, BillKey, SupplierId} from "../../../contracts/src/types/Types.sol";
import {Ghost} from "./Ghost.sol";
import {PaymentHandler} from "./PaymentHandler.sol";
import {Test} from "../base/Test.sol";

/// @dev The handler, with what the invariants look at opened up.
contract WatchedTown is PaymentHandler {
    /// @notice Invariants 1 and 8: each account has what its receipts, and nothing else, left it; together, the supply.
    function conservation() external view returns (string memory) {
        uint256 sum = 0;
        for (uint256 i = 0; i < accounts.length; ++i) {
            uint256 balance = rouble.balanceOf(accounts[i]);
            if (balance != expected[accounts[i]]) return "a balance without receipts";
            sum += balance;
        }
        if (sum != rouble.totalSupply()) return "balances are not the supply";
        return sum == supply ? "" : "the supply is not what was minted";
    }

    /// @notice Invariant 2.
    function custody() external view returns (uint256) {
        return rouble.balanceOf(address(settlement)) + rouble.balanceOf(address(charges))
            + rouble.balanceOf(address(subsidies)) + rouble.balanceOf(address(registry))
            + rouble.balanceOf(address(anchor)) + rouble.balanceOf(address(manager));
    }

    function chainState(uint32 run, uint32 index) external view returns (BillState) {
        return charges.stateOf(run, index);
    }

    function chainRecord(uint32 run, uint32 index, uint8 line) external view returns (LineRecord memory) {
        return recordOf(run, index, line);
    }

    function chainPrepayment(bytes32 id) external view returns (uint48 left) {
        (, left) = settlement.prepaymentOf(id);
    }

    function chainBatchUsed(uint32 batch) external view returns (uint64 used) {
        (,,,, used,) = subsidies.batchOf(batch);
    }

    function chainPayout(uint16 supplier) external view returns (address payout_) {
        (payout_,) = registry.payoutOf(SupplierId.wrap(supplier));
    }
}

/// @notice Invariants 1, 2, 3, 7 and 8 of the design over everything that people do to bills and money.
contract MoneyInvariants is Test {
    WatchedTown internal town;

    function setUp() public {
        town = new WatchedTown();
        town.setUp();
        targetContract(address(town));
        bytes4[] memory selectors = _actions();
        targetSelector(FuzzSelector(address(town), selectors));
    }

    /// @dev One campaign for all: after each action, the accounts and the handler's own watch; every bill, grant and
    /// prepayment at the end of each run.
    function invariant_EveryKopeckIsWhereItShouldBe() public view {
        _assertNoBreach();
        vm.assertEq(bytes(town.conservation()), "", "money");
        vm.assertEq(town.custody(), 0, "a contract holds money");
    }

    function afterInvariant() public view {
        _assertBills();
        _assertGrantsAndPrepayments();
        if (town.calls() >= 400) _assertReached(12);
    }

    /// @dev A long walk with a fixed seed: every path must be gone, so that a handler that only gives up is noticed.
    function test_TheHandlerGoesEveryWay() public {
        bytes4[] memory actions = _actions();
        for (uint256 i = 0; i < 1500; ++i) {
            bytes32 seed = keccak256(abi.encode("walk", i));
            bytes4 action = actions[uint256(seed) % actions.length];
            (bool success,) = address(town).call(
                abi.encodePacked(action, keccak256(abi.encode(seed, 1)), keccak256(abi.encode(seed, 2)), seed)
            );
            vm.assertTrue(success, "the handler reverted");
            _assertNoBreach();
            if (i % 50 == 0) invariant_EveryKopeckIsWhereItShouldBe();
        }
        afterInvariant();
        _assertReached(30);
    }

    function _assertNoBreach() private view {
        vm.assertEq(bytes(town.breach()), "", "a breach");
    }

    /// @dev Invariant 3: no line above its charge, no bill paid twice, nothing on a superseded one; and the chain's
    /// records say what the receipts said.
    function _assertBills() private view {
        for (uint256 place = 0; place < town.billCount(); ++place) {
            (uint32 run, uint32 index, uint8 kind, BillState state, uint8 closings,,,,) = town.bills(place);
            vm.assertTrue(town.chainState(run, index) == state, "a state that no event told");
            vm.assertLe(closings, 1, "paid twice");
            if (kind != 2) _assertLines(run, index, state, town.linesOf(place));
        }
    }

    function _assertLines(uint32 run, uint32 index, BillState state, Ghost.Line[] memory lines) private view {
        bool open = false;
        bool moved = false;
        for (uint8 i = 0; i < lines.length; ++i) {
            Ghost.Line memory l = lines[i];
            uint256 covered = uint256(l.paid) + l.granted + l.netted + l.writtenOff;
            vm.assertLe(covered, l.charge, "a line above its charge");
            vm.assertLe(l.refunded, covered - l.writtenOff, "more refunded than moved");
            open = open || covered < l.charge;
            moved = moved || covered != 0;
            LineRecord memory r = town.chainRecord(run, index, i);
            vm.assertTrue(r.paid == l.paid || (r.paid == 0 && l.paid == l.charge), "paid");
            vm.assertEq(r.granted, l.granted, "granted");
            vm.assertEq(r.netted, l.netted, "netted");
            vm.assertEq(r.writtenOff, l.writtenOff, "written off");
            vm.assertEq(r.refunded, l.refunded, "refunded");
        }
        if (state == BillState.Paid) vm.assertFalse(open, "paid, with something open");
        if (state == BillState.Partial) vm.assertTrue(open && moved, "partial, but whole or untouched");
        if (state < BillState.Partial || state == BillState.Superseded) vm.assertFalse(moved, "untouched, yet moved");
    }

    /// @dev Invariant 7, beside what the ghost watches at each grant: totals hold.
    function _assertGrantsAndPrepayments() private view {
        for (uint256 i = 0; i < town.grantCount(); ++i) {
            (uint32 batch,,, uint48 maximum,,, uint48 used,,) = town.grants(i);
            vm.assertLe(used, maximum, "a grant above its maximum");
            vm.assertLe(used, town.batchTotal(batch), "a batch above its total");
            vm.assertEq(town.chainBatchUsed(batch), used, "what a batch has used");
        }
        for (uint256 i = 0; i < town.prepaymentCount(); ++i) {
            (bytes32 id,, uint48 left) = town.prepayments(i);
            vm.assertEq(town.chainPrepayment(id), left, "what is left of a prepayment");
        }
        for (uint16 i = 1; i <= 5; ++i) {
            vm.assertEq(town.chainPayout(i), town.payoutNow(i), "a payout");
        }
    }

    function _assertReached(uint256 atLeast) private view {
        uint256 count = 0;
        string memory missing = "paths not gone:";
        for (uint256 i = 0; i < 30; ++i) {
            if (town.reached(i) != 0) ++count;
            else missing = string.concat(missing, " ", vm.toString(i));
        }
        vm.assertGe(count, atLeast, missing);
    }

    function _actions() private view returns (bytes4[] memory list) {
        bytes4[21] memory actions = [
            town.postRun_.selector,
            town.proposeCorrection.selector,
            town.activateCorrection.selector,
            town.postNote.selector,
            town.suspend.selector,
            town.freezePayout.selector,
            town.seizeFromAPayer.selector,
            town.changePayout.selector,
            town.pauseAndTry.selector,
            town.pay.selector,
            town.payOrder.selector,
            town.payOrders.selector,
            town.payBatch.selector,
            town.repeatBatch.selector,
            town.postGrant.selector,
            town.applyGrant.selector,
            town.reverseGrant.selector,
            town.refund.selector,
            town.prepay.selector,
            town.net.selector,
            town.attack.selector
        ];
        list = new bytes4[](actions.length);
        for (uint256 i = 0; i < actions.length; ++i) {
            list[i] = actions[i];
        }
    }
}
