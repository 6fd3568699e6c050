// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAccessManager} from "@openzeppelin/contracts/access/manager/IAccessManager.sol";
import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IMultisig} from "../../contracts/src/interfaces/IMultisig.sol";
import {IRegistry} from "../../contracts/src/interfaces/IRegistry.sol";
import {Roles} from "../../contracts/src/libraries/Roles.sol";
import {SupplierId} from "../../contracts/src/types/Types.sol";
import {Signing} from "./base/Signing.sol";
import {Town} from "./base/Town.sol";

/// @dev What these tests call of OpenZeppelin's TimelockController.
interface ITimelock {
    error TimelockUnexpectedOperationState(bytes32 operation, bytes32 expected);
    error AccessControlUnauthorizedAccount(address account, bytes32 role);
    error TimelockUnauthorizedCaller(address caller);

    function schedule(address target, uint256 value, bytes calldata data, bytes32 before, bytes32 salt, uint256 delay)
        external;
    function execute(address target, uint256 value, bytes calldata data, bytes32 before, bytes32 salt) external;
    function cancel(bytes32 id) external;
    function updateDelay(uint256 delay) external;
    function hashOperation(address target, uint256 value, bytes calldata data, bytes32 before, bytes32 salt)
        external
        pure
        returns (bytes32);
    function hasRole(bytes32 role, address account) external view returns (bool);
    function grantRole(bytes32 role, address account) external;
}

/// @notice The admin after the deployment: a timelock whose one proposer is two of three keys.
contract GovernanceTest is Town {
    uint256 internal constant DELAY = 3 days;
    bytes32 internal constant PROPOSER = keccak256("PROPOSER_ROLE");
    bytes32 internal constant EXECUTOR = keccak256("EXECUTOR_ROLE");
    bytes32 internal constant CANCELLER = keccak256("CANCELLER_ROLE");

    address[3] internal owners;
    IMultisig internal multisig;
    ITimelock internal timelock;
    uint256 internal nonce;

    address internal newKey = actor("new key");

    function setUp() public override {
        super.setUp();
        owners = [actor("owner a"), actor("owner b"), actor("owner c")];
        for (uint256 i = 0; i < 3; ++i) {
            uint256 j = i % 2;
            if (owners[j] > owners[j + 1]) (owners[j], owners[j + 1]) = (owners[j + 1], owners[j]);
        }
        multisig = IMultisig(_new("Multisig", abi.encode(owners)));
        timelock = ITimelock(
            vm.deployCode("Governance.sol:Timelock", abi.encode(DELAY, address(multisig), guardian))
        );
        manager.grantRole(0, address(timelock), 0);
        manager.renounceRole(0, address(this));
    }

    /// @notice Two owners have the timelock schedule a call.
    function schedule(address target, bytes memory data) internal returns (bytes32 id) {
        bytes memory call = abi.encodeCall(timelock.schedule, (target, 0, data, 0, 0, DELAY));
        bytes32 domain = Signing.domain("Kopeck Multisig", block.chainid, address(multisig));
        bytes32 digest = Signing.digest(domain, Signing.execution(address(timelock), call, nonce++));
        bytes[] memory signatures = new bytes[](2);
        (signatures[0], signatures[1]) = (signature(owners[0], digest), signature(owners[2], digest));
        multisig.execute(address(timelock), call, signatures);
        return timelock.hashOperation(target, 0, data, 0, 0);
    }

    function execute(address target, bytes memory data) internal {
        vm.prank(stranger);
        timelock.execute(target, 0, data, 0, 0);
    }

    function keyChange() internal view returns (bytes memory) {
        return abi.encodeCall(registry.proposeSupplierKey, (SupplierId.wrap(1), newKey));
    }

    // --- failures ---

    function test_RevertWhen_TheDeployerTriesAnything() public {
        bytes memory reason =
            abi.encodeWithSelector(IAccessManager.AccessManagerUnauthorizedAccount.selector, address(this), 0);
        vm.expectRevert(reason);
        manager.grantRole(Roles.BANK, address(this), 0);
        vm.expectRevert(reason);
        manager.setTargetClosed(address(rouble), true);
        vm.expectRevert(reason);
        manager.updateAuthority(address(rouble), address(this));
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, address(this)));
        registry.proposeSupplierKey(SupplierId.wrap(1), newKey);
        (bool isAdmin,) = manager.hasRole(0, address(this));
        vm.assertFalse(isAdmin, "the deployer has no role left");
        vm.assertFalse(timelock.hasRole(0, address(this)), "nor one in the timelock");
    }

    function test_RevertWhen_AnybodyButTheMultisigSchedules() public {
        address[4] memory callers = [guardian, operator, owners[0], address(this)];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(ITimelock.AccessControlUnauthorizedAccount.selector, callers[i], PROPOSER)
            );
            vm.prank(callers[i]);
            timelock.schedule(address(registry), 0, keyChange(), 0, 0, DELAY);
        }
    }

    function test_RevertWhen_ExecutedBeforeTheDelay() public {
        schedule(address(registry), keyChange());
        bytes memory data = keyChange();
        vm.warp(START + DELAY - 1);
        vm.expectPartialRevert(ITimelock.TimelockUnexpectedOperationState.selector);
        timelock.execute(address(registry), 0, data, 0, 0);
    }

    function test_RevertWhen_GuardianCancelled() public {
        bytes32 id = schedule(address(registry), keyChange());
        bytes memory data = keyChange();
        vm.prank(guardian);
        timelock.cancel(id);
        vm.warp(START + DELAY);
        vm.expectPartialRevert(ITimelock.TimelockUnexpectedOperationState.selector);
        timelock.execute(address(registry), 0, data, 0, 0);
    }

    function test_RevertWhen_StrangerCancels() public {
        bytes32 id = schedule(address(registry), keyChange());
        vm.expectRevert(
            abi.encodeWithSelector(ITimelock.AccessControlUnauthorizedAccount.selector, stranger, CANCELLER)
        );
        vm.prank(stranger);
        timelock.cancel(id);
    }

    function test_RevertWhen_TimelocksOwnRightsAreChangedFromOutside() public {
        vm.expectRevert(abi.encodeWithSelector(ITimelock.TimelockUnauthorizedCaller.selector, address(multisig)));
        vm.prank(address(multisig));
        timelock.updateDelay(0);
        vm.expectRevert(abi.encodeWithSelector(ITimelock.AccessControlUnauthorizedAccount.selector, guardian, 0));
        vm.prank(guardian);
        timelock.grantRole(PROPOSER, guardian);
    }

    /// @dev The guardian stops things; it starts nothing.
    function test_RevertWhen_GuardianUsesAnotherRole() public {
        vm.startPrank(guardian);
        bytes memory reason = abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, guardian);
        vm.expectRevert(reason);
        registry.setSupplierActive(SupplierId.wrap(1), false);
        vm.expectRevert(reason);
        rouble.freeze(payer, keccak256("act"));
        vm.expectRevert(reason);
        registry.proposeSupplierKey(SupplierId.wrap(1), guardian);
    }

    // --- the whole way ---

    function test_LostSupplierKeyGoesTheWholeWay() public {
        bytes memory data = keyChange();
        schedule(address(registry), data);
        vm.warp(START + DELAY);
        execute(address(registry), data);
        vm.expectPartialRevert(IRegistry.Registry_TooEarly.selector);
        registry.executeSupplierKey(SupplierId.wrap(1));
        vm.warp(START + DELAY + KEY_DELAY);
        registry.executeSupplierKey(SupplierId.wrap(1));
        vm.assertEq(registry.supplierKey(SupplierId.wrap(1)), newKey, "key");
    }

    function test_RoleIsGrantedThroughTheTimelock() public {
        bytes memory data = abi.encodeCall(manager.grantRole, (Roles.AGENT, stranger, 0));
        schedule(address(manager), data);
        vm.warp(START + DELAY);
        execute(address(manager), data);
        (bool isAgent,) = manager.hasRole(Roles.AGENT, stranger);
        vm.assertTrue(isAgent, "agent");
    }

    function test_OnlyTheMultisigProposesAndAnyoneExecutes() public view {
        vm.assertTrue(timelock.hasRole(PROPOSER, address(multisig)), "multisig proposes");
        vm.assertTrue(timelock.hasRole(CANCELLER, guardian), "guardian cancels");
        vm.assertTrue(timelock.hasRole(EXECUTOR, address(0)), "anyone executes");
        vm.assertFalse(timelock.hasRole(PROPOSER, guardian), "guardian does not propose");
        vm.assertTrue(timelock.hasRole(0, address(timelock)), "its own admin");
        vm.assertFalse(timelock.hasRole(0, address(multisig)), "and nobody else");
    }

    function testFuzz_NothingIsExecutedEarly(uint256 waited) public {
        waited = bound(waited, 0, 30 days);
        bytes memory data = keyChange();
        schedule(address(registry), data);
        vm.warp(START + waited);
        if (waited < DELAY) vm.expectRevert();
        timelock.execute(address(registry), 0, data, 0, 0);
    }
}
