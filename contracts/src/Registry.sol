// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Create2} from "@openzeppelin/contracts/utils/Create2.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {IRouble} from "./interfaces/IRouble.sol";
import {ISettlement} from "./interfaces/ISettlement.sol";
import {Payees} from "./libraries/Payees.sol";
import {Source, SourceClass, SupplierId} from "./types/Types.sol";

/// @notice See `IRegistry`.
contract Registry is IRegistry, AccessManaged {
    struct Supplier {
        // slot 0
        address key;
        bool active;
        // slot 1
        address payout;
    }

    struct Change {
        // slot 0
        address account;
        uint40 executableAt; // 0 until approved
    }

    struct Meter {
        // slot 0
        uint40 installedAt;
        uint40 verificationDue;
        uint40 retiredAt;
        uint8 service;
    }

    /// @notice Suppliers one payout table holds: a word each, within the 24,576 bytes of a contract's code.
    uint16 public constant MAX_SUPPLIERS = 700;

    /// @dev Init code that returns what follows it: copies the code after its own 11 bytes and returns it.
    bytes11 private constant RETURN_REST = hex"600B5981380380925939F3";

    // Immutables are written as constants are.
    // slither-disable-start naming-convention
    uint40 public immutable PAYOUT_DELAY;
    uint40 public immutable KEY_DELAY;
    IRouble public immutable ROUBLE;
    ISettlement public immutable SETTLEMENT;
    // slither-disable-end naming-convention

    /// @inheritdoc IRegistry
    address public payoutTable;

    /// @inheritdoc IRegistry
    uint16 public supplierCount;

    uint32 public sourceCount;
    uint64 private _tablesWritten;

    mapping(SupplierId => Supplier) private _suppliers;
    mapping(SupplierId => Change) private _payoutChanges;
    mapping(SupplierId => Change) private _keyChanges;
    mapping(uint32 source => Source) private _sources;
    mapping(bytes32 commitment => Meter) private _meters;

    /// @inheritdoc IRegistry
    mapping(uint32 source => mapping(address key => bool)) public hadKey;

    /// @dev The Rouble and the Settlement are deployed later, at addresses known before.
    constructor(address authority, uint40 payoutDelay, uint40 keyDelay, IRouble rouble, ISettlement settlement)
        AccessManaged(authority)
    {
        PAYOUT_DELAY = payoutDelay;
        KEY_DELAY = keyDelay;
        ROUBLE = rouble;
        SETTLEMENT = settlement;
    }

    /// @inheritdoc IRegistry
    function registerSupplier(address key, address payout, bytes32 details)
        external
        restricted
        returns (SupplierId supplier)
    {
        require(key != address(0) && payout != address(0), Registry_ZeroAddress());
        require(supplierCount < MAX_SUPPLIERS, Registry_TooManySuppliers());
        supplier = SupplierId.wrap(++supplierCount);
        _suppliers[supplier] = Supplier({key: key, active: true, payout: payout});
        emit SupplierRegistered(supplier, key, payout, details);
        _writeTable();
    }

    /// @inheritdoc IRegistry
    function setSupplierActive(SupplierId supplier, bool active) external restricted {
        _known(supplier).active = active;
        emit SupplierStatusChanged(supplier, active);
        _writeTable();
    }

    /// @inheritdoc IRegistry
    function proposePayout(SupplierId supplier, address payout) external {
        require(msg.sender == _known(supplier).key, Registry_NotSupplierKey(supplier, msg.sender));
        require(payout != address(0), Registry_ZeroAddress());
        _payoutChanges[supplier] = Change({account: payout, executableAt: 0});
        emit PayoutChangeProposed(supplier, payout);
    }

    /// @inheritdoc IRegistry
    function approvePayout(SupplierId supplier, address payout) external restricted {
        Change storage change = _payoutChanges[supplier];
        // A state is compared, no moment: the detector follows a struct that holds one.
        // slither-disable-next-line timestamp
        require(change.account != address(0), Registry_NoProposal(supplier));
        require(change.account == payout, Registry_PayoutDiffers(supplier, change.account, payout));
        require(change.executableAt == 0, Registry_AlreadyApproved(supplier));
        change.executableAt = uint40(block.timestamp) + PAYOUT_DELAY;
        emit PayoutChangeApproved(supplier, payout, change.executableAt);
    }

    /// @inheritdoc IRegistry
    function executePayout(SupplierId supplier) external {
        address payout = _takeDue(_payoutChanges[supplier], supplier);
        _suppliers[supplier].payout = payout;
        emit PayoutChanged(supplier, payout);
        _writeTable();
    }

    /// @inheritdoc IRegistry
    function cancelPayout(SupplierId supplier) external restricted {
        address payout = _payoutChanges[supplier].account;
        require(payout != address(0), Registry_NoProposal(supplier));
        delete _payoutChanges[supplier];
        emit PayoutChangeCancelled(supplier, payout);
    }

    /// @inheritdoc IRegistry
    function proposeSupplierKey(SupplierId supplier, address key) external restricted {
        _known(supplier);
        require(key != address(0), Registry_ZeroAddress());
        uint40 executableAt = uint40(block.timestamp) + KEY_DELAY;
        _keyChanges[supplier] = Change({account: key, executableAt: executableAt});
        emit SupplierKeyChangeProposed(supplier, key, executableAt);
    }

    /// @inheritdoc IRegistry
    function executeSupplierKey(SupplierId supplier) external {
        address key = _takeDue(_keyChanges[supplier], supplier);
        _suppliers[supplier].key = key;
        // What the lost key proposed must not outlive it.
        delete _payoutChanges[supplier];
        emit SupplierKeyChanged(supplier, key);
    }

    /// @inheritdoc IRegistry
    function cancelSupplierKey(SupplierId supplier) external restricted {
        address key = _keyChanges[supplier].account;
        require(key != address(0), Registry_NoProposal(supplier));
        delete _keyChanges[supplier];
        emit SupplierKeyChangeCancelled(supplier, key);
    }

    /// @inheritdoc IRegistry
    function registerSource(address key, SourceClass class, uint40 validFrom)
        external
        restricted
        returns (uint32 id)
    {
        require(key != address(0), Registry_ZeroAddress());
        id = ++sourceCount;
        _sources[id] = Source({key: key, class: class, validFrom: validFrom, revokedAt: 0});
        hadKey[id][key] = true;
        emit SourceRegistered(id, key, class, validFrom);
    }

    /// @inheritdoc IRegistry
    function rotateSource(uint32 id, address key, uint40 validFrom) external restricted {
        require(key != address(0), Registry_ZeroAddress());
        Source storage known = _live(id);
        known.key = key;
        known.validFrom = validFrom;
        hadKey[id][key] = true;
        emit SourceRotated(id, key, validFrom);
    }

    /// @inheritdoc IRegistry
    function revokeSource(uint32 id) external restricted {
        _live(id).revokedAt = uint40(block.timestamp);
        emit SourceRevoked(id, uint40(block.timestamp));
    }

    /// @inheritdoc IRegistry
    function registerMeter(
        bytes32 commitment,
        uint8 service,
        uint40 installedAt,
        uint40 verificationDue,
        bytes32 replaces
    ) external restricted {
        if (replaces != 0) {
            Meter storage old = _meters[replaces];
            require(old.installedAt != 0 && old.retiredAt == 0, Registry_UnknownMeter(replaces));
            old.retiredAt = installedAt;
            emit MeterRetired(replaces, installedAt);
        }
        _addMeter(commitment, service, installedAt, verificationDue, replaces);
    }

    /// @inheritdoc IRegistry
    function registerMeters(
        bytes32[] calldata commitments,
        uint8 service,
        uint40 installedAt,
        uint40 verificationDue
    ) external restricted {
        for (uint256 i = 0; i < commitments.length; ++i) {
            _addMeter(commitments[i], service, installedAt, verificationDue, 0);
        }
    }

    /// @inheritdoc IRegistry
    function onFreezeChanged() external {
        require(msg.sender == address(ROUBLE), Registry_NotRouble(msg.sender));
        _writeTable();
    }

    /// @inheritdoc IRegistry
    function supplierKey(SupplierId supplier) external view returns (address) {
        return _known(supplier).key;
    }

    /// @inheritdoc IRegistry
    function payoutOf(SupplierId supplier) external view returns (address payout, bool active) {
        Supplier storage known = _known(supplier);
        return (known.payout, known.active);
    }

    /// @inheritdoc IRegistry
    function source(uint32 id) external view returns (Source memory) {
        return _sources[id];
    }

    function _addMeter(
        bytes32 commitment,
        uint8 service,
        uint40 installedAt,
        uint40 verificationDue,
        bytes32 replaces
    ) private {
        Meter storage meter = _meters[commitment];
        require(meter.installedAt == 0 && installedAt != 0, Registry_MeterExists(commitment));
        meter.installedAt = installedAt;
        meter.verificationDue = verificationDue;
        meter.service = service;
        emit MeterRegistered(commitment, service, installedAt, verificationDue, replaces);
    }

    function _known(SupplierId supplier) private view returns (Supplier storage known) {
        known = _suppliers[supplier];
        require(known.key != address(0), Registry_UnknownSupplier(supplier));
    }

    function _live(uint32 id) private view returns (Source storage known) {
        known = _sources[id];
        require(known.key != address(0), Registry_UnknownSource(id));
        require(known.revokedAt == 0, Registry_SourceIsRevoked(id));
    }

    function _takeDue(Change storage change, SupplierId supplier) private returns (address account) {
        account = change.account;
        require(account != address(0) && change.executableAt != 0, Registry_NoProposal(supplier));
        // Hours and days are counted here: the seconds a validator can choose change nothing.
        // slither-disable-next-line timestamp
        require(block.timestamp >= change.executableAt, Registry_TooEarly(change.executableAt));
        change.account = address(0);
        change.executableAt = 0;
    }

    /// @dev The table is a contract whose code is data. The first byte of the encoding is zero, which is STOP: there
    /// is no code to run, so the address that CREATE2 gives it can never hold anything else.
    function _writeTable() private {
        uint256[] memory entries = new uint256[](uint256(supplierCount) + 1);
        for (uint16 i = 1; i <= supplierCount; ++i) {
            Supplier storage supplier = _suppliers[SupplierId.wrap(i)];
            // A call for each, to our own contract, which calls nobody back.
            // slither-disable-next-line calls-loop
            bool payable_ = supplier.active && !ROUBLE.isFrozen(supplier.payout);
            entries[i] = uint256(uint160(supplier.payout)) | (payable_ ? Payees.PAYABLE : 0);
        }
        bytes memory code = abi.encodePacked(RETURN_REST, abi.encode(entries));
        address table = Create2.deploy(0, bytes32(uint256(++_tablesWritten)), code);
        payoutTable = table;
        emit PayoutTableWritten(table);
        SETTLEMENT.setPayoutTable(table);
    }
}
