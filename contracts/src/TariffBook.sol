// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ITariffBook} from "./interfaces/ITariffBook.sol";

/// @notice See `ITariffBook`.
contract TariffBook is ITariffBook, AccessManaged {
    /// @inheritdoc ITariffBook
    uint32 public version;

    /// @inheritdoc ITariffBook
    mapping(uint32 version => bytes32 document) public documentOf;

    constructor(address authority) AccessManaged(authority) {}

    /// @inheritdoc ITariffBook
    function publish(bytes32 document, bytes32 act, uint40 effectiveFrom, uint40 effectiveTo)
        external
        restricted
        returns (uint32 published)
    {
        require(document != 0 && act != 0, TariffBook_EmptyDocument());
        require(effectiveTo == 0 || effectiveFrom < effectiveTo, TariffBook_DatesReversed(effectiveFrom, effectiveTo));
        published = ++version;
        documentOf[published] = document;
        emit TariffPublished(published, document, act, effectiveFrom, effectiveTo, msg.sender);
    }
}
