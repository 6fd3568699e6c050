// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IAccessManager} from "@openzeppelin/contracts/access/manager/IAccessManager.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IReadingAnchor} from "./interfaces/IReadingAnchor.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {Roles} from "./libraries/Roles.sol";
import {BatchHeader, Head, Source} from "./types/Types.sol";

/// @notice See `IReadingAnchor`.
contract ReadingAnchor is IReadingAnchor, AccessManaged, EIP712 {
    bytes32 private constant HEADER_TYPE = keccak256(
        "BatchHeader(uint32 source,uint16 epoch,uint48 sequence,bytes24 previous,bytes32 root,uint32 count,uint40 periodStart,uint40 periodEnd,bytes32 document)"
    );
    bytes32 private constant RESET_TYPE =
        keccak256("EpochReset(uint32 source,uint16 epoch,bytes24 previous,bytes32 reason)");

    /// @notice How far ahead of the block a batch may end: a concentrator's clock may be off by this much.
    uint40 public constant CLOCK_TOLERANCE = 15 minutes;

    // Immutables are written as constants are.
    // slither-disable-start naming-convention
    IRegistry public immutable REGISTRY;
    // slither-disable-end naming-convention

    mapping(uint32 source => Head) private _heads;

    /// @inheritdoc IReadingAnchor
    mapping(uint32 source => bool) public equivocated;

    constructor(address authority, IRegistry registry) AccessManaged(authority) EIP712("Kopeck ReadingAnchor", "1") {
        REGISTRY = registry;
    }

    /// @inheritdoc IReadingAnchor
    function anchor(BatchHeader calldata header, bytes calldata signature) external {
        // Check
        uint32 source = header.source;
        Head memory head = _heads[source];
        require(header.epoch == head.epoch, ReadingAnchor_WrongEpoch(source, head.epoch, header.epoch));
        require(
            header.sequence == head.sequence + 1,
            ReadingAnchor_WrongSequence(source, head.sequence + 1, header.sequence)
        );
        require(header.previous == head.hash, ReadingAnchor_BrokenChain(source, head.hash, header.previous));
        require(header.count != 0, ReadingAnchor_EmptyBatch(source, header.sequence));
        require(
            header.periodStart <= header.periodEnd,
            ReadingAnchor_PeriodReversed(source, header.periodStart, header.periodEnd)
        );
        // A validator can move this moment by seconds, and gains nothing by it.
        // slither-disable-next-line timestamp
        require(
            header.periodEnd <= block.timestamp + CLOCK_TOLERANCE,
            ReadingAnchor_PeriodInFuture(source, header.periodEnd)
        );
        bytes32 structHash = _structHash(header);
        _requireSigned(_validKey(source), source, structHash, signature);
        // Effect
        bytes24 next = bytes24(structHash);
        _heads[source] = Head({sequence: header.sequence, epoch: header.epoch, hash: next});
        emit Anchored(
            source,
            header.root,
            header.document,
            header.epoch,
            header.sequence,
            next,
            header.count,
            header.periodStart,
            header.periodEnd
        );
    }

    /// @inheritdoc IReadingAnchor
    function resetEpoch(
        uint32 source,
        bytes32 reason,
        bytes calldata sourceSignature,
        bytes calldata operatorSignature
    ) external {
        Head memory head = _heads[source];
        uint16 epoch = head.epoch + 1;
        bytes32 structHash = keccak256(abi.encode(RESET_TYPE, source, epoch, head.hash, reason));
        _requireSigned(_validKey(source), source, structHash, sourceSignature);
        address operator = ECDSA.recover(_hashTypedDataV4(structHash), operatorSignature);
        // Of the pair only one is needed here.
        // slither-disable-next-line unused-return
        (bool isOperator,) = IAccessManager(authority()).hasRole(Roles.OPERATOR, operator);
        require(isOperator, ReadingAnchor_NotOperator(operator));
        _heads[source] = Head({sequence: 0, epoch: epoch, hash: bytes24(structHash)});
        emit EpochReset(source, epoch, bytes24(structHash), reason);
    }

    /// @inheritdoc IReadingAnchor
    function reportEquivocation(
        BatchHeader calldata first,
        bytes calldata firstSignature,
        BatchHeader calldata second,
        bytes calldata secondSignature
    ) external {
        bytes32 firstHash = _structHash(first);
        bytes32 secondHash = _structHash(second);
        require(
            first.source == second.source && first.epoch == second.epoch && first.sequence == second.sequence
                && firstHash != secondHash,
            ReadingAnchor_NoEquivocation()
        );
        // A revoked or replaced key's signatures are evidence too.
        _requireOwnKey(first.source, firstHash, firstSignature);
        _requireOwnKey(first.source, secondHash, secondSignature);
        equivocated[first.source] = true;
        emit Equivocation(
            first.source, first.epoch, first.sequence, bytes24(firstHash), bytes24(secondHash), msg.sender
        );
    }

    /// @inheritdoc IReadingAnchor
    function acknowledge(bytes32[] calldata roots) external restricted {
        for (uint256 i = 0; i < roots.length; ++i) {
            emit Acknowledged(roots[i], msg.sender);
        }
    }

    /// @inheritdoc IReadingAnchor
    function carryOver(uint32[] calldata sources, Head[] calldata heads) external restricted {
        for (uint256 i = 0; i < sources.length; ++i) {
            Head storage head = _heads[sources[i]];
            require(head.sequence == 0 && head.epoch == 0, ReadingAnchor_HeadExists(sources[i]));
            _heads[sources[i]] = heads[i];
            emit HeadCarriedOver(sources[i], heads[i].epoch, heads[i].sequence, heads[i].hash);
        }
    }

    /// @inheritdoc IReadingAnchor
    function headOf(uint32 source) external view returns (Head memory) {
        return _heads[source];
    }

    /// @inheritdoc IReadingAnchor
    function hashHeader(BatchHeader calldata header) external view returns (bytes32 structHash, bytes32 digest) {
        structHash = _structHash(header);
        digest = _hashTypedDataV4(structHash);
    }

    function _validKey(uint32 source) private view returns (address) {
        Source memory known = REGISTRY.source(source);
        require(known.key != address(0), ReadingAnchor_UnknownSource(source));
        // A validator can move this moment by seconds, and gains nothing by it.
        // slither-disable-next-line timestamp
        require(block.timestamp >= known.validFrom, ReadingAnchor_SourceNotYetValid(source, known.validFrom));
        require(known.revokedAt == 0, ReadingAnchor_SourceRevoked(source, known.revokedAt));
        return known.key;
    }

    function _requireSigned(address key, uint32 source, bytes32 structHash, bytes calldata signature) private view {
        address signer = ECDSA.recover(_hashTypedDataV4(structHash), signature);
        require(signer == key, ReadingAnchor_WrongSigner(source, signer));
    }

    function _requireOwnKey(uint32 source, bytes32 structHash, bytes calldata signature) private view {
        address signer = ECDSA.recover(_hashTypedDataV4(structHash), signature);
        require(REGISTRY.hadKey(source, signer), ReadingAnchor_WrongSigner(source, signer));
    }

    function _structHash(BatchHeader calldata header) private pure returns (bytes32) {
        return keccak256(abi.encode(HEADER_TYPE, header));
    }
}
