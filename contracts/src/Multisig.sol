// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IMultisig} from "./interfaces/IMultisig.sol";

/// @notice See `IMultisig`.
contract Multisig is IMultisig, EIP712 {
    bytes32 private constant EXECUTE_TYPE = keccak256("Execute(address to,bytes data,uint256 nonce)");

    uint256 public constant THRESHOLD = 2;

    address[3] private _owners;

    uint256 public nonce;

    constructor(address[3] memory owners_) EIP712("Kopeck Multisig", "1") {
        _setOwners(owners_);
    }

    /// @inheritdoc IMultisig
    function execute(address to, bytes calldata data, bytes[] calldata signatures) external returns (bytes memory) {
        // Check
        require(signatures.length == THRESHOLD, Multisig_WrongNumberOfSignatures(signatures.length));
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(EXECUTE_TYPE, to, keccak256(data), nonce)));
        address previous = address(0);
        for (uint256 i = 0; i < THRESHOLD; ++i) {
            address signer = ECDSA.recover(digest, signatures[i]);
            require(_isOwner(signer), Multisig_NotOwner(signer));
            require(signer > previous, Multisig_SignersNotAscending(signer));
            previous = signer;
        }
        // Effect
        uint256 used = nonce++;
        emit Executed(to, data, used);
        // Interaction
        return Address.functionCall(to, data);
    }

    /// @inheritdoc IMultisig
    function setOwners(address[3] calldata owners_) external {
        require(msg.sender == address(this), Multisig_OnlyItself());
        _setOwners(owners_);
    }

    /// @inheritdoc IMultisig
    function owners() external view returns (address[3] memory) {
        return _owners;
    }

    function _setOwners(address[3] memory owners_) private {
        require(owners_[0] != address(0), Multisig_OwnersNotAscending());
        require(owners_[0] < owners_[1] && owners_[1] < owners_[2], Multisig_OwnersNotAscending());
        _owners = owners_;
        emit OwnersSet(owners_);
    }

    function _isOwner(address account) private view returns (bool) {
        return account == _owners[0] || account == _owners[1] || account == _owners[2];
    }
}
