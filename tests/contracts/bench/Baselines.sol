// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {PaymentSplitter} from "@openzeppelin-4.9/finance/PaymentSplitter.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title What the gas bench stands beside: the usual ways to pay five suppliers
/// @notice OpenZeppelin's token, paid one transfer at a time.
contract PlainToken is ERC20 {
    constructor() ERC20("Plain", "PLN") {
        _mint(msg.sender, 1e24);
    }
}

/// @notice A contract of Disperse's shape: many transferFrom in one transaction, no proof, no state, no receipt.
contract DisperseShaped {
    function disperse(ERC20 token, address[] calldata recipients, uint256[] calldata amounts) external {
        for (uint256 i = 0; i < recipients.length; ++i) {
            require(token.transferFrom(msg.sender, recipients[i], amounts[i]), "transfer failed");
        }
    }
}

/// @notice OpenZeppelin 4.9's splitter, of the chain's own coin: fund, then release to each.
contract FiveSplitter is PaymentSplitter {
    constructor(address[] memory payees, uint256[] memory shares_) PaymentSplitter(payees, shares_) {}
}
