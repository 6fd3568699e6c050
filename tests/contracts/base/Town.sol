// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAccessManager} from "@openzeppelin/contracts/access/manager/IAccessManager.sol";
import {IChargeBook} from "../../../contracts/src/interfaces/IChargeBook.sol";
import {IReadingAnchor} from "../../../contracts/src/interfaces/IReadingAnchor.sol";
import {IRegistry} from "../../../contracts/src/interfaces/IRegistry.sol";
import {IRouble} from "../../../contracts/src/interfaces/IRouble.sol";
import {ISettlement} from "../../../contracts/src/interfaces/ISettlement.sol";
import {ISubsidyBook} from "../../../contracts/src/interfaces/ISubsidyBook.sol";
import {ITariffBook} from "../../../contracts/src/interfaces/ITariffBook.sol";
import {Roles} from "../../../contracts/src/libraries/Roles.sol";
import {SourceClass, SupplierId} from "../../../contracts/src/types/Types.sol";
import {Test} from "./Test.sol";

/// @title A small town on a fresh chain: all contracts wired, five suppliers, one concentrator
/// @notice The admin is this contract; Governance.t.sol hands it to the timelock.
abstract contract Town is Test {
    uint40 internal constant START = 1_767_225_600; // 2026-01-01T00:00:00Z
    uint40 internal constant PAYOUT_DELAY = 2 days;
    uint40 internal constant KEY_DELAY = 7 days;
    uint40 internal constant ACTIVATION_DELAY = 1 days;
    uint16 internal constant SUPPLIERS = 5;

    IAccessManager internal manager;
    IRegistry internal registry;
    IReadingAnchor internal anchor;
    ITariffBook internal tariffs;
    IChargeBook internal charges;
    IRouble internal rouble;
    ISubsidyBook internal subsidies;
    ISettlement internal settlement;

    address internal operator = actor("operator");
    address internal biller = actor("biller");
    address internal welfare = actor("welfare");
    address internal otherWelfare = actor("other welfare");
    address internal bank = actor("bank");
    address internal agent = actor("agent");
    address internal otherAgent = actor("other agent");
    address internal guardian = actor("guardian");
    address internal holder = actor("holder");
    address internal concentrator = actor("concentrator");
    address internal payer = actor("payer");
    address internal stranger = actor("stranger");

    uint32 internal source;
    uint256 private _deposits;

    function setUp() public virtual {
        vm.warp(START);
        _deploy();
        _wire();
        for (uint16 i = 1; i <= SUPPLIERS; ++i) {
            vm.prank(operator);
            registry.registerSupplier(supplierKey(i), payout(i), keccak256("contract"));
        }
        vm.prank(operator);
        source = registry.registerSource(concentrator, SourceClass.Concentrator, START);
        vm.prank(operator);
        tariffs.publish(keccak256("tariffs"), keccak256("act"), START, 0);
    }

    function supplierKey(uint16 supplier) internal returns (address) {
        return actor(string.concat("key of supplier ", vm.toString(supplier)));
    }

    function payout(uint16 supplier) internal returns (address) {
        return actor(string.concat("payout of supplier ", vm.toString(supplier)));
    }

    /// @notice Mints to an account and lets the Settlement debit it.
    function fund(address account, uint256 amount) internal {
        vm.prank(bank);
        rouble.mint(account, amount, bytes32(++_deposits));
        vm.prank(account);
        rouble.approve(address(settlement), type(uint256).max);
    }

    function setActive(uint16 supplier, bool active) internal {
        vm.prank(operator);
        registry.setSupplierActive(SupplierId.wrap(supplier), active);
    }

    function _deploy() private {
        manager = IAccessManager(_new("AccessManager", abi.encode(address(this))));
        uint256 nonce = vm.getNonce(address(this));
        // registry, anchor, tariffs, charges, rouble, subsidies, settlement
        address roubleAt = vm.computeCreateAddress(address(this), nonce + 4);
        address settlementAt = vm.computeCreateAddress(address(this), nonce + 6);
        address authority = address(manager);
        registry = IRegistry(
            _new("Registry", abi.encode(authority, PAYOUT_DELAY, KEY_DELAY, roubleAt, settlementAt))
        );
        anchor = IReadingAnchor(_new("ReadingAnchor", abi.encode(authority, registry)));
        tariffs = ITariffBook(_new("TariffBook", abi.encode(authority)));
        charges = IChargeBook(
            _new("ChargeBook", abi.encode(authority, anchor, tariffs, settlementAt, ACTIVATION_DELAY))
        );
        rouble = IRouble(_new("Rouble", abi.encode(authority, registry)));
        subsidies = ISubsidyBook(_new("SubsidyBook", abi.encode(authority, rouble, settlementAt)));
        settlement =
            ISettlement(_new("Settlement", abi.encode(authority, registry, charges, rouble, subsidies)));
        require(address(rouble) == roubleAt && address(settlement) == settlementAt, "deployed out of order");
    }

    /// @dev From the artifact: the contracts' own settings compile them, not those of the tests.
    function _new(string memory name, bytes memory arguments) internal returns (address) {
        return vm.deployCode(string.concat(name, ".sol:", name), arguments);
    }

    function _wire() private {
        _allow(address(registry), IRegistry.registerSupplier.selector, Roles.OPERATOR);
        _allow(address(registry), IRegistry.setSupplierActive.selector, Roles.OPERATOR);
        _allow(address(registry), IRegistry.approvePayout.selector, Roles.OPERATOR);
        _allow(address(registry), IRegistry.registerSource.selector, Roles.OPERATOR);
        _allow(address(registry), IRegistry.rotateSource.selector, Roles.OPERATOR);
        _allow(address(registry), IRegistry.registerMeter.selector, Roles.OPERATOR);
        _allow(address(registry), IRegistry.registerMeters.selector, Roles.OPERATOR);
        _allow(address(registry), IRegistry.revokeSource.selector, Roles.REVOKER);
        _allow(address(registry), IRegistry.cancelPayout.selector, Roles.GUARDIAN);
        _allow(address(registry), IRegistry.cancelSupplierKey.selector, Roles.GUARDIAN);
        _allow(address(anchor), IReadingAnchor.acknowledge.selector, Roles.HOLDER);
        _allow(address(tariffs), ITariffBook.publish.selector, Roles.OPERATOR);
        _allow(address(charges), IChargeBook.propose.selector, Roles.BILLER);
        _allow(address(charges), IChargeBook.veto.selector, Roles.GUARDIAN);
        _allow(address(rouble), IRouble.mint.selector, Roles.BANK);
        _allow(address(rouble), IRouble.freeze.selector, Roles.BANK);
        _allow(address(rouble), IRouble.unfreeze.selector, Roles.BANK);
        _allow(address(rouble), IRouble.seize.selector, Roles.BANK);
        _allow(address(subsidies), ISubsidyBook.post.selector, Roles.WELFARE);
        _allow(address(settlement), ISettlement.payBatch.selector, Roles.AGENT);
        _allow(address(settlement), ISettlement.pause.selector, Roles.GUARDIAN);
        manager.grantRole(Roles.OPERATOR, operator, 0);
        manager.grantRole(Roles.BILLER, biller, 0);
        manager.grantRole(Roles.WELFARE, welfare, 0);
        manager.grantRole(Roles.WELFARE, otherWelfare, 0);
        manager.grantRole(Roles.BANK, bank, 0);
        manager.grantRole(Roles.AGENT, agent, 0);
        manager.grantRole(Roles.AGENT, otherAgent, 0);
        manager.grantRole(Roles.GUARDIAN, guardian, 0);
        manager.grantRole(Roles.HOLDER, holder, 0);
        manager.grantRole(Roles.REVOKER, operator, 0);
        manager.grantRole(Roles.REVOKER, guardian, 0);
    }

    function _allow(address target, bytes4 selector, uint64 role) private {
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = selector;
        manager.setTargetFunctionRole(target, selectors, role);
    }
}
