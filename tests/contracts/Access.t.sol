// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IChargeBook} from "../../contracts/src/interfaces/IChargeBook.sol";
import {IMultisig} from "../../contracts/src/interfaces/IMultisig.sol";
import {IRegistry} from "../../contracts/src/interfaces/IRegistry.sol";
import {ISettlement} from "../../contracts/src/interfaces/ISettlement.sol";
import {ISubsidyBook} from "../../contracts/src/interfaces/ISubsidyBook.sol";
import {Roles} from "../../contracts/src/libraries/Roles.sol";
import {Town} from "./base/Town.sol";

/// @notice One table: who may call what. Every function that changes state has a row, or the test fails.
contract AccessTest is Town {
    enum Who {
        Anyone, // open: what moves is guarded by signatures, allowances, proofs or delays
        Role, // AccessManager
        Contract, // one of ours, refused with `refusal`
        Owner // an owner kept by the contract itself, refused with `refusal`
    }

    struct Row {
        string name;
        address target;
        string signature;
        Who who;
        uint64 role;
        bytes4 refusal;
    }

    /// @dev `setAuthority(address)` is OpenZeppelin's: the AccessManager's own.
    bytes4 private immutable _notAuthority = IAccessManaged.AccessManagedUnauthorized.selector;

    address internal multisig;
    Row[] internal rows;
    string[8] internal names =
        ["Registry", "ReadingAnchor", "TariffBook", "ChargeBook", "Rouble", "SubsidyBook", "Settlement", "Multisig"];

    function setUp() public override {
        super.setUp();
        address[3] memory owners = [address(1), address(2), address(3)];
        multisig = _new("Multisig", abi.encode(owners));
        _registryRows();
        _bookRows();
        _moneyRows();
        address[7] memory managed = [
            address(registry),
            address(anchor),
            address(tariffs),
            address(charges),
            address(rouble),
            address(subsidies),
            address(settlement)
        ];
        for (uint256 i = 0; i < managed.length; ++i) {
            _row(names[i], managed[i], "setAuthority(address)", Who.Owner, 0, _notAuthority);
        }
    }

    /// @dev Nothing that changes state is missing from the table, and nothing in it is invented.
    function test_EveryFunctionHasARow() public view {
        for (uint256 i = 0; i < names.length; ++i) {
            string memory json = vm.readFile(string.concat("contracts/abi/", names[i], ".json"));
            string[] memory functions = _changing(json, names[i]);
            uint256 found = 0;
            for (uint256 j = 0; j < rows.length; ++j) {
                if (!_same(rows[j].name, names[i])) continue;
                ++found;
                vm.assertTrue(
                    _listed(functions, rows[j].signature), string.concat("no such function: ", rows[j].signature)
                );
            }
            vm.assertEq(found, functions.length, string.concat("rows of ", names[i]));
        }
    }

    function test_EveryFunctionIsOpenToItsCallersAlone() public {
        address[10] memory callers = [
            operator, biller, welfare, bank, agent, guardian, holder, concentrator, supplierKey(1), stranger
        ];
        for (uint256 i = 0; i < rows.length; ++i) {
            for (uint256 j = 0; j < callers.length; ++j) {
                _assertAccess(rows[i], callers[j]);
            }
        }
    }

    /// @dev Whoever has none of the roles is refused, whoever it is.
    function testFuzz_RevertWhen_CallerHasNoRole(address caller, uint256 row) public {
        Row memory r = rows[bound(row, 0, rows.length - 1)];
        vm.assume(r.who != Who.Anyone && caller != address(settlement) && caller != address(rouble));
        vm.assume(caller != address(registry) && caller != address(manager) && caller != multisig);
        (bool isMember,) = manager.hasRole(r.role, caller);
        vm.assume(r.who != Who.Role || !isMember);
        vm.assertEq(_refusal(r, caller), r.refusal, r.signature);
    }

    function _assertAccess(Row memory r, address caller) private {
        bytes32 reason = _refusal(r, caller);
        if (r.who == Who.Anyone) {
            vm.assertNotEq(reason, _notAuthority, string.concat("should be open: ", r.signature));
            return;
        }
        bool allowed = false;
        if (r.who == Who.Role) (allowed,) = manager.hasRole(r.role, caller);
        if (allowed) {
            vm.assertNotEq(reason, r.refusal, string.concat("its own caller is refused: ", r.signature));
        } else {
            vm.assertEq(reason, r.refusal, string.concat("open to another: ", r.signature));
        }
    }

    /// @dev Calls with zeros for arguments, takes it back, and gives the selector of the error; zero when there is none.
    function _refusal(Row memory r, address caller) private returns (bytes32) {
        uint256 snapshot = vm.snapshotState();
        vm.prank(caller);
        (bool success, bytes memory data) =
            r.target.call(bytes.concat(bytes4(keccak256(bytes(r.signature))), new bytes(32 * 40)));
        vm.revertToState(snapshot);
        return success || data.length < 4 ? bytes32(0) : bytes32(bytes4(data));
    }

    function _registryRows() private {
        (string memory n, address t) = ("Registry", address(registry));
        _role(n, t, "registerSupplier(address,address,bytes32)", Roles.OPERATOR);
        _role(n, t, "setSupplierActive(uint16,bool)", Roles.OPERATOR);
        _role(n, t, "approvePayout(uint16,address)", Roles.OPERATOR);
        _role(n, t, "registerSource(address,uint8,uint40)", Roles.OPERATOR);
        _role(n, t, "rotateSource(uint32,address,uint40)", Roles.OPERATOR);
        _role(n, t, "registerMeter(bytes32,uint8,uint40,uint40,bytes32)", Roles.OPERATOR);
        _role(n, t, "registerMeters(bytes32[],uint8,uint40,uint40)", Roles.OPERATOR);
        _role(n, t, "revokeSource(uint32)", Roles.REVOKER);
        _role(n, t, "cancelPayout(uint16)", Roles.GUARDIAN);
        _role(n, t, "cancelSupplierKey(uint16)", Roles.GUARDIAN);
        _role(n, t, "proposeSupplierKey(uint16,address)", 0);
        // The supplier's own key: supplier 0 does not exist, so nobody's key is right; Registry.t.sol has the rest.
        _row(n, t, "proposePayout(uint16,address)", Who.Owner, 0, IRegistry.Registry_UnknownSupplier.selector);
        _row(n, t, "onFreezeChanged()", Who.Contract, 0, IRegistry.Registry_NotRouble.selector);
        _anyone(n, t, "executePayout(uint16)");
        _anyone(n, t, "executeSupplierKey(uint16)");
    }

    function _bookRows() private {
        (string memory n, address t) = ("ReadingAnchor", address(anchor));
        string memory header = "(uint32,uint16,uint48,bytes24,bytes32,uint32,uint40,uint40,bytes32)";
        _anyone(n, t, string.concat("anchor(", header, ",bytes)"));
        _anyone(n, t, "resetEpoch(uint32,bytes32,bytes,bytes)");
        _anyone(n, t, string.concat("reportEquivocation(", header, ",bytes,", header, ",bytes)"));
        _role(n, t, "acknowledge(bytes32[])", Roles.HOLDER);
        _role(n, t, "carryOver(uint32[],(uint48,uint16,bytes24)[])", 0);
        _role("TariffBook", address(tariffs), "publish(bytes32,bytes32,uint40,uint40)", Roles.OPERATOR);
        (n, t) = ("ChargeBook", address(charges));
        bytes4 notSettlement = IChargeBook.ChargeBook_NotSettlement.selector;
        _role(
            n,
            t,
            "propose((uint32,uint32,bytes32,uint32,bytes32,bytes32,(uint16,uint32,int64,bytes32)[],(uint32,uint16,uint48,bytes24)[]))",
            Roles.BILLER
        );
        _role(n, t, "veto(uint32,bytes32)", Roles.GUARDIAN);
        _anyone(n, t, "activate(uint32,uint64[])");
        _row(n, t, "setState(uint32,uint32,uint8)", Who.Contract, 0, notSettlement);
        _row(n, t, "closeIfOpen(uint32,uint32,bytes32,bytes32[])", Who.Contract, 0, notSettlement);
        _row(n, t, "closeManyIfOpen(uint32,uint256[],bytes32[])", Who.Contract, 0, notSettlement);
        (n, t) = ("SubsidyBook", address(subsidies));
        bytes4 unknownBatch = ISubsidyBook.SubsidyBook_UnknownBatch.selector;
        _role(n, t, "post(bytes32,uint32,uint64,bytes32)", Roles.WELFARE);
        _row(n, t, "reverseBatch(uint32,bytes32)", Who.Owner, 0, unknownBatch);
        _row(n, t, "reverseGrant(uint32,uint32,bytes32)", Who.Owner, 0, unknownBatch);
        _row(
            n,
            t,
            "use(uint32,uint32,uint64,uint8,uint48)",
            Who.Contract,
            0,
            ISubsidyBook.SubsidyBook_NotSettlement.selector
        );
    }

    function _moneyRows() private {
        (string memory n, address t) = ("Rouble", address(rouble));
        string memory split = "(address,uint256,uint256,uint256,bytes)";
        string memory eip3009 = "(address,address,uint256,uint256,uint256,bytes32,bytes)";
        _role(n, t, "mint(address,uint256,bytes32)", Roles.BANK);
        _role(n, t, "freeze(address,bytes32)", Roles.BANK);
        _role(n, t, "unfreeze(address,bytes32)", Roles.BANK);
        _role(n, t, "seize(address,address,uint256,bytes32)", Roles.BANK);
        _anyone(n, t, "redeem(uint256,bytes32)");
        _anyone(n, t, "splitFrom(address,uint256[])");
        _anyone(n, t, string.concat("splitWithAuthorization(", split, ",bytes32,uint256[])"));
        _anyone(n, t, "cancelSplit(uint256)");
        _anyone(n, t, "transfer(address,uint256)");
        _anyone(n, t, "transferFrom(address,address,uint256)");
        _anyone(n, t, "approve(address,uint256)");
        _anyone(n, t, "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)");
        _anyone(n, t, string.concat("transferWithAuthorization", eip3009));
        _anyone(n, t, string.concat("receiveWithAuthorization", eip3009));
        _anyone(n, t, "cancelAuthorization(address,bytes32,bytes)");
        (n, t) = ("Settlement", address(settlement));
        string memory bill = "(uint32,uint32,bytes,bytes32[])";
        _role(n, t, "payBatch(bytes32,uint32,uint256,bytes,bytes32[])", Roles.AGENT);
        _role(n, t, "pause(uint40)", Roles.GUARDIAN);
        _row(n, t, "setPayoutTable(address)", Who.Contract, 0, ISettlement.Settlement_NotRegistry.selector);
        _anyone(n, t, string.concat("pay(", bill, ",uint256)"));
        _anyone(n, t, string.concat("payOrder(", bill, ",", split, ")"));
        _anyone(n, t, string.concat("payOrders(", bill, "[],", split, "[])"));
        _anyone(n, t, string.concat("applyGrants((uint32,uint32,bytes,bytes32[],", bill, ")[])"));
        _anyone(n, t, string.concat("refund(", bill, ",", bill, ",uint8,address,address,", split, ")"));
        _anyone(n, t, "prepay(uint16,uint48,bytes32)");
        _anyone(n, t, string.concat("net(", bill, ")"));
        _anyone("Multisig", multisig, "execute(address,bytes,bytes[])");
        _row(
            "Multisig", multisig, "setOwners(address[3])", Who.Owner, 0, IMultisig.Multisig_OnlyItself.selector
        );
    }

    function _role(string memory name, address target, string memory signature_, uint64 role) private {
        _row(name, target, signature_, Who.Role, role, _notAuthority);
    }

    function _anyone(string memory name, address target, string memory signature_) private {
        _row(name, target, signature_, Who.Anyone, 0, 0);
    }

    function _row(
        string memory name,
        address target,
        string memory signature_,
        Who who,
        uint64 role,
        bytes4 refusal
    ) private {
        rows.push(Row(name, target, signature_, who, role, refusal));
    }

    /// @dev Names of the functions that change state; none takes ether.
    function _changing(string memory json, string memory name) private view returns (string[] memory cut) {
        string[] memory functions = new string[](64);
        uint256 n = 0;
        for (uint256 i = 0; vm.keyExistsJson(json, _at(i, "type")); ++i) {
            string memory kind = vm.parseJsonString(json, _at(i, "type"));
            if (!_same(kind, "function") && !_same(kind, "receive") && !_same(kind, "fallback")) continue;
            string memory mutability = vm.parseJsonString(json, _at(i, "stateMutability"));
            vm.assertFalse(_same(mutability, "payable"), string.concat("something payable in ", name));
            if (_same(mutability, "nonpayable")) functions[n++] = vm.parseJsonString(json, _at(i, "name"));
        }
        cut = new string[](n);
        for (uint256 i = 0; i < n; ++i) {
            cut[i] = functions[i];
        }
    }

    function _at(uint256 i, string memory field) private pure returns (string memory) {
        return string.concat("$.abi[", vm.toString(i), "].", field);
    }

    function _same(string memory a, string memory b) private pure returns (bool) {
        return keccak256(bytes(a)) == keccak256(bytes(b));
    }

    /// @dev Whether one of the names, followed by a bracket, begins the signature.
    function _listed(string[] memory functions, string memory signature_) private pure returns (bool) {
        bytes memory s = bytes(signature_);
        for (uint256 i = 0; i < functions.length; ++i) {
            bytes memory f = bytes(functions[i]);
            if (s.length <= f.length || s[f.length] != "(") continue;
            bytes memory head = new bytes(f.length);
            for (uint256 j = 0; j < f.length; ++j) {
                head[j] = s[j];
            }
            if (keccak256(head) == keccak256(f)) return true;
        }
        return false;
    }
}
