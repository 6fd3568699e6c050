// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IRegistry} from "../../contracts/src/interfaces/IRegistry.sol";
import {Source, SourceClass, SupplierId} from "../../contracts/src/types/Types.sol";
import {Town} from "./base/Town.sol";

/// @notice Suppliers, the wallets their money goes to, sources of readings, meter passports.
contract RegistryTest is Town {
    SupplierId internal one = SupplierId.wrap(1);
    SupplierId internal unknown = SupplierId.wrap(SUPPLIERS + 1);
    address internal wallet = actor("new wallet");
    address internal newKey = actor("new key");

    function propose(address payout_) internal {
        vm.prank(supplierKey(1));
        registry.proposePayout(one, payout_);
    }

    function approve(address payout_) internal {
        vm.prank(operator);
        registry.approvePayout(one, payout_);
    }

    function assertPayout(address expected) internal view {
        (address current,) = registry.payoutOf(one);
        vm.assertEq(current, expected, "payout");
        vm.assertEq(address(uint160(table()[1])), expected, "payout in the table");
    }

    function table() internal view returns (uint256[] memory) {
        return abi.decode(registry.payoutTable().code, (uint256[]));
    }

    function expectUnauthorized(address caller) internal {
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, caller));
        vm.prank(caller);
    }

    // --- suppliers ---

    function test_RevertWhen_SupplierHasNoKeyOrPayout() public {
        vm.startPrank(operator);
        vm.expectRevert(IRegistry.Registry_ZeroAddress.selector);
        registry.registerSupplier(address(0), wallet, 0);
        vm.expectRevert(IRegistry.Registry_ZeroAddress.selector);
        registry.registerSupplier(newKey, address(0), 0);
    }

    function test_RevertWhen_SupplierIsUnknown() public {
        bytes memory reason = abi.encodeWithSelector(IRegistry.Registry_UnknownSupplier.selector, unknown);
        vm.expectRevert(reason);
        registry.supplierKey(unknown);
        vm.expectRevert(reason);
        registry.payoutOf(SupplierId.wrap(SUPPLIERS + 1));
        vm.expectRevert(reason);
        registry.proposePayout(unknown, wallet);
        vm.expectRevert(reason);
        vm.prank(operator);
        registry.setSupplierActive(unknown, false);
        vm.expectRevert(reason);
        registry.proposeSupplierKey(unknown, newKey);
    }

    function test_SupplierIsRegisteredActiveAndInTheTable() public {
        vm.expectEmit(address(registry));
        emit IRegistry.SupplierRegistered(unknown, newKey, wallet, keccak256("contract"));
        vm.prank(operator);
        SupplierId id = registry.registerSupplier(newKey, wallet, keccak256("contract"));
        vm.assertEq(SupplierId.unwrap(id), SUPPLIERS + 1, "next id");
        vm.assertEq(registry.supplierCount(), SUPPLIERS + 1, "count");
        vm.assertEq(table()[SUPPLIERS + 1], uint256(uint160(wallet)) | 1 << 160, "entry");
        vm.assertEq(table()[0], 0, "nothing at 0");
        (address told,) = settlement.payouts();
        vm.assertEq(told, registry.payoutTable(), "the Settlement knows");
    }

    function test_SuspensionAndFreezeClearTheEntrysBit() public {
        setActive(1, false);
        vm.assertEq(table()[1], uint256(uint160(payout(1))), "suspended");
        vm.prank(bank);
        rouble.freeze(payout(1), keccak256("act"));
        setActive(1, true);
        vm.assertEq(table()[1], uint256(uint160(payout(1))), "active again but frozen");
        vm.prank(bank);
        rouble.unfreeze(payout(1), keccak256("act"));
        vm.assertEq(table()[1], uint256(uint160(payout(1))) | 1 << 160, "payable");
    }

    function test_RevertWhen_FreezeIsNotToldByTheRouble() public {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.Registry_NotRouble.selector, operator));
        vm.prank(operator);
        registry.onFreezeChanged();
    }

    // --- payout: two keys, then a delay ---

    function test_RevertWhen_ProposerIsNotTheSupplier() public {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.Registry_NotSupplierKey.selector, one, operator));
        vm.prank(operator);
        registry.proposePayout(one, wallet);
        address other = supplierKey(2);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.Registry_NotSupplierKey.selector, one, other));
        vm.prank(other);
        registry.proposePayout(one, wallet);
        address current = payout(1);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.Registry_NotSupplierKey.selector, one, current));
        vm.prank(current);
        registry.proposePayout(one, wallet);
    }

    function test_RevertWhen_ProposedPayoutIsZero() public {
        address owner = supplierKey(1);
        vm.expectRevert(IRegistry.Registry_ZeroAddress.selector);
        vm.prank(owner);
        registry.proposePayout(one, address(0));
    }

    function test_RevertWhen_NothingIsProposed() public {
        bytes memory reason = abi.encodeWithSelector(IRegistry.Registry_NoProposal.selector, one);
        vm.expectRevert(reason);
        vm.prank(operator);
        registry.approvePayout(one, wallet);
        vm.expectRevert(reason);
        registry.executePayout(one);
        vm.expectRevert(reason);
        vm.prank(guardian);
        registry.cancelPayout(one);
        vm.expectRevert(reason);
        registry.executeSupplierKey(one);
        vm.expectRevert(reason);
        vm.prank(guardian);
        registry.cancelSupplierKey(one);
    }

    function test_RevertWhen_SupplierApprovesItsOwnChange() public {
        propose(wallet);
        expectUnauthorized(supplierKey(1));
        registry.approvePayout(one, wallet);
    }

    /// @dev The proposal is changed under the operator's hand: the approval names what it approves.
    function test_RevertWhen_ProposalChangedBeforeTheApproval() public {
        propose(wallet);
        propose(stranger);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.Registry_PayoutDiffers.selector, one, stranger, wallet));
        vm.prank(operator);
        registry.approvePayout(one, wallet);
    }

    function test_RevertWhen_ApprovedTwice() public {
        propose(wallet);
        approve(wallet);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.Registry_AlreadyApproved.selector, one));
        vm.prank(operator);
        registry.approvePayout(one, wallet);
    }

    function test_RevertWhen_NotApproved() public {
        propose(wallet);
        vm.warp(START + 365 days);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.Registry_NoProposal.selector, one));
        registry.executePayout(one);
    }

    function test_RevertWhen_ExecutedTooEarly() public {
        propose(wallet);
        approve(wallet);
        vm.warp(START + PAYOUT_DELAY - 1);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.Registry_TooEarly.selector, START + PAYOUT_DELAY));
        registry.executePayout(one);
        assertPayout(payout(1));
    }

    function test_RevertWhen_GuardianCancelled() public {
        propose(wallet);
        approve(wallet);
        vm.expectEmit(address(registry));
        emit IRegistry.PayoutChangeCancelled(one, wallet);
        vm.prank(guardian);
        registry.cancelPayout(one);
        vm.warp(START + PAYOUT_DELAY);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.Registry_NoProposal.selector, one));
        registry.executePayout(one);
        assertPayout(payout(1));
    }

    /// @dev A new proposal after the approval loses the approval: the old delay must not cover a new wallet.
    function test_RevertWhen_ProposalChangedAfterTheApproval() public {
        propose(wallet);
        approve(wallet);
        propose(stranger);
        vm.warp(START + PAYOUT_DELAY);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.Registry_NoProposal.selector, one));
        registry.executePayout(one);
    }

    function test_PayoutChangesAfterTwoKeysAndTheDelay() public {
        propose(wallet);
        approve(wallet);
        vm.warp(START + PAYOUT_DELAY);
        vm.expectEmit(address(registry));
        emit IRegistry.PayoutChanged(one, wallet);
        vm.prank(stranger);
        registry.executePayout(one);
        assertPayout(wallet);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.Registry_NoProposal.selector, one));
        registry.executePayout(one);
    }

    // --- a lost key ---

    function test_RevertWhen_KeyIsReplacedByTheOperator() public {
        expectUnauthorized(operator);
        registry.proposeSupplierKey(one, newKey);
        expectUnauthorized(supplierKey(1));
        registry.proposeSupplierKey(one, newKey);
    }

    function test_RevertWhen_NewKeyIsZero() public {
        vm.expectRevert(IRegistry.Registry_ZeroAddress.selector);
        registry.proposeSupplierKey(one, address(0));
    }

    function test_RevertWhen_KeyIsReplacedTooEarly() public {
        registry.proposeSupplierKey(one, newKey);
        vm.warp(START + KEY_DELAY - 1);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.Registry_TooEarly.selector, START + KEY_DELAY));
        registry.executeSupplierKey(one);
    }

    function test_RevertWhen_GuardianCancelledTheKey() public {
        registry.proposeSupplierKey(one, newKey);
        vm.prank(guardian);
        registry.cancelSupplierKey(one);
        vm.warp(START + KEY_DELAY);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.Registry_NoProposal.selector, one));
        registry.executeSupplierKey(one);
    }

    /// @dev What the lost key proposed, and the operator approved, dies with the key.
    function test_LostKeyTakesItsProposalWithIt() public {
        registry.proposeSupplierKey(one, newKey);
        vm.warp(START + KEY_DELAY - 1);
        propose(stranger);
        approve(stranger);
        vm.warp(START + KEY_DELAY);
        vm.expectEmit(address(registry));
        emit IRegistry.SupplierKeyChanged(one, newKey);
        registry.executeSupplierKey(one);
        vm.assertEq(registry.supplierKey(one), newKey, "key");
        vm.warp(START + KEY_DELAY + PAYOUT_DELAY);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.Registry_NoProposal.selector, one));
        registry.executePayout(one);
        assertPayout(payout(1));
        address old = supplierKey(1);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.Registry_NotSupplierKey.selector, one, old));
        vm.prank(old);
        registry.proposePayout(one, stranger);
    }

    // --- sources ---

    function test_RevertWhen_SourceHasNoKey() public {
        vm.startPrank(operator);
        vm.expectRevert(IRegistry.Registry_ZeroAddress.selector);
        registry.registerSource(address(0), SourceClass.Importer, START);
        vm.expectRevert(IRegistry.Registry_ZeroAddress.selector);
        registry.rotateSource(source, address(0), START);
    }

    function test_RevertWhen_SourceIsUnknown() public {
        bytes memory reason = abi.encodeWithSelector(IRegistry.Registry_UnknownSource.selector, 99);
        vm.startPrank(operator);
        vm.expectRevert(reason);
        registry.rotateSource(99, newKey, START);
        vm.expectRevert(reason);
        registry.revokeSource(99);
    }

    function test_RevertWhen_SourceIsRevoked() public {
        vm.prank(operator);
        registry.revokeSource(source);
        bytes memory reason = abi.encodeWithSelector(IRegistry.Registry_SourceIsRevoked.selector, source);
        vm.startPrank(operator);
        vm.expectRevert(reason);
        registry.rotateSource(source, newKey, START);
        vm.expectRevert(reason);
        registry.revokeSource(source);
    }

    function test_OperatorAndGuardianMayRevoke() public {
        vm.prank(operator);
        uint32 second = registry.registerSource(newKey, SourceClass.Inspector, START);
        vm.prank(operator);
        registry.revokeSource(source);
        vm.prank(guardian);
        registry.revokeSource(second);
        vm.assertEq(registry.source(second).revokedAt, START, "revoked");
        expectUnauthorized(stranger);
        registry.revokeSource(second);
    }

    function test_RotationKeepsTheOldKeyOnRecord() public {
        vm.prank(operator);
        registry.rotateSource(source, newKey, START + 1);
        Source memory known = registry.source(source);
        vm.assertEq(known.key, newKey, "key");
        vm.assertEq(known.validFrom, START + 1, "valid from");
        vm.assertTrue(registry.hadKey(source, concentrator) && registry.hadKey(source, newKey), "both");
        vm.assertFalse(registry.hadKey(source, stranger), "nobody else");
    }

    // --- meters ---

    function test_RevertWhen_MeterExists() public {
        vm.startPrank(operator);
        registry.registerMeter(keccak256("m"), 4, START, START + 1, 0);
        bytes memory reason = abi.encodeWithSelector(IRegistry.Registry_MeterExists.selector, keccak256("m"));
        vm.expectRevert(reason);
        registry.registerMeter(keccak256("m"), 4, START, START + 1, 0);
        bytes32[] memory list = new bytes32[](2);
        (list[0], list[1]) = (keccak256("n"), keccak256("m"));
        vm.expectRevert(reason);
        registry.registerMeters(list, 4, START, START + 1);
        vm.expectRevert(reason);
        registry.registerMeter(keccak256("m"), 4, START, START + 1, keccak256("m"));
    }

    function test_RevertWhen_ReplacedMeterIsUnknownOrRetired() public {
        vm.startPrank(operator);
        bytes memory reason = abi.encodeWithSelector(IRegistry.Registry_UnknownMeter.selector, keccak256("m"));
        vm.expectRevert(reason);
        registry.registerMeter(keccak256("n"), 4, START, START + 1, keccak256("m"));
        registry.registerMeter(keccak256("m"), 4, START, START + 1, 0);
        vm.expectEmit(address(registry));
        emit IRegistry.MeterRetired(keccak256("m"), START);
        vm.expectEmit(address(registry));
        emit IRegistry.MeterRegistered(keccak256("n"), 4, START, START + 1, keccak256("m"));
        registry.registerMeter(keccak256("n"), 4, START, START + 1, keccak256("m"));
        vm.expectRevert(reason);
        registry.registerMeter(keccak256("o"), 4, START, START + 1, keccak256("m"));
    }

    // --- fuzz ---

    function testFuzz_TableHoldsEverySupplier(uint8 count, uint256 suspended) public {
        count = uint8(bound(count, 1, 16));
        for (uint16 i = SUPPLIERS + 1; i <= SUPPLIERS + count; ++i) {
            vm.prank(operator);
            registry.registerSupplier(supplierKey(i), payout(i), bytes32(uint256(i)));
            if ((suspended >> i) & 1 == 1) setActive(i, false);
        }
        uint256[] memory entries = table();
        vm.assertEq(entries.length, uint256(SUPPLIERS) + count + 1, "entries");
        for (uint16 i = SUPPLIERS + 1; i <= SUPPLIERS + count; ++i) {
            uint256 bit = (suspended >> i) & 1 == 1 ? 0 : 1 << 160;
            vm.assertEq(entries[i], uint256(uint160(payout(i))) | bit, "entry");
        }
    }

    function testFuzz_PayoutMovesOnlyAfterTheDelay(uint40 waited, address to) public {
        vm.assume(to != address(0));
        waited = uint40(bound(waited, 0, 400 days));
        propose(to);
        approve(to);
        vm.warp(START + waited);
        if (waited < PAYOUT_DELAY) {
            vm.expectRevert(abi.encodeWithSelector(IRegistry.Registry_TooEarly.selector, START + PAYOUT_DELAY));
        }
        registry.executePayout(one);
        assertPayout(waited < PAYOUT_DELAY ? payout(1) : to);
    }

    function testFuzz_KeyMovesOnlyAfterTheDelay(uint40 waited, address to) public {
        vm.assume(to != address(0));
        waited = uint40(bound(waited, 0, 400 days));
        registry.proposeSupplierKey(one, to);
        vm.warp(START + waited);
        if (waited < KEY_DELAY) {
            vm.expectRevert(abi.encodeWithSelector(IRegistry.Registry_TooEarly.selector, START + KEY_DELAY));
        }
        registry.executeSupplierKey(one);
        vm.assertEq(registry.supplierKey(one), waited < KEY_DELAY ? supplierKey(1) : to, "key");
    }

    function testFuzz_SourcesReadBack(address key, uint8 class, uint40 validFrom, uint40 revokedAt) public {
        vm.assume(key != address(0));
        class = uint8(bound(class, 0, 4));
        revokedAt = uint40(bound(revokedAt, START, type(uint40).max));
        vm.prank(operator);
        uint32 id = registry.registerSource(key, SourceClass(class), validFrom);
        vm.warp(revokedAt);
        vm.prank(guardian);
        registry.revokeSource(id);
        Source memory known = registry.source(id);
        vm.assertEq(known.key, key, "key");
        vm.assertEq(uint256(known.class), class, "class");
        vm.assertEq(known.validFrom, validFrom, "valid from");
        vm.assertEq(known.revokedAt, revokedAt, "revoked at");
    }

    function testFuzz_MeterIsRegisteredOnce(bytes32[3] memory meters, uint40 installedAt, uint40 due) public {
        installedAt = uint40(bound(installedAt, 1, type(uint40).max));
        bytes32[] memory list = new bytes32[](3);
        for (uint256 i = 0; i < 3; ++i) {
            list[i] = meters[i];
        }
        bool twice = list[0] == list[1] || list[1] == list[2] || list[0] == list[2];
        vm.prank(operator);
        if (twice) vm.expectPartialRevert(IRegistry.Registry_MeterExists.selector);
        registry.registerMeters(list, 1, installedAt, due);
    }

    function testFuzz_RevertWhen_StrangersTouchTheRegistry(address caller, uint16 id) public {
        vm.assume(caller != operator && caller != guardian && caller != address(this));
        SupplierId supplier = SupplierId.wrap(uint16(bound(id, 1, SUPPLIERS)));
        vm.assume(caller != registry.supplierKey(supplier) && caller != address(rouble));
        vm.startPrank(caller);
        vm.expectRevert();
        registry.proposePayout(supplier, caller);
        vm.expectRevert();
        registry.setSupplierActive(supplier, false);
        vm.expectRevert();
        registry.onFreezeChanged();
        vm.expectRevert();
        registry.registerMeter(bytes32(uint256(id)), 1, START, START, 0);
        vm.expectRevert();
        registry.cancelPayout(supplier);
        vm.expectRevert();
        registry.executePayout(supplier);
        vm.stopPrank();
        assertPayout(payout(1));
    }

    function testFuzz_ApprovalNamesWhatWasProposed(address proposed, address approved) public {
        vm.assume(proposed != address(0));
        propose(proposed);
        vm.prank(operator);
        if (approved != proposed) {
            vm.expectRevert(
                abi.encodeWithSelector(IRegistry.Registry_PayoutDiffers.selector, one, proposed, approved)
            );
        }
        registry.approvePayout(one, approved);
    }

    function testFuzz_GuardianCancelsAtAnyMoment(uint40 waited, address to, bool ofKey) public {
        vm.assume(to != address(0));
        waited = uint40(bound(waited, 0, 4000 days));
        if (ofKey) {
            registry.proposeSupplierKey(one, to);
        } else {
            propose(to);
            approve(to);
        }
        vm.warp(START + waited);
        vm.startPrank(guardian);
        if (ofKey) registry.cancelSupplierKey(one);
        else registry.cancelPayout(one);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.Registry_NoProposal.selector, one));
        if (ofKey) registry.executeSupplierKey(one);
        else registry.executePayout(one);
    }
}
