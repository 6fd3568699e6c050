// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {BatchHeader, Head} from "../types/Types.sol";

/// @title The signed chains of readings
/// @notice Assumptions. A source's key signs each sequence once; a restored backup may sign one twice, which is
/// flagged and never punished. Whoever relays can delay a batch, not alter it. That a root's file can be
/// fetched is what holders vouch for, not this contract.
interface IReadingAnchor {
    /// @notice A batch was anchored: the head of its source's chain is now `head`.
    event Anchored(
        uint32 indexed source,
        bytes32 indexed root,
        bytes32 indexed document,
        uint16 epoch,
        uint48 sequence,
        bytes24 head,
        uint32 count,
        uint40 periodStart,
        uint40 periodEnd
    );
    /// @notice A gap was declared; the next batch has sequence 1 of this epoch.
    event EpochReset(uint32 indexed source, uint16 epoch, bytes24 head, bytes32 reason);
    /// @notice A holder keeps a root's file and recomputed it.
    event Acknowledged(bytes32 indexed root, address indexed holder);
    /// @notice Evidence that a source signed two headers with one sequence.
    event Equivocation(
        uint32 indexed source, uint16 epoch, uint48 sequence, bytes24 first, bytes24 second, address reporter
    );
    /// @notice A head was taken over from an older deployment.
    event HeadCarriedOver(uint32 indexed source, uint16 epoch, uint48 sequence, bytes24 head);

    error ReadingAnchor_UnknownSource(uint32 source);
    error ReadingAnchor_SourceNotYetValid(uint32 source, uint40 validFrom);
    error ReadingAnchor_SourceRevoked(uint32 source, uint40 revokedAt);
    error ReadingAnchor_WrongSigner(uint32 source, address recovered);
    error ReadingAnchor_WrongEpoch(uint32 source, uint16 expected, uint16 given);
    error ReadingAnchor_WrongSequence(uint32 source, uint48 expected, uint48 given);
    error ReadingAnchor_BrokenChain(uint32 source, bytes24 expected, bytes24 given);
    error ReadingAnchor_EmptyBatch(uint32 source, uint48 sequence);
    error ReadingAnchor_PeriodInFuture(uint32 source, uint40 periodEnd);
    error ReadingAnchor_PeriodReversed(uint32 source, uint40 periodStart, uint40 periodEnd);
    error ReadingAnchor_NotOperator(address signer);
    error ReadingAnchor_NoEquivocation();
    error ReadingAnchor_HeadExists(uint32 source);

    /// @notice Anchors one signed batch. Open to anyone.
    function anchor(BatchHeader calldata header, bytes calldata signature) external;

    /// @notice Declares a gap in a source's chain, signed by the source and by an operator. Open to anyone.
    function resetEpoch(uint32 source, bytes32 reason, bytes calldata sourceSignature, bytes calldata operatorSignature)
        external;

    /// @notice Leaves permanent evidence that a source signed two headers with one sequence. Open to anyone.
    function reportEquivocation(
        BatchHeader calldata first,
        bytes calldata firstSignature,
        BatchHeader calldata second,
        bytes calldata secondSignature
    ) external;

    /// @notice A holder says that it keeps the files of these roots and recomputed each. Holders only.
    function acknowledge(bytes32[] calldata roots) external;

    /// @notice Takes over the heads of an older deployment. Admin only, and only where no head stands.
    function carryOver(uint32[] calldata sources, Head[] calldata heads) external;

    /// @notice Where a source's chain stands.
    function headOf(uint32 source) external view returns (Head memory);

    /// @notice Whether there is evidence of equivocation against a source.
    function equivocated(uint32 source) external view returns (bool);

    /// @notice EIP-712 struct hash and digest of a header: what a source signs.
    function hashHeader(BatchHeader calldata header) external view returns (bytes32 structHash, bytes32 digest);
}
