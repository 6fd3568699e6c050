// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Source, SourceClass, SupplierId} from "../types/Types.sol";

/// @title Who may supply, who may read meters, and where money goes
/// @notice Assumptions. A supplier's key is the supplier's alone, and its payout wallet may be another key.
/// The operator and the guardian are different people. If both the supplier's key and the operator are
/// taken, the guardian has the delay to cancel; if all three are, a payout can be redirected.
interface IRegistry {
    /// @notice A supplier was added.
    event SupplierRegistered(SupplierId indexed supplier, address key, address payout, bytes32 details);
    /// @notice A supplier was suspended or resumed.
    event SupplierStatusChanged(SupplierId indexed supplier, bool active);
    /// @notice A supplier's own key asked for another payout wallet.
    event PayoutChangeProposed(SupplierId indexed supplier, address payout);
    /// @notice The operator agreed; the delay runs.
    event PayoutChangeApproved(SupplierId indexed supplier, address payout, uint40 executableAt);
    /// @notice The guardian stopped a payout change.
    event PayoutChangeCancelled(SupplierId indexed supplier, address payout);
    /// @notice Money goes to another wallet from now on.
    event PayoutChanged(SupplierId indexed supplier, address payout);
    /// @notice The timelock began to replace a lost supplier key.
    event SupplierKeyChangeProposed(SupplierId indexed supplier, address key, uint40 executableAt);
    /// @notice The guardian stopped the replacement of a key.
    event SupplierKeyChangeCancelled(SupplierId indexed supplier, address key);
    /// @notice A supplier has another key; what the old one proposed is void.
    event SupplierKeyChanged(SupplierId indexed supplier, address key);
    /// @notice A source of readings was added.
    event SourceRegistered(uint32 indexed source, address key, SourceClass class, uint40 validFrom);
    /// @notice A source has another key.
    event SourceRotated(uint32 indexed source, address key, uint40 validFrom);
    /// @notice A source ended.
    event SourceRevoked(uint32 indexed source, uint40 revokedAt);
    /// @notice A meter's passport was recorded.
    event MeterRegistered(
        bytes32 indexed commitment, uint8 service, uint40 installedAt, uint40 verificationDue, bytes32 replaces
    );
    /// @notice A meter was replaced.
    event MeterRetired(bytes32 indexed commitment, uint40 retiredAt);
    /// @notice The payout table was written anew.
    // Nobody looks a table up by its address.
    // slither-disable-next-line unindexed-event-address
    event PayoutTableWritten(address table);

    error Registry_ZeroAddress();
    error Registry_NotRouble(address caller);
    error Registry_UnknownSupplier(SupplierId supplier);
    error Registry_TooManySuppliers();
    error Registry_NotSupplierKey(SupplierId supplier, address caller);
    error Registry_NoProposal(SupplierId supplier);
    error Registry_TooEarly(uint40 executableAt);
    error Registry_AlreadyApproved(SupplierId supplier);
    error Registry_PayoutDiffers(SupplierId supplier, address proposed, address approved);
    error Registry_UnknownSource(uint32 source);
    error Registry_SourceIsRevoked(uint32 source);
    error Registry_MeterExists(bytes32 commitment);
    error Registry_UnknownMeter(bytes32 commitment);

    /// @notice Adds a supplier. Operator only.
    /// @param key The supplier's own key: proposes payout changes.
    /// @param payout The wallet its money goes to.
    /// @param details Hash of the contract or the public record behind it.
    function registerSupplier(address key, address payout, bytes32 details) external returns (SupplierId supplier);

    /// @notice Suspends or resumes a supplier: a suspended supplier's legs are skipped. Operator only.
    function setSupplierActive(SupplierId supplier, bool active) external;

    /// @notice First step of a payout change, by the supplier's own key.
    function proposePayout(SupplierId supplier, address payout) external;

    /// @notice Second step, by the operator, naming the same wallet; the delay starts here.
    function approvePayout(SupplierId supplier, address payout) external;

    /// @notice Third step, by anyone after the delay.
    function executePayout(SupplierId supplier) external;

    /// @notice Stops a payout change before it is executed. Guardian only.
    function cancelPayout(SupplierId supplier) external;

    /// @notice Starts the replacement of a lost supplier key. The timelock only; a longer delay.
    function proposeSupplierKey(SupplierId supplier, address key) external;

    /// @notice Ends the replacement of a lost key, by anyone after the delay.
    function executeSupplierKey(SupplierId supplier) external;

    /// @notice Stops the replacement of a lost key. Guardian only.
    function cancelSupplierKey(SupplierId supplier) external;

    /// @notice Adds a source of readings. Operator only.
    // A parameter without a body shadows nothing.
    // slither-disable-next-line shadowing-local
    function registerSource(address key, SourceClass class, uint40 validFrom) external returns (uint32 source);

    /// @notice Gives a source a new key; what the old key signed and nobody anchored yet must be signed again.
    // A parameter without a body shadows nothing.
    // slither-disable-next-line shadowing-local
    function rotateSource(uint32 source, address key, uint40 validFrom) external;

    /// @notice Ends a source for good. Operator or guardian.
    // A parameter without a body shadows nothing.
    // slither-disable-next-line shadowing-local
    function revokeSource(uint32 source) external;

    /// @notice Records a meter's passport: a salted commitment, no serial number.
    /// @param replaces Commitment of the meter it stands in for, or zero.
    function registerMeter(
        bytes32 commitment,
        uint8 service,
        uint40 installedAt,
        uint40 verificationDue,
        bytes32 replaces
    ) external;

    /// @notice Records many passports of one kind in one call; see `registerMeter`. None replaces another.
    function registerMeters(
        bytes32[] calldata commitments,
        uint8 service,
        uint40 installedAt,
        uint40 verificationDue
    ) external;

    /// @notice A contract whose code is `abi.encode(uint256[])`: at each supplier's id its payout wallet, and bit 160
    /// when it can be paid: it is active and the bank has not frozen its payout; nothing at 0. The Settlement is told
    /// of every new table.
    function payoutTable() external view returns (address);

    /// @notice Writes the table anew because a freeze began or ended. The Rouble only, in the bank's transaction.
    function onFreezeChanged() external;

    /// @notice How many suppliers there are: the highest id.
    function supplierCount() external view returns (uint16);

    /// @notice The key that proposes a supplier's payout changes.
    function supplierKey(SupplierId supplier) external view returns (address);

    /// @notice Where a supplier's money goes, and whether it is active.
    function payoutOf(SupplierId supplier) external view returns (address payout, bool active);

    /// @notice Whether a key is or was a source's.
    // A parameter without a body shadows nothing.
    // slither-disable-next-line shadowing-local
    function hadKey(uint32 source, address key) external view returns (bool);

    /// @notice A source as it stands; its key is zero when there is none.
    function source(uint32 id) external view returns (Source memory);
}
