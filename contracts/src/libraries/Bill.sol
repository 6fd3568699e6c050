// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {BillKey} from "../types/Types.sol";

/// @title The layout of a bill leaf's blob (docs/protocol.md §4)
/// @notice Every function but `wellFormed` assumes a blob that is well formed.
library Bill {
    uint8 internal constant BILL = 0;
    uint8 internal constant DEBIT_NOTE = 1;
    uint8 internal constant CREDIT_NOTE = 2;
    uint256 internal constant MAX_LINES = 32;

    uint256 private constant LINES = 34;
    uint256 private constant LINE_SIZE = 8;
    uint256 private constant CREDIT_SIZE = 39;

    function key(uint32 run, uint32 index) internal pure returns (BillKey) {
        return BillKey.wrap(uint64(run) << 32 | index);
    }

    function wellFormed(bytes calldata blob) internal pure returns (bool) {
        if (blob.length < LINES) return false;
        uint256 count = lineCount(blob);
        uint256 tailAt = LINES + LINE_SIZE * count;
        if (count == 0 || count > MAX_LINES || blob.length < tailAt) return false;
        uint256 tail = blob.length - tailAt;
        uint8 kind_ = kind(blob);
        if (kind_ == BILL) return tail % CREDIT_SIZE == 0;
        return kind_ <= CREDIT_NOTE && tail == 8;
    }

    /// @notice A bill or debit note, well formed, that nets nothing: what a payer can close at a stroke.
    function isPlain(bytes calldata blob) internal pure returns (bool) {
        if (blob.length < LINES) return false;
        uint256 head = uint16(bytes2(blob[32:])); // kind ‖ number of lines
        uint256 kind_ = head >> 8;
        uint256 count = head & 0xff;
        unchecked {
            uint256 tail = kind_ == BILL ? 0 : 8;
            return kind_ <= DEBIT_NOTE && count != 0 && count <= MAX_LINES
                && blob.length == LINES + LINE_SIZE * count + tail;
        }
    }

    function kind(bytes calldata blob) internal pure returns (uint8) {
        return uint8(blob[32]);
    }

    function lineCount(bytes calldata blob) internal pure returns (uint256) {
        return uint8(blob[33]);
    }

    /// @notice Up to four lines from line `i`, the first in the upper 64 bits; zeros past the end of the blob.
    function lineWord(bytes calldata blob, uint256 i) internal pure returns (uint256) {
        unchecked {
            return uint256(bytes32(blob[LINES + LINE_SIZE * i:])); // i < 32
        }
    }

    /// @notice Supplier and kopecks of a line.
    function line(bytes calldata blob, uint256 i) internal pure returns (uint256 supplier, uint256 amount) {
        uint256 packed = uint64(bytes8(blob[LINES + LINE_SIZE * i:]));
        return (packed >> 48, packed & type(uint48).max);
    }

    /// @notice All lines as they stand in the blob: 8 bytes each.
    function lines(bytes calldata blob) internal pure returns (bytes calldata) {
        return blob[LINES:LINES + LINE_SIZE * lineCount(blob)];
    }

    function creditCount(bytes calldata blob) internal pure returns (uint256) {
        if (kind(blob) != BILL) return 0;
        return (blob.length - LINES - LINE_SIZE * lineCount(blob)) / CREDIT_SIZE;
    }

    /// @notice Line, kopecks and prepayment of a credit.
    function credit(bytes calldata blob, uint256 i)
        internal
        pure
        returns (uint256 line_, uint256 amount, bytes32 prepayment)
    {
        uint256 at = LINES + LINE_SIZE * lineCount(blob) + CREDIT_SIZE * i;
        return (uint8(blob[at]), uint48(bytes6(blob[at + 1:])), bytes32(blob[at + 7:]));
    }

    /// @notice The bill that a note corrects.
    function original(bytes calldata blob) internal pure returns (BillKey) {
        return BillKey.wrap(uint64(bytes8(blob[blob.length - 8:])));
    }
}
