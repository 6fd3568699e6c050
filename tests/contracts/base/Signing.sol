// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {BatchHeader, SplitAuthorization} from "../../../contracts/src/types/Types.sol";

/// @title EIP-712 digests written out from docs/protocol.md, sharing no code with the contracts
library Signing {
    function domain(string memory name, uint256 chain, address verifying) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(name)),
                keccak256("1"),
                chain,
                verifying
            )
        );
    }

    function digest(bytes32 domain_, bytes32 structHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked("\x19\x01", domain_, structHash));
    }

    function header(BatchHeader memory h) internal pure returns (bytes32) {
        return keccak256(
            bytes.concat(
                abi.encode(
                    keccak256(
                        "BatchHeader(uint32 source,uint16 epoch,uint48 sequence,bytes24 previous,bytes32 root,uint32 count,uint40 periodStart,uint40 periodEnd,bytes32 document)"
                    ),
                    h.source,
                    h.epoch,
                    h.sequence,
                    h.previous
                ),
                abi.encode(h.root, h.count, h.periodStart, h.periodEnd, h.document)
            )
        );
    }

    function epochReset(uint32 source, uint16 epoch, bytes24 previous, bytes32 reason)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(
            abi.encode(
                keccak256("EpochReset(uint32 source,uint16 epoch,bytes24 previous,bytes32 reason)"),
                source,
                epoch,
                previous,
                reason
            )
        );
    }

    function purpose(string memory action, uint32 run, uint32 index, uint8 line, address recipient)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(
            abi.encode(
                keccak256("Purpose(string action,uint32 run,uint32 index,uint8 line,address recipient)"),
                keccak256(bytes(action)),
                run,
                index,
                line,
                recipient
            )
        );
    }

    function split(SplitAuthorization memory a, address spender, bytes32 purpose_) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(
                    "SplitAuthorization(address payer,address spender,uint256 maximum,Purpose purpose,uint256 nonce,uint256 validBefore)Purpose(string action,uint32 run,uint32 index,uint8 line,address recipient)"
                ),
                a.payer,
                spender,
                a.maximum,
                purpose_,
                a.nonce,
                a.validBefore
            )
        );
    }

    function permit(address owner, address spender, uint256 value, uint256 nonce, uint256 deadline)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                owner,
                spender,
                value,
                nonce,
                deadline
            )
        );
    }

    /// @param kind "TransferWithAuthorization" or "ReceiveWithAuthorization".
    function authorization(
        string memory kind,
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce
    ) internal pure returns (bytes32) {
        bytes32 typeHash = keccak256(
            abi.encodePacked(
                kind,
                "(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
            )
        );
        return keccak256(abi.encode(typeHash, from, to, value, validAfter, validBefore, nonce));
    }

    function cancellation(address authorizer, bytes32 nonce) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(keccak256("CancelAuthorization(address authorizer,bytes32 nonce)"), authorizer, nonce)
        );
    }

    function execution(address to, bytes memory data, uint256 nonce) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(keccak256("Execute(address to,bytes data,uint256 nonce)"), to, keccak256(data), nonce)
        );
    }
}
