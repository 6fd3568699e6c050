// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @dev Supplier of a resource or service, numbered from 1 in order of registration.
type SupplierId is uint16;

/// @dev A bill's place: run in the upper 32 bits, index in the lower 32.
type BillKey is uint64;

/// @dev One credit of a split: recipient in the upper 160 bits, kopecks in the lower 96.
type Leg is uint256;

/// @notice State of a bill. Nothing leaves Paid or Superseded.
enum BillState {
    Open,
    Partial,
    Paid,
    Superseded
}

/// @notice What a source of readings is: part of a reading's quality.
enum SourceClass {
    Concentrator,
    Importer,
    Inspector,
    SelfReport,
    Validation
}

/// @notice What a source signs for each batch of readings.
struct BatchHeader {
    uint32 source;
    uint16 epoch;
    uint48 sequence;
    bytes24 previous;
    bytes32 root;
    uint32 count;
    uint40 periodStart;
    uint40 periodEnd;
    bytes32 document;
}

/// @notice Where a source's chain of batches stands.
struct Head {
    // slot 0
    uint48 sequence;
    uint16 epoch;
    bytes24 hash;
}

/// @notice A source of readings as the Registry knows it.
struct Source {
    // slot 0
    address key;
    SourceClass class;
    uint40 validFrom;
    uint40 revokedAt; // 0 while valid
}

/// @notice What moved on one line of a bill that left the fast path.
/// @dev charged - paid - granted - netted - writtenOff is what is still open.
struct LineRecord {
    // slot 0
    uint48 paid;
    uint48 granted;
    uint48 netted;
    uint48 writtenOff;
    uint48 refunded; // of paid + granted
}

/// @notice A bill with the proof that it stands in its run's tree.
struct ProvenBill {
    uint32 run;
    uint32 index;
    bytes blob;
    bytes32[] proof;
}

/// @notice A grant with the proof that it stands in its batch's tree, and the bill it pays on.
struct GrantClaim {
    uint32 batch;
    uint32 index;
    bytes blob;
    bytes32[] proof;
    ProvenBill bill;
}

/// @notice A payer's signed permission for one spender to split at most `maximum` kopecks, once.
struct SplitAuthorization {
    address payer;
    uint256 maximum;
    uint256 nonce;
    uint256 validBefore;
    bytes signature;
}
