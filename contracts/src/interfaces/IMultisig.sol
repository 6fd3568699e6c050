// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Two of three
/// @notice The one proposer of the timelock. Assumption: the three keys are kept by different people.
interface IMultisig {
    event Executed(address indexed to, bytes data, uint256 indexed nonce);
    event OwnersSet(address[3] owners);

    error Multisig_WrongNumberOfSignatures(uint256 given);
    error Multisig_NotOwner(address signer);
    error Multisig_SignersNotAscending(address signer);
    error Multisig_OwnersNotAscending();
    error Multisig_OnlyItself();

    /// @notice Calls `to` with `data`, once, under the signatures of two owners in ascending order of address.
    function execute(address to, bytes calldata data, bytes[] calldata signatures) external returns (bytes memory);

    /// @notice Replaces the owners, ascending. Only through `execute`.
    // A parameter without a body shadows nothing.
    // slither-disable-next-line shadowing-local
    function setOwners(address[3] calldata owners) external;

    function owners() external view returns (address[3] memory);
}
