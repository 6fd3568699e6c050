// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {BillKey} from "../types/Types.sol";

/// @title Purpose-bound grants
/// @notice The money stays in the welfare wallet until a grant is applied, and then moves straight to the
/// supplier. The wallet posts each batch itself and allows the Settlement its total.
/// @notice Assumptions. Who is entitled to what is decided off chain, in the decision whose hash the leaf holds.
interface ISubsidyBook {
    /// @notice A batch of grants was posted by the wallet that pays it.
    event GrantsPosted(
        uint32 indexed batch, address indexed wallet, bytes32 indexed root, uint32 count, uint64 total, bytes32 act
    );
    /// @notice What was left of a batch is void.
    event BatchReversed(uint32 indexed batch, bytes32 act);
    /// @notice A grant is void.
    event GrantReversed(uint32 indexed batch, uint32 indexed index, bytes32 act);
    /// @notice A grant is used up; what it did not take is void.
    event GrantUsed(uint32 indexed batch, uint32 indexed index, BillKey indexed bill, uint8 line, uint48 amount);

    error SubsidyBook_EmptyBatch();
    error SubsidyBook_TotalNotAllowed(uint256 allowance, uint256 needed);
    error SubsidyBook_UnknownBatch(uint32 batch);
    error SubsidyBook_BatchReversed(uint32 batch);
    error SubsidyBook_NotWallet(uint32 batch, address caller);
    error SubsidyBook_NoSuchGrant(uint32 batch, uint32 index);
    error SubsidyBook_WrongProof(uint32 batch, uint32 index);
    error SubsidyBook_WrongLength(uint256 length);
    error SubsidyBook_GrantSpent(uint32 batch, uint32 index);
    error SubsidyBook_GrantExpired(uint32 batch, uint32 index, uint40 expiresAt);
    error SubsidyBook_TotalExceeded(uint32 batch, uint64 left, uint48 amount);
    error SubsidyBook_NotSettlement(address caller);

    /// @notice Posts a batch. Welfare only; the caller is the wallet that pays, and must have allowed the
    /// Settlement at least what its live batches can still take.
    function post(bytes32 root, uint32 count, uint64 total, bytes32 act) external returns (uint32 batch);

    /// @notice Ends what is left of a batch. Its own wallet only.
    function reverseBatch(uint32 batch, bytes32 act) external;

    /// @notice Ends one grant that was not used. Its own wallet only.
    function reverseGrant(uint32 batch, uint32 index, bytes32 act) external;

    /// @notice Checks a grant against its batch: known, alive, unused, unexpired.
    /// @return wallet Whose money it is.
    /// @return bill The bill it may pay on.
    /// @return line The line of that bill.
    /// @return maximum Kopecks, no more than the batch has left.
    function proveGrant(uint32 batch, uint32 index, bytes calldata blob, bytes32[] calldata proof)
        external
        view
        returns (address wallet, BillKey bill, uint8 line, uint48 maximum);

    /// @notice Uses a grant up, whole or in part: what it does not take is void. Settlement only.
    function use(uint32 batch, uint32 index, BillKey bill, uint8 line, uint48 amount) external;

    /// @notice A batch as it stands; its wallet is zero when there is none.
    function batchOf(uint32 batch)
        external
        view
        returns (address wallet, bytes32 root, uint32 count, uint64 total, uint64 used, bool reversed);

    /// @notice Whether a grant was used or reversed.
    function isSpent(uint32 batch, uint32 index) external view returns (bool);

    /// @notice What a wallet's live batches can still take.
    function committedBy(address wallet) external view returns (uint256);
}
