// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IMultisig} from "../../contracts/src/interfaces/IMultisig.sol";
import {SupplierId} from "../../contracts/src/types/Types.sol";
import {Signing} from "./base/Signing.sol";
import {Town} from "./base/Town.sol";

/// @notice Two of three keys.
contract MultisigTest is Town {
    IMultisig internal multisig;
    address[3] internal owners;
    uint256 internal nonce;

    function setUp() public override {
        super.setUp();
        owners = _sorted([actor("owner a"), actor("owner b"), actor("owner c")]);
        multisig = IMultisig(_new("Multisig", abi.encode(owners)));
    }

    /// @notice A call that the test contract, admin of the town, lets only the multisig make.
    function data() internal view returns (bytes memory) {
        return abi.encodeCall(multisig.setOwners, (owners));
    }

    function sign(address signer, address to, bytes memory call, uint256 nonce_)
        internal
        view
        returns (bytes memory)
    {
        bytes32 domain = Signing.domain("Kopeck Multisig", block.chainid, address(multisig));
        return signature(signer, Signing.digest(domain, Signing.execution(to, call, nonce_)));
    }

    function pair(address a, address b) internal view returns (bytes[] memory signatures) {
        signatures = new bytes[](2);
        signatures[0] = sign(a, address(multisig), data(), nonce);
        signatures[1] = sign(b, address(multisig), data(), nonce);
    }

    function expectRefused(bytes[] memory signatures, bytes memory reason) internal {
        bytes memory call = data();
        vm.expectRevert(reason);
        multisig.execute(address(multisig), call, signatures);
    }

    function test_RevertWhen_OneSigns() public {
        bytes[] memory one = new bytes[](1);
        one[0] = sign(owners[0], address(multisig), data(), 0);
        expectRefused(one, abi.encodeWithSelector(IMultisig.Multisig_WrongNumberOfSignatures.selector, 1));
    }

    function test_RevertWhen_OneSignsTwice() public {
        expectRefused(
            pair(owners[0], owners[0]),
            abi.encodeWithSelector(IMultisig.Multisig_SignersNotAscending.selector, owners[0])
        );
    }

    function test_RevertWhen_SignersDescend() public {
        expectRefused(
            pair(owners[2], owners[1]),
            abi.encodeWithSelector(IMultisig.Multisig_SignersNotAscending.selector, owners[1])
        );
    }

    function test_RevertWhen_SignerIsNoOwner() public {
        bytes[] memory signatures = pair(owners[0], stranger);
        expectRefused(signatures, abi.encodeWithSelector(IMultisig.Multisig_NotOwner.selector, stranger));
    }

    function test_RevertWhen_CallIsReplayed() public {
        bytes[] memory signatures = pair(owners[0], owners[2]);
        multisig.execute(address(multisig), data(), signatures);
        bytes memory call = data();
        vm.expectPartialRevert(IMultisig.Multisig_NotOwner.selector); // another nonce, so another signer comes out
        multisig.execute(address(multisig), call, signatures);
    }

    function test_RevertWhen_CallOrTargetIsAnother() public {
        bytes[] memory signatures = pair(owners[0], owners[2]);
        bytes memory call = data();
        vm.expectPartialRevert(IMultisig.Multisig_NotOwner.selector);
        multisig.execute(address(registry), call, signatures);
        vm.expectPartialRevert(IMultisig.Multisig_NotOwner.selector);
        multisig.execute(address(multisig), bytes.concat(call, hex"00"), signatures);
    }

    function test_RevertWhen_OwnersAreSetFromOutside() public {
        vm.expectRevert(IMultisig.Multisig_OnlyItself.selector);
        vm.prank(owners[0]);
        multisig.setOwners(owners);
    }

    function test_RevertWhen_OwnersAreNotThree() public {
        address[3][3] memory wrong = [
            [owners[1], owners[0], owners[2]], [owners[0], owners[0], owners[1]], [address(0), owners[0], owners[1]]
        ];
        for (uint256 i = 0; i < wrong.length; ++i) {
            vm.expectRevert(IMultisig.Multisig_OwnersNotAscending.selector);
            vm.prank(address(multisig));
            multisig.setOwners(wrong[i]);
        }
    }

    function test_RevertWhen_CallFails() public {
        bytes memory call = abi.encodeCall(registry.executePayout, (SupplierId.wrap(1)));
        bytes[] memory signatures = new bytes[](2);
        signatures[0] = sign(owners[0], address(registry), call, 0);
        signatures[1] = sign(owners[1], address(registry), call, 0);
        vm.expectRevert(abi.encodeWithSignature("Registry_NoProposal(uint16)", 1));
        multisig.execute(address(registry), call, signatures);
    }

    function test_TwoOwnersReplaceTheThird() public {
        address[3] memory next = _sorted([owners[0], owners[1], actor("owner d")]);
        bytes memory call = abi.encodeCall(multisig.setOwners, (next));
        bytes[] memory signatures = new bytes[](2);
        signatures[0] = sign(owners[0], address(multisig), call, 0);
        signatures[1] = sign(owners[1], address(multisig), call, 0);
        vm.expectEmit(address(multisig));
        emit IMultisig.Executed(address(multisig), call, 0);
        vm.prank(stranger);
        multisig.execute(address(multisig), call, signatures);
        vm.assertEq(abi.encode(multisig.owners()), abi.encode(next), "owners");
    }

    /// @dev Any two different owners in order, and no other pair, for any nonce.
    function testFuzz_AnyTwoOwnersInOrder(uint8 a, uint8 b, uint8 before) public {
        (a, b) = (uint8(bound(a, 0, 3)), uint8(bound(b, 0, 3)));
        for (nonce = 0; nonce < before % 5; ++nonce) {
            multisig.execute(address(multisig), data(), pair(owners[0], owners[1]));
        }
        address first = a == 3 ? stranger : owners[a];
        address second = b == 3 ? stranger : owners[b];
        bytes[] memory signatures = pair(first, second);
        bytes memory call = data();
        if (a >= b || b == 3) vm.expectRevert();
        multisig.execute(address(multisig), call, signatures);
    }

    function testFuzz_OwnersMustAscend(address[3] memory next) public {
        vm.prank(address(multisig));
        if (next[0] == address(0) || next[0] >= next[1] || next[1] >= next[2]) vm.expectRevert();
        multisig.setOwners(next);
    }

    function _sorted(address[3] memory list) private pure returns (address[3] memory) {
        if (list[0] > list[1]) (list[0], list[1]) = (list[1], list[0]);
        if (list[1] > list[2]) (list[1], list[2]) = (list[2], list[1]);
        if (list[0] > list[1]) (list[0], list[1]) = (list[1], list[0]);
        return list;
    }
}
