// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Role numbers in the AccessManager; 0 is its admin, the timelock
library Roles {
    uint64 internal constant OPERATOR = 1;
    uint64 internal constant ORACLE = 2;
    uint64 internal constant BILLER = 3;
    uint64 internal constant WELFARE = 4;
    uint64 internal constant BANK = 5;
    uint64 internal constant AGENT = 6;
    uint64 internal constant GUARDIAN = 7;
    uint64 internal constant HOLDER = 8;
    /// @dev Held by operators and guardians alike: a function has one role, and both may revoke a source.
    uint64 internal constant REVOKER = 9;
}
