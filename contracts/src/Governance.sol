// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

// Deployed as it is: every `restricted` function of the other contracts asks it who may call.
import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

/// @title The admin of the AccessManager: slow, and stoppable
/// @notice Its one proposer is the multisig; anyone may execute what has waited; the guardian can cancel. It has no
/// admin but itself.
contract Timelock is TimelockController {
    constructor(uint256 minDelay, address multisig, address guardian)
        TimelockController(minDelay, _only(multisig), _only(address(0)), address(0))
    {
        _grantRole(CANCELLER_ROLE, guardian);
    }

    function _only(address account) private pure returns (address[] memory accounts) {
        accounts = new address[](1);
        accounts[0] = account;
    }
}
