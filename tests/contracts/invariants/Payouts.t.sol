// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {SupplierId} from "../../../contracts/src/types/Types.sol";
import {Test} from "../base/Test.sol";
import {Town} from "../base/Town.sol";

/// @title Suppliers, the operator, the guardian, the timelock and thieves at the payout wallets, in any order
contract PayoutHandler is Town {
    struct Change {
        address account;
        uint256 due; // 0 until the second key or the timelock agreed
    }

    mapping(uint16 supplier => address) public payoutNow;
    mapping(uint16 supplier => address) public keyNow;
    mapping(uint16 supplier => bool) public active;
    mapping(uint16 supplier => Change) internal payoutChange;
    mapping(uint16 supplier => Change) internal keyChange;
    uint256[9] public reached; // proposed, approved, executed, refused, cancelled, key proposed, key executed, suspended, stolen
    uint256 public calls;
    uint256 private _wallets;
    string public breach;

    function setUp() public override {
        super.setUp();
        for (uint16 i = 1; i <= SUPPLIERS; ++i) {
            (payoutNow[i], keyNow[i], active[i]) = (payout(i), supplierKey(i), true);
        }
    }

    function chainPayout(uint16 id) external view returns (address payout_, bool active_) {
        return registry.payoutOf(SupplierId.wrap(id));
    }

    function chainKey(uint16 id) external view returns (address) {
        return registry.supplierKey(SupplierId.wrap(id));
    }

    /// @notice The table as the Settlement reads it.
    function entries() external view returns (uint256[] memory) {
        (address at,) = settlement.payouts();
        return abi.decode(at.code, (uint256[]));
    }

    function wait(uint256 seed) external {
        ++calls;
        vm.warp(vm.getBlockTimestamp() + seed % 2 days);
    }

    function propose(uint256 seed) external {
        ++calls;
        uint16 id = _id(seed);
        address to = actor(string.concat("wallet ", vm.toString(++_wallets)));
        vm.prank(keyNow[id]);
        registry.proposePayout(SupplierId.wrap(id), to);
        payoutChange[id] = Change(to, 0);
        ++reached[0];
    }

    /// @dev Now and then of another wallet than the one proposed.
    function approve(uint256 seed) external {
        ++calls;
        uint16 id = _id(seed);
        Change memory change = payoutChange[id];
        bool same = (seed >> 8) % 4 != 0;
        bool good = change.account != address(0) && change.due == 0 && same;
        vm.prank(operator);
        try registry.approvePayout(SupplierId.wrap(id), same ? change.account : stranger) {
            _break(!good, "a wrong approval was taken");
            payoutChange[id].due = vm.getBlockTimestamp() + PAYOUT_DELAY;
            ++reached[1];
        } catch {
            _break(good, "a good approval was refused");
            ++reached[3];
        }
    }

    function execute(uint256 seed) external {
        ++calls;
        uint16 id = _id(seed);
        Change memory change = payoutChange[id];
        bool good = change.due != 0 && vm.getBlockTimestamp() >= change.due;
        vm.prank(stranger);
        try registry.executePayout(SupplierId.wrap(id)) {
            _break(!good, "a payout moved without two keys and the delay");
            payoutNow[id] = change.account;
            delete payoutChange[id];
            ++reached[2];
        } catch {
            _break(good, "a good change was refused");
            ++reached[3];
        }
    }

    function cancel(uint256 seed) external {
        ++calls;
        if (seed % 4 != 0) return;
        uint16 id = _id(seed >> 8);
        vm.startPrank(guardian);
        try registry.cancelPayout(SupplierId.wrap(id)) {
            delete payoutChange[id];
            ++reached[4];
        } catch {
            _break(payoutChange[id].account != address(0), "the guardian could not cancel");
        }
        try registry.cancelSupplierKey(SupplierId.wrap(id)) {
            delete keyChange[id];
        } catch {
            _break(keyChange[id].account != address(0), "the guardian could not cancel a key");
        }
        vm.stopPrank();
    }

    function proposeKey(uint256 seed) external {
        ++calls;
        uint16 id = _id(seed);
        address to = actor(string.concat("key ", vm.toString(++_wallets)));
        registry.proposeSupplierKey(SupplierId.wrap(id), to);
        keyChange[id] = Change(to, vm.getBlockTimestamp() + KEY_DELAY);
        ++reached[5];
    }

    function executeKey(uint256 seed) external {
        ++calls;
        uint16 id = _id(seed);
        Change memory change = keyChange[id];
        bool good = change.due != 0 && vm.getBlockTimestamp() >= change.due;
        try registry.executeSupplierKey(SupplierId.wrap(id)) {
            _break(!good, "a key moved without the timelock and the delay");
            keyNow[id] = change.account;
            delete keyChange[id];
            delete payoutChange[id];
            ++reached[6];
        } catch {
            _break(good, "a good key change was refused");
            ++reached[3];
        }
    }

    function suspend(uint256 seed) external {
        ++calls;
        uint16 id = _id(seed);
        active[id] = !active[id];
        setActive(id, active[id]);
        ++reached[7];
    }

    /// @dev Everyone who is not the supplier's key, or not the operator, alone.
    function steal(uint256 seed) external {
        ++calls;
        uint16 id = _id(seed);
        SupplierId supplier = SupplierId.wrap(id);
        address[5] memory thieves = [operator, guardian, stranger, keyNow[uint16(id % SUPPLIERS + 1)], payoutNow[id]];
        address thief = thieves[(seed >> 8) % 5];
        if (thief == keyNow[id]) return;
        _mustFail(thief, abi.encodeCall(registry.proposePayout, (supplier, stranger)));
        if (thief != operator) _mustFail(thief, abi.encodeCall(registry.approvePayout, (supplier, stranger)));
        _mustFail(keyNow[id], abi.encodeCall(registry.approvePayout, (supplier, payoutChange[id].account)));
        _mustFail(thief, abi.encodeCall(registry.proposeSupplierKey, (supplier, stranger)));
        vm.prank(thief);
        try settlement.setPayoutTable(stranger) {
            _break(true, "a thief wrote the table");
        } catch {}
        ++reached[8];
    }

    function _mustFail(address thief, bytes memory call) private {
        vm.prank(thief);
        (bool success,) = address(registry).call(call);
        _break(success, "a thief got through");
    }

    function _id(uint256 seed) private pure returns (uint16) {
        return uint16(1 + seed % SUPPLIERS);
    }

    function _break(bool wrong, string memory what) private {
        if (wrong && bytes(breach).length == 0) breach = what;
    }
}

/// @notice Invariant 9: nothing but the supplier's key with the operator (or the timelock for a lost key), after the
/// delay, moves a supplier's payout.
contract PayoutInvariants is Test {
    PayoutHandler internal town;

    function setUp() public {
        town = new PayoutHandler();
        town.setUp();
        targetContract(address(town));
        targetSelector(FuzzSelector(address(town), _actions()));
    }

    function invariant_PayoutsMoveOnlyByTwoKeysAndTheDelay() public view {
        vm.assertEq(bytes(town.breach()), "", "a breach");
        uint256[] memory entries = town.entries();
        vm.assertEq(entries.length, 6, "entries");
        for (uint16 id = 1; id <= 5; ++id) {
            (address payout, bool active) = town.chainPayout(id);
            vm.assertEq(payout, town.payoutNow(id), "payout");
            vm.assertTrue(active == town.active(id), "active");
            vm.assertEq(town.chainKey(id), town.keyNow(id), "key");
            vm.assertEq(entries[id], uint256(uint160(payout)) | (active ? 1 << 160 : 0), "entry of the table");
        }
    }

    function afterInvariant() public view {
        if (town.calls() >= 90) _assertReached(3);
    }

    function test_TheHandlerGoesEveryWay() public {
        bytes4[] memory actions = _actions();
        for (uint256 i = 0; i < 600; ++i) {
            bytes32 seed = keccak256(abi.encode("walk", i));
            (bool success,) =
                address(town).call(abi.encodePacked(actions[uint256(seed) % 9], keccak256(abi.encode(seed))));
            vm.assertTrue(success, "the handler reverted");
        }
        invariant_PayoutsMoveOnlyByTwoKeysAndTheDelay();
        _assertReached(9);
    }

    function _assertReached(uint256 atLeast) private view {
        uint256 count = 0;
        for (uint256 i = 0; i < 9; ++i) {
            if (town.reached(i) != 0) ++count;
        }
        vm.assertGe(count, atLeast, "paths gone");
    }

    function _actions() private view returns (bytes4[] memory list) {
        list = new bytes4[](9);
        list[0] = town.wait.selector;
        list[1] = town.propose.selector;
        list[2] = town.approve.selector;
        list[3] = town.execute.selector;
        list[4] = town.cancel.selector;
        list[5] = town.proposeKey.selector;
        list[6] = town.executeKey.selector;
        list[7] = town.suspend.selector;
        list[8] = town.steal.selector;
    }
}
