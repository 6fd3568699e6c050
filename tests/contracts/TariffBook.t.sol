// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {ITariffBook} from "../../contracts/src/interfaces/ITariffBook.sol";
import {Town} from "./base/Town.sol";

/// @notice Tariff versions: appended, never changed.
contract TariffBookTest is Town {
    bytes32 internal constant DOCUMENT = keccak256("document");
    bytes32 internal constant ACT = keccak256("act");

    function test_RevertWhen_PublisherIsNotTheOperator() public {
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, biller));
        vm.prank(biller);
        tariffs.publish(DOCUMENT, ACT, START, 0);
    }

    function test_RevertWhen_DocumentOrActIsMissing() public {
        vm.startPrank(operator);
        vm.expectRevert(ITariffBook.TariffBook_EmptyDocument.selector);
        tariffs.publish(0, ACT, START, 0);
        vm.expectRevert(ITariffBook.TariffBook_EmptyDocument.selector);
        tariffs.publish(DOCUMENT, 0, START, 0);
    }

    function test_RevertWhen_DatesAreReversed() public {
        vm.startPrank(operator);
        vm.expectRevert(
            abi.encodeWithSelector(ITariffBook.TariffBook_DatesReversed.selector, START, START)
        );
        tariffs.publish(DOCUMENT, ACT, START, START);
    }

    function testFuzz_VersionsAreAppended(bytes32 document, bytes32 act, uint40 from, uint40 to) public {
        vm.prank(operator);
        if (document == 0 || act == 0 || (to != 0 && to <= from)) {
            vm.expectRevert();
            tariffs.publish(document, act, from, to);
            vm.assertEq(tariffs.version(), 1, "nothing published");
            return;
        }
        vm.expectEmit(address(tariffs));
        emit ITariffBook.TariffPublished(2, document, act, from, to, operator);
        vm.assertEq(tariffs.publish(document, act, from, to), 2, "next version");
        vm.assertEq(tariffs.documentOf(2), document, "document");
        vm.assertEq(tariffs.documentOf(1), keccak256("tariffs"), "the version before");
    }
}
