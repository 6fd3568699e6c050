// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {ChargeBook} from "../../../contracts/src/ChargeBook.sol";
import {ReadingAnchor} from "../../../contracts/src/ReadingAnchor.sol";
import {Registry} from "../../../contracts/src/Registry.sol";
import {Rouble} from "../../../contracts/src/Rouble.sol";
import {Settlement} from "../../../contracts/src/Settlement.sol";
import {SubsidyBook} from "../../../contracts/src/SubsidyBook.sol";
import {TariffBook} from "../../../contracts/src/TariffBook.sol";
import {IRegistry} from "../../../contracts/src/interfaces/IRegistry.sol";
import {IRouble} from "../../../contracts/src/interfaces/IRouble.sol";
import {ISettlement} from "../../../contracts/src/interfaces/ISettlement.sol";
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

    AccessManager internal manager;
    Registry internal registry;
    ReadingAnchor internal anchor;
    TariffBook internal tariffs;
    ChargeBook internal charges;
    Rouble internal rouble;
    SubsidyBook internal subsidies;
    Settlement internal settlement;

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
        manager = new AccessManager(address(this));
        uint256 nonce = vm.getNonce(address(this));
        // registry, anchor, tariffs, charges, rouble, subsidies, settlement
        address roubleAt = vm.computeCreateAddress(address(this), nonce + 4);
        address settlementAt = vm.computeCreateAddress(address(this), nonce + 6);
        address authority = address(manager);
        registry =
            new Registry(authority, PAYOUT_DELAY, KEY_DELAY, IRouble(roubleAt), ISettlement(settlementAt));
        anchor = new ReadingAnchor(authority, IRegistry(address(registry)));
        tariffs = new TariffBook(authority);
        charges = new ChargeBook(authority, anchor, tariffs, settlementAt, ACTIVATION_DELAY);
        rouble = new Rouble(authority, IRegistry(address(registry)));
        subsidies = new SubsidyBook(authority, rouble, settlementAt);
        settlement = new Settlement(authority, registry, charges, rouble, subsidies);
        require(address(rouble) == roubleAt && address(settlement) == settlementAt, "deployed out of order");
    }

    function _wire() private {
        _allow(address(registry), Registry.registerSupplier.selector, Roles.OPERATOR);
        _allow(address(registry), Registry.setSupplierActive.selector, Roles.OPERATOR);
        _allow(address(registry), Registry.approvePayout.selector, Roles.OPERATOR);
        _allow(address(registry), Registry.registerSource.selector, Roles.OPERATOR);
        _allow(address(registry), Registry.rotateSource.selector, Roles.OPERATOR);
        _allow(address(registry), Registry.registerMeter.selector, Roles.OPERATOR);
        _allow(address(registry), Registry.registerMeters.selector, Roles.OPERATOR);
        _allow(address(registry), Registry.revokeSource.selector, Roles.REVOKER);
        _allow(address(registry), Registry.cancelPayout.selector, Roles.GUARDIAN);
        _allow(address(registry), Registry.cancelSupplierKey.selector, Roles.GUARDIAN);
        _allow(address(anchor), ReadingAnchor.acknowledge.selector, Roles.HOLDER);
        _allow(address(tariffs), TariffBook.publish.selector, Roles.OPERATOR);
        _allow(address(charges), ChargeBook.propose.selector, Roles.BILLER);
        _allow(address(charges), ChargeBook.veto.selector, Roles.GUARDIAN);
        _allow(address(rouble), Rouble.mint.selector, Roles.BANK);
        _allow(address(rouble), Rouble.freeze.selector, Roles.BANK);
        _allow(address(rouble), Rouble.unfreeze.selector, Roles.BANK);
        _allow(address(rouble), Rouble.seize.selector, Roles.BANK);
        _allow(address(subsidies), SubsidyBook.post.selector, Roles.WELFARE);
        _allow(address(settlement), Settlement.payBatch.selector, Roles.AGENT);
        _allow(address(settlement), Settlement.pause.selector, Roles.GUARDIAN);
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
